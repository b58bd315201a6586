//! Which sheet of a workbook is read: the one that has machine ids by the rules that hold for every input.

use super::{Workbook, error::WorkbookError, rows::Rows};
use crate::roster::{
    columns::score,
    dialect::best_sheet,
    error::RosterError,
    layout::Layout,
    named::Columns,
    options::{Options, SheetChoice},
    reader::HEAD,
};

/// How surely a sheet is the one that is meant.
#[derive(Debug)]
enum Claim {
    /// It has nothing for the roster, which would refuse it.
    None(RosterError),
    /// A column is called like one with ids, or with names.
    ByName,
    /// A column holds ids.
    ByIds,
}

impl Workbook {
    /// The names of the sheets that can be seen.
    fn visible(&self) -> Vec<String> {
        let visible = self.sheets.iter().filter(|sheet| !sheet.is_hidden);
        visible.map(|sheet| sheet.name.clone()).collect()
    }

    /// Whether there is more than one sheet, so that it should be said which one is read.
    pub(in crate::roster) fn has_choice(&self) -> bool {
        self.sheets.len() > 1
    }

    /// The name of the sheet that is read. `options` are those for the sheet's text.
    ///
    /// # Errors
    /// There is no such sheet, or more than one; or the workbook is damaged.
    pub(in crate::roster) fn choose(
        &mut self,
        file: &str,
        options: &Options,
    ) -> Result<String, RosterError> {
        let visible = self.visible();
        match (&options.sheet, &visible[..]) {
            (SheetChoice::Named(name), _) => self.named(file, name),
            (_, [only]) => Ok(only.clone()),
            (_, []) => Err(RosterError::HiddenSheets {
                file: file.to_owned(),
                sheets: self.names(),
            }),
            (choice, _) => self.by_content(file, &visible, options, *choice == SheetChoice::Only),
        }
    }

    fn names(&self) -> Columns {
        Columns(self.sheets.iter().map(|sheet| sheet.name.clone()).collect())
    }

    /// The sheet that `--sheet` names: first by the exact name, then ignoring case.
    fn named(&self, file: &str, name: &str) -> Result<String, RosterError> {
        let lower = name.trim().to_lowercase();
        let mut names = self.sheets.iter().map(|sheet| &sheet.name);
        let exact = names.clone().find(|known| *known == name);
        let found = exact.or_else(|| names.find(|known| known.trim().to_lowercase() == lower));
        found.cloned().ok_or_else(|| RosterError::NoSuchSheet {
            file: file.to_owned(),
            name: name.to_owned(),
            sheets: self.names(),
        })
    }

    /// The only sheet whose column holds ids, or else the only one with a column that is called so. If `strict`, no
    /// other sheet may have such a column either.
    fn by_content(
        &mut self,
        file: &str,
        visible: &[String],
        options: &Options,
        strict: bool,
    ) -> Result<String, RosterError> {
        let (mut by_ids, mut by_name, mut refusal) = (Vec::new(), Vec::new(), None);
        for name in visible {
            match self.claim(file, name, options)? {
                Claim::ByIds => by_ids.push(name.clone()),
                Claim::ByName => by_name.push(name.clone()),
                // An empty sheet says least.
                Claim::None(why) => match refusal {
                    None | Some(RosterError::Empty { .. }) => refusal = Some(why),
                    Some(_) => {}
                },
            }
        }
        if strict || by_ids.is_empty() {
            by_ids.append(&mut by_name);
        }
        match (&by_ids[..], refusal) {
            ([only], _) => Ok(only.clone()),
            ([], Some(why)) => Err(RosterError::NoSheet {
                file: file.to_owned(),
                sheets: Columns(visible.to_vec()),
                hidden: self.sheets.len() - visible.len(),
                why: Box::new(why),
            }),
            _ => Err(RosterError::ManySheets {
                file: file.to_owned(),
                sheets: Columns(by_ids),
            }),
        }
    }

    fn claim(&mut self, file: &str, name: &str, options: &Options) -> Result<Claim, RosterError> {
        let unreadable = |why| RosterError::Workbook {
            file: file.to_owned(),
            why,
        };
        let (head, whole) = self.head(name).map_err(unreadable)?;
        Ok(match Layout::find(file, &head, whole, options) {
            Ok(_) => {
                let wanted = options.id_column.as_deref();
                let sheet = best_sheet(&head, whole, options);
                let sense = sheet.map_or(0, |sheet| score(&sheet, wanted).0);
                // Ids in a column with a known name, or in another one.
                if sense >= 2 {
                    Claim::ByIds
                } else {
                    Claim::ByName
                }
            }
            // These have ids, and something that has to be mended.
            Err(
                RosterError::NoHeader { .. }
                | RosterError::SideBySide { .. }
                | RosterError::ManyIdColumns { .. }
                | RosterError::Results { .. },
            ) => Claim::ByIds,
            Err(why) => Claim::None(why),
        })
    }

    /// The first part of a sheet, and whether that is all of it.
    fn head(&mut self, name: &str) -> Result<(Vec<u8>, bool), WorkbookError> {
        let mut rows = Rows::of(&mut self.book, name)?;
        let mut head = Vec::new();
        while (head.len() as u64) < HEAD {
            if !rows.next_row(&mut head)? {
                return Ok((head, true));
            }
        }
        Ok((head, false))
    }
}

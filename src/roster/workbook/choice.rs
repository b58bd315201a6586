//! Which sheet of a workbook is read: the one that has machine ids by the rules that hold for every input.

use std::sync::atomic::Ordering;

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

/// How many sheets are looked at to find the one that is meant.
const MOST_SHEETS: usize = 1000;
/// How much may be read of the file for that besides twice its size: where each sheet's part begins, some buffers.
const OF_EACH_SHEET: u64 = 32 * 1024;

/// How surely a sheet is the one that is meant.
#[derive(Debug)]
enum Claim {
    /// It cannot be read.
    Unreadable(RosterError),
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
            (SheetChoice::Only, _) => self.only(file),
            (_, [only]) => Ok(only.clone()),
            (_, []) => Err(RosterError::HiddenSheets {
                file: file.to_owned(),
                sheets: self.names(),
            }),
            _ => self.by_content(file, &visible, options),
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

    /// The only sheet that is not empty, hidden or not.
    fn only(&mut self, file: &str) -> Result<String, RosterError> {
        let Columns(names) = self.names();
        if let [only] = &names[..] {
            return Ok(only.clone());
        }
        check_number(file, names.len())?;
        let mut full = Vec::new();
        for name in &names {
            let is_empty = self.is_empty(name);
            if !is_empty.map_err(|why| unreadable(file, why))? {
                full.push(name.clone());
            }
            self.check_cost(file)?;
        }
        match &full[..] {
            [] => Ok(names[0].clone()),
            [only] => Ok(only.clone()),
            _ => Err(RosterError::ManySheets {
                file: file.to_owned(),
                sheets: Columns(full),
            }),
        }
    }

    fn is_empty(&mut self, name: &str) -> Result<bool, WorkbookError> {
        let most = self.most_text();
        let mut rows = Rows::of(&mut self.book, name, most)?;
        Ok(!rows.next_row(&mut Vec::new())?)
    }

    /// A part inflates to at most some times what is read of it, but sheets can share one.
    fn check_cost(&self, file: &str) -> Result<(), RosterError> {
        let sheets = (self.sheets.len() as u64).saturating_mul(OF_EACH_SHEET);
        let most = self.size.saturating_mul(2).saturating_add(sheets);
        if self.read.load(Ordering::Relaxed) <= most {
            return Ok(());
        }
        let why = "its sheets share what they hold".to_owned();
        Err(search_refused(file, why))
    }

    /// The only sheet whose column holds ids, or else the only one with a column that is called so.
    fn by_content(
        &mut self,
        file: &str,
        visible: &[String],
        options: &Options,
    ) -> Result<String, RosterError> {
        check_number(file, visible.len())?;
        let (mut by_ids, mut by_name) = (Vec::new(), Vec::new());
        let (mut refusal, mut broken) = (None, None);
        for name in visible {
            let claim = self.claim(file, name, options);
            self.check_cost(file)?;
            match claim {
                Claim::ByIds => by_ids.push(name.clone()),
                Claim::ByName => by_name.push(name.clone()),
                Claim::Unreadable(why) => broken = broken.or(Some(why)),
                // An empty sheet says least.
                Claim::None(why) => match refusal {
                    None | Some(RosterError::Empty { .. }) => refusal = Some(why),
                    Some(_) => {}
                },
            }
        }
        if by_ids.is_empty() {
            by_ids.append(&mut by_name);
        }
        match (&by_ids[..], broken, refusal) {
            ([only], ..) => Ok(only.clone()),
            // It may be the one that is meant.
            ([], Some(why), _) => Err(why),
            ([], None, Some(why)) => Err(RosterError::NoSheet {
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

    fn claim(&mut self, file: &str, name: &str, options: &Options) -> Claim {
        let (head, whole) = match self.head(name) {
            Ok(head) => head,
            Err(why) => return Claim::Unreadable(unreadable(file, why)),
        };
        match Layout::find(file, &head, whole, options) {
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
        }
    }

    /// The first part of a sheet, and whether that is all of it.
    fn head(&mut self, name: &str) -> Result<(Vec<u8>, bool), WorkbookError> {
        let most = self.most_text();
        let mut rows = Rows::of(&mut self.book, name, most)?;
        let mut head = Vec::new();
        while (head.len() as u64) < HEAD {
            if !rows.next_row(&mut head)? {
                return Ok((head, true));
            }
        }
        Ok((head, false))
    }
}

fn check_number(file: &str, sheets: usize) -> Result<(), RosterError> {
    if sheets <= MOST_SHEETS {
        return Ok(());
    }
    let why = format!("of its {sheets} sheets only {MOST_SHEETS} would be looked at");
    Err(search_refused(file, why))
}

fn unreadable(file: &str, why: WorkbookError) -> RosterError {
    RosterError::Workbook {
        file: file.to_owned(),
        why,
    }
}

fn search_refused(file: &str, why: String) -> RosterError {
    RosterError::NoSearch {
        file: file.to_owned(),
        why,
    }
}

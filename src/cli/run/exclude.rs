//! The exclusion lists of a command: `--exclude`, and the standing one.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::RunArgs;
use crate::{
    cli::Failure,
    roster::{Options, Roster, RosterError, RowError, RowKind, SheetChoice},
};

/// The variable that names the standing list.
pub(super) const VARIABLE: &str = "FLEETSWEEP_EXCLUDE";

/// What to do about a workbook with several sheets. Hiding or deleting some could lose machines.
const ONE_BY_ONE: &str =
    "save each sheet that means machines as a file of its own, and give --exclude once for each";

impl RunArgs {
    /// The lists, each with what names it.
    pub(super) fn exclusion_lists(&self) -> Vec<(&'static str, PathBuf)> {
        let named = self.input.exclude.iter();
        let mut lists: Vec<_> = named.map(|file| ("--exclude", file.clone())).collect();
        let standing = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
        lists.extend(standing.map(|file| (VARIABLE, file.into())));
        lists
    }

    /// The machines of all lists: the ids and, with `--resolve`, the names.
    ///
    /// # Errors
    /// A list cannot be read to its end, or has a row without a usable id: a machine that it means could be sent to.
    pub(super) fn excluded(&self) -> Result<(Vec<String>, Vec<String>), Failure> {
        let options = Options {
            any_id: self.input.any_id,
            // Not looked up yet.
            names: self.input.resolve.then(Arc::default),
            // A machine that another sheet means must not be missed, whatever stands there for it.
            sheet: SheetChoice::Only,
            ..Options::default()
        };
        let mut machines = (Vec::new(), Vec::new());
        for (named_by, file) in self.exclusion_lists() {
            let name = file.display().to_string();
            read(&file, &name, &options, &mut machines).map_err(|why| {
                Failure::usage(format!(
                    "{named_by} {why}; nothing was sent, because a machine that this list means could be scanned. It \
                     holds machine ids, as a plain list or in a CSV, and with --resolve names too"
                ))
            })?;
        }
        Ok(machines)
    }
}

/// Reads a list as an input is read.
fn read(
    file: &Path,
    name: &str,
    options: &Options,
    (ids, names): &mut (Vec<String>, Vec<String>),
) -> Result<(), String> {
    let opened = File::open(file).map_err(|e| format!("{name}: {e}"))?;
    let mut roster = Roster::open_file(name, opened, options).map_err(|e| match e {
        RosterError::ManySheets { file, sheets } => {
            format!("{file}: several sheets, hidden ones included, are not empty: {sheets}; {ONE_BY_ONE}")
        }
        RosterError::NoSearch { file, why } => {
            format!("{file}: this workbook is not looked through, because {why}; {ONE_BY_ONE}")
        }
        e => e.to_string(),
    })?;
    let heading = roster.id_column().to_lowercase();
    if roster.columns().is_empty() && !heading.contains("id") {
        return Err(format!(
            "{name}: its first line, `{heading}`, is no machine id, and would be taken for a heading: write machine_id \
             there if it is one"
        ));
    }
    loop {
        let row = match roster.next_row() {
            Ok(Some(row)) => row,
            // A list of names has no row that could be sent yet.
            Err(RosterError::NothingLeft { .. }) if !names.is_empty() => break,
            Ok(None) => break,
            Err(e) => return Err(e.to_string()),
        };
        match row.kind {
            // Ids too: one may have been merged into another.
            RowKind::Invalid(RowError::NotLookedUp(_)) => names.push(row.machine_id.to_owned()),
            RowKind::Invalid(why) => {
                return Err(format!("{name}: line {}: {why}", row.line));
            }
            RowKind::Due | RowKind::Duplicate { .. } => ids.push(row.machine_id.to_owned()),
            RowKind::LeftOut | RowKind::Skipped(_) | RowKind::Excluded => {}
        }
    }
    Ok(())
}

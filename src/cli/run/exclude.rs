//! The exclusion lists of a command: `--exclude`, and the standing one.

use std::{fs::File, path::Path};

use super::RunArgs;
use crate::{
    cli::Failure,
    roster::{Options, Roster, RowKind},
};

/// The variable that names the standing list.
pub(super) const VARIABLE: &str = "FLEETSWEEP_EXCLUDE";

impl RunArgs {
    /// The machines of all lists, by their ids.
    ///
    /// # Errors
    /// A list cannot be read to its end, or has a row without a usable id: a machine that it means could be sent to.
    pub(super) fn excluded(&self) -> Result<Vec<String>, Failure> {
        let standing = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
        let mut ids = Vec::new();
        for file in &self.input.exclude {
            read(file, "--exclude", &mut ids)?;
        }
        if let Some(file) = standing {
            read(Path::new(&file), VARIABLE, &mut ids)?;
        }
        Ok(ids)
    }
}

/// Reads a list as an input is read.
fn read(file: &Path, named_by: &str, ids: &mut Vec<String>) -> Result<(), Failure> {
    let name = file.display().to_string();
    let refused = |why: String| {
        Failure::usage(format!(
            "{named_by} {why}; nothing was sent, because a machine that this list means could be scanned. It holds \
             machine ids, as a plain list or in a CSV"
        ))
    };
    let opened = File::open(file).map_err(|e| refused(format!("{name}: {e}")))?;
    let mut roster =
        Roster::open(&name, opened, &Options::default()).map_err(|e| refused(e.to_string()))?;
    while let Some(row) = roster.next_row().map_err(|e| refused(e.to_string()))? {
        match row.kind {
            RowKind::Invalid(why) => {
                return Err(refused(format!("{name}: line {}: {why}", row.line)));
            }
            RowKind::Due | RowKind::Duplicate { .. } => ids.push(row.machine_id.to_owned()),
            RowKind::LeftOut | RowKind::Excluded => {}
        }
    }
    Ok(())
}

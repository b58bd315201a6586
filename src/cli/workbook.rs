//! `--xlsx`: where the results are written as a workbook, and what is said of it.

use std::path::Path;

use super::{ExitCode, Failure};
use crate::{
    campaign::{
        journal::{self, JournalError},
        tag::CampaignId,
    },
    results::{Installed, Owner, workbook},
    store::Store,
};

/// Refuses a name that a spreadsheet program would not open.
///
/// # Errors
/// It does not end in `.xlsx`.
pub(super) fn check_name(path: &Path) -> Result<(), Failure> {
    let ending = path.extension();
    if ending.is_some_and(|ending| ending.eq_ignore_ascii_case("xlsx")) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--xlsx {}: the name of a workbook ends in .xlsx; name it so. The CSV is named with -o",
        path.display()
    )))
}

/// Whose workbooks a command may replace, besides those of its own campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replaces {
    /// Nobody's.
    Nothing,
    /// Those of other campaigns: it begins in the place of one.
    Earlier,
    /// Whatever is there (`--force`).
    Anything,
}

/// Refuses a file that is not the campaign's own workbook, unless it may be replaced.
///
/// # Errors
/// It is, or it cannot be read.
pub(super) fn check_owner(
    path: &Path,
    campaign: &CampaignId,
    replaces: Replaces,
) -> Result<(), Failure> {
    let why = match workbook::owner::owner(path)? {
        Owner::Nobody | Owner::Empty => return Ok(()),
        Owner::Campaign(id) => {
            let is_real = !CampaignId::known(&*id).is_rehearsal();
            if is_real && campaign.is_rehearsal() {
                format!(
                    "is that of the real campaign {id}, and a rehearsal (--mock) never takes its place; name another \
                     file with --xlsx"
                )
            } else if !is_real || id == campaign.as_str() || replaces != Replaces::Nothing {
                return Ok(());
            } else {
                format!("is that of campaign {id}; name another file with --xlsx, or overwrite it with --force")
            }
        }
        Owner::Foreign if replaces == Replaces::Anything => return Ok(()),
        Owner::Foreign => {
            "was not written by fleetsweep; name another file with --xlsx, or overwrite it with --force".to_owned()
        }
    };
    Err(Failure::usage(format!(
        "the workbook {} {why}. Nothing was sent",
        path.display()
    )))
}

/// Refuses a campaign with more rows than a sheet can have.
///
/// # Errors
/// It has more.
pub(super) fn check_rows(rows: u64) -> Result<(), Failure> {
    too_many(rows).map_or(Ok(()), |why| {
        Err(Failure::usage(format!("{why}. Nothing was sent")))
    })
}

/// Why that many rows have no room in a workbook.
pub(super) fn too_many(rows: u64) -> Option<String> {
    (rows > workbook::MOST_ROWS).then(|| {
        format!(
            "--xlsx: a sheet has room for {} rows below its header, and the input has {rows}; leave --xlsx out: the \
             CSV holds all of them, and a spreadsheet program opens no more than that of either",
            workbook::MOST_ROWS
        )
    })
}

/// Writes the workbook from a state that no process is changing.
///
/// # Errors
/// The state cannot be read, or the workbook cannot be written: why, in words.
pub(super) async fn write(state: &Path, path: &Path) -> Result<Installed, String> {
    let store = Store::open_unchecked_read_only(state).map_err(|e| e.to_string())?;
    let written = journal::write_workbook(store, path).await;
    written.map_err(|e| match e {
        JournalError::Results(e) => e.to_string(),
        e => format!("cannot write the workbook {}: {e}", path.display()),
    })
}

/// Where the workbook is, in words.
pub(super) fn place(installed: &Installed, meant: &Path) -> String {
    match installed {
        Installed::There(path) => format!("workbook: {}", path.display()),
        Installed::Aside { path, why } => format!(
            "{} could not be replaced ({why}), so the workbook is {}",
            meant.display(),
            path.display()
        ),
    }
}

/// A workbook that was not written, while the results are whole.
#[derive(Debug)]
pub(super) struct NotWritten {
    /// The exit code.
    pub(super) code: ExitCode,
    /// Why, and what to do.
    pub(super) why: String,
}

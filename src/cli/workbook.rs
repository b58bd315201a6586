//! `--xlsx`: where the results are written as a workbook, and what is said of it.

use std::path::Path;

use super::Failure;
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

/// Where a workbook is to be, and what may be replaced there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// Its path.
    pub(super) path: &'a Path,
    /// What may be replaced.
    pub(super) replaces: Replaces,
}

impl Target<'_> {
    /// Why what is there may not be replaced by this campaign's workbook, and what to do, if it may not.
    fn why_not(self, campaign: &CampaignId) -> Result<Option<(String, &'static str)>, Failure> {
        const ELSEWHERE: &str = "name another file with --xlsx";
        const OR_FORCE: &str = "name another file with --xlsx, or overwrite it with --force";
        let replaces = self.replaces;
        Ok(match workbook::owner::owner(self.path)? {
            Owner::Nobody | Owner::Empty => None,
            Owner::Campaign(id) => {
                let is_real = !CampaignId::known(&*id).is_rehearsal();
                if is_real && campaign.is_rehearsal() {
                    let why = format!(
                        "is that of the real campaign {id}, and a rehearsal (--mock) never takes its place"
                    );
                    Some((why, ELSEWHERE))
                } else if !is_real || id == campaign.as_str() || replaces != Replaces::Nothing {
                    None
                } else {
                    Some((format!("is that of campaign {id}"), OR_FORCE))
                }
            }
            Owner::Foreign if replaces == Replaces::Anything => None,
            Owner::Foreign => Some(("was not written by fleetsweep".to_owned(), OR_FORCE)),
        })
    }
}

/// Refuses a file that is not the campaign's own workbook, unless it may be replaced.
///
/// # Errors
/// It is, or it cannot be read.
pub(super) fn check_owner(target: Target<'_>, campaign: &CampaignId) -> Result<(), Failure> {
    let Some((why, advice)) = target.why_not(campaign)? else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "the workbook {} {why}; {advice}. Nothing was sent",
        target.path.display()
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

/// Writes the workbook from a state that no process is changing. What may not be replaced stays: it may have come there
/// since the start.
///
/// # Errors
/// The state cannot be read, or the workbook cannot be written: why, in words.
pub(super) async fn write(state: &Path, target: Target<'_>) -> Result<Installed, String> {
    let path = target.path;
    let store = Store::open_unchecked_read_only(state).map_err(|e| e.to_string())?;
    let campaign = CampaignId::known(store.identity().campaign.as_str());
    let why_not = |_: &Path| match target.why_not(&campaign) {
        Ok(why) => why.map(|(why, _)| format!("it {why}")),
        Err(failure) => Some(failure.why),
    };
    let written = journal::write_workbook(store, path, why_not).await;
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

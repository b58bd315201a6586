//! The results of a run as a workbook (`--xlsx`): checked before the first call, written when the CSV is whole.

use super::{
    RunArgs,
    context::RunContext,
    not_written::{Later, Source},
};
use crate::{
    campaign::{open::Opened, summary::Summary},
    cli::{
        Failure,
        paths::FileUse,
        workbook::{self, Replaces, Target},
    },
    results::Installed,
};

impl RunArgs {
    /// The workbook, which is to be kept apart from the other files.
    ///
    /// # Errors
    /// It does not have the name of one.
    pub(super) fn workbook(&self) -> Result<Option<FileUse>, Failure> {
        let path = self.output.xlsx.as_ref();
        path.map_or(Ok(()), |path| workbook::check_name(path))?;
        Ok(path.map(|path| FileUse::written("the workbook (--xlsx)", path)))
    }

    /// Where the workbook is to be, and what it may replace.
    pub(super) fn workbook_target(&self) -> Option<Target<'_>> {
        let path = self.output.xlsx.as_deref()?;
        let replaces = if self.output.force {
            Replaces::Anything
        } else if self.resume.again || self.resume.abandon.is_some() {
            Replaces::Earlier
        } else {
            Replaces::Nothing
        };
        Some(Target { path, replaces })
    }

    /// Checks that the workbook can be written, so that a bad path fails in the first second.
    ///
    /// # Errors
    /// It cannot.
    pub(super) fn probe_workbook(&self) -> Result<(), Failure> {
        let path = self.output.xlsx.as_deref();
        path.map_or(Ok(()), |path| {
            Ok(crate::results::workbook::owner::probe(path)?)
        })
    }

    /// A note if a run would be refused for the number of its rows.
    pub(super) fn note_workbook(&self, rows: u64) -> Option<String> {
        self.output.xlsx.as_ref()?;
        workbook::too_many(rows).map(|why| format!("{why}: a run would refuse that"))
    }
}

impl RunContext {
    /// Checks that the campaign has room in a workbook, and that the one that is there may be replaced.
    ///
    /// # Errors
    /// It has not, or it may not.
    pub(super) fn check_workbook(&self, opened: &Opened) -> Result<(), Failure> {
        let Some(target) = self.args.workbook_target() else {
            return Ok(());
        };
        workbook::check_rows(opened.targets)?;
        workbook::check_owner(target, &opened.campaign)
    }
}

/// Writes the workbook of a run whose results are in order, if one is wanted, until somebody wants to `stop_at_once`.
///
/// # Errors
/// It cannot be written, or somebody wants to stop at once.
pub(super) async fn write(
    target: Option<Target<'_>>,
    source: &Source,
    stop_at_once: impl Future<Output = ()>,
) -> Result<Option<Installed>, Failure> {
    let Some(target) = target else {
        return Ok(None);
    };
    let later = Later {
        verb: "results",
        option: "--xlsx",
        path: target.path,
        is_of_earlier: target.replaces != Replaces::Nothing,
    };
    tokio::select! {
        biased;
        () = stop_at_once => {
            Err(source.stopped(&format!("the workbook {}", target.path.display()), &later))
        }
        written = workbook::write(&source.state, target) => {
            written.map(Some).map_err(|why| source.failed(&why, &later))
        }
    }
}

/// The workbook of a run whose results are not in order.
///
/// # Errors
/// One is wanted.
pub(super) fn without_results(target: Option<Target<'_>>) -> Result<Option<Installed>, Failure> {
    target.map_or(Ok(None), |target| {
        Err(Failure::storage(format!(
            "the workbook {} is not written, because the results are not in order",
            target.path.display()
        )))
    })
}

/// Records in the summary where the workbook is. Returns what is to be said if it is not where it should be.
pub(super) fn record(
    written: Option<Installed>,
    summary: &mut Summary,
    meant: Option<Target<'_>>,
) -> Option<String> {
    let (written, meant) = written.zip(meant)?;
    let said = matches!(written, Installed::Aside { .. });
    let said = said.then(|| workbook::place(&written, meant.path));
    let (Installed::There(path) | Installed::Aside { path, .. }) = written;
    summary.workbook = Some(path);
    said
}

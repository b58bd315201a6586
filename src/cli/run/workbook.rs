//! The results of a run as a workbook (`--xlsx`): checked before the first call, written when the CSV is whole.

use std::path::Path;

use tokio::sync::mpsc;

use super::{RunArgs, context::RunContext};
use crate::{
    campaign::{
        open::{Opened, Places},
        stop::Signal,
        summary::Summary,
    },
    cli::{
        ExitCode, Failure,
        paths::FileUse,
        signals,
        workbook::{self, NotWritten, Replaces},
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
        let Some(path) = &self.args.output.xlsx else {
            return Ok(());
        };
        workbook::check_rows(opened.targets)?;
        let replaces = if self.args.output.force {
            Replaces::Anything
        } else if self.args.resume.again || self.args.resume.abandon.is_some() {
            Replaces::Earlier
        } else {
            Replaces::Nothing
        };
        workbook::check_owner(path, &opened.campaign, replaces)
    }
}

/// Writes the workbook of a run whose results are in order, if one is wanted. A rehearsal's state goes with it.
///
/// # Errors
/// It cannot be written, or somebody wants to stop at once.
pub(super) async fn write(
    path: Option<&Path>,
    places: &Places,
    is_rehearsal: bool,
    signals: Option<&mut mpsc::Receiver<Signal>>,
) -> Result<Option<Installed>, NotWritten> {
    let Some(path) = path else {
        return Ok(None);
    };
    let failed = |code, why: String| NotWritten {
        code,
        why: in_words(path, places, is_rehearsal, &why),
    };
    tokio::select! {
        biased;
        () = signals::to_stop_at_once(signals, |_| {}) => {
            let why = format!("stopped before the workbook {} was written", path.display());
            Err(failed(ExitCode::Interrupted, why))
        }
        written = workbook::write(&places.state, path) => {
            written.map(Some).map_err(|why| failed(ExitCode::Storage, why))
        }
    }
}

/// Why there is no workbook, that nothing is lost by that, and how to have one.
fn in_words(path: &Path, places: &Places, is_rehearsal: bool, why: &str) -> String {
    let results = places.results.display();
    if is_rehearsal {
        return format!("{why}; the results are whole: {results}");
    }
    format!(
        "{why}; the results are whole: {results}. This writes the workbook: fleetsweep results {} --xlsx {}",
        places.state.display(),
        path.display()
    )
}

/// Records in the summary where the workbook is. Returns what is to be said if it is not where it should be.
pub(super) fn record(
    written: Result<Option<Installed>, NotWritten>,
    summary: &mut Summary,
    meant: Option<&Path>,
) -> Option<String> {
    match (written, meant) {
        (Ok(Some(Installed::There(path))), _) => {
            summary.workbook = Some(path);
            None
        }
        (Ok(Some(aside @ Installed::Aside { .. })), Some(meant)) => {
            let said = workbook::place(&aside, meant);
            if let Installed::Aside { path, .. } = aside {
                summary.workbook = Some(path);
            }
            Some(said)
        }
        (Ok(_), _) => None,
        (Err(failed), _) => Some(failed.why),
    }
}

//! The results of a run as a workbook (`--xlsx`): checked before the first call, written when the CSV is whole.

use std::{ffi::OsString, path::Path};

use super::{RunArgs, context::RunContext};
use crate::{
    campaign::{open::Opened, summary::Summary},
    cli::{
        ExitCode, Failure,
        paths::FileUse,
        shell_words::shell_line,
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

/// Writes the workbook of a run whose results are in order, if one is wanted, until somebody wants to `stop_at_once`. A
/// rehearsal's state goes with it.
///
/// # Errors
/// It cannot be written, or somebody wants to stop at once.
pub(super) async fn write(
    target: Option<Target<'_>>,
    state: &Path,
    (results, is_rehearsal): (&Installed, bool),
    stop_at_once: impl Future<Output = ()>,
) -> Result<Option<Installed>, Failure> {
    let Some(target) = target else {
        return Ok(None);
    };
    let path = target.path;
    let (Installed::There(results) | Installed::Aside { path: results, .. }) = results;
    let state_that_stays = (!is_rehearsal).then_some(state);
    let failed =
        |code, why: String| Failure::new(code, in_words(path, results, state_that_stays, &why));
    tokio::select! {
        biased;
        () = stop_at_once => {
            let why = format!("stopped before the workbook {} was written", path.display());
            Err(failed(ExitCode::Interrupted, why))
        }
        written = workbook::write(state, target) => {
            written.map(Some).map_err(|why| failed(ExitCode::Storage, why))
        }
    }
}

/// Why there is no workbook, that nothing is lost by that, and how to have one, if the state stays.
fn in_words(path: &Path, results: &Path, state: Option<&Path>, why: &str) -> String {
    let whole = format!("{why}; the results are whole: {}", results.display());
    let Some(state) = state else {
        return whole;
    };
    let command: [OsString; 5] = [
        "fleetsweep".into(),
        "results".into(),
        state.into(),
        "--xlsx".into(),
        path.into(),
    ];
    format!(
        "{whole}. This writes the workbook: {}",
        shell_line(&command)
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_writes_a_missing_workbook_can_be_typed_as_it_is() {
        let [path, results, state] = ["my sweep.xlsx", "r.1.csv", "my sweep.db"].map(Path::new);
        let said = in_words(path, results, Some(state), "no");
        let quoted = shell_line(&[
            "my sweep.db".into(),
            "--xlsx".into(),
            "my sweep.xlsx".into(),
        ]);
        assert_ne!(quoted, "my sweep.db --xlsx my sweep.xlsx");
        assert!(
            said.ends_with(&format!("fleetsweep results {quoted}")),
            "{said}"
        );
        assert!(said.contains("whole: r.1.csv"), "{said}");
        assert!(!in_words(path, results, None, "no").contains("fleetsweep"));
    }
}

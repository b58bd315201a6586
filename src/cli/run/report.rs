//! The report of a run (`--report`): made when the results are in order and the campaign is locked no longer, since it
//! tells of a run that is at work by the lock.

use std::{ffi::OsString, path::Path};

use jiff::Timestamp;

use crate::{
    cli::{ExitCode, Failure, report::ReportFile, shell_words::shell_line},
    store::Store,
};

/// The campaign that a report is about.
pub(super) struct Source<'a> {
    pub(super) campaign: &'a str,
    pub(super) state: &'a Path,
    /// Whether the state outlives the process.
    pub(super) stays: bool,
    /// Whether the results are whole.
    pub(super) is_whole: bool,
}

impl Source<'_> {
    /// Why there is no report, that nothing is lost by that, and how to have one, if the state stays.
    fn not_made(&self, failure: &Failure) -> Failure {
        let whole = if self.is_whole {
            "; the results are whole"
        } else {
            ""
        };
        let later = self.stays.then(|| {
            let command: [OsString; 3] = ["fleetsweep".into(), "report".into(), self.state.into()];
            format!("; this makes the report: {}", shell_line(&command))
        });
        let why = format!("{}{whole}{}", failure.why, later.unwrap_or_default());
        Failure::new(failure.code, why)
    }
}

/// Makes the report of a campaign as it is `now`, if one is wanted, on a thread of its own, until somebody wants to
/// `stop_at_once`. Returns what is to be said about it.
///
/// # Errors
/// It cannot be made or written, another campaign has taken the place of this one, or somebody wants to stop at once.
pub(super) async fn write(
    file: Option<ReportFile>,
    source: Source<'_>,
    now: Timestamp,
    stop_at_once: impl Future<Output = ()>,
) -> Result<Option<String>, Failure> {
    let Some(file) = file else {
        return Ok(None);
    };
    let store = Store::open_unchecked_read_only(source.state);
    let store = store.map_err(|e| source.not_made(&e.into()))?;
    if store.identity().campaign != source.campaign {
        let why = "another campaign has taken the place of this one, so there is no report";
        return Err(Failure::usage(why));
    }
    let name = file.name();
    tokio::select! {
        biased;
        () = stop_at_once => {
            let why = format!("stopped before the report {name} was made");
            Err(source.not_made(&Failure::new(ExitCode::Interrupted, why)))
        }
        made = tokio::task::spawn_blocking(move || file.write(&store, now, None)) => match made {
            Ok(made) => made.map_err(|failure| source.not_made(&failure)),
            Err(e) => match e.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and the process with it.
                Err(e) => Err(Failure::storage(e)),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, future};

    use super::*;
    use crate::store::Identity;

    #[tokio::test]
    async fn a_report_that_is_not_made_leaves_nothing_and_says_how_to_have_it_if_it_can_be_had() {
        let folder = tempfile::tempdir().unwrap();
        let [state, page] = ["my sweep.db", "a.html"].map(|name| folder.path().join(name));
        let identity = Identity {
            campaign: "ab12cd34ef".to_owned(),
            ..Identity::default()
        };
        let loader = Store::create(&state, &identity).unwrap();
        drop(loader.finish().unwrap());
        let file = || Some(ReportFile::check(&page, "--report", false).unwrap());
        let now = Timestamp::UNIX_EPOCH;
        let source = |campaign, stays| Source {
            campaign,
            state: &state,
            stays,
            is_whole: true,
        };

        let (ours, stop) = (source("ab12cd34ef", true), future::ready(()));
        let stopped = write(file(), ours, now, stop).await.unwrap_err();
        assert_eq!(stopped.code, ExitCode::Interrupted);
        let command = shell_line(&["fleetsweep".into(), "report".into(), state.clone().into()]);
        let advice = format!("the results are whole; this makes the report: {command}");
        assert!(stopped.why.ends_with(&advice), "{}", stopped.why);

        let (ours, stop) = (source("ab12cd34ef", false), future::ready(()));
        let stopped = write(file(), ours, now, stop).await.unwrap_err();
        assert!(
            !stopped.why.contains("fleetsweep report"),
            "{}",
            stopped.why
        );

        // The command would make a report of that one.
        let (theirs, never) = (source("zy98xw76vu", true), future::pending());
        let refused = write(file(), theirs, now, never).await.unwrap_err();
        assert!(
            !refused.why.contains("fleetsweep report"),
            "{}",
            refused.why
        );
        assert!(!fs::exists(&page).unwrap());
    }
}

//! The report of a run (`--report`): made when the results are in order and the campaign is locked no longer, since it
//! tells of a run that is at work by the lock.

use std::{ffi::OsString, path::Path};

use jiff::Timestamp;

use crate::{
    cli::{ExitCode, Failure, report::ReportFile, shell_words::shell_line},
    store::Store,
};

/// Makes the report of this campaign as it is `now`, if one is wanted, on a thread of its own, until somebody wants to
/// `stop_at_once`. Returns what is to be said about it.
///
/// # Errors
/// It cannot be made or written, or somebody wants to stop at once.
pub(super) async fn write(
    file: Option<ReportFile>,
    (state, campaign): (&Path, &str),
    now: Timestamp,
    stop_at_once: impl Future<Output = ()>,
) -> Result<Option<String>, Failure> {
    let Some(file) = file else {
        return Ok(None);
    };
    let name = file.name();
    let (path, campaign) = (state.to_owned(), campaign.to_owned());
    let work = move || {
        let store = Store::open_unchecked_read_only(&path)?;
        if store.identity().campaign != campaign {
            let why = "another campaign has taken the place of this one, so there is no report";
            return Err(Failure::usage(why));
        }
        file.write(&store, now, None)
    };
    tokio::select! {
        biased;
        () = stop_at_once => {
            Err(Failure::new(ExitCode::Interrupted, format!("stopped before the report {name} was made")))
        }
        made = tokio::task::spawn_blocking(work) => match made {
            Ok(made) => made,
            Err(e) => match e.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and the process with it.
                Err(e) => Err(Failure::storage(e)),
            },
        },
    }
}

/// Why there is no report, that the results are whole if they are, and how to have one, if the state stays.
pub(super) fn not_made(why: &Failure, results_are_whole: bool, state: Option<&Path>) -> String {
    let whole = if results_are_whole {
        "; the results are whole"
    } else {
        ""
    };
    let later = state.map(|state| {
        let command: [OsString; 3] = ["fleetsweep".into(), "report".into(), state.into()];
        format!("; this makes the report: {}", shell_line(&command))
    });
    format!("{}{whole}{}", why.why, later.unwrap_or_default())
}

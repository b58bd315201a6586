//! The report of a run (`--report`): made when the results are in order and the campaign is locked no longer, since it
//! tells of a run that is at work by the lock.

use jiff::Timestamp;

use super::not_written::{Later, Source};
use crate::{
    cli::{Failure, report::ReportFile},
    store::Store,
};

/// Makes the report of a campaign as it is `now`, if one is wanted, on a thread of its own, until somebody wants to
/// `stop_at_once`. Returns what is to be said about it.
///
/// # Errors
/// It cannot be made or written, another campaign has taken the place of this one, or somebody wants to stop at once.
pub(super) async fn write(
    file: Option<ReportFile>,
    source: &Source,
    now: Timestamp,
    stop_at_once: impl Future<Output = ()>,
) -> Result<Option<String>, Failure> {
    let Some(file) = file else {
        return Ok(None);
    };
    let path = file.path().to_owned();
    let later = Later {
        verb: "report",
        option: "-o",
        path: &path,
        is_of_earlier: file.replaces_earlier(),
    };
    // It begins when it is waited for, not before.
    let made = async {
        let (state, campaign) = (source.state.clone(), source.campaign.clone());
        let work = move || {
            let store = Store::open_unchecked_read_only(&state)?;
            if store.identity().campaign == campaign {
                file.write(&store, now, None).map(Some)
            } else {
                Ok(None)
            }
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(made) => made,
            Err(e) => match e.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and the process with it.
                Err(e) => Err(Failure::storage(e)),
            },
        }
    };
    tokio::select! {
        biased;
        () = stop_at_once => {
            Err(source.stopped(&format!("the report {}", path.display()), &later))
        }
        made = made => match made {
            Ok(Some(said)) => Ok(said),
            // The command would make a report of that one.
            Ok(None) => Err(Failure::storage(
                "another campaign has taken the place of this one, so there is no report",
            )),
            Err(failure) => Err(source.failed(&failure.why, &later)),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, future};

    use super::*;
    use crate::{cli::ExitCode, store::Identity};

    #[tokio::test]
    async fn whoever_stops_first_gets_no_report_and_nobody_is_advised_to_make_that_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let [state, page] = ["a.db", "a.html"].map(|name| folder.path().join(name));
        let identity = Identity {
            campaign: "ab12cd34ef".to_owned(),
            ..Identity::default()
        };
        let loader = Store::create(&state, &identity).unwrap();
        drop(loader.finish().unwrap());
        let file = || Some(ReportFile::check(&page, "--report", false).unwrap());
        let now = Timestamp::UNIX_EPOCH;
        let mut source = Source {
            campaign: "ab12cd34ef".to_owned(),
            state,
            state_stays: true,
            results: None,
        };

        let stopped = write(file(), &source, now, future::ready(())).await;
        let stopped = stopped.unwrap_err();
        assert_eq!(stopped.code, ExitCode::Interrupted);
        assert!(stopped.why.contains("fleetsweep report"), "{}", stopped.why);

        "zy98xw76vu".clone_into(&mut source.campaign);
        let refused = write(file(), &source, now, future::pending()).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, ExitCode::Storage);
        assert!(
            !refused.why.contains("fleetsweep report"),
            "{}",
            refused.why
        );
        assert!(!fs::exists(&page).unwrap());
    }
}

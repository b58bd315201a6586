//! `findings --watch`: looks at the alerts until the scans have ended.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::{
    args::{FindingsCommand, add},
    search::{LookError, Search},
};
use crate::{
    campaign::{
        findings::{Severity, computer, family},
        follow::{FollowEnd, FollowError, Followed},
        stop::Signal,
    },
    cli::{ExitCode, Failure, follow, signals},
    client::wait::wait_until,
    results::Table,
    store::Lock,
};

/// The pause between two looks at the alerts.
const PAUSE: Duration = Duration::from_mins(2);

/// Follows the scans to their end, and tells each finding when it is first seen.
///
/// # Errors
/// The alerts or the state cannot be read, or the CSV cannot be written.
pub(super) async fn run(
    args: &FindingsCommand,
    search: &mut Search,
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<ExitCode, Failure> {
    // A file is written anew after each look, so that it is whole at any time; a stream gets what is new.
    let mut stream = match args.file() {
        None => Some(args.table()?),
        Some(_) => None,
    };
    let ended = Box::pin(until_ended(args, search, stream.as_mut(), signals)).await?;
    let is_interrupted = |followed: &Followed| followed.end == FollowEnd::Interrupted;
    let last = if ended.as_ref().is_ok_and(is_interrupted) {
        None
    } else {
        // The last look, after the last scan.
        signals::unless_stopped(signals, search.look()).await
    };
    let monitor = Arc::clone(&search.campaign.api.monitor);
    let looked = match last {
        None => ExitCode::Interrupted,
        Some(Ok(())) => {
            tell(args, search, stream.as_mut())?;
            ExitCode::Clean
        }
        Some(Err(e)) => {
            let failure = Failure::from(e);
            monitor.say(&format!("the last look at the alerts: {}", failure.why));
            failure.code()
        }
    };
    let followed = match ended {
        Ok(followed) => {
            monitor.say(&follow::summary(&followed));
            follow::exit_code(&followed)
        }
        Err(e) => {
            monitor.say(&format!("the scans could not be followed any longer: {e}"));
            follow::failure(e).code()
        }
    };
    Ok(ExitCode::gravest([looked, followed]))
}

/// Looks at the alerts from time to time until the scans have ended.
async fn until_ended(
    args: &FindingsCommand,
    search: &mut Search,
    mut stream: Option<&mut Table>,
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<Result<Followed, FollowError>, Failure> {
    let state = search.campaign.state.clone();
    let clock = Arc::clone(&search.campaign.api.clock);
    let monitor = Arc::clone(&search.campaign.api.monitor);
    let watcher = search.campaign.api.follower(&state, args.follow.options());
    let scans = watcher.follow(|| Lock::is_held(&state), signals);
    let mut scans = std::pin::pin!(scans);
    let mut has_failed = false;
    loop {
        let looked = tokio::select! {
            biased;
            ended = &mut scans => return Ok(ended),
            looked = search.look() => looked,
        };
        match looked {
            Ok(()) => tell(args, search, stream.as_deref_mut())?,
            Err(LookError::Unanswered(failure)) if !has_failed => {
                has_failed = true;
                monitor.say(&format!(
                    "{}; the scans are followed on, and the alerts looked at again",
                    failure.why
                ));
            }
            Err(LookError::Unanswered(_)) => {}
            Err(LookError::Final(failure)) => return Err(failure),
        }
        let next = clock.now() + PAUSE;
        tokio::select! {
            biased;
            ended = &mut scans => return Ok(ended),
            () = wait_until(clock.as_ref(), next) => {}
        }
    }
}

/// Writes what is new, and says it.
fn tell(
    args: &FindingsCommand,
    search: &mut Search,
    stream: Option<&mut Table>,
) -> Result<(), Failure> {
    let new = search.findings.new_ones();
    if let Some(table) = stream {
        add(table, &new)?;
    } else {
        let mut table = args.table()?;
        add(&mut table, search.findings.all())?;
        table.finish()?;
    }
    for finding in new {
        let severity = Severity::of(&finding.severity);
        search.campaign.api.monitor.say(&format!(
            "finding: {severity}, {} on {}: {}",
            family(&finding),
            computer(&finding),
            finding.title
        ));
    }
    Ok(())
}

//! `findings --watch`: looks at the alerts until the scans have ended.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{
    args::{FindingsCommand, add},
    report::family,
    search::Search,
};
use crate::{
    campaign::{
        findings::Severity,
        follow::{FollowEnd, Followed},
        stop::Signal,
    },
    cli::{ExitCode, Failure, follow},
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
    let state = search.campaign.state.clone();
    let clock = search.campaign.api.clock.clone();
    let watcher = search.campaign.api.follower(&state, args.follow.options());
    let scans = watcher.follow(|| Lock::is_held(&state), signals);
    let mut scans = std::pin::pin!(scans);
    // A file is written anew at each look, so that it is whole at any time; a stream gets what is new.
    let mut stream = match args.file() {
        None => Some(args.table()?),
        Some(_) => None,
    };
    let ended = loop {
        let ended = tokio::select! {
            biased;
            ended = &mut scans => Some(ended),
            looked = search.look() => looked.map(|()| None)?,
        };
        tell(args, search, stream.as_mut())?;
        if let Some(ended) = ended {
            break ended;
        }
        let next = clock.now() + PAUSE;
        tokio::select! {
            biased;
            ended = &mut scans => break ended,
            () = wait_until(clock.as_ref(), next) => {}
        }
    };
    let is_interrupted = |followed: &Followed| followed.end == FollowEnd::Interrupted;
    if !ended.as_ref().is_ok_and(is_interrupted) {
        // The last look, after the last scan.
        search.look().await?;
        tell(args, search, stream.as_mut())?;
    }
    let monitor = &search.campaign.api.monitor;
    Ok(match ended {
        Ok(followed) => {
            monitor.say(&follow::summary(&followed));
            follow::exit_code(&followed)
        }
        Err(e) => {
            monitor.say(&format!("the scans could not be followed any longer: {e}"));
            follow::failure(e).code()
        }
    })
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
        let computer = [&finding.computer, &finding.machine_id];
        let computer = computer.into_iter().find(|name| !name.is_empty());
        search.campaign.api.monitor.say(&format!(
            "finding: {severity}, {} on {}: {}",
            family(&finding),
            computer.map_or("", String::as_str),
            finding.title
        ));
    }
    Ok(())
}

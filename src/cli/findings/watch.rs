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
        follow::{FollowEnd, FollowError, Followed},
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
    let follower = search.campaign.api.follower(&state, args.follow.options());
    let following = follower.follow(|| Lock::is_held(&state), signals);
    let mut following = std::pin::pin!(following);
    // A file is written anew at each look, so that it is whole at any time; a stream gets what is new.
    let mut stream = match args.file() {
        None => Some(args.table()?),
        Some(_) => None,
    };
    let mut ended: Option<Result<Followed, FollowError>> = None;
    loop {
        if ended.is_none() {
            tokio::select! {
                biased;
                done = &mut following => ended = Some(done),
                looked = search.look() => looked?,
            }
        }
        if let Some(Ok(followed)) = &ended
            && followed.end == FollowEnd::Interrupted
        {
            break;
        }
        if ended.is_some() {
            // The last look, after the last scan.
            search.look().await?;
        }
        tell(args, search, stream.as_mut())?;
        if ended.is_some() {
            break;
        }
        let next = clock.now() + PAUSE;
        tokio::select! {
            biased;
            done = &mut following => ended = Some(done),
            () = wait_until(clock.as_ref(), next) => {}
        }
    }
    let code = match ended {
        Some(Ok(followed)) => {
            let monitor = &search.campaign.api.monitor;
            monitor.say(&follow::summary(&followed));
            follow::exit_code(&followed)
        }
        Some(Err(e)) => {
            let monitor = &search.campaign.api.monitor;
            monitor.say(&format!("the scans could not be followed any longer: {e}"));
            follow::failure(e).code()
        }
        None => ExitCode::Clean,
    };
    Ok(code)
}

/// Writes what is new, and says it.
fn tell(
    args: &FindingsCommand,
    search: &mut Search,
    stream: Option<&mut Table>,
) -> Result<(), Failure> {
    let new = search.findings.new_ones();
    match stream {
        Some(table) => add(table, &new)?,
        None => {
            let mut table = args.table()?;
            add(&mut table, search.findings.all())?;
            table.finish()?;
        }
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

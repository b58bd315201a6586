//! `fleetsweep findings`: the alerts on a campaign's machines since their scans began.
//!
//! - `args`: the options, and where it writes. `search`: a look at the alerts. `watch`: looks until the scans have
//!   ended. `report`: what is written and said.

mod args;
mod report;
mod search;
mod watch;

use std::time::Duration;

pub use args::FindingsCommand;

use self::{args::add, search::Search};
use super::{ExitCode, Failure, paths::FileUse, screen, signals};
use crate::{
    campaign::findings::{Findings, Severity},
    client::alerts::AlertList,
    defender::sign_in::Need,
    quota::{Clock as _, SystemClock},
};

/// The longest outage that is waited for: somebody is waiting for the list.
const LONGEST_OUTAGE: Duration = Duration::from_mins(2);

/// Lists the findings.
///
/// # Errors
/// There is no campaign, the application may not read alerts, or a file cannot be used.
pub async fn run(args: FindingsCommand) -> Result<ExitCode, Failure> {
    // First of all, because signing in may take long.
    let mut signals = signals::listen();
    args.refuse_idle(SystemClock.wall())?;
    let files = args
        .file()
        .map(|file| FileUse::written("the findings (-o)", file));
    let monitor = args.campaign.start(files.into_iter().collect())?;
    let opening = args.campaign.open(&monitor, Need::Alerts);
    let Some(campaign) = signals::unless_stopped(&mut signals, opening).await else {
        return Err(interrupted());
    };
    let campaign = campaign?;
    let alerts = AlertList::new(campaign.api.caller(Some(LONGEST_OUTAGE)));
    let mut search = Search {
        alerts,
        findings: Findings::default(),
        wanted: args.which.wanted(),
        which: args.which.in_words(),
        campaign,
        asked_about: 0,
        has_complained: false,
    };
    let done = if args.watch {
        Box::pin(watch::run(&args, &mut search, &mut signals)).await
    } else {
        match signals::unless_stopped(&mut signals, search.look()).await {
            None => Err(interrupted()),
            Some(Err(e)) => Err(e.into()),
            Some(Ok(())) => write(&args, &search).map(|()| ExitCode::Clean),
        }
    };
    search.campaign.api.flush_quota().await;
    let code = done?;
    let report = search.report();
    for line in report.in_words() {
        monitor.say(&line);
    }
    monitor.ended();
    let grave = args.fail_on.map(Severity::from);
    let is_grave = grave.is_some_and(|grave| report.gravest() >= Some(grave));
    let found = is_grave.then_some(ExitCode::Findings);
    Ok(ExitCode::gravest(found.into_iter().chain([code])))
}

/// What Ctrl-C before the end of the first look comes to.
fn interrupted() -> Failure {
    Failure::new(
        ExitCode::Interrupted,
        "interrupted before the alerts were read; nothing was changed",
    )
}

/// Writes all findings.
fn write(args: &FindingsCommand, search: &Search) -> Result<(), Failure> {
    if args.json {
        return screen::json(&search.report(), "the findings");
    }
    let mut table = args.table()?;
    add(&mut table, search.findings.all())?;
    Ok(table.finish()?)
}

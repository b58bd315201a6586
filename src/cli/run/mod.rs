//! `fleetsweep run`: start a campaign, or go on with it.
//!
//! In the order in which a run uses them:
//!
//! - [`args`](self): the options. [`idle`](self): options that have no effect without another one.
//! - [`setup`](self): connection, limits, files.
//! - [`request`](self): which campaign is meant, for `campaign::open`, which opens it.
//! - [`context`](self): a run with all that it needs. The files below add what it does.
//! - [`begin`](self): what happens before the first call. [`ask`](self): the questions that are asked then.
//! - [`following`](self): follows the scans. [`finish`](self): puts the results in order and prints the summary.
//! - [`record`](self): the command line, as the state keeps it and as it can be typed again.
//! - [`preview`](self): what a run would start with, for `fleetsweep plan`.

mod args;
mod ask;
mod begin;
mod context;
mod finish;
mod following;
mod idle;
mod preview;
mod record;
mod request;
mod setup;

use std::{ffi::OsString, sync::Arc};

pub use args::RunArgs;
use context::RunContext;
use finish::RunFacts;
pub(super) use finish::SummaryFile;
pub(super) use preview::Preview;
use setup::Setup;

use super::{ExitCode, Failure, remote_stop::StopRequests, run_bounds::RunBounds, signals};
use crate::{
    campaign::{brakes::Baseline, engine::trail, open::open},
    monitor::Monitor,
    quota::{Clock, Kind, SystemClock},
};

/// Runs a campaign to its end.
///
/// # Errors
/// It could not begin, or its results could not be written.
pub async fn run(args: RunArgs, command: &[OsString]) -> Result<ExitCode, Failure> {
    let monitor = args.start()?;
    record::log(command);
    let mut has_begun = false;
    let ended = Box::pin(run_campaign(args, command, monitor, &mut has_begun)).await;
    if let Err(refused) = &ended
        && !has_begun
    {
        trail::refused(refused.code.number(), &refused.why);
    }
    ended
}

/// Opens the campaign, drains it and reports. Sets `has_begun` just before the first call.
async fn run_campaign(
    args: RunArgs,
    command: &[OsString],
    monitor: Arc<dyn Monitor>,
    has_begun: &mut bool,
) -> Result<ExitCode, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut rng = fastrand::Rng::new();

    let mut brakes = args.brakes.options(clock.wall())?;
    let setup = Setup::of(&args, clock.as_ref(), monitor.as_ref(), &mut rng).await?;
    let summary_file = SummaryFile::open(args.output.summary.as_deref())?;
    let (places, ledger) = (setup.places.clone(), setup.note.file().cloned());
    let meant = setup.new_campaign.clone();
    let opened = open(args.open_request(places, &setup.connection.rows, meant, ledger)?).await?;
    for note in &opened.notes {
        monitor.note(note);
        trail::note(note);
    }
    // From here on Ctrl-C ends the run in good order. Before this line it ended the process, and nothing was lost.
    let (stop_sender, mut signals) = signals::channel();
    let run = RunContext::new(args, setup, clock, monitor).await?;
    let opened = run.admit(opened, &mut brakes, &mut signals).await?;
    let stop_requests = StopRequests::start(&run.setup.places.state, stop_sender)?;

    let forecast = run.api.pacer.forecast(Kind::Start);
    let began = run.api.clock.now();
    let standing = Baseline::of(&opened.reach, &opened.tally);
    let bounds = RunBounds::of(&brakes, &run.args.policy()).starting_at(standing);
    let dispatcher = run.dispatcher(&opened, brakes, began, rng.u64(..))?;
    let (targets, tally) = (opened.targets, opened.tally);
    let journal = run.journal(opened.store, targets, command, bounds).await?;
    *has_begun = true;
    run.announce(&opened.campaign, targets, &tally);

    let follower = run.args.follow.then(|| Arc::new(run.follower()));
    let engine = run.engine(opened.campaign, follower.clone());
    let sending = Box::pin(engine.run(dispatcher, journal, signals));
    let (ending, scans_code) = run
        .send_and_follow(sending, follower.as_deref(), stop_requests)
        .await;
    run.api.monitor.ended();
    let facts = RunFacts {
        places: &run.setup.places,
        targets,
        lower_bound: forecast.lower_bound(ending.attempts),
        elapsed: run.api.clock.now().since(began),
        ended: run.api.clock.wall(),
        scans_code,
        is_rehearsal: run.setup.scratch.is_some(),
        is_quiet: run.args.progress.quiet,
        lock: opened.lock,
    };
    finish::finish(ending, facts, summary_file, command).await
}

//! `fleetsweep run`: start a campaign, or go on with it.
//!
//! In the order in which a run uses them:
//!
//! - [`args`](self), [`input_args`](self), [`output_args`](self), [`running_args`](self), [`offline_args`](self): the
//!   options. [`idle`](self): options that have no effect without another one.
//! - [`setup`](self): connection, limits, files. [`exclude`](self): the machines that are never sent to.
//! - [`survey`](self): what is read about the machines before the first call.
//! - [`request`](self): which campaign is meant, for `campaign::open`, which opens it.
//! - [`context`](self): a run with all that it needs. The files below add what it does.
//! - [`begin`](self): what happens before the first call. [`ask`](self): the questions that are asked then.
//! - [`following`](self): follows the scans. [`finish`](self): puts the results in order and prints the summary.
//!   [`summary_file`](self), [`workbook`](self), [`report`](self): the summary as a file, the results as a workbook,
//!   and the page for those who were not there. [`not_written`](self): what is said if one of these cannot be.
//! - [`record`](self): the command line, as the state keeps it and as it can be typed again.
//! - [`preview`](self): what a run would start with, for `fleetsweep plan`. [`simulated`](self): a run as
//!   `fleetsweep simulate` has it.

mod args;
mod ask;
mod begin;
mod context;
mod exclude;
mod finish;
mod following;
mod idle;
mod input_args;
mod not_written;
mod offline_args;
mod output_args;
mod preview;
mod record;
mod report;
mod request;
mod running_args;
mod setup;
mod simulated;
mod summary_file;
mod survey;
mod workbook;

use std::{ffi::OsString, sync::Arc};

pub use args::RunArgs;
use context::RunContext;
pub(super) use finish::Finished;
use finish::RunFacts;
pub(super) use preview::Preview;
pub(super) use setup::Scratch;
use setup::Setup;
pub(super) use summary_file::SummaryFile;

use super::{
    ExitCode, Failure, remote_stop::StopRequests, run_bounds::RunBounds, signals, watch::Watch,
};
use crate::{
    campaign::{brakes::Baseline, engine::trail, open::claim},
    mock::Tenant,
    monitor::Monitor,
    quota::{Clock, Kind, SystemClock},
};

/// What a run finds outside of itself. A simulation has a world of its own.
pub(super) struct World {
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    /// Who is told about progress.
    pub(super) monitor: Arc<dyn Monitor>,
    /// Chance.
    pub(super) rng: fastrand::Rng,
    /// The tenant of a simulation, which is asked without a network.
    pub(super) tenant: Option<Arc<Tenant>>,
    /// Whether the state waits for the disk.
    pub(super) durability: Durability,
    /// Whether the results outlive the process.
    pub(super) results_stay: bool,
}

/// Whether a run waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// Each batch is on the disk before its calls go out.
    Full,
    /// A power cut loses what is not on the disk yet: for campaigns that nobody resumes.
    None,
}

/// Runs a campaign to its end.
///
/// # Errors
/// It could not begin, or its results could not be written.
pub async fn run(args: RunArgs, command: &[OsString]) -> Result<ExitCode, Failure> {
    let shown = args.start()?;
    record::log(command);
    let is_quiet = args.progress.quiet;
    let watch = Watch::start(&args.watch, &args.connect, shown, is_quiet)
        .inspect_err(|refused| trail::refused(refused.code.number(), &refused.why))?;
    let world = World {
        clock: Arc::new(SystemClock),
        monitor: watch.monitor(),
        rng: fastrand::Rng::new(),
        tenant: None,
        durability: Durability::Full,
        results_stay: true,
    };
    let mut has_begun = false;
    let ended = Box::pin(run_campaign(args, command, world, &mut has_begun)).await;
    if let Err(refused) = &ended
        && !has_begun
    {
        trail::refused(refused.code.number(), &refused.why);
    }
    let (ended, summary) = match ended {
        Ok((mut finished, summary_file)) => {
            finished.print(is_quiet);
            finished.close(summary_file);
            (Ok(finished.code), Some(finished.summary))
        }
        Err(failure) => (Err(failure), None),
    };
    watch.ended(ended, summary.as_ref()).await
}

/// Opens the campaign and drains it. Sets `has_begun` just before the first call.
///
/// # Errors
/// It could not begin, or its results could not be written.
pub(super) async fn run_campaign(
    args: RunArgs,
    command: &[OsString],
    mut world: World,
    has_begun: &mut bool,
) -> Result<(Finished, SummaryFile), Failure> {
    let mut brakes = args.brakes.options(world.clock.wall())?;
    let setup = Setup::of(&args, &mut world).await?;
    let summary_file = SummaryFile::open(args.output.summary.as_deref())?;
    let report_file = args.report_file()?;
    args.probe_workbook()?;
    let (places, ledger) = (setup.places.clone(), setup.note.file().cloned());
    let meant = setup.new_campaign.clone();
    let claim = claim(args.open_request(places, &setup.connection.rows, meant, ledger)?).await?;
    let questions = args.questions(claim.needs_inventory);
    let found = setup.survey(&world).answer(questions).await?;
    let away = found.away;
    let opened = claim.open(found.inventory, found.skips).await?;
    if let Some(file) = &report_file {
        file.may_replace(&opened.campaign)?;
    }
    for note in &opened.notes {
        world.monitor.note(note);
        trail::note(note);
    }
    // From here on Ctrl-C ends the run in good order. Before this line it ended the process, and nothing was lost.
    let (stop_sender, mut signals) = signals::channel();
    let (seed, durability, results_stay) =
        (world.rng.u64(..), world.durability, world.results_stay);
    let run = RunContext::new(args, setup, world).await?;
    let mut opened = run.admit(opened, &mut brakes, &mut signals).await?;
    if durability == Durability::None {
        opened.store.forgo_durability()?;
    }
    let state = &run.setup.places.state;
    let stop_requests = (!run.is_simulated).then(|| StopRequests::start(state, stop_sender));
    let stop_requests = stop_requests.transpose()?;

    let forecast = run.api.pacer.forecast(Kind::Start);
    let began = run.api.clock.now();
    let standing = Baseline::of(&opened.reach, &opened.tally);
    let bounds = RunBounds::of(&brakes, &run.args.policy()).starting_at(standing);
    let dispatcher = run.dispatcher(&opened, brakes, away.as_ref(), began, seed)?;
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
        workbook: run.args.workbook_target(),
        report: report_file,
        targets,
        lower_bound: forecast.lower_bound(ending.attempts),
        elapsed: run.api.clock.now().since(began),
        ended: run.api.clock.wall(),
        scans_code,
        is_rehearsal: run.setup.scratch.is_some(),
        results_stay,
        is_quiet: run.args.progress.quiet,
        lock: opened.lock,
    };
    let finished = finish::finish(ending, facts, command).await?;
    Ok((finished, summary_file))
}

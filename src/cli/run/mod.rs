//! `fleetsweep run`: start a campaign, or go on with it.
//!
//! - [`args`](self): what can be said. [`idle`](self): what is said in vain. [`setup`](self): connection, limits,
//!   files.
//! - [`request`](self): which campaign is meant. [`record`](self): what auditors find.
//! - [`preview`](self): what it would begin with, without a run, for `fleetsweep plan`.
//! - [`begin`](self): what has to be so before the first call. [`ask`](self): what a person, or an option, has to say
//!   to it.
//! - [`following`](self): the scans of it that are followed. [`finish`](self): what is written and said at the end.

mod args;
mod ask;
mod begin;
mod finish;
mod following;
mod idle;
mod preview;
mod record;
mod request;
mod setup;

use std::{ffi::OsString, sync::Arc};

pub use args::RunArgs;
use begin::World;
pub(super) use preview::Preview;
use setup::Setup;

use super::{ExitCode, Failure, remote_stop::StopRequests, signals, terms::Terms};
use crate::{
    campaign::{
        brakes::Baseline,
        engine::trail,
        open::{Opened, open},
    },
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
    let ended = Box::pin(drain(args, command, monitor, &mut has_begun)).await;
    if let Err(refused) = &ended
        && !has_begun
    {
        trail::refused(refused.code.number(), &refused.why);
    }
    ended
}

/// Runs a campaign to its end, and says when it `has_begun`.
async fn drain(
    args: RunArgs,
    command: &[OsString],
    monitor: Arc<dyn Monitor>,
    has_begun: &mut bool,
) -> Result<ExitCode, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut rng = fastrand::Rng::new();

    let mut brakes = args.brakes.options(clock.wall())?;
    let setup = Setup::of(&args, monitor.as_ref(), &mut rng).await?;
    let summary = finish::SummaryFile::open(args.output.summary.as_deref())?;
    let meant = setup.meant(&args, clock.as_ref(), &mut rng);
    let (places, ledger) = (setup.places.clone(), setup.note.file().cloned());
    let request = args.open_request(places, &setup.connection.rows, meant, ledger)?;
    let opened = open(request).await?;
    for note in &opened.notes {
        monitor.note(note);
        trail::note(note);
    }
    // Before anybody is told that there is a campaign: from there on Ctrl-C means to end it in good order.
    let (sender, mut signals) = signals::listen_and_lend();
    let pacer = setup.pacer(&args, &clock).await?;
    let client = setup
        .connection
        .client(args.retry.request_timeout, setup.workers)?;
    let defender = Arc::new(client);
    let world = World {
        args: &args,
        setup: &setup,
        defender: &defender,
        pacer: &pacer,
        clock: &clock,
        monitor: &monitor,
    };
    let Opened {
        store,
        lock,
        campaign,
        targets,
        tally,
        reach,
        ..
    } = world.allowed(opened, &mut brakes, &mut signals).await?;
    let stop_requests = StopRequests::start(&setup.places.state, sender)?;
    let forecast = pacer.forecast(Kind::Start);
    let began = clock.now();
    let terms = Terms::of(&brakes, &args.policy()).beginning_at(Baseline::of(&reach, &tally));
    let counts = (targets, tally);
    let dispatcher = world.dispatcher(&store, counts, brakes, reach, (began, rng.u64(..)))?;
    let journal = world.journal(store, targets, command, terms).await?;
    *has_begun = true;
    world.announce(&campaign, targets, &tally);

    let follower = args.follow.then(|| Arc::new(world.follower()));
    let engine = world.engine(campaign, follower.clone());
    let mut ending = tokio::select! {
        ending = engine.run(dispatcher, journal, signals) => ending,
        never = following::along(follower.as_deref()) => match never {},
    };
    drop(stop_requests);
    // Before its scans are followed, which takes hours: nothing is left to be lost.
    if ending.is_finished() {
        world.end_mark(&ending.campaign).await;
    }
    let scans_code = match (&follower, &ending.stop) {
        (Some(all), None) => {
            following::to_the_end(all, &mut ending, &setup.places.state, &*monitor).await
        }
        _ => None,
    };
    ending.calls += follower.map_or(0, |follower| follower.calls());
    if let Err(e) = pacer.flush().await {
        // Others count this run's last calls until they are given up: slower, and safe.
        tracing::warn!("{e}");
    }
    monitor.ended();
    let facts = finish::Facts {
        places: &setup.places,
        targets,
        lower_bound: forecast.lower_bound(ending.attempts),
        elapsed: clock.now().since(began),
        ended: clock.wall(),
        followed: scans_code,
        is_rehearsal: setup.scratch.is_some(),
        is_quiet: args.progress.is_quiet(),
        lock,
    };
    finish::finish(ending, facts, summary, command).await
}

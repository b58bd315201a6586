//! `fleetsweep run`: start a campaign, or go on with it.
//!
//! - [`args`](self): what can be said. [`idle`](self): what is said in vain. [`setup`](self): connection, limits,
//!   files.
//! - [`open`](self): the campaign that is there, or a new one. [`record`](self): what auditors find.
//! - [`preview`](self): what it would begin with, without a run, for `fleetsweep plan`.
//! - [`begin`](self): what has to be so before the first call. [`ask`](self): what a person, or an option, has to say
//!   to it.
//! - [`finish`](self): what is written and said at the end.

mod args;
mod ask;
mod begin;
mod finish;
mod idle;
mod open;
mod preview;
mod record;
mod setup;

use std::{convert::Infallible, ffi::OsString, future::pending, path::Path, sync::Arc};

pub use args::RunArgs;
use begin::World;
use open::Opened;
pub(super) use open::Refusals;
pub(super) use preview::Preview;
use setup::Setup;

use super::{
    ExitCode, Failure, brakes::CanaryAnswer, remote_stop::StopRequests, signals,
    terminal::Terminal, terms::Terms, yes,
};
use crate::{
    campaign::{
        brakes::{Standing, canary_standing::BY_YES},
        engine::{
            Ending, Engine,
            canary_gate::{FollowedCanaries, Word},
            trail,
        },
        follow::{FollowEnd, FollowError, Follower},
        stop::StopReason,
        tag::CampaignId,
    },
    defender::{Defender, HttpDefender},
    monitor::{Began, Monitor},
    quota::{Clock, Kind, Pacer, SystemClock},
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
    let opened = open::open(&args, &setup, meant).await?;
    for note in &opened.notes {
        monitor.note(note);
        trail::note(note);
    }
    // Before anybody is told that there is a campaign: from there on Ctrl-C means to end it in good order.
    let (lent, mut signals) = signals::listen_and_lend();
    let pacer = setup.pacer(&args, &clock).await?;
    let defender = Arc::new(
        setup
            .connection
            .client(args.retry.request_timeout, setup.workers)?,
    );
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
    let orders = StopRequests::start(&setup.places.state, lent)?;
    let forecast = pacer.forecast(Kind::Start);
    let began = clock.now();
    let terms = Terms::of(&brakes, &args.policy()).beginning_at(Standing::of(&reach, &tally));
    let counts = (targets, tally);
    let dispatcher = world.dispatcher(&store, counts, brakes, reach, (began, rng.u64(..)))?;
    let journal = world.journal(store, targets, command, terms).await?;
    *has_begun = true;
    let whose = &setup.connection;
    trail::began(
        &campaign,
        targets,
        &tally,
        [&whose.tenant, &whose.application],
    );
    monitor.began(&Began {
        campaign: &named(&campaign),
        targets,
        already_ended: tally.total(),
    });

    let watch = || Arc::new(follower(&args, &setup, &defender, &pacer, &clock, &monitor));
    let watch = args.follow.then(watch);
    let engine = Engine {
        defender: Arc::clone(&defender),
        tokens: Arc::clone(&setup.connection.tokens),
        pacer: pacer.clone(),
        clock: Arc::clone(&clock),
        monitor: Arc::clone(&monitor),
        workers: setup.workers,
        patience: args.retry.request_timeout,
        campaign,
        judge: Some(Arc::new(jury(&args, watch.clone(), &monitor))),
    };
    let mut ending = tokio::select! {
        ending = engine.run(dispatcher, journal, signals) => ending,
        never = follow_along(watch.as_deref()) => match never {},
    };
    drop(orders);
    // Before its scans are followed, which takes hours: nothing is left to be lost.
    if ending.is_finished() {
        world.end_mark(&ending.campaign).await;
    }
    let followed = match (&watch, &ending.stop) {
        (Some(all), None) => follow_on(all, &mut ending, &setup.places.state, &*monitor).await,
        _ => None,
    };
    ending.calls += watch.map_or(0, |watch| watch.calls());
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
        followed,
        is_rehearsal: setup.scratch.is_some(),
        is_quiet: args.progress.is_quiet(),
        lock,
    };
    finish::finish(ending, facts, summary, command).await
}

/// The campaign as a person reads it.
fn named(campaign: &CampaignId) -> String {
    if campaign.is_rehearsal() {
        format!("{campaign} (a rehearsal)")
    } else {
        campaign.to_string()
    }
}

/// Whoever follows scans of this run.
fn follower(
    args: &RunArgs,
    setup: &Setup,
    defender: &Arc<HttpDefender>,
    pacer: &Pacer,
    clock: &Arc<dyn Clock>,
    monitor: &Arc<dyn Monitor>,
) -> Follower<HttpDefender> {
    Follower::new(
        defender,
        &setup.connection.tokens,
        pacer,
        Arc::clone(clock),
        Arc::clone(monitor),
        &setup.places.state,
        args.following.options(),
    )
}

/// Who says whether the others may start once the canaries are accepted.
fn jury(
    args: &RunArgs,
    follower: Option<Arc<Follower<HttpDefender>>>,
    monitor: &Arc<dyn Monitor>,
) -> FollowedCanaries<HttpDefender> {
    let word = match args.brakes.canary_answer {
        Some(answer @ CanaryAnswer::Yes) => Word::Yes(answer.who()),
        Some(answer @ CanaryAnswer::No) => Word::No(answer.who()),
        None if args.yes.is_some() => Word::Yes(BY_YES),
        None if yes::can_ask() => Word::Asked(Arc::new(Terminal {
            monitor: Arc::clone(monitor),
        })),
        None => Word::Yes("by a run without a terminal"),
    };
    FollowedCanaries {
        follower,
        word,
        monitor: Arc::clone(monitor),
    }
}

/// Follows the scans of a run while it starts others, if they are to be followed.
async fn follow_along<D: Defender>(follower: Option<&Follower<D>>) -> Infallible {
    match follower {
        Some(follower) => follower.meanwhile().await,
        None => pending().await,
    }
}

/// Follows the scans of a run whose last call has gone out, and tells what came of that.
async fn follow_on<D: Defender>(
    following: &Follower<D>,
    ending: &mut Ending,
    state: &Path,
    monitor: &dyn Monitor,
) -> Option<ExitCode> {
    // Until here the engine has heard of Ctrl-C; from here on it ends the following.
    let (lent, mut signals) = signals::listen_and_lend();
    let _orders = StopRequests::start(state, lent);
    match following.follow(|| false, &mut signals).await {
        Ok(told) => {
            monitor.say(&super::follow::told(&told));
            if told.end == FollowEnd::Ordered {
                ending.stop = Some(StopReason::Brake("stopped by cancel".to_owned()));
            }
            return Some(super::follow::exit_code(&told));
        }
        Err(FollowError::Disk(why)) => ending.stop = Some(StopReason::Disk(why)),
        Err(e @ FollowError::Tenant(_)) => {
            ending.stop = Some(StopReason::Tenant(e.to_string()));
        }
    }
    None
}

//! `fleetsweep cancel`: call a campaign back.

use std::{
    cell::Cell,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;

use super::{
    ExitCode, Failure,
    existing_campaign::{self, CampaignArgs, ExistingCampaign},
    follow::failure,
    ledger, signals,
    terminal::Terminal,
};
use crate::{
    campaign::{
        cancel::{CancelCandidate, Cancelled, Canceller},
        engine::canary_gate::Confirm,
        open,
        tag::CampaignId,
    },
    defender::HttpDefender,
    monitor::{Monitor, count, span},
    quota::{Clock, Kind, Pacer, SystemClock},
    store::{Lock, LockError, Store},
};

/// A run that was ordered to stop waits for its calls (at most a minute as a rule) and puts its results in order.
const RUN_ENDS_WITHIN: Duration = Duration::from_mins(5);

/// A run that began just as the order was given may not have seen it: it is given again.
const ORDER_AGAIN: Duration = Duration::from_secs(5);

/// Cancel the scans that this campaign has started and that are not over; scans of others are left alone. A run that is
/// at work on the campaign is stopped first. The same command again goes on.
#[derive(Debug, Args)]
pub struct CancelCommand {
    #[command(flatten)]
    attach: CampaignArgs,

    /// Say what would be cancelled, and change nothing.
    #[arg(long, help_heading = "Options")]
    dry_run: bool,
}

/// Calls a campaign back.
///
/// # Errors
/// There is no campaign, the tenant will not have it, a file cannot be used, or somebody stops it before its first
/// call.
pub async fn run(args: CancelCommand) -> Result<ExitCode, Failure> {
    // From the first line on: looking for the scans, and waiting for a run, may take minutes.
    let mut signals = signals::listen();
    let stopped_a_run = Cell::new(false);
    let preparing = prepare(&args, &stopped_a_run);
    let Ready {
        state,
        caller,
        pacer,
        monitor,
        doomed,
        lock,
    } = match signals::unless_stopped(&mut signals, preparing).await {
        None => {
            let why = format!("interrupted; {}", nothing(stopped_a_run.get()));
            return Err(Failure::new(ExitCode::Interrupted, why));
        }
        Some(prepared) => match prepared? {
            Prepared::Over(code) => return Ok(code),
            Prepared::Ready(ready) => *ready,
        },
    };
    let cancelled = caller.cancel(doomed, &mut signals).await;
    if let Err(e) = pacer.flush().await {
        tracing::warn!("{e}");
    }
    let cancelled = cancelled.map_err(failure)?;
    monitor.say(&told(&cancelled, stopped_a_run.get()));
    existing_campaign::put_into_results(&state, Some(lock), monitor.as_ref(), &mut signals).await?;
    monitor.ended();
    Ok(match cancelled {
        Cancelled {
            interrupted: true, ..
        } => ExitCode::Interrupted,
        Cancelled { left: 0, .. } => ExitCode::Clean,
        _ => ExitCode::Incomplete,
    })
}

/// All that is needed to call a campaign back.
struct Ready {
    state: PathBuf,
    caller: Canceller<HttpDefender>,
    pacer: Pacer,
    monitor: Arc<dyn Monitor>,
    doomed: Vec<CancelCandidate>,
    /// The campaign's.
    lock: Lock,
}

enum Prepared {
    Ready(Box<Ready>),
    /// Nothing is to be cancelled.
    Over(ExitCode),
}

/// Does all that comes before the first call: it may be broken off at any moment, and notes whether it has stopped a
/// run.
async fn prepare(args: &CancelCommand, stopped_a_run: &Cell<bool>) -> Result<Prepared, Failure> {
    let monitor = args.attach.start()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let terminal = io::stdin().is_terminal();
    if !terminal && !args.attach.yes && !args.dry_run {
        return Err(Failure::usage(
            "cancel asks first, and there is no terminal to ask at: give --yes, or --dry-run to see what would be \
             cancelled",
        ));
    }
    let ExistingCampaign {
        state,
        identity,
        connection,
        client,
        pacer,
        workers,
    } = args.attach.attach(&clock, monitor.as_ref()).await?;
    let campaign = CampaignId::known(identity.campaign);
    let caller = Canceller::new(
        &client,
        &connection.tokens,
        &pacer,
        &clock,
        &monitor,
        &state,
        campaign.clone(),
        workers,
    );
    if args.dry_run {
        let doomed = caller.look().await.map_err(failure)?;
        monitor.say(&format!(
            "{} would be cancelled",
            counted(&doomed, &campaign)
        ));
        return Ok(Prepared::Over(ExitCode::Clean));
    }
    let terminal = Terminal {
        monitor: Arc::clone(&monitor),
    };
    if !args.attach.yes && Lock::is_held(&state) {
        let question = "a run is at work on the campaign: stop it, and count its scans? [y/N] ";
        if !terminal.ask(question).await {
            monitor.say("nothing was cancelled, and the run goes on");
            let store = Store::open_unchecked_read_only(&state).map_err(Failure::storage)?;
            let runs = store.has_open_scans_of_ours().map_err(Failure::storage)?;
            return Ok(Prepared::Over(exit_code(runs)));
        }
    }
    let lock = lock_of(&state, clock.as_ref(), monitor.as_ref(), stopped_a_run).await?;
    // A run over a copy of this state, or a link to it, would start scans meanwhile, and hears no order that lies here.
    drop(open::of_campaign(&campaign, ledger::locks().as_deref())?);
    let doomed = caller.look().await.map_err(failure)?;
    if doomed.is_empty() {
        monitor.say("no scan of this campaign is under way");
    } else {
        let takes = span::in_words(pacer.lower_bound(Kind::Cancel, doomed.len() as u64));
        let scans = counted(&doomed, &campaign);
        if args.attach.yes {
            monitor.note(&format!("cancelling {scans}; this takes {takes} at least"));
        } else if !terminal
            .ask(&format!(
                "cancel {scans}? This takes {takes} at least. [y/N] "
            ))
            .await
        {
            monitor.say(&nothing(stopped_a_run.get()));
            return Ok(Prepared::Over(exit_code(true)));
        }
    }
    Ok(Prepared::Ready(Box::new(Ready {
        state,
        caller,
        pacer,
        monitor,
        doomed,
        lock,
    })))
}

/// That nothing was cancelled, and what was done all the same.
fn nothing(stopped_a_run: bool) -> String {
    let mut words = "nothing was cancelled".to_owned();
    if stopped_a_run {
        words += "; the run was told to stop, and the same `run` command goes on with it";
    }
    words
}

/// "12 scans of campaign ab12cd34ef (9 that have not begun, 3 under way)".
fn counted(doomed: &[CancelCandidate], campaign: &CampaignId) -> String {
    let pending = doomed.iter().filter(|scan| scan.status == "Pending");
    let pending = pending.count();
    format!(
        "{} of campaign {campaign} ({pending} not begun, {} under way)",
        count::of(doomed.len() as u64, "scan"),
        doomed.len() - pending
    )
}

fn told(done: &Cancelled, stopped_a_run: bool) -> String {
    if done.interrupted && done.calls == 0 {
        return format!(
            "interrupted before the first call; {}; {} may still be under way, and the same command goes on",
            nothing(stopped_a_run),
            count::of(done.left, "scan")
        );
    }
    let mut parts = vec![format!("{} cancelled", count::of(done.cancelled, "scan"))];
    let ended = done.ended.iter();
    parts.extend(ended.map(|(status, count)| format!("{count} ended meanwhile as {status}")));
    if done.left > 0 {
        let left = done.left;
        parts.push(format!(
            "not cancelled yet: {left}, which may still be under way; the same command goes on"
        ));
        if !done.why.is_empty() {
            parts.push(done.why.clone());
        }
    }
    parts.join(", ")
}

/// Whether any of the campaign's scans still runs, for scripts.
fn exit_code(any_runs: bool) -> ExitCode {
    if any_runs {
        ExitCode::Incomplete
    } else {
        ExitCode::Clean
    }
}

/// Takes the campaign's lock, so that no run starts scans while they are cancelled; a run that has it is ordered to
/// stop.
async fn lock_of(
    state: &Path,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
    stopped_a_run: &Cell<bool>,
) -> Result<Lock, Failure> {
    let began = clock.now();
    let mut ordered = None;
    loop {
        match Lock::take(state) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held(_)) if clock.now().since(began) < RUN_ENDS_WITHIN => {}
            Err(e @ LockError::Held(_)) => return Err(Failure::usage(e)),
            Err(e) => return Err(Failure::storage(e)),
        }
        let now = clock.now();
        if ordered.is_none_or(|at| now.since(at) >= ORDER_AGAIN) {
            if ordered.is_none() {
                monitor.note("a run is at work on the campaign: it is told to stop");
            }
            Store::open_unchecked(state)
                .and_then(|mut store| store.request_stop(clock.wall()))
                .map_err(Failure::storage)?;
            ordered = Some(now);
            stopped_a_run.set(true);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

//! `fleetsweep cancel`: cancel the scans of a campaign. A run that is at work on the campaign is stopped first, through
//! its state, where `remote_stop` looks for the request.

use std::{
    cell::Cell,
    io::{self, IsTerminal},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;

use super::{
    ExitCode, Failure,
    api::{Api, ApiClient},
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
    defender::sign_in::Need,
    monitor::{count, span},
    quota::Kind,
    store::{Lock, LockError, Store},
};

/// How long a run may take to stop. It waits for its calls, at most a minute as a rule, and puts its results in order.
const RUN_ENDS_WITHIN: Duration = Duration::from_mins(5);

/// How often the stop request is repeated: a run that has just begun may have missed the first one.
const REPEAT_REQUEST_AFTER: Duration = Duration::from_secs(5);

/// How often the lock is tried while the run stops.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// Cancel the scans that this campaign has started and that are not over; scans of others are left alone. A run that is
/// at work on the campaign is stopped first. If this is interrupted, the same command goes on.
#[derive(Debug, Args)]
pub struct CancelCommand {
    #[command(flatten)]
    campaign: CampaignArgs,

    /// Say what would be cancelled, and change nothing.
    #[arg(long, help_heading = "Options")]
    dry_run: bool,
}

/// Cancels a campaign's scans.
///
/// # Errors
/// There is no campaign, the tenant rejects the requests, a file cannot be used, or somebody interrupts it before its
/// first call.
pub async fn run(args: CancelCommand) -> Result<ExitCode, Failure> {
    // First of all, because reading the list of scans and waiting for a run may take minutes.
    let mut signals = signals::listen();
    let stopped_a_run = Cell::new(false);
    let preparing = prepare(&args, &stopped_a_run);
    let Ready {
        state,
        api,
        canceller,
        candidates,
        lock,
    } = match signals::unless_stopped(&mut signals, preparing).await {
        None => {
            let why = format!("interrupted; {}", nothing_cancelled(stopped_a_run.get()));
            return Err(Failure::new(ExitCode::Interrupted, why));
        }
        Some(prepared) => match prepared? {
            ControlFlow::Break(code) => return Ok(code),
            ControlFlow::Continue(ready) => ready,
        },
    };
    let cancelled = canceller.cancel(candidates, &mut signals).await;
    api.flush_quota().await;
    let cancelled = cancelled.map_err(failure)?;
    let monitor = api.monitor.as_ref();
    monitor.say(&summary(&cancelled, stopped_a_run.get()));
    existing_campaign::write_scans_to_results(&state, Some(lock), monitor, &mut signals).await?;
    monitor.ended();
    Ok(match cancelled {
        Cancelled {
            interrupted: true, ..
        } => ExitCode::Interrupted,
        Cancelled { left: 0, .. } => ExitCode::Clean,
        _ => ExitCode::Incomplete,
    })
}

/// All that is needed for the first call.
struct Ready {
    state: PathBuf,
    api: Api,
    canceller: Canceller<ApiClient>,
    candidates: Vec<CancelCandidate>,
    /// The campaign's.
    lock: Lock,
}

/// Does all that comes before the first call. Returns the exit code instead after a dry run, or if the answer to a
/// question is no. It may be dropped at any moment, and notes whether it has stopped a run.
async fn prepare(
    args: &CancelCommand,
    stopped_a_run: &Cell<bool>,
) -> Result<ControlFlow<ExitCode, Ready>, Failure> {
    let monitor = args.campaign.start(Vec::new())?;
    if !io::stdin().is_terminal() && !args.campaign.yes && !args.dry_run {
        return Err(Failure::usage(
            "cancel asks first, and there is no terminal to ask at: give --yes, or --dry-run to see what would be \
             cancelled",
        ));
    }
    let ExistingCampaign { state, id, api } = args.campaign.open(&monitor, Need::Read).await?;
    let canceller = api.canceller(&state, id.clone());
    if args.dry_run {
        let candidates = canceller.look().await.map_err(failure)?;
        monitor.say(&format!("{} would be cancelled", counted(&candidates, &id)));
        return Ok(ControlFlow::Break(ExitCode::Clean));
    }
    let terminal = Terminal {
        monitor: Arc::clone(&monitor),
    };
    if !args.campaign.yes && Lock::is_held(&state) {
        let question = "a run is at work on the campaign: stop it, and count its scans? [y/N] ";
        if !terminal.ask(question).await {
            monitor.say("nothing was cancelled, and the run goes on");
            let store = Store::open_unchecked_read_only(&state)?;
            let any_runs = store.has_open_scans_of_ours()?;
            return Ok(ControlFlow::Break(exit_code(any_runs)));
        }
    }
    let lock = lock_and_stop_run(&state, &api, stopped_a_run).await?;
    // A run that uses a copy of this state, or a link to it, does not see the stop request and would start more scans.
    drop(open::lock_campaign(&id, ledger::locks().as_deref())?);
    let candidates = canceller.look().await.map_err(failure)?;
    if candidates.is_empty() {
        monitor.say("no scan of this campaign is under way");
    } else {
        let calls = api.pacer.lower_bound(Kind::Cancel, candidates.len() as u64);
        let takes = span::in_words(calls);
        let scans = counted(&candidates, &id);
        if args.campaign.yes {
            monitor.note(&format!("cancelling {scans}; this takes {takes} at least"));
        } else {
            let question = format!("cancel {scans}? This takes {takes} at least. [y/N] ");
            if !terminal.ask(&question).await {
                monitor.say(&nothing_cancelled(stopped_a_run.get()));
                return Ok(ControlFlow::Break(exit_code(true)));
            }
        }
    }
    Ok(ControlFlow::Continue(Ready {
        state,
        api,
        canceller,
        candidates,
        lock,
    }))
}

/// Says that nothing was cancelled, and whether a run was stopped all the same.
fn nothing_cancelled(stopped_a_run: bool) -> String {
    let mut words = "nothing was cancelled".to_owned();
    if stopped_a_run {
        words += "; the run was told to stop, and the same `run` command goes on with it";
    }
    words
}

/// "12 scans of campaign ab12cd34ef (9 not begun, 3 under way)".
fn counted(candidates: &[CancelCandidate], campaign: &CampaignId) -> String {
    let pending = candidates.iter().filter(|scan| scan.status == "Pending");
    let pending = pending.count();
    format!(
        "{} of campaign {campaign} ({pending} not begun, {} under way)",
        count::of(candidates.len() as u64, "scan"),
        candidates.len() - pending
    )
}

/// The result of cancelling, in one line.
fn summary(done: &Cancelled, stopped_a_run: bool) -> String {
    if done.interrupted && done.calls == 0 {
        return format!(
            "interrupted before the first call; {}; {} may still be under way, and the same command goes on",
            nothing_cancelled(stopped_a_run),
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

/// The exit code that tells scripts whether any of the campaign's scans still runs.
fn exit_code(any_runs: bool) -> ExitCode {
    if any_runs {
        ExitCode::Incomplete
    } else {
        ExitCode::Clean
    }
}

/// Takes the campaign's lock, so that no run starts scans while they are cancelled. A run that holds it is asked to
/// stop.
async fn lock_and_stop_run(
    state: &Path,
    api: &Api,
    stopped_a_run: &Cell<bool>,
) -> Result<Lock, Failure> {
    let clock = api.clock.as_ref();
    let began = clock.now();
    let mut requested = None;
    loop {
        match Lock::take(state) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held(_)) if clock.now().since(began) < RUN_ENDS_WITHIN => {}
            Err(e @ LockError::Held(_)) => return Err(Failure::usage(e)),
            Err(e) => return Err(Failure::storage(e)),
        }
        let now = clock.now();
        if requested.is_none_or(|at| now.since(at) >= REPEAT_REQUEST_AFTER) {
            if requested.is_none() {
                let text = "a run is at work on the campaign: it is told to stop";
                api.monitor.note(text);
            }
            Store::open_unchecked(state)?.request_stop(clock.wall())?;
            requested = Some(now);
            stopped_a_run.set(true);
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}

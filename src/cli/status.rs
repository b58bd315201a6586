//! `fleetsweep status`: how a campaign stands, from another terminal while it goes on, and afterwards.
//!
//! - `words`: for people. `campaigns`: which campaigns there are.

mod campaigns;
mod words;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{ExitCode, Failure, existing_campaign::check_whole, ledger::QuotaNote, paths, screen};
use crate::{
    campaign::{
        brakes::Change,
        counts::Counts,
        forecast::{Begun, Prospect, Why},
        outcome::{Outcome, Tally},
        tag::CampaignId,
    },
    monitor::{Expected, LastCall},
    quota::{Clock, Kind, Pacer, SystemClock},
    store::{LastRun, Lock, Store, TargetSummary},
};

/// So many of the last errors, and of the unsure ones, are shown; the results hold them all.
const SHOWN: usize = 5;

/// How a campaign stands: counts, quota in use, holds, the time of the last call, last errors; without STATE, which
/// campaigns this user has and how far they are.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The campaign's state file, or the input whose state lies at its default place. Without it: all campaigns that
    /// the quota's ledger remembers.
    #[arg(value_name = "STATE")]
    state: Option<PathBuf>,

    /// The ledger that is asked for campaigns, where STATE is not given. [default: fleetsweep/quota.db in the user's
    /// state directory]
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    quota_file: Option<PathBuf>,

    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// How a campaign stands.
#[derive(Debug, Serialize)]
struct Status {
    campaign: String,
    /// Whether the mock tenant answered: no machine was scanned.
    rehearsal: bool,
    state: PathBuf,
    /// Whether a process is at work on it.
    running: bool,
    targets: u64,
    open: u64,
    outcomes: BTreeMap<&'static str, u64>,
    /// How the scans stand, in the service's words; the empty word is for those that are not known yet.
    scans: BTreeMap<String, u64>,
    /// Those of them that `fleetsweep cancel` has cancelled.
    cancelled_by_us: u64,
    /// How long until the last call goes out, if a process is or were at work; none while nobody can know.
    eta_s: Option<f64>,
    /// The same at the earliest, and at the latest; no latest where too little has been seen.
    eta_from_s: Option<f64>,
    eta_to_s: Option<f64>,
    /// Why nobody can know that yet.
    eta_unknown: Option<String>,
    quota: Vec<KindStatus>,
    last_errors: Vec<TargetSummary>,
    /// How many are in doubt: they may have been scanned, and nobody knows.
    in_doubt: u64,
    /// Calls on their way, of a process that is at work.
    in_flight: u64,
    /// The first of those in doubt.
    unsure: Vec<TargetSummary>,
    run: Option<LastRun>,
    #[serde(skip)]
    arrival: Option<String>,
    #[serde(skip)]
    tally: Tally,
}

/// One kind of calls.
#[derive(Debug, Serialize)]
struct KindStatus {
    kind: &'static str,
    windows: Vec<WindowStatus>,
    /// What the next call of the kind waits for.
    waits_for: Option<String>,
    /// For how long still.
    waits_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct WindowStatus {
    window_s: f64,
    in_use: usize,
    limit: u32,
    usable: u32,
}

/// Shows how a campaign stands.
///
/// # Errors
/// There is no campaign, or it cannot be read.
pub async fn run(args: StatusArgs) -> Result<ExitCode, Failure> {
    let Some(named) = &args.state else {
        return campaigns::list(args.quota_file, args.json);
    };
    let path = paths::state_of(named)?;
    let (status, whole) = look(&path).await?;
    print(&status, args.json)?;
    whole.map(|()| ExitCode::Clean)
}

fn print(status: &Status, json: bool) -> Result<(), Failure> {
    if json {
        screen::json(status, "the status")
    } else {
        screen::report(&status.to_string(), "the status")
    }
}

async fn look(path: &Path) -> Result<(Status, Result<(), Failure>), Failure> {
    let store = Store::open_read_only(path).map_err(Failure::storage)?;
    let running = Lock::is_held(path);
    let Counts { tally, open } = Counts::of(&store)?;
    let run = store.last_run().map_err(Failure::storage)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let note = run
        .as_ref()
        .and_then(|run| QuotaNote::from_json(&run.quota));
    // A run that is at work knows what it has written.
    let whole = if running {
        Ok(())
    } else {
        check_whole(&store, note.as_ref())
    };
    let outlook = Outlook::of(&store, note.as_ref(), open, running, &clock).await?;
    let Outlook { quota, eta, begun } = outlook;
    let unknown = run.as_ref().filter(|run| running && run.ended.is_none());
    let unknown = unknown.and_then(|run| run.reason.clone());
    let last_call = match (&unknown, eta) {
        (Some(_), _) => LastCall::NotKnown,
        (None, Some(eta)) => LastCall::In(eta),
        (None, None) => LastCall::Gone,
    };
    let eta = eta.filter(|_| unknown.is_none());
    let lookups = begun.waiting.iter();
    let lookups = lookups.filter(|(_, why)| *why == Why::Lookup).count() as u64;
    let status = Status {
        rehearsal: CampaignId::known(store.identity().campaign.as_str()).is_rehearsal(),
        campaign: store.identity().campaign.clone(),
        running,
        targets: tally.total() + open,
        open,
        outcomes: tally
            .iter()
            .map(|(outcome, count)| (outcome.as_str(), count))
            .collect(),
        scans: store
            .action_tally()
            .map_err(Failure::storage)?
            .into_iter()
            .collect(),
        cancelled_by_us: store.cancelled().map_err(Failure::storage)?,
        eta_s: eta.map(|eta| eta.likely.as_secs_f64()),
        eta_from_s: eta.map(|eta| eta.from.as_secs_f64()),
        eta_to_s: eta.and_then(|eta| eta.to).map(|to| to.as_secs_f64()),
        quota,
        last_errors: store.last_errors(SHOWN).map_err(Failure::storage)?,
        in_doubt: lookups + tally.of(Outcome::Unsure),
        in_flight: begun.on_its_way,
        unsure: store.unsure(SHOWN, running).map_err(Failure::storage)?,
        eta_unknown: unknown,
        state: path.to_owned(),
        arrival: last_call
            .in_words(clock.wall(), &TimeZone::system())
            .filter(|_| open > 0 && (running || !wants_change(run.as_ref())))
            .map(|words| {
                if running {
                    words
                } else {
                    format!("{words}, if it went on now")
                }
            }),
        run,
        tally,
    };
    Ok((status, whole))
}

/// What is left to be sent, and when.
#[derive(Default)]
struct Outlook {
    quota: Vec<KindStatus>,
    eta: Option<Expected>,
    begun: Begun,
}

impl Outlook {
    /// By the limits that the last run noted; nothing where there was none, or its ledger is gone.
    async fn of(
        store: &Store,
        note: Option<&QuotaNote>,
        open: u64,
        running: bool,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let is_there = |note: &&QuotaNote| note.file().is_none_or(|file| file.exists());
        let Some(note) = note.filter(is_there) else {
            return Ok(Self::default());
        };
        let pacer = note.pacer(&note.quota(), clock, Duration::ZERO)?;
        pacer.flush().await.map_err(Failure::storage)?;
        let (policy, now) = (note.terms().policy(), clock.wall());
        let begun = Begun::of(store, now, running, &policy).map_err(Failure::storage)?;
        let reach = store.reach().map_err(Failure::storage)?;
        let fresh = open.saturating_sub(begun.targets());
        let bounds = note.terms().bounds(&reach);
        let prospect = Prospect {
            begun: begun.clone(),
            on_pending: policy.on_pending,
            ..Prospect::new(pacer.forecast(Kind::Start), fresh, bounds, now)
        };
        let kinds = Kind::ALL.into_iter();
        Ok(Self {
            quota: kinds
                .map(|kind| kind_status(&pacer, kind, clock.as_ref()))
                .collect(),
            eta: prospect.last_call(),
            begun,
        })
    }
}

/// Whether a brake has stopped it that would stop the same command again: no call goes out then.
fn wants_change(run: Option<&LastRun>) -> bool {
    let reason = run.filter(|run| run.ended.is_some());
    let reason = reason.and_then(|run| run.reason.as_deref());
    reason.is_some_and(Change::is_wanted_after)
}

fn kind_status(pacer: &Pacer, kind: Kind, clock: &dyn Clock) -> KindStatus {
    let waiting = pacer.waiting(kind);
    let windows = pacer.usage(kind).into_iter().map(|usage| WindowStatus {
        window_s: usage.window.as_secs_f64(),
        in_use: usage.in_use,
        limit: usage.limit,
        usable: usage.usable,
    });
    KindStatus {
        kind: kind.as_str(),
        windows: windows.collect(),
        waits_for: waiting.map(|waiting| waiting.cause.to_string()),
        waits_s: waiting
            .and_then(|waiting| waiting.left(clock.now()))
            .map(|left| left.as_secs_f64()),
    }
}

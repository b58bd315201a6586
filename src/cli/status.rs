//! `fleetsweep status`: how a campaign stands, while it is running and afterwards. All of it is read from the
//! campaign's state and the quota ledger.
//!
//! - `words`: the status as text. `campaigns`: the list of this user's campaigns.

mod campaigns;
mod words;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    ExitCode, Failure, existing_campaign::check_whole, ledger::QuotaNote, named_state::state_of,
    screen,
};
use crate::{
    campaign::{
        brakes::Change,
        counts::Counts,
        findings::Severity,
        forecast::{Begun, Prospect, Why},
        outcome::{Outcome, Tally},
        tag::CampaignId,
    },
    monitor::{Expected, LastCall},
    quota::{Clock, Kind, QuotaSnapshot, SystemClock},
    store::{LastRun, Lock, Store, StoreError, TargetSummary},
};

/// How many of the last errors, and of the unsure targets, are shown. The results file has all of them.
const SHOWN: usize = 5;

/// How a campaign stands: counts, quota in use, holds, the time of the last call, last errors; without STATE, which
/// campaigns this user has and how far they are.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The campaign's state file, its results, or the input, if the state is in its default place. Without
    /// it: all campaigns that the quota ledger remembers.
    #[arg(value_name = "STATE")]
    state: Option<PathBuf>,

    /// The ledger whose campaigns are listed if STATE is not given. [default: fleetsweep/quota.db in the user's state
    /// directory]
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    quota_file: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How a campaign stands. The fields are those of the JSON that `--json` prints, and durations are in seconds.
#[derive(Debug, Serialize)]
struct Status {
    campaign: String,
    /// Whether the mock tenant answered, so that no machine was scanned.
    rehearsal: bool,
    state: PathBuf,
    /// Whether a process is at work on it.
    running: bool,
    targets: u64,
    open: u64,
    outcomes: BTreeMap<&'static str, u64>,
    /// How many scans have each of the service's states. The empty state stands for those not known yet.
    scans: BTreeMap<String, u64>,
    /// How many of these scans `fleetsweep cancel` has cancelled.
    cancelled_by_us: u64,
    /// The time until the last call goes out, if a run is at work or would start now; `None` if it is not known.
    eta_s: Option<f64>,
    /// The earliest and the latest estimate of it. There is no latest one before enough calls have been made.
    eta_from_s: Option<f64>,
    eta_to_s: Option<f64>,
    /// Why it is not known.
    eta_unknown: Option<String>,
    quota: Vec<KindStatus>,
    last_errors: Vec<TargetSummary>,
    /// How many targets may have been scanned without it being known.
    in_doubt: u64,
    /// Calls in flight, if a run is at work.
    in_flight: u64,
    /// The first of the targets in doubt.
    unsure: Vec<TargetSummary>,
    run: Option<LastRun>,
    /// How many targets the last run has set aside because their machines are away, as it noted last.
    away: u64,
    /// Since when it was so many.
    away_since: Option<Timestamp>,
    /// How many ended scans their devices report too: `yes`, `not yet`, `no report`, or nothing where they were not
    /// asked. `None` if nobody has asked (`follow --verify`).
    verified: Option<BTreeMap<String, u64>>,
    /// What `fleetsweep findings` has found last.
    findings: Option<FindingsStatus>,
    /// When the last call goes out, in words.
    #[serde(skip)]
    last_call: Option<String>,
    #[serde(skip)]
    tally: Tally,
}

/// The findings that were read last.
#[derive(Debug, Serialize)]
struct FindingsStatus {
    /// When.
    asked: Timestamp,
    /// Which alerts were asked for.
    which: String,
    count: u64,
    by_severity: BTreeMap<&'static str, u64>,
}

impl FindingsStatus {
    fn of(store: &Store) -> Result<Option<Self>, StoreError> {
        let Some((asked, which)) = store.findings_asked()? else {
            return Ok(None);
        };
        let findings = store.findings()?;
        let mut by_severity = BTreeMap::new();
        for finding in &findings {
            let severity = Severity::of(&finding.severity).as_str();
            *by_severity.entry(severity).or_default() += 1;
        }
        Ok(Some(Self {
            asked,
            which,
            count: findings.len() as u64,
            by_severity,
        }))
    }
}

/// The quota of one kind of call.
#[derive(Debug, Serialize)]
struct KindStatus {
    kind: &'static str,
    windows: Vec<WindowStatus>,
    /// What the next call of the kind waits for.
    waits_for: Option<String>,
    /// For how many seconds.
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
pub fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let Some(named) = &args.state else {
        return campaigns::list(args.quota_file.clone(), args.json);
    };
    let path = state_of(named)?;
    let (status, whole) = Status::collect(&path)?;
    if args.json {
        screen::json(&status, "the status")?;
    } else {
        screen::report(&status.to_string(), "the status")?;
    }
    whole.map(|()| ExitCode::Clean)
}

impl Status {
    /// Reads how a campaign stands. The second part is the error of a state that has lost its end: the status is shown
    /// all the same.
    ///
    /// # Errors
    /// The state or the ledger cannot be read.
    fn collect(path: &Path) -> Result<(Self, Result<(), Failure>), Failure> {
        let store = Store::open_read_only(path)?;
        let running = Lock::is_held(path);
        let Counts { tally, open } = Counts::of(&store)?;
        let run = store.last_run()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // A run that is at work has checked this itself, and its files change meanwhile.
        let whole = if running { Ok(()) } else { check_whole(&store) };
        let Forecast { quota, eta, begun } = Forecast::of(&store, open, running, &clock)?;
        // A run that cannot tell when it ends notes why.
        let at_work = run.as_ref().filter(|run| running && run.ended.is_none());
        let eta_unknown = at_work.and_then(|run| run.reason.clone());
        let last_call = match (&eta_unknown, eta) {
            (Some(_), _) => LastCall::NotKnown,
            (None, Some(eta)) => LastCall::In(eta),
            (None, None) => LastCall::Gone,
        };
        let last_call = last_call
            .in_words(clock.wall(), &TimeZone::system())
            .filter(|_| open > 0 && (running || !wants_change(run.as_ref())))
            .map(|words| {
                if running {
                    words
                } else {
                    format!("{words}, if it went on now")
                }
            });
        let eta = eta.filter(|_| eta_unknown.is_none());
        let away = store.away()?.filter(|_| open > 0);
        let campaign = store.identity().campaign.clone();
        let waiting = begun.waiting.iter();
        let lookups = waiting.filter(|(_, why)| *why == Why::Lookup);
        let status = Self {
            rehearsal: CampaignId::known(campaign.as_str()).is_rehearsal(),
            campaign,
            state: path.to_owned(),
            running,
            targets: tally.total() + open,
            open,
            outcomes: tally
                .iter()
                .map(|(outcome, count)| (outcome.as_str(), count))
                .collect(),
            scans: store.action_tally()?.into_iter().collect(),
            cancelled_by_us: store.cancelled()?,
            eta_s: eta.map(|eta| eta.likely.as_secs_f64()),
            eta_from_s: eta.map(|eta| eta.from.as_secs_f64()),
            eta_to_s: eta.and_then(|eta| eta.to).map(|to| to.as_secs_f64()),
            eta_unknown,
            quota,
            last_errors: store.last_errors(SHOWN)?,
            in_doubt: lookups.count() as u64 + tally.of(Outcome::Unsure),
            in_flight: begun.on_its_way,
            unsure: store.unsure(SHOWN, running)?,
            run,
            away: away.map_or(0, |away| away.machines.min(open)),
            away_since: away.map(|away| away.since),
            verified: store.verified_tally()?,
            findings: FindingsStatus::of(&store)?,
            last_call,
            tally,
        };
        Ok((status, whole))
    }
}

/// What is left to be sent, and when.
#[derive(Default)]
struct Forecast {
    quota: Vec<KindStatus>,
    /// When the last call goes out; `None` if none goes out.
    eta: Option<Expected>,
    begun: Begun,
}

impl Forecast {
    /// The forecast by the limits that the last run noted. It is empty if there was no run, or its ledger is gone.
    fn of(
        store: &Store,
        open: u64,
        running: bool,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let is_there = |note: &QuotaNote| note.file().is_none_or(|file| file.exists());
        let Some(note) = QuotaNote::of_last_run(store)?.filter(is_there) else {
            return Ok(Self::default());
        };
        let snapshot = note.snapshot(&note.quota(), clock)?;
        let (policy, now) = (note.bounds().policy(), clock.wall());
        let begun = Begun::of(store, now, running, &policy)?;
        let reach = store.reach()?;
        let fresh = open.saturating_sub(begun.targets());
        let bounds = note.bounds().bounds(&reach);
        let prospect = Prospect {
            begun: begun.clone(),
            on_pending: policy.on_pending,
            ..Prospect::new(snapshot.forecast(Kind::Start), fresh, bounds, now)
        };
        let kinds = Kind::ALL.into_iter();
        Ok(Self {
            quota: kinds
                .map(|kind| kind_status(&snapshot, kind, clock.as_ref()))
                .collect(),
            eta: prospect.last_call(),
            begun,
        })
    }
}

/// Whether a brake has stopped the last run and would stop the same command again, so that no call goes out.
fn wants_change(run: Option<&LastRun>) -> bool {
    let reason = run.filter(|run| run.ended.is_some());
    let reason = reason.and_then(|run| run.reason.as_deref());
    reason.is_some_and(Change::is_wanted_after)
}

fn kind_status(snapshot: &QuotaSnapshot, kind: Kind, clock: &dyn Clock) -> KindStatus {
    let waiting = snapshot.waiting(kind);
    let windows = snapshot.usage(kind).into_iter().map(|usage| WindowStatus {
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

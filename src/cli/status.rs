//! `fleetsweep status`: how a campaign stands, from another terminal while it goes on, and afterwards.

mod campaigns;

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{ExitCode, Failure, attach::check_whole, ledger::QuotaNote, paths};
use crate::{
    campaign::{
        forecast::{Begun, Prospect, Why},
        outcome::{Outcome, Tally},
    },
    monitor::{LastCall, count, span},
    quota::{Clock, Kind, Pacer, SystemClock},
    store::{Glimpse, LastRun, Lock, Store},
};

/// So many of the last errors, and of the unsure ones, are shown; the results hold them all.
const SHOWN: usize = 5;

/// How a campaign stands: counts, quota in use, holds, time of arrival, last errors; without STATE, which campaigns this user
/// has and how far they are.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The campaign's state file, or the input whose state lies at its default place. Without it: all campaigns that the
    /// quota's ledger remembers.
    #[arg(value_name = "STATE")]
    state: Option<PathBuf>,

    /// The ledger that is asked for campaigns, where STATE is not given. [default: fleetsweep/quota.db in the user's state
    /// directory]
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
    /// Why nobody can know that yet.
    eta_unknown: Option<String>,
    quota: Vec<KindStatus>,
    last_errors: Vec<Glimpse>,
    /// How many are in doubt: they may have been scanned, and nobody knows.
    in_doubt: u64,
    /// Calls on their way, of a process that is at work.
    in_flight: u64,
    /// The first of those in doubt.
    unsure: Vec<Glimpse>,
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
    let mut stdout = io::stdout().lock();
    let written = if json {
        serde_json::to_writer(&mut stdout, status)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(stdout))
    } else {
        write!(stdout, "{status}")
    };
    match written {
        // Whoever read it has read enough.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::storage(format!("cannot write the status: {e}")))
        }
        _ => Ok(()),
    }
}

async fn look(path: &Path) -> Result<(Status, Result<(), Failure>), Failure> {
    let store = Store::look(path).map_err(Failure::storage)?;
    let running = Lock::is_held(path);
    let mut tally = Tally::default();
    let mut open = 0;
    for (outcome, left_out, count) in store.tally().map_err(Failure::storage)? {
        match outcome.and_then(|word| word.parse::<Outcome>().ok()) {
            Some(_) if left_out => tally.leave_out(count),
            Some(outcome) => tally.add_many(outcome, count),
            None => open += count,
        }
    }
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
    let mut quota = Vec::new();
    let mut eta = None;
    let mut begun = Begun::default();
    if let Some(note) = note
        && note.file().is_none_or(|file| file.exists())
    {
        let pacer = note.pacer(&note.quota(), &clock, Duration::ZERO)?;
        pacer.flush().await.map_err(Failure::storage)?;
        quota = Kind::ALL
            .into_iter()
            .map(|kind| kind_status(&pacer, kind, clock.as_ref()))
            .collect();
        let (policy, now) = (note.terms().policy(), clock.wall());
        begun = Begun::of(&store, now, running, &policy).map_err(Failure::storage)?;
        let reach = store.reach().map_err(Failure::storage)?;
        let fresh = open.saturating_sub(begun.targets());
        let bounds = note.terms().bounds(&reach);
        let prospect = Prospect {
            begun: begun.clone(),
            on_pending: policy.on_pending,
            ..Prospect::new(pacer.forecast(Kind::Start), fresh, bounds, now)
        };
        eta = prospect.last_call();
    }
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
        eta_s: eta.map(|eta| eta.as_secs_f64()),
        quota,
        last_errors: store.last_errors(SHOWN).map_err(Failure::storage)?,
        in_doubt: lookups + tally.of(Outcome::Unsure),
        in_flight: begun.on_its_way,
        unsure: store.unsure(SHOWN, running).map_err(Failure::storage)?,
        run,
        eta_unknown: unknown,
        state: path.to_owned(),
        arrival: last_call
            .in_words(clock.wall(), &TimeZone::system())
            .filter(|_| open > 0),
        tally,
    };
    Ok((status, whole))
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

impl Status {
    /// How the scans stood when they were last heard of.
    fn write_scans(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.scans.iter().filter(|(status, _)| !status.is_empty());
        let known: Vec<_> = known
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        if known.is_empty() {
            return Ok(());
        }
        let by_us = if self.cancelled_by_us > 0 {
            format!(" ({} by fleetsweep cancel)", self.cancelled_by_us)
        } else {
            String::new()
        };
        writeln!(f, "scans, as last heard: {}{by_us}", known.join(", "))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.run {
            _ if self.running => "running".to_owned(),
            _ if self.open == 0 => "finished".to_owned(),
            Some(LastRun {
                reason: Some(reason),
                ended: Some(_),
                ..
            }) => format!("not finished ({reason})"),
            Some(_) => "not finished (its last run was killed)".to_owned(),
            None => "not begun".to_owned(),
        };
        writeln!(
            f,
            "campaign {}: {state}; {}",
            self.campaign,
            campaigns::ended_of(self.targets - self.open, self.targets)
        )?;
        for (outcome, count) in self.tally.iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "  {count:>9}  {outcome}")?;
        }
        self.write_scans(f)?;
        if let Some(arrival) = &self.arrival {
            match &self.eta_unknown {
                Some(why) => writeln!(f, "{arrival}: {why}")?,
                None => writeln!(f, "{arrival}")?,
            }
        }
        if self.in_flight > 0 {
            writeln!(f, "on their way: {}", count::of(self.in_flight, "call"))?;
        }
        for kind in self
            .quota
            .iter()
            .filter(|kind| kind.windows.iter().any(|window| window.in_use > 0))
        {
            let windows = kind.windows.iter().map(|window| {
                let length = span::in_words(Duration::from_secs_f64(window.window_s));
                let cut = if window.usable < window.limit {
                    format!(", cut to {}", window.usable)
                } else {
                    String::new()
                };
                let calls = count::of(window.limit.into(), "call");
                format!("{} of {calls} in {length}{cut}", window.in_use)
            });
            write!(
                f,
                "{} calls: {}",
                kind.kind,
                windows.collect::<Vec<_>>().join("; ")
            )?;
            match (&kind.waits_for, kind.waits_s) {
                (Some(what), Some(left)) => {
                    writeln!(
                        f,
                        "; the next one waits for: {what}, {}",
                        span::in_words(Duration::from_secs_f64(left))
                    )?;
                }
                (Some(what), None) => writeln!(f, "; the next one waits for: {what}")?,
                (None, _) => writeln!(f)?,
            }
        }
        for (title, glimpses) in [("last errors", &self.last_errors), ("unsure", &self.unsure)] {
            if !glimpses.is_empty() {
                writeln!(f, "{title}:")?;
            }
            for Glimpse {
                line,
                machine_id,
                outcome,
                message,
                ..
            } in glimpses
            {
                let outcome = outcome.as_deref().unwrap_or("to be looked up");
                let message = if message.is_empty() {
                    "no answer was kept"
                } else {
                    message
                };
                writeln!(f, "  line {line}: {machine_id}: {outcome}: {message}")?;
            }
        }
        let more = self.in_doubt.saturating_sub(self.unsure.len() as u64);
        if more > 0 {
            writeln!(f, "  and {more} more are unsure")?;
        }
        if !self.running
            && self.open > 0
            && let Some(run) = &self.run
        {
            // What a brake has stopped goes on when an option has changed, as its reason above says.
            let reason = run.reason.as_ref().filter(|_| run.ended.is_some());
            let is_plain = reason.is_none_or(|why| !why.starts_with("--"));
            let what = if is_plain {
                "to go on"
            } else {
                "the command was"
            };
            writeln!(f, "{what}: {}", run.command)?;
        }
        Ok(())
    }
}

//! `fleetsweep plan`: what `run` would do with the same options, and when.
//!
//! - `words`: the plan as text.

mod words;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    ExitCode, Failure,
    run::{Preview, RunArgs, SummaryFile},
    screen,
};
use crate::{
    campaign::{forecast::timeline::Timeline, open::Refusals, outcome::Tally},
    quota::{Clock, Kind, Pace, SystemClock},
};

/// Show what a run would do: how many machines, which rows are refused, when the calls go out and when the last one
/// does.
///
/// Takes the options of `run`, so replace `run` by `plan` in its command line. Nothing is sent, nobody signs in, and no
/// file is created or changed, except the one that --summary names, which gets the plan as JSON. Only with --resolve,
/// --skip-scanned-within, --skip-unscannable or --when-offline defer does it sign in, to list the machines and their
/// reports; those calls are counted in the ledger. The options for progress, logs, following and monitoring are
/// accepted and have no effect.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    run: RunArgs,

    /// Print JSON.
    #[arg(long, help_heading = "Options")]
    json: bool,
}

/// What a run would do. The fields are those of the JSON that `--json` prints.
#[derive(Debug, Serialize)]
struct Plan {
    input: String,
    /// The state file; `None` for a rehearsal that keeps none.
    state: Option<PathBuf>,
    /// The campaign that would be resumed.
    campaign: Option<String>,
    /// Whether a run is at work on it.
    running: bool,
    rows: u64,
    /// Rows that are to be sent.
    due: u64,
    /// Those of them that have a call in flight, if a run is at work.
    on_its_way: u64,
    /// Those of them that are looked up first.
    in_doubt: u64,
    /// Those of them whose machines are away and go behind all others.
    away: u64,
    /// The other rows.
    outcomes: BTreeMap<&'static str, u64>,
    refusals: Vec<Refusals>,
    quota: QuotaPlan,
    timeline: Timeline,
    notes: Vec<String>,
    #[serde(skip)]
    tally: Tally,
    #[serde(skip)]
    now: Timestamp,
    #[serde(skip)]
    zone: TimeZone,
}

/// The limits, and how far they are spent.
#[derive(Debug, Serialize)]
struct QuotaPlan {
    windows: Vec<WindowPlan>,
    /// Whether calls are spread evenly.
    even: bool,
    /// The ledger, if calls are counted in one.
    ledger: Option<PathBuf>,
    tenant: Option<String>,
    application: Option<String>,
    /// What the first call waits for.
    waits_for: Option<String>,
    /// For how many seconds.
    waits_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct WindowPlan {
    window_s: f64,
    limit: u32,
    in_use: usize,
}

/// Prints what a run would do.
///
/// # Errors
/// The input is refused, or a file cannot be read.
pub async fn run(args: PlanArgs) -> Result<ExitCode, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let preview = args.run.preview(&clock).await?;
    let plan = Plan::new(preview, clock.as_ref(), TimeZone::system());
    let to_stdout = match SummaryFile::open(args.run.summary())? {
        SummaryFile::Nowhere => false,
        SummaryFile::Stdout => true,
        file @ SummaryFile::File(..) => {
            file.write(&plan)?;
            false
        }
    };
    if args.json || to_stdout {
        screen::json(&plan, "the plan")?;
    } else {
        screen::report(&plan.to_string(), "the plan")?;
    }
    Ok(ExitCode::Clean)
}

impl Plan {
    fn new(preview: Preview, clock: &dyn Clock, zone: TimeZone) -> Self {
        let Preview {
            input,
            state,
            found,
            quota,
            note,
            snapshot,
            prospect,
        } = preview;
        let (now, on_its_way) = (prospect.now, prospect.begun.on_its_way);
        let waiting = snapshot.waiting(Kind::Start);
        let account = note.account();
        // A limit that was cut after a refusal is not known here. A run, too, starts with the whole limit.
        let windows = snapshot
            .usage(Kind::Start)
            .into_iter()
            .map(|usage| WindowPlan {
                window_s: usage.window.as_secs_f64(),
                limit: usage.limit,
                in_use: usage.in_use,
            });
        let outcomes = found.tally.iter();
        Self {
            timeline: Timeline::new(&prospect, &zone),
            quota: QuotaPlan {
                windows: windows.collect(),
                even: quota.pace() == Pace::Even,
                ledger: note.file().cloned(),
                tenant: account.as_ref().map(|(tenant, _)| tenant.clone()),
                application: account.map(|(_, application)| application),
                waits_for: waiting.map(|waiting| waiting.cause.to_string()),
                waits_s: waiting
                    .and_then(|waiting| waiting.left(clock.now()))
                    .as_ref()
                    .map(Duration::as_secs_f64),
            },
            outcomes: outcomes
                .map(|(outcome, count)| (outcome.as_str(), count))
                .collect(),
            input,
            state,
            campaign: found.campaign,
            running: found.running,
            rows: found.rows,
            due: found.due,
            on_its_way,
            in_doubt: found.in_doubt.saturating_sub(on_its_way),
            away: found.away,
            refusals: found.refusals,
            notes: found.notes,
            tally: found.tally,
            now,
            zone,
        }
    }
}

//! `fleetsweep simulate`: a run in virtual time. Dispatcher, client, store and results are those of `run`; the API is
//! the mock tenant inside this process, and the time is tokio's, which jumps to the next thing that happens.
//!
//! - this file: the options, and one simulation. `what_if`: the variants that are simulated. `client`: the tenant as
//!   the API. `hours`: machines by hour. `report`: what is printed.

mod client;
mod hours;
mod report;
mod what_if;

use std::{
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use clap::Args;
use jiff::Timestamp;

pub use client::{TenantClient, tenant_tokens};
use hours::Hours;
use report::{Report, Simulation};
use what_if::{Variant, WhatIf};

use super::{
    ExitCode, Failure,
    run::{self, Durability, Finished, RunArgs, Scratch, SummaryFile, World},
};
use crate::{
    campaign::stop::StopReason,
    mock::{MockConfig, Tenant},
    monitor::logs::Now,
    quota::{Clock, TokioClock},
};

/// Simulate a run in virtual time: six hours take seconds.
///
/// Takes the options of `run`, so replace `run` by `simulate` in its command line. Everything is real except the
/// tenant, which is the mock of --scenario, and the time. Nothing leaves the computer, and no file is written but those
/// that --results, --xlsx, --summary, --report and --log-file name. The same options, scenario, seed and program give
/// the same results, to the byte. Options for the connection, for going on with a campaign, for progress and for
/// monitoring, --state and --quota-file are accepted and have no effect.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    #[command(flatten)]
    run: RunArgs,

    #[command(flatten)]
    simulation: SimulationArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Simulation")]
struct SimulationArgs {
    /// Simulate once for each of these values of an option of `run`, as in `pace=burst,even`; with several of these
    /// options, once for each combination. Prints a table, and ends with exit code 0 whatever the campaigns' own would
    /// be.
    #[arg(long, value_name = "OPTION=V1,V2,…")]
    what_if: Vec<WhatIf>,

    /// The seed for all that is random. [default: the scenario's, or 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// When the campaign starts, as in 2026-11-24T18:00:00Z; for --window and --not-after.
    #[arg(long, value_name = "TIME", default_value = "2026-01-01T00:00:00Z")]
    starts: Timestamp,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How long the tenant remembers scans that have ended: longer than anybody looks for them, and short enough that a
/// campaign of a month fits into memory.
const REMEMBERED: Duration = Duration::from_hours(72);

/// Simulates a run, or several variants of it.
///
/// # Errors
/// Options do not go together, or the input is refused.
pub async fn run(args: SimulateArgs, command: &[OsString]) -> Result<ExitCode, Failure> {
    let SimulateArgs { run, simulation } = args;
    let variants = what_if::variants(&simulation.what_if, command)?;
    validate(&run, &variants)?;
    if simulation.json && run.summary_to_stdout() {
        return Err(Failure::usage(
            "--json and --summary - would both write to standard output: --json has the summary in it",
        ));
    }
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(simulation.starts));
    let is_quiet = run.is_quiet();
    run.log_in_virtual_time(in_virtual_time(clock))?;
    if variants.is_empty() {
        let simulated = simulate(run, Vec::new(), &simulation, command, !is_quiet).await?;
        return report_one(simulated, simulation.json, is_quiet);
    }
    let mut simulations = Vec::new();
    for Variant { values, run } in variants {
        let (simulated, (finished, _)) = simulate(run, values, &simulation, command, false).await?;
        if finished.summary.stopped == Some(StopReason::Interrupted) {
            return Err(Failure::new(
                ExitCode::Interrupted,
                "interrupted; no file was changed",
            ));
        }
        simulations.push(simulated);
    }
    let report = Report { simulations };
    report.print(simulation.json)?;
    Ok(report.exit_code())
}

/// Refuses options that do not go together, of the only run or of each variant.
fn validate(run: &RunArgs, variants: &[Variant]) -> Result<(), Failure> {
    if variants.is_empty() {
        return run.validate_simulated();
    }
    run.refuse_for_variants()?;
    for Variant { values, run } in variants {
        let label = report::label(values);
        let valid = run.validate_simulated();
        valid.map_err(|Failure { code, why }| Failure::new(code, format!("{label}: {why}")))?;
    }
    Ok(())
}

/// The virtual time, for the log. Threads that are not tokio's cannot read it, so they get the last one that was read.
fn in_virtual_time(clock: Arc<dyn Clock>) -> Now {
    let last_read = AtomicI64::new(clock.wall().as_millisecond());
    Now::new(move || {
        if tokio::runtime::Handle::try_current().is_ok() {
            last_read.store(clock.wall().as_millisecond(), Ordering::Relaxed);
        }
        let last_read = last_read.load(Ordering::Relaxed);
        Timestamp::from_millisecond(last_read).unwrap_or_default()
    })
}

/// Prints a single simulation, and returns its exit code.
fn report_one(
    (simulated, (mut finished, summary_file)): (Simulation, (Finished, SummaryFile)),
    json: bool,
    is_quiet: bool,
) -> Result<ExitCode, Failure> {
    let verdict = simulated.verdict();
    if json {
        let simulations = vec![simulated];
        Report { simulations }.print(true)?;
    } else {
        finished.print(is_quiet);
        if !is_quiet {
            simulated.print_hours();
        }
    }
    finished.close(summary_file);
    Ok(ExitCode::gravest([finished.code, verdict]))
}

/// Simulates one run. `speaks` says whether its notes are shown.
async fn simulate(
    run: RunArgs,
    values: Vec<(String, String)>,
    simulation: &SimulationArgs,
    command: &[OsString],
    speaks: bool,
) -> Result<(Simulation, (Finished, SummaryFile)), Failure> {
    let mut config = MockConfig {
        started: simulation.starts,
        ..run.mock_config()?
    };
    // Whoever waits for the end of an outage looks for the scans from before it.
    let outages = config.outages.iter().map(|outage| outage.until);
    config.forgets_after = Some(REMEMBERED + outages.max().unwrap_or_default());
    config.seed = simulation.seed.unwrap_or(config.seed);
    let seed = config.seed;
    let tenant = Tenant::new(config);
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(simulation.starts));
    let hours = Arc::new(Hours::new(Arc::clone(&clock), speaks));
    let world = World {
        clock,
        monitor: hours.clone(),
        rng: fastrand::Rng::with_seed(seed),
        tenant: Some(Arc::clone(&tenant)),
        durability: Durability::None,
        results_stay: run.names_results(),
    };
    let scratch = Scratch::new(&mut fastrand::Rng::new())?;
    let run = run.for_simulation(&scratch);
    let mut has_begun = false;
    let (finished, file) = Box::pin(run::run_campaign(run, command, world, &mut has_begun)).await?;
    let simulated = Simulation::new(values, &finished, hours.cumulative(), &tenant);
    Ok((simulated, (finished, file)))
}

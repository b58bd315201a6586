//! One round of one subject, in a process of its own.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{
    Subject, bare,
    latencies::{Counts, Latencies},
};
use crate::{
    campaign::outcome::Outcome,
    cli::{
        ExitCode, Failure, parse_run,
        run::{self, Durability, World},
        screen,
    },
    quota::{self, Clock, SystemClock},
};

/// What a round is to measure.
#[derive(Debug, Clone, Args)]
pub struct RoundArgs {
    #[arg(long)]
    subject: Subject,
    #[arg(long)]
    url: String,
    #[arg(long)]
    calls: u64,
    #[arg(long)]
    workers: u16,
    /// A path that no file has; input, state and results get its name with an ending.
    #[arg(long)]
    files: PathBuf,
    #[arg(long)]
    ca_cert: Option<PathBuf>,
    /// The mock plays a scenario: calls may be refused, or break off.
    #[arg(long)]
    any_answer: bool,
}

/// What a round has measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Round {
    /// From before the first call to after the last answer; of a campaign, until its results are in order.
    pub(super) seconds: f64,
    /// The time of all processors that this process has used. `None` where the system does not say.
    pub(super) cpu_seconds: Option<f64>,
    /// The most memory that it has used, in kB. `None` where the system does not say.
    pub(super) peak_kb: Option<u64>,
    /// How often memory was allocated. `None` without the feature `count-allocations`.
    pub(super) allocations: Option<u64>,
    /// Of all calls, which with a scenario may be more or fewer than there are machines.
    pub(super) latencies: Counts,
    /// How many machines were accepted.
    pub(super) accepted: u64,
}

/// Measures one round, and prints it as JSON.
///
/// # Errors
/// The round did not end well.
pub async fn round(args: RoundArgs) -> Result<ExitCode, Failure> {
    let machines: Vec<_> = (0..args.calls).map(|_| random_machine()).collect();
    let latencies = Arc::new(Latencies::new());
    let workers = usize::from(args.workers);
    prepare(&args, &machines)?;
    let (began, cpu, allocated) = (SystemClock.now(), cpu_time(), allocations());
    let accepted = match args.subject {
        Subject::Bare => {
            let ca = args.ca_cert.as_deref();
            bare::start_all(&args.url, ca, machines, workers, &latencies).await?
        }
        Subject::Volatile => campaign(&args, Durability::None, &latencies).await?,
        Subject::Unlimited | Subject::Whole => {
            campaign(&args, Durability::Full, &latencies).await?
        }
    };
    if accepted < args.calls && !args.any_answer {
        return Err(Failure::storage(format!(
            "{accepted} of {} machines were accepted: a server to measure against accepts all, as `fleetsweep mock \
             --limit none --no-record` does",
            args.calls
        )));
    }
    let used = cpu_time()
        .zip(cpu)
        .map(|(after, before)| after.saturating_sub(before));
    let round = Round {
        seconds: SystemClock.now().since(began).as_secs_f64(),
        cpu_seconds: used.map(|used| used.as_secs_f64()),
        peak_kb: peak_kb(),
        allocations: allocations()
            .zip(allocated)
            .map(|(after, before)| after.saturating_sub(before)),
        latencies: latencies.counts(),
        accepted,
    };
    screen::json(&round, "the round")?;
    Ok(ExitCode::Clean)
}

/// A machine that no earlier round has scanned: one under scan is answered otherwise.
fn random_machine() -> String {
    format!("{:032x}{:08x}", fastrand::u128(..), fastrand::u32(..))
}

/// Writes the input of a campaign.
fn prepare(args: &RoundArgs, machines: &[String]) -> Result<(), Failure> {
    let input = args.files.with_extension("csv");
    let mut text = "machine_id\n".to_owned();
    for machine in machines {
        // Writing to memory does not fail.
        let _ = writeln!(text, "{machine}");
    }
    let wrong = |e| Failure::storage(format!("cannot write {}: {e}", input.display()));
    fs::write(&input, text).map_err(wrong)
}

/// Runs a campaign. Returns how many machines were accepted.
async fn campaign(
    args: &RoundArgs,
    durability: Durability,
    latencies: &Arc<Latencies>,
) -> Result<u64, Failure> {
    let file = |ending: &str| args.files.with_extension(ending);
    let mut words: Vec<OsString> = ["fleetsweep", "run", "--yes", "-q"]
        .map(OsString::from)
        .to_vec();
    words.push(match args.subject {
        // More than any computer reaches, so that the limiter and its ledger are at work and never wait.
        Subject::Whole => "--limit=100000/1s".into(),
        _ => "--limit=none".into(),
    });
    if args.any_answer {
        // Nobody waits here for a scan to end.
        words.push("--on-pending=skip".into());
    }
    let mut option = |name: &str, value: &Path| {
        words.extend([OsString::from(name), value.as_os_str().to_owned()]);
    };
    option("--api-url", Path::new(&args.url));
    option("--workers", Path::new(&args.workers.to_string()));
    option("--results", &file("results.csv"));
    option("--state", &file("db"));
    if args.subject == Subject::Whole {
        quota::create(&file("quota.db"))?;
        option("--quota-file", &file("quota.db"));
    }
    if let Some(ca) = &args.ca_cert {
        option("--ca-cert", ca);
    }
    words.push(file("csv").into());
    let run = parse_run(&words).map_err(Failure::usage)?;
    let world = World {
        clock: Arc::new(SystemClock),
        monitor: latencies.clone(),
        rng: fastrand::Rng::new(),
        tenant: None,
        durability,
        results_stay: false,
    };
    let mut has_begun = false;
    let campaign = Box::pin(run::run_campaign(run, &words, world, &mut has_begun));
    let (finished, _) = campaign.await?;
    match finished.summary.stopped {
        None => Ok(finished.summary.outcomes.of(Outcome::Accepted)),
        Some(why) => Err(Failure::storage(format!("the campaign stopped: {why:?}"))),
    }
}

/// The time of all processors that this process has used.
#[cfg(unix)]
fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(not(unix))]
fn cpu_time() -> Option<Duration> {
    None
}

/// How often this process has allocated memory.
#[cfg(feature = "count-allocations")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "without the feature it is not known"
)]
fn allocations() -> Option<u64> {
    let stats = stats_alloc::INSTRUMENTED_SYSTEM.stats();
    Some((stats.allocations + stats.reallocations) as u64)
}

#[cfg(not(feature = "count-allocations"))]
const fn allocations() -> Option<u64> {
    None
}

/// The most memory that this process has used, as Linux tells it.
fn peak_kb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

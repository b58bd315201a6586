//! `fleetsweep bench`: how fast the whole tool is, beside a bare HTTP client and beside itself without durability.
//!
//! Each round of each subject is a process of its own (`round`), so that CPU time and memory are its own too, and the
//! mock is another. The subjects take turns, because a computer that is busy with something else is so for seconds.
//!
//! - this file: the options, the turns. `round`: one round. `bare`: a client without a campaign. `latencies`: times
//!   from the moment at which a call was due to its answer. `report`: what is printed. `server`: the mock.

mod bare;
mod latencies;
mod report;
mod round;
mod server;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use clap::{Args, ValueEnum};
use tokio::process::Command;

use report::{Report, SubjectReport};
use round::Round;
pub use round::{RoundArgs, round};
use server::Server;

use super::{ExitCode, Failure, mock::ScenarioArgs, run::Scratch, signals};

/// Measure how fast fleetsweep is on this computer, against the mock, under limits that nobody reaches.
///
/// Four subjects take turns: a bare HTTP client that keeps nothing, a campaign that does not wait for the disk, one as
/// `run --limit none` has it, and one as `run` has it, with the limiter and the ledger of its calls. The mock and each
/// round are processes of their own; nothing leaves the computer. Allocations are counted where fleetsweep was built
/// with `--features count-allocations`. Of a --scenario all is played but its limits and its fleet, in real time.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Measure against this server on this computer, in place of a mock that is started
    #[arg(long, value_name = "URL", conflicts_with_all = ["tls", "http1", "scenario"])]
    url: Option<String>,
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// How many machines a round has, which without a scenario is how many calls
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20_000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000),
    )]
    calls: u64,
    /// How many rounds each subject has, after one that only warms up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// How many calls are in flight at once
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    workers: u16,
    /// Over https, and so with HTTP/2
    #[arg(long)]
    tls: bool,
    /// With --tls: with HTTP/1.1
    #[arg(long, requires = "tls")]
    http1: bool,
    /// Where state and results are written while it measures [default: the system's temporary folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// A bare HTTP client.
    Bare,
    /// A campaign that does not wait for the disk, without limits.
    Volatile,
    /// A campaign as `run --limit none` has it.
    Unlimited,
    /// A campaign as `run` has it, with the limiter and its ledger.
    Whole,
}

impl Subject {
    const ALL: [Self; 4] = [Self::Bare, Self::Volatile, Self::Unlimited, Self::Whole];

    /// The subject in a report.
    const fn in_words(self) -> &'static str {
        match self {
            Self::Bare => "bare HTTP client",
            Self::Volatile => "fleetsweep, without durability",
            Self::Unlimited => "fleetsweep, without limits",
            Self::Whole => "fleetsweep",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Volatile => "volatile",
            Self::Unlimited => "unlimited",
            Self::Whole => "whole",
        }
    }
}

/// Measures, and prints what came of it. The processes and files that it has made go with it, after a signal too.
///
/// # Errors
/// The mock or a round could not be started, or did not end well, or somebody wanted it to stop.
pub async fn run(args: &BenchArgs) -> Result<ExitCode, Failure> {
    let mut signals = signals::listen();
    let measured = signals::unless_stopped(&mut signals, measure(args)).await;
    let report = measured.ok_or_else(|| {
        Failure::new(ExitCode::Interrupted, "interrupted; nothing was measured")
    })??;
    report.print(args.json)?;
    Ok(ExitCode::Clean)
}

async fn measure(args: &BenchArgs) -> Result<Report, Failure> {
    // The mock reads it too, but its words would come after those that it could not be started.
    args.scenario.read().map_err(Failure::usage)?;
    let folder = match &args.folder {
        Some(folder) => Scratch::below(folder, &mut fastrand::Rng::new())?,
        None => Scratch::new(&mut fastrand::Rng::new())?,
    };
    let server = match &args.url {
        Some(url) => Server::elsewhere(url)?,
        None => Server::start(args, &folder.file("ca.pem")).await?,
    };
    let mut subjects = Subject::ALL.map(SubjectReport::new);
    for turn in 0..=args.rounds {
        for subject in &mut subjects {
            let file = folder.file(&format!("{}-{turn}", subject.word()));
            let round = one_round(args, subject.subject(), &server, &file).await?;
            // The first turn of each only warms up.
            if turn > 0 {
                subject.add(&round);
            }
        }
    }
    Ok(Report::new(args, server.url(), subjects))
}

/// Runs one round in a process of its own.
async fn one_round(
    args: &BenchArgs,
    subject: Subject,
    server: &Server,
    files: &Path,
) -> Result<Round, Failure> {
    let mut command = this_program()?;
    command.args(["bench-round", "--subject", subject.word()]);
    command.args(["--url", server.url()]);
    command.args(["--calls", &args.calls.to_string()]);
    command.args(["--workers", &args.workers.to_string()]);
    if args.scenario.is_given() {
        command.arg("--any-answer");
    }
    // Any will do. A file would be looked at before each call.
    command.env("FLEETSWEEP_TOKEN", "mock");
    command.arg("--files").arg(files);
    if let Some(ca) = server.ca() {
        command.arg("--ca-cert").arg(ca);
    }
    let done = command
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|e| Failure::storage(format!("a round could not be started: {e}")))?;
    if !done.status.success() {
        return Err(Failure::storage(format!(
            "a round of {} did not end well: {}",
            subject.in_words(),
            String::from_utf8_lossy(&done.stderr).trim_end()
        )));
    }
    serde_json::from_slice(&done.stdout)
        .map_err(|e| Failure::storage(format!("a round has told nothing that can be read: {e}")))
}

/// This program, to be run once more, for as long as it is waited for.
fn this_program() -> Result<Command, Failure> {
    let program = std::env::current_exe()
        .map_err(|e| Failure::storage(format!("this program's own file cannot be found: {e}")))?;
    let mut command = Command::new(program);
    command.kill_on_drop(true);
    Ok(command)
}

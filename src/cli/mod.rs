//! The command line: arguments and wiring. The work itself is in `campaign`, `client`, `quota` and `store`.
//!
//! - One file or folder for each command: [`run`], [`plan`], [`simulate`], [`bench`](mod@bench), [`status`],
//!   [`follow`], [`findings`], [`cancel`], [`results`], [`report`],
//!   [`machines`], [`doctor`], [`mock`] and [`quota`].
//! - For the shell: [`completions`], [`man`] and [`examples`] (the ends of the help texts).
//! - Options that several commands share: [`connect`] (which API, and how to sign in), [`pace`] (limits), [`brakes`]
//!   (what stops a campaign), [`progress`] (progress and logs), [`watch`] (metrics and notices), [`yes`] (questions
//!   answered beforehand). [`values`] parses the values of options.
//! - What several commands do: `api` (what is needed to call the API), `existing_campaign` (how `follow` and `cancel`
//!   begin and end), `remote_stop` (how `cancel` stops a run), `overlap` (machines that are in other campaigns too).
//! - A campaign's files: [`paths`] (where they are), `named_state` (the state that a command line names), [`ledger`]
//!   and [`run_bounds`] (what a state notes about its runs).
//! - The process: [`terminal`] (asks a person), `shell_words` (command lines), `screen` (stdout and stderr),
//!   [`signals`] (Ctrl-C and the like), [`exit`] (exit codes), [`bug`] (what a panic does).

mod api;
pub mod bench;
pub mod brakes;
pub mod bug;
pub mod cancel;
pub mod completions;
pub mod connect;
pub mod doctor;
pub mod examples;
mod existing_campaign;
pub mod exit;
pub mod findings;
pub mod follow;
pub mod ledger;
pub mod machines;
pub mod man;
pub mod mock;
mod named_state;
mod overlap;
pub mod pace;
pub mod paths;
pub mod plan;
pub mod progress;
pub mod quota;
mod remote_stop;
pub mod report;
pub mod results;
pub mod run;
pub mod run_bounds;
mod screen;
mod shell_words;
pub mod signals;
pub mod simulate;
pub mod status;
pub mod terminal;
pub mod values;
pub mod watch;
mod workbook;
pub mod yes;

use std::{ffi::OsString, fmt::Display, time::Duration};

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};

pub use exit::ExitCode;

use crate::{monitor::JsonEvent, plain_text, quota::LedgerError, results::ResultsError};

/// What users type.
const PROGRAM: &str = "fleetsweep";

/// Starts antivirus scans on whole fleets through Microsoft Defender for Endpoint, at exactly the API's speed limit.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version, max_term_width = 120, after_long_help = examples::OF_FLEETSWEEP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Plan(Box<plan::PlanArgs>),
    Simulate(Box<simulate::SimulateArgs>),
    Status(status::StatusArgs),
    Follow(Box<follow::FollowCommand>),
    Findings(Box<findings::FindingsCommand>),
    Cancel(Box<cancel::CancelCommand>),
    Results(results::ResultsArgs),
    Report(report::ReportCommand),
    Machines(Box<machines::MachinesArgs>),
    Doctor(Box<doctor::DoctorArgs>),
    Quota(quota::QuotaArgs),
    Mock(Box<mock::MockArgs>),
    Bench(bench::BenchArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    /// One round of `bench`.
    #[command(hide = true)]
    BenchRound(bench::RoundArgs),
}

/// Why a command failed, with its exit code.
#[derive(Debug)]
pub struct Failure {
    code: ExitCode,
    why: String,
}

impl Failure {
    /// A failure with this code.
    pub fn new(code: ExitCode, why: impl Display) -> Self {
        Self {
            code,
            why: why.to_string(),
        }
    }

    const fn code(&self) -> ExitCode {
        self.code
    }

    /// The command line or the input is wrong.
    pub fn usage(why: impl Display) -> Self {
        Self::new(ExitCode::Usage, why)
    }

    /// A file cannot be read or written.
    pub fn storage(why: impl Display) -> Self {
        Self::new(ExitCode::Storage, why)
    }
}

impl From<LedgerError> for Failure {
    fn from(e: LedgerError) -> Self {
        Self::storage(e)
    }
}

impl From<ResultsError> for Failure {
    fn from(e: ResultsError) -> Self {
        Self::storage(e)
    }
}

/// How long a command waits at its end for threads whose work is no longer wanted. That is enough for a thread to
/// remove its unfinished file, but a disk that hangs does not keep the process alive.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Parses the command line and runs the command.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if progress::asks_for_events(&args) {
        screen::say_in_json();
    }
    let cli = match Cli::try_parse_from(yes::joined(&args)) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are what was asked for, and go to stdout. Anything else is wrong usage.
            let code = if e.use_stderr() {
                ExitCode::Usage
            } else {
                ExitCode::Clean
            };
            let e = with_plain_quotes(e, &args);
            if code == ExitCode::Usage && screen::is_in_json() {
                let why = e.to_string();
                screen::tell(&JsonEvent::End {
                    exit_code: code.number(),
                    why: Some(why.trim_end()),
                });
            } else {
                let _ = e.print();
            }
            return code;
        }
    };
    // One thread, because small calls over HTTP are 25 to 45 % faster than on two.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // From the start, so that virtual time has the same fractions of milliseconds each time.
        .start_paused(matches!(cli.command, Command::Simulate(_)))
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            return fail(&Failure::storage(format!(
                "the runtime cannot be started: {e}"
            )));
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Run(run_args) => Box::pin(run::run(*run_args, &args)).await,
            Command::Plan(args) => plan::run(*args).await,
            Command::Simulate(sim) => Box::pin(simulate::run(*sim, &args)).await,
            Command::Status(args) => status::run(&args),
            Command::Follow(args) => follow::run(*args).await,
            Command::Findings(args) => Box::pin(findings::run(*args)).await,
            Command::Cancel(args) => Box::pin(cancel::run(*args)).await,
            Command::Results(args) => results::run(args).await,
            Command::Report(args) => report::run(args).await,
            Command::Machines(args) => machines::run(*args).await,
            Command::Doctor(args) => doctor::run(*args).await,
            Command::Quota(args) => quota::run(args),
            Command::Bench(args) => bench::run(&args).await,
            Command::Completions(args) => completions::run(&args),
            Command::Man(args) => man::run(&args),
            Command::BenchRound(args) => bench::round(args).await,
            Command::Mock(args) => match mock::run(*args, screen::say_all).await {
                Ok(true) => Ok(ExitCode::Clean),
                Ok(false) => Ok(ExitCode::Incomplete),
                Err(e) => Err(Failure::usage(e)),
            },
        }
    });
    let (code, why) = match done {
        Ok(code) => (code, None),
        Err(failure) => (fail(&failure), Some(failure.why)),
    };
    screen::tell(&JsonEvent::End {
        exit_code: code.number(),
        why: why.as_deref(),
    });
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    code
}

/// The options of a simulation with this command line.
///
/// # Errors
/// It has a value that an option cannot have.
fn parse_simulation(words: &[OsString]) -> Result<simulate::SimulateArgs, clap::Error> {
    match Cli::try_parse_from(yes::joined(words))?.command {
        Command::Simulate(args) => Ok(*args),
        _ => Err(Cli::command().error(ErrorKind::InvalidSubcommand, "not a simulation")),
    }
}

/// The options of a run with this command line.
///
/// # Errors
/// It has a value that an option cannot have.
fn parse_run(words: &[OsString]) -> Result<run::RunArgs, clap::Error> {
    match Cli::try_parse_from(yes::joined(words))?.command {
        Command::Run(args) => Ok(*args),
        _ => Err(Cli::command().error(ErrorKind::InvalidSubcommand, "not a run")),
    }
}

/// The options of a run with this command line as clap has them, and the command that they belong to. `None` if it is
/// not the command line of a run.
fn matches_of_run(words: &[OsString]) -> Option<(clap::Command, clap::ArgMatches)> {
    let mut command = Cli::command();
    let mut matches = command.try_get_matches_from_mut(yes::joined(words)).ok()?;
    let (name, matches) = matches
        .remove_subcommand()
        .filter(|(name, _)| name == "run" || name == "simulate")?;
    Some((command.find_subcommand(&name)?.clone(), matches))
}

/// The error, which quotes the command line, without characters that a terminal would act on.
fn with_plain_quotes(e: clap::Error, args: &[OsString]) -> clap::Error {
    let plain = |word: &OsString| OsString::from(&*plain_text::one_line(&word.to_string_lossy()));
    let plain: Vec<OsString> = args.iter().map(plain).collect();
    if plain == args {
        return e;
    }
    match Cli::try_parse_from(yes::joined(&plain)) {
        Err(plain) => plain,
        Ok(_) => Cli::command().error(e.kind(), "the command line contains control characters"),
    }
}

/// Says at once why a command has failed, because there is more to come before its end. A program hears of it in the
/// last event.
///
/// # Errors
/// The failure that is still to be said.
fn say_now(done: Result<ExitCode, Failure>) -> Result<ExitCode, Failure> {
    match done {
        Err(failure) if !screen::is_in_json() => Ok(fail(&failure)),
        done => done,
    }
}

fn fail(failure: &Failure) -> ExitCode {
    // A program hears of it in the last event.
    if screen::is_in_json() {
        return failure.code;
    }
    screen::say(&format!("fleetsweep: {}", failure.why));
    failure.code
}

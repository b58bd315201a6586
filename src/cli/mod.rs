//! The command line: arguments and wiring, a file a command.
//!
//! - [`run`], [`plan`], [`status`], [`follow`], [`cancel`], [`machines`], [`doctor`], [`mock`] and [`quota`] are the
//!   commands of these names.
//! - What several commands take: [`connect`]: which API, and with which token. [`pace`]: which limits. [`brakes`]: what
//!   stops a campaign. [`progress`]: what is shown. [`yes`]: answers given beforehand. [`values`]: what options may
//!   say.
//! - A campaign's surroundings: [`paths`]: its files. [`ledger`] and [`terms`]: what its state notes for `status`.
//!   `locks`: one process a campaign. `overlap`: its machines in other campaigns. `counts`: how its targets
//!   stand. `existing_campaign`: what `follow`
//!   and `cancel` begin with; `remote_stop`: how `cancel` stops a live run.
//! - The process: [`terminal`]: a person who can be asked. `screen`: stdout and stderr. [`signals`]: Ctrl-C and its
//!   kin. [`exit`]: the exit codes, and which one wins. [`bug`]: a panic's end.

mod api;
pub mod brakes;
pub mod bug;
pub mod cancel;
pub mod connect;
mod counts;
pub mod doctor;
mod existing_campaign;
pub mod exit;
pub mod follow;
pub mod ledger;
mod locks;
pub mod machines;
pub mod mock;
mod overlap;
pub mod pace;
pub mod paths;
pub mod plan;
pub mod progress;
pub mod quota;
mod remote_stop;
pub mod run;
mod screen;
pub mod signals;
pub mod status;
pub mod terminal;
pub mod terms;
pub mod values;
pub mod yes;

use std::{ffi::OsString, fmt::Display, time::Duration};

use clap::{CommandFactory as _, Parser, Subcommand};

pub use exit::ExitCode;

use crate::plain_text;

/// Starts antivirus scans on whole fleets through Microsoft Defender for Endpoint, at exactly the API's speed limit.
#[derive(Debug, Parser)]
#[command(name = "fleetsweep", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Plan(Box<plan::PlanArgs>),
    Status(status::StatusArgs),
    Follow(Box<follow::FollowCommand>),
    Cancel(Box<cancel::CancelCommand>),
    Machines(Box<machines::MachinesArgs>),
    Doctor(Box<doctor::DoctorArgs>),
    Quota(quota::QuotaArgs),
    Mock(Box<mock::MockArgs>),
}

/// Why a command came to nothing, with the exit code that says of what kind.
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

    /// Wrong usage, or unreadable input.
    pub fn usage(why: impl Display) -> Self {
        Self::new(ExitCode::Usage, why)
    }

    /// Something cannot be written or read.
    pub fn storage(why: impl Display) -> Self {
        Self::new(ExitCode::Storage, why)
    }
}

/// How long an interrupted command waits for its threads: long enough for one that was left to take away its unfinished
/// file, and not for a disk that hangs.
const TIDYING: Duration = Duration::from_millis(500);

/// Parses the command line and does what it says.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(yes::joined(&args)) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are asked for, and go to stdout; anything else is wrong usage.
            let code = if e.use_stderr() {
                ExitCode::Usage
            } else {
                ExitCode::Clean
            };
            let _ = without_tricks(e, &args).print();
            return code;
        }
    };
    // One thread: small calls over HTTP are 25 to 45 % faster than on two.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
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
            Command::Run(args_of_run) => Box::pin(run::run(*args_of_run, &args)).await,
            Command::Plan(args) => plan::run(*args).await,
            Command::Status(args) => status::run(args).await,
            Command::Follow(args) => follow::run(*args).await,
            Command::Cancel(args) => cancel::run(*args).await,
            Command::Machines(args) => machines::run(*args).await,
            Command::Doctor(args) => doctor::run(*args).await,
            Command::Quota(args) => quota::run(args),
            Command::Mock(args) => mock::run(*args, screen::say_all)
                .await
                .map(|()| ExitCode::Clean)
                .map_err(Failure::usage),
        }
    });
    let code = done.unwrap_or_else(|failure| fail(&failure));
    if code == ExitCode::Interrupted {
        runtime.shutdown_timeout(TIDYING);
    }
    code
}

/// The same error about the command line, which quotes it, with whatever a terminal would act on made plain.
fn without_tricks(e: clap::Error, args: &[OsString]) -> clap::Error {
    let plain = |word: &OsString| OsString::from(&*plain_text::one_line(&word.to_string_lossy()));
    let plain: Vec<OsString> = args.iter().map(plain).collect();
    if plain == args {
        return e;
    }
    match Cli::try_parse_from(yes::joined(&plain)) {
        Err(plain) => plain,
        Ok(_) => Cli::command().error(
            e.kind(),
            "the command line holds characters that no terminal shows",
        ),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    screen::say(&format!("fleetsweep: {}", failure.why));
    failure.code
}

//! `fleetsweep quota`: show what is spent and held and which campaigns a ledger knows, create a ledger, or end a hold.
//!
//! - `overview`: what `quota show` prints.

mod overview;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use self::overview::Overview;
use super::{ExitCode, Failure, ledger, screen};
use crate::{
    monitor::span,
    plain_text::one_line,
    quota::{self, Kind, SystemClock},
};

/// The quota ledger: show what is spent and held, create a ledger, or end a hold.
#[derive(Debug, Args)]
pub struct QuotaArgs {
    #[command(subcommand)]
    command: QuotaCommand,
}

#[derive(Debug, Subcommand)]
enum QuotaCommand {
    /// Show what is spent of the documented limits, what is held, which processes are at work, and the campaigns.
    /// Changes nothing.
    Show {
        #[command(flatten)]
        which: Which,

        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Create an empty ledger, for --quota-file. Folders are not created, and no file is overwritten.
    Create {
        /// The new ledger.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// End a hold that the service has put on one kind of call. Campaigns that are running notice within 5 s, and try
    /// with a single call first.
    Lift {
        /// The kind of call.
        #[arg(value_enum, value_name = "KIND")]
        kind: KindArg,

        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// The ledger. [default: fleetsweep/quota.db in the user's state directory]
    #[arg(long, value_name = "FILE")]
    quota_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindArg {
    Start,
    List,
    Get,
    Cancel,
    Machines,
    Health,
    Alerts,
    All,
}

impl KindArg {
    fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Start => vec![Kind::Start],
            Self::List => vec![Kind::List],
            Self::Get => vec![Kind::Get],
            Self::Cancel => vec![Kind::Cancel],
            Self::Machines => vec![Kind::Machines],
            Self::Health => vec![Kind::Health],
            Self::Alerts => vec![Kind::Alerts],
            Self::All => Kind::ALL.to_vec(),
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// There is no such ledger, it cannot be read or written, or a new one would overwrite a file.
pub fn run(args: QuotaArgs) -> Result<ExitCode, Failure> {
    const WHAT: &str = "to stdout";
    let report = match args.command {
        QuotaCommand::Show { which, json } => {
            let overview = Overview::of(&ledger::find(which.quota_file)?)?;
            if json {
                screen::json(&overview, WHAT)?;
                return Ok(ExitCode::Clean);
            }
            overview.to_string()
        }
        QuotaCommand::Create { file } => {
            quota::create(&file).map_err(|error| match error {
                quota::LedgerError::Exists { .. } => Failure::usage(error),
                _ => Failure::storage(error),
            })?;
            one_line(&format!("{} is a new quota ledger", file.display())).into_owned()
        }
        QuotaCommand::Lift { kind, which } => lift(&ledger::find(which.quota_file)?, kind)?,
    };
    screen::report(&report, WHAT).map(|()| ExitCode::Clean)
}

/// Ends the holds on these kinds of calls, and says which there were.
fn lift(file: &Path, kind: KindArg) -> Result<String, Failure> {
    let lifted = quota::lift(file, &kind.kinds(), &SystemClock)?;
    if lifted.is_empty() {
        return Ok("nothing was held\n".to_owned());
    }
    let lines = lifted.iter().map(|lifted| {
        let line = format!(
            "{}, tenant {}, application {}: {} calls were held for {} more, and are no longer held",
            lifted.place.cloud,
            lifted.place.tenant,
            lifted.place.application,
            lifted.kind,
            span::in_words(lifted.left)
        );
        one_line(&line).into_owned() + "\n"
    });
    Ok(lines.collect())
}

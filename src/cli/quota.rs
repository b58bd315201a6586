//! `fleetsweep quota`: what is spent and held, and which campaigns a ledger knows; a new ledger; an end to a hold.

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{ExitCode, Failure, ledger};
use crate::{
    monitor::span,
    quota::{self, Account, Clock, Kind, MarkRow, Picture, Quota, SystemClock},
};

/// The quota ledger: what is spent and held, a new one, an end to a hold.
#[derive(Debug, Args)]
pub struct QuotaArgs {
    #[command(subcommand)]
    command: QuotaCommand,
}

#[derive(Debug, Subcommand)]
enum QuotaCommand {
    /// Show what is spent of the documented limits, what is held, who is at work, and the campaigns. Changes nothing.
    Show {
        #[command(flatten)]
        which: Which,

        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a new, empty ledger, for --quota-file. Folders are not made, and no file is overwritten.
    Create {
        /// The new ledger.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// End the service's hold on calls of a kind. Campaigns that are running hear of it within 5 s and send one call alone.
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
            Self::All => Kind::ALL.to_vec(),
        }
    }
}

/// Does what is asked of the ledger.
///
/// # Errors
/// There is no such ledger, or it cannot be read or written; a new one would overwrite a file.
pub fn run(args: QuotaArgs) -> Result<ExitCode, Failure> {
    let said = match args.command {
        QuotaCommand::Show { which, json } => {
            let overview = Overview::of(&ledger::find(which.quota_file)?)?;
            if json {
                serde_json::to_string(&overview).map_err(Failure::storage)? + "\n"
            } else {
                overview.to_string()
            }
        }
        QuotaCommand::Create { file } => {
            quota::create(&file).map_err(|error| match error {
                quota::LedgerError::Exists { .. } => Failure::usage(error),
                _ => Failure::storage(error),
            })?;
            format!("{} is a new quota ledger\n", file.display())
        }
        QuotaCommand::Lift { kind, which } => lift(&ledger::find(which.quota_file)?, kind)?,
    };
    let mut out = io::stdout().lock();
    match out.write_all(said.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read it has read enough.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::storage(format!("cannot write to stdout: {e}")))
        }
        _ => Ok(ExitCode::Clean),
    }
}

/// Ends holds, and says which.
fn lift(file: &Path, kind: KindArg) -> Result<String, Failure> {
    let lifted = quota::lift(file, &kind.kinds(), &SystemClock).map_err(Failure::storage)?;
    if lifted.is_empty() {
        return Ok("nothing was held\n".to_owned());
    }
    let lines = lifted.iter().map(|lifted| {
        format!(
            "{}, tenant {}, application {}: {} calls were held for {} more, and are not any more\n",
            lifted.place.cloud,
            lifted.place.tenant,
            lifted.place.application,
            lifted.kind,
            span::in_words(lifted.left)
        )
    });
    Ok(lines.collect())
}

/// What a ledger tells.
#[derive(Debug, Serialize)]
struct Overview {
    ledger: PathBuf,
    /// Whether the file is there.
    exists: bool,
    /// How many processes have it open.
    processes: usize,
    accounts: Vec<AccountView>,
    campaigns: Vec<MarkRow>,
    #[serde(skip)]
    now: Timestamp,
}

/// The calls of one application in one tenant.
#[derive(Debug, Serialize)]
struct AccountView {
    cloud: String,
    tenant: String,
    application: String,
    kinds: Vec<KindView>,
    /// The processes that are at work.
    processes: Vec<ProcessView>,
}

#[derive(Debug, Serialize)]
struct KindView {
    kind: &'static str,
    windows: Vec<WindowView>,
    /// For how long the service's word still holds calls of the kind.
    held_s: Option<f64>,
    held_until: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct WindowView {
    window_s: f64,
    spent: usize,
    limit: u32,
}

#[derive(Debug, Serialize)]
struct ProcessView {
    process: i64,
    calls: u64,
}

impl Overview {
    fn of(file: &Path) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let accounts = quota::accounts(file).map_err(Failure::storage)?;
        let accounts = accounts
            .into_iter()
            .map(|account| AccountView::of(account, &clock));
        Ok(Self {
            ledger: file.to_owned(),
            exists: file.exists(),
            processes: quota::processes(file),
            accounts: accounts.collect::<Result<_, _>>()?,
            campaigns: quota::marks(file).map_err(Failure::storage)?,
            now: clock.wall(),
        })
    }
}

impl AccountView {
    fn of(account: Account, clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        let picture = Picture::of_ledger(&Quota::documented(), clock, &account.place)
            .map_err(Failure::storage)?;
        let kinds = Kind::ALL.into_iter();
        let processes = account.processes.iter();
        Ok(Self {
            kinds: kinds
                .map(|kind| KindView::of(&picture, kind, clock.wall()))
                .collect(),
            processes: processes
                .map(|process| ProcessView {
                    process: process.id,
                    calls: process.calls,
                })
                .collect(),
            cloud: account.place.cloud,
            tenant: account.place.tenant,
            application: account.place.application,
        })
    }
}

impl KindView {
    fn of(picture: &Picture, kind: Kind, now: Timestamp) -> Self {
        let held = picture.held(kind);
        let windows = picture.usage(kind).into_iter().map(|usage| WindowView {
            window_s: usage.window.as_secs_f64(),
            spent: usage.in_use,
            limit: usage.limit,
        });
        Self {
            kind: kind.as_str(),
            windows: windows.collect(),
            held_s: held.map(|held| held.as_secs_f64()),
            held_until: held.and_then(|held| now.saturating_add(held).ok()),
        }
    }
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.ledger.display();
        if !self.exists {
            return writeln!(f, "there is no quota ledger {file} yet: nothing is spent");
        }
        writeln!(f, "quota ledger {file}, open in {}", count(self.processes))?;
        for account in &self.accounts {
            account.write(f, self.now)?;
        }
        for campaign in &self.campaigns {
            write_campaign(f, campaign)?;
        }
        Ok(())
    }
}

fn count(processes: usize) -> String {
    let ending = if processes == 1 { "" } else { "es" };
    format!("{processes} process{ending}")
}

impl AccountView {
    fn write(&self, f: &mut fmt::Formatter<'_>, now: Timestamp) -> fmt::Result {
        writeln!(
            f,
            "{}, tenant {}, application {}:",
            self.cloud, self.tenant, self.application
        )?;
        let is_used = |kind: &&KindView| {
            kind.held_s.is_some() || kind.windows.iter().any(|window| window.spent > 0)
        };
        for kind in self.kinds.iter().filter(is_used) {
            kind.write(f, now)?;
        }
        for ProcessView { process, calls } in &self.processes {
            writeln!(f, "  process {process} is at work, with {calls} calls")?;
        }
        Ok(())
    }
}

impl KindView {
    fn write(&self, f: &mut fmt::Formatter<'_>, now: Timestamp) -> fmt::Result {
        let windows = self.windows.iter().map(|window| {
            let length = span::in_words(Duration::from_secs_f64(window.window_s));
            format!("{} of {} in {length}", window.spent, window.limit)
        });
        let windows = windows.collect::<Vec<_>>().join("; ");
        write!(f, "  {} calls: {windows}", self.kind)?;
        if let Some(held) = self.held_s {
            let held = Duration::from_secs_f64(held);
            let until = span::arrival(now, held, &TimeZone::system());
            let left = span::in_words(held);
            write!(f, "; held by the service until {until}, {left}")?;
        }
        writeln!(f)
    }
}

fn write_campaign(f: &mut fmt::Formatter<'_>, mark: &MarkRow) -> fmt::Result {
    let how = match mark.ended {
        None => "not finished",
        Some(_) if mark.abandoned => "abandoned",
        Some(_) => "finished",
    };
    let touched = mark.touched.to_zoned(TimeZone::system());
    writeln!(
        f,
        "campaign {}: {how}; {} targets, {} attempts by {}; {}",
        mark.campaign,
        mark.targets,
        mark.committed,
        touched.strftime("%Y-%m-%d %H:%M"),
        mark.state.display()
    )
}

//! What `fleetsweep quota show` prints.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::{
    cli::Failure,
    monitor::{count, span},
    plain_text::line,
    quota::{self, Account, Clock, Kind, MarkRow, Quota, QuotaSnapshot, SystemClock},
};

/// What a ledger contains. The fields are those of the JSON that `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    ledger: PathBuf,
    /// Whether the file exists.
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
    /// For how many seconds the service still holds calls of this kind.
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
    pub(super) fn of(file: &Path) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let accounts = quota::accounts(file)?
            .into_iter()
            .map(|account| AccountView::of(account, &clock));
        Ok(Self {
            ledger: file.to_owned(),
            exists: file.exists(),
            processes: quota::processes(file),
            accounts: accounts.collect::<Result<_, _>>()?,
            campaigns: quota::marks(file)?,
            now: clock.wall(),
        })
    }
}

impl AccountView {
    fn of(account: Account, clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        let snapshot = QuotaSnapshot::of_ledger(&Quota::documented(), clock, &account.place)?;
        let kinds = Kind::ALL.into_iter();
        let processes = account.processes.iter();
        Ok(Self {
            kinds: kinds
                .map(|kind| KindView::of(&snapshot, kind, clock.wall()))
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
    fn of(snapshot: &QuotaSnapshot, kind: Kind, now: Timestamp) -> Self {
        let held = snapshot.held(kind);
        let windows = snapshot.usage(kind).into_iter().map(|usage| WindowView {
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
            return line(
                f,
                format_args!("there is no quota ledger {file} yet: nothing is spent"),
            );
        }
        line(
            f,
            format_args!("quota ledger {file}, open in {}", count(self.processes)),
        )?;
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
        let Self {
            cloud,
            tenant,
            application,
            ..
        } = self;
        line(
            f,
            format_args!("{cloud}, tenant {tenant}, application {application}:"),
        )?;
        let is_used = |kind: &&KindView| {
            kind.held_s.is_some() || kind.windows.iter().any(|window| window.spent > 0)
        };
        for kind in self.kinds.iter().filter(is_used) {
            kind.write(f, now)?;
        }
        for ProcessView { process, calls } in &self.processes {
            line(
                f,
                format_args!(
                    "  process {process} is at work, with {}",
                    count::of(*calls, "call")
                ),
            )?;
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
    line(
        f,
        format_args!(
            "campaign {}: {how}; {}; last at work {}; {}",
            mark.campaign,
            count::of(mark.targets, "target"),
            touched.strftime("%Y-%m-%d %H:%M"),
            mark.state.display()
        ),
    )
}

//! The campaign's durable state: one SQLite file.
//!
//! - `open`: the ways to open the file. `lock`: [`Lock`], at most one process works on a campaign. `place`:
//!   [`check_place`], the file must not be on a network file system.
//! - `schema`: the tables and their version. `migrate`, `schema_1`: from version 1 to the current one. `sums`: whether
//!   the file is as it was written.
//! - `load`: [`Loader`], which writes a new campaign's rows. `record`: [`Record`], what happens to targets, in batches.
//! - `page`: [`Target`] and [`Cursor`], the targets that nothing was sent to yet. `resume`: [`Left`], [`Unfinished`]
//!   and [`Known`], what an earlier run left behind. `amend`: [`Amendment`], and `extension`: [`Extension`], what a
//!   later run may change.
//! - `row`: [`StoredRow`], whole rows for the results file.
//! - `actions`: [`OpenAction`] and [`ActionUpdate`], the scans and their states. `cancels`: [`CancelEnd`], attempts to
//!   cancel scans, and requests that a running process stop.
//! - `devices`: [`DeviceWord`], what the devices report of their scans. `findings`: [`Finding`], the alerts since then.
//! - `decision`: [`Decision`], what the operator decided, and for which targets. `run`: [`Run`], who ran the campaign.
//! - `mark`: [`MarkFile`], how much was committed, kept outside of the file. `recover`: [`OpenTarget`] and [`Touched`],
//!   for a state that has lost its end.
//! - `history`: [`PastRun`], [`PastCall`] and [`BadEnd`], what was done, for the report.
//! - `reserve`: [`Reserve`], disk space for a run's last writes.
//! - `target_summary`: [`TargetSummary`] and [`LastRun`], for `status`. `reach`: [`Reach`], how many machines all runs
//!   have sent to, for the brakes.
//!
//! Outcomes are plain text here. The store keeps them and does not interpret them.
//!
//! Crash safety: once [`Store::commit`] has returned, its records survive a crash of the process and of the computer.
//! If the crash comes before that, either all of them have been written or none.

mod actions;
mod amend;
mod cancels;
mod decision;
mod devices;
#[cfg(test)]
mod dry_run_tests;
mod error;
mod extension;
mod findings;
mod history;
mod load;
mod lock;
mod mark;
mod migrate;
mod open;
mod page;
mod place;
mod reach;
mod record;
mod recover;
mod reserve;
mod resume;
mod row;
mod run;
#[cfg(test)]
mod sample_for_tests;
mod schema;
mod schema_1;
mod sums;
mod target_summary;

use std::{
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::Duration,
};

pub use actions::{ActionUpdate, OpenAction, is_final};
pub use amend::Amendment;
pub use cancels::CancelEnd;
pub use decision::{Decision, Subject};
pub use devices::{DeviceWord, EndedScan};
pub use error::StoreError;
pub use extension::{Extension, MachineMatch, TargetMatch};
pub use findings::{Finding, ScannedMachine};
pub use history::{BadEnd, Held, PastCall, PastRun};
use jiff::Timestamp;
pub use load::{Loader, NewRow};
pub use lock::{Lock, LockError};
pub use mark::MarkFile;
pub use page::{Cursor, Target};
pub use place::{NetworkPlace, check_place};
pub use reach::Reach;
pub use record::{AttemptEnd, Progress, Record, SentAt};
pub use recover::{OpenTarget, Touched};
pub use reserve::Reserve;
pub use resume::{Known, Left, Unfinished};
pub use row::{Selection, StoredRow};
pub use run::{AwayNote, Run};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
pub use target_summary::{LastRun, Seen, TargetSummary};

/// How long a statement waits for another process's lock. Readers (`status`) hold theirs for milliseconds.
const BUSY: Duration = Duration::from_secs(10);

/// The tenant of a campaign whose token could not be read.
pub const UNKNOWN_TENANT: &str = "unknown";

/// What identifies a campaign, apart from its targets. If any of it differs, it is another campaign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The campaign's id, as in its tags.
    pub campaign: String,
    /// When it was created.
    pub created: Timestamp,
    /// The tenant that its token is for; [`UNKNOWN_TENANT`] if the token cannot be read.
    pub tenant: String,
    /// The API's base address.
    pub api: String,
    /// `quick` or `full`, for rows without a scan type.
    pub scan_type: String,
    /// The comment's text, for rows without a comment.
    pub comment: String,
    /// The names of the input's other columns, in order.
    pub columns: Vec<String>,
    /// The rule by which cells were accepted as machine ids; `any` in campaigns that are older than these rules.
    pub id_rule: String,
}

/// An open state file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    db: Connection,
    identity: Identity,
    /// The check of the file, while it is running.
    checking: Option<JoinHandle<Result<(), StoreError>>>,
    /// How many batches had been committed after the last one of this process.
    committed: Option<u64>,
}

impl Store {
    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The campaign's identity.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How many targets have each outcome: the outcome (`None` for those that have not ended), whether `--where` left
    /// them out, and the count.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn tally(&self) -> Result<Vec<(Option<String>, bool, u64)>, StoreError> {
        let mut counts = self
            .read(
                "SELECT outcome, left_out, count(*) FROM progress GROUP BY outcome, left_out",
                |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, u64>(2)?)),
            )
            .map_err(|e| self.failed("count", e))?;
        // The highest number is the number of targets, since there are no gaps. Counting a million rows takes 0.1 s.
        let targets: u64 = self
            .db
            .query_row("SELECT coalesce(max(n), 0) FROM target", [], |row| {
                row.get(0)
            })
            .map_err(|e| self.failed("count", e))?;
        let touched: u64 = counts.iter().map(|(_, _, count)| count).sum();
        counts.push((None, false, targets.saturating_sub(touched)));
        Ok(counts)
    }

    /// Lets commits no longer wait for the disk, so that a power cut may lose them, and merges the write-ahead log ten
    /// times more rarely. For states that nobody resumes.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn forgo_durability(&mut self) -> Result<(), StoreError> {
        let relaxed = self
            .db
            .pragma_update(None, "synchronous", "OFF")
            .and_then(|()| self.db.pragma_update(None, "wal_autocheckpoint", 10_000));
        relaxed.map_err(|e| self.failed("open", e))
    }

    /// Merges the write-ahead log into the file, and closes it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn close(self) -> Result<(), StoreError> {
        // While another process is reading, the log cannot be removed. That process does it when it closes the file.
        let folded = self.db.pragma_update(None, "journal_mode", "DELETE");
        match folded {
            Err(rusqlite::Error::SqliteFailure(e, _))
                if e.code == rusqlite::ErrorCode::DatabaseBusy =>
            {
                Ok(())
            }
            folded => folded.map_err(|e| self.failed("close", e)),
        }
    }

    fn read<T>(
        &self,
        sql: &str,
        each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.db.prepare(sql)?.query_map([], each)?.collect()
    }

    /// Visits the rows of a query one by one.
    fn each(
        &self,
        sql: &str,
        mut visit: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.db.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                visit(row)?;
            }
            Ok(())
        };
        read().map_err(|e| self.failed("read", e))
    }

    fn failed(&self, act: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::new(act, &self.path, source)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    // What was committed must survive a power cut, so every commit waits for the disk.
    db.pragma_update(None, "synchronous", "FULL")?;
    // 16 MiB: enough for the working set of a million targets, and bounded.
    db.pragma_update(None, "cache_size", -16_384)?;
    // Otherwise the bundled SQLite would prepare a statement again whenever a bound number changes, which is for
    // every row.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(32);
    sums::install(&db)?;
    Ok(db)
}

/// The file that is kept beside a state file, under its name with this ending.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A time as it is stored: milliseconds since 1970.
fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// The reverse of [`millis`]. `None` for a number outside of jiff's range.
fn timestamp(ms: Option<i64>) -> Option<Timestamp> {
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok())
}

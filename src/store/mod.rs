//! The campaign's durable state: one SQLite file.
//!
//! - [`schema`](self): the tables and their version (`schema.rs`). Earlier versions are brought to it (`migrate.rs`).
//! - [`MarkFile`]: how much was committed, kept outside of the file (`mark.rs`).
//! - [`Decision`]: what somebody decided, and over which targets (`decision.rs`).
//! - [`OpenTarget`], [`Touched`]: what a recovery goes by (`recover.rs`).
//! - [`Reserve`]: room on the disk for the last words (`reserve.rs`).
//! - [`sums`](self): whether the file is as it was written (`sums.rs`).
//! - [`Loader`]: a new campaign's rows, all of them or none (`load.rs`).
//! - [`Record`]: what happens to targets, written in batches (`record.rs`).
//! - [`Target`], [`Cursor`]: the targets that are due, page by page (`page.rs`).
//! - [`StoredRow`]: whole rows in the input's order, for the results (`row.rs`).
//! - [`Left`], [`Unfinished`], [`Known`]: what an earlier run left behind (`resume.rs`).
//! - [`Amendment`], [`Extension`]: what a later run may change about them (`amend.rs`).
//! - [`TargetSummary`], [`LastRun`]: what `status` sees (`glimpse.rs`).
//! - [`OpenAction`], [`ActionUpdate`]: the scans, and what became of them (`actions.rs`).
//! - [`CancelEnd`]: attempts to cancel scans; and orders to a live run (`cancels.rs`).
//! - [`Reach`]: how far earlier runs have reached, which the brakes go by (`reach.rs`).
//! - What a run would change, tried out and never written (`rehearsal.rs`).
//! - [`check_place`]: not on a network file system (`place.rs`).
//! - [`Lock`]: one process a campaign (`lock.rs`).
//! - [`Run`]: who ran the campaign, when, and how it ended (`run.rs`).
//!
//! Outcomes are text here: the store keeps them and does not judge.
//!
//! Contract, in terms of crashes: once [`Store::commit`] has returned, its records survive the death of the process and
//! of the computer; before that, all of them or none do.

mod actions;
mod amend;
mod cancels;
mod decision;
#[cfg(test)]
mod dry_run_tests;
mod error;
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
pub use amend::{Amendment, Extension, MachineMatch, TargetMatch};
pub use cancels::CancelEnd;
pub use decision::{Decision, Subject};
pub use error::StoreError;
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
pub use row::StoredRow;
pub use run::Run;
use rusqlite::{Connection, OpenFlags, config::DbConfig};
pub use target_summary::{LastRun, Seen, TargetSummary};

/// How long a statement waits for another process's lock. Readers (`status`) hold theirs for milliseconds.
const BUSY: Duration = Duration::from_secs(10);

/// What a campaign is, apart from its targets. A difference in any of it is another campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The campaign's id, as in its tags.
    pub campaign: String,
    /// When it was made.
    pub created: Timestamp,
    /// The tenant its token is for; `unknown` where the token cannot be read.
    pub tenant: String,
    /// The API's base address.
    pub api: String,
    /// `quick` or `full`: for rows that do not say.
    pub scan_type: String,
    /// The comment's text, for rows that have none.
    pub comment: String,
    /// The names of the input's other columns, in order.
    pub columns: Vec<String>,
    /// By which rule the input's cells were taken for machine ids: `any` in campaigns from before there were several.
    pub id_rule: String,
}

/// An open state file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    db: Connection,
    identity: Identity,
    /// The look through the file, while it goes on.
    checking: Option<JoinHandle<Result<(), StoreError>>>,
    /// How many batches there were after the last one of this process.
    committed: Option<u64>,
}

impl Store {
    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the campaign is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How many targets ended how: outcome, whether the operator's `--where` left them out, and the count; `None` for
    /// those that have not ended.
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
        // Numbers have no gaps, and to count a million rows takes a tenth of a second.
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

    /// Folds the journal into the one file and closes it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn close(self) -> Result<(), StoreError> {
        // Another process that is reading keeps the journal alive; it is folded in when that one has done.
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

    fn failed(&self, act: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::new(act, &self.path, source)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    // What has been reported must survive a power cut, so every commit reaches the disk.
    db.pragma_update(None, "synchronous", "FULL")?;
    // 16 MiB: enough for the working set of a million targets, and bounded.
    db.pragma_update(None, "cache_size", -16_384)?;
    // The bundled SQLite would plan a statement anew whenever a number that it is asked with changes: at every row.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(32);
    sums::install(&db)?;
    Ok(db)
}

/// Milliseconds since 1970, as times stand in the file.
fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// The reverse of [`millis`]; a number outside of jiff's range is as good as none.
fn timestamp(ms: Option<i64>) -> Option<Timestamp> {
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok())
}

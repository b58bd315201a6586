//! What was done in a campaign, for its report: its runs, its calls, and what went wrong.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::{Store, StoreError, timestamp};

/// One process that worked on the campaign, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PastRun {
    /// The user's name in the operating system.
    pub os_user: String,
    /// The computer's name.
    pub host: String,
    /// fleetsweep's version.
    pub version: String,
    /// The command line that resumes the campaign, without secrets.
    pub command: String,
    /// The tenant from the token.
    pub tenant: String,
    /// The application from the token.
    pub application: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` if it is at work, or was killed.
    pub ended: Option<Timestamp>,
    /// Why it ended.
    pub reason: Option<String>,
    /// The quota's settings as JSON, and what else it noted.
    #[serde(skip)]
    pub quota: String,
}

/// One scan start that went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastCall {
    /// When it was sent, by this computer's clock, in milliseconds since 1970.
    pub sent: i64,
    /// How long it took until it was answered or given up, in milliseconds; `None` if nobody waited for that.
    pub took: Option<u64>,
    /// Whether the answer came before the call was sent, because the clock was set back.
    pub is_answered_before: bool,
    /// The answer's status; `None` if there was no answer.
    pub status: Option<u16>,
}

/// A target that ended badly, or a row that could not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEnd {
    /// The target.
    pub n: u64,
    /// The outcome.
    pub outcome: String,
    /// The last answer's status.
    pub status: Option<u16>,
    /// The last answer's error code.
    pub error_code: String,
    /// The reason, as text.
    pub message: String,
}

/// While it is there, everything that is read from the store is as it was at the first read, whatever another process
/// writes meanwhile.
pub struct Held<'a>(#[expect(dead_code, reason = "it ends on drop")] Option<Transaction<'a>>);

impl Store {
    /// Keeps what is read as it is now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn held(&self) -> Result<Held<'_>, StoreError> {
        // A file of an earlier version is migrated in a transaction that is never committed.
        let is_held = !self.db.is_autocommit();
        let begun = (!is_held).then(|| self.db.unchecked_transaction());
        let begun = begun.transpose();
        begun.map(Held).map_err(|e| self.failed("read", e))
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn runs(&self) -> Result<Vec<PastRun>, StoreError> {
        let sql = "SELECT os_user, host, version, command, tenant, application, started, ended, reason, quota
            FROM run ORDER BY id";
        let runs = self.read(sql, |row| {
            Ok(PastRun {
                os_user: row.get(0)?,
                host: row.get(1)?,
                version: row.get(2)?,
                command: row.get(3)?,
                tenant: row.get(4)?,
                application: row.get(5)?,
                started: timestamp(row.get(6)?).unwrap_or_default(),
                ended: timestamp(row.get(7)?),
                // While a run is at work, this says why its last call cannot be forecast.
                reason: row.get::<_, Option<i64>>(7)?.and(row.get(8)?),
                quota: row.get(9)?,
            })
        });
        runs.map_err(|e| self.failed("read", e))
    }

    /// Calls `visit` with every scan start that went out, in no particular order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each_call(&self, mut visit: impl FnMut(PastCall)) -> Result<(), StoreError> {
        self.each("SELECT sent, ended, http_status FROM attempt", |row| {
            let (sent, ended): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
            visit(PastCall {
                sent,
                is_answered_before: ended.is_some_and(|ended| ended < sent),
                // A clock that was set back between the two tells nothing.
                took: ended.and_then(|ended| u64::try_from(ended - sent).ok()),
                status: row.get(2)?,
            });
            Ok(())
        })
    }

    /// Calls `visit` with every target that ended as something else than `accepted`, `already_pending` or `duplicate`,
    /// in the input's order, apart from those that were left out on purpose.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each_bad_end(&self, mut visit: impl FnMut(BadEnd)) -> Result<(), StoreError> {
        let sql = "SELECT n, outcome, http_status, error_code, message FROM progress
            WHERE outcome NOT IN ('accepted', 'already_pending', 'duplicate') AND left_out = 0 ORDER BY n";
        self.each(sql, |row| {
            visit(BadEnd {
                n: row.get(0)?,
                outcome: row.get(1)?,
                status: row.get(2)?,
                error_code: row.get(3)?,
                message: row.get(4)?,
            });
            Ok(())
        })
    }

    /// The lines and machine ids, as typed, of these targets.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn lines_of(&self, targets: &[u64]) -> Result<Vec<(u64, String)>, StoreError> {
        let sql = "SELECT line, machine_id FROM target WHERE n = ?1";
        let read = || {
            let mut statement = self.db.prepare_cached(sql)?;
            let lines = targets
                .iter()
                .map(|n| statement.query_row(params![n], |row| Ok((row.get(0)?, row.get(1)?))));
            lines.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|e| self.failed("read", e))
    }

    /// How many targets that have not ended may have a scan: they are looked up before anything else is sent to them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn to_look_up(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM progress p WHERE p.outcome IS NULL AND (p.unsure_since IS NOT NULL
            OR (p.attempts > 0 AND EXISTS (SELECT 1 FROM attempt a WHERE a.n = p.n AND a.ended IS NULL)))";
        let count = self.db.query_row(sql, [], |row| row.get(0));
        count.map_err(|e| self.failed("count", e))
    }

    /// How long the runs have waited for each cause, as they noted it; see [`Record::Waited`](super::Record::Waited).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn waits(&self) -> Result<Vec<(String, Duration)>, StoreError> {
        let sql = "SELECT w.key, sum(w.value) FROM run,
                json_each(CASE WHEN json_valid(quota) THEN quota ELSE '{}' END, '$.waits') w
            WHERE w.type = 'integer' AND w.value > 0 GROUP BY w.key ORDER BY 2 DESC, 1";
        let waits = self.read(sql, |row| {
            Ok((row.get(0)?, Duration::from_millis(row.get(1)?)))
        });
        waits.map_err(|e| self.failed("read", e))
    }

    /// How the devices say that these ended scans ended, in their words, and how many of each.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn device_results(&self) -> Result<Vec<(String, u64)>, StoreError> {
        if !self.is_verified()? {
            return Ok(Vec::new());
        }
        let sql = "SELECT d.result, count(*) FROM progress p JOIN device d ON d.n = p.n AND d.action = p.action_id
            WHERE p.outcome IN ('accepted', 'already_pending') AND d.result <> '' GROUP BY d.result";
        let counts = self.read(sql, |row| Ok((row.get(0)?, row.get(1)?)));
        counts.map_err(|e| self.failed("count", e))
    }
}

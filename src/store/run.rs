//! The table of runs, for auditors: who ran the campaign, when, with which command, and how it ended.

use jiff::Timestamp;
use rusqlite::params;

use super::{Store, StoreError, millis, timestamp};

/// One process that worked on the campaign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// The user's name in the operating system.
    pub os_user: String,
    /// The computer's name.
    pub host: String,
    /// fleetsweep's version.
    pub version: String,
    /// The command line that resumes the campaign: without secrets, and without options that were for that run only.
    pub command: String,
    /// The tenant from the token; `unknown` if it cannot be read.
    pub tenant: String,
    /// The application from the token; `unknown` if it cannot be read.
    pub application: String,
    /// The quota's settings as JSON, for `status`.
    pub quota: String,
    /// When it began.
    pub started: Timestamp,
}

impl Store {
    /// Records that a run has begun, and returns its number.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin_run(&mut self, run: &Run) -> Result<i64, StoreError> {
        self.db
            .execute(
                "INSERT INTO run (os_user, host, version, command, tenant, application, quota, started)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    run.os_user,
                    run.host,
                    run.version,
                    run.command,
                    run.tenant,
                    run.application,
                    run.quota,
                    millis(run.started)
                ],
            )
            .map_err(|e| self.failed("write", e))?;
        Ok(self.db.last_insert_rowid())
    }

    /// When each run began, oldest first, with its [`quota`](Run::quota).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn run_starts(&self) -> Result<Vec<(Timestamp, String)>, StoreError> {
        self.read("SELECT started, quota FROM run ORDER BY id", |row| {
            Ok((timestamp(row.get(0)?).unwrap_or_default(), row.get(1)?))
        })
        .map_err(|e| self.failed("read", e))
    }

    /// Records how run number `id` ended.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end_run(&mut self, id: i64, ended: Timestamp, reason: &str) -> Result<(), StoreError> {
        self.db
            .execute(
                "UPDATE run SET ended = ?2, reason = ?3 WHERE id = ?1",
                params![id, millis(ended), reason],
            )
            .map(drop)
            .map_err(|e| self.failed("write", e))
    }
}

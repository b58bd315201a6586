//! The scans of the targets: which are still running, and how the others ended.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{SentAt, Store, StoreError, timestamp};

/// The statuses of scans that have ended, for SQL; see [`is_final`].
pub(super) const FINAL: &str = "'Succeeded', 'Failed', 'TimeOut', 'Cancelled'";

/// A scan that has not ended as far as is known, or a machine that was found busy and whose scan is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAction {
    /// The target.
    pub n: u64,
    /// The machine id as typed.
    pub machine_id: String,
    /// Whether this campaign has started it; otherwise it is somebody else's.
    pub ours: bool,
    /// The scan's id; empty if it is not known.
    pub action_id: String,
    /// Its last known status.
    pub status: String,
    /// When it was created, as the service wrote it.
    pub created: String,
    /// When the target's last call was sent or answered.
    pub asked: Option<SentAt>,
}

/// What the service says about a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionUpdate {
    /// The target.
    pub n: u64,
    /// The scan's id.
    pub action_id: String,
    /// Its status, as the service spells it.
    pub status: String,
    /// When it was created, as the service wrote it.
    pub created: String,
}

impl Store {
    /// The targets whose scan has not ended, as far as is known, by number.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open_actions(&self) -> Result<Vec<OpenAction>, StoreError> {
        let sql = format!(
            "SELECT p.n, t.machine_id, p.outcome = 'accepted', p.action_id, p.action_status, p.action_created,
                (SELECT a.sent_server FROM attempt a WHERE a.n = p.n ORDER BY a.number DESC LIMIT 1),
                coalesce(p.last_answer, p.first_sent)
            FROM progress p JOIN target t ON t.n = p.n
            WHERE p.outcome IN ('accepted', 'already_pending') AND p.action_status NOT IN ({FINAL})
            ORDER BY p.n"
        );
        let open = self.read(&sql, |row| {
            let by_server = timestamp(row.get(6)?).map(|at| SentAt {
                at,
                by_server: true,
            });
            let by_us = timestamp(row.get(7)?).map(|at| SentAt {
                at,
                by_server: false,
            });
            Ok(OpenAction {
                n: row.get(0)?,
                machine_id: row.get(1)?,
                ours: row.get(2)?,
                action_id: row.get(3)?,
                status: row.get(4)?,
                created: row.get(5)?,
                asked: by_server.or(by_us),
            })
        });
        open.map_err(|e| self.failed("read", e))
    }

    /// Whether a scan that this campaign has started has not ended, as far as is known.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn has_open_scans_of_ours(&self) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM progress WHERE outcome = 'accepted'
                AND action_status NOT IN ({FINAL}))"
        );
        self.db
            .query_row(&sql, [], |row| row.get(0))
            .map_err(|e| self.failed("read", e))
    }

    /// Writes all updates or none. A scan that has ended does not change any more, and a target that has got another
    /// scan meanwhile keeps that.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn update_actions(&mut self, updates: &[ActionUpdate]) -> Result<(), StoreError> {
        if updates.is_empty() {
            return Ok(());
        }
        let written = self.db.transaction().and_then(|tx| {
            for one in updates {
                update(&tx, one)?;
            }
            tx.commit()
        });
        written.map_err(|e| self.failed("write", e))
    }

    /// How many scans have each status, for the targets that have one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn action_tally(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT action_status, count(*) FROM progress
                   WHERE outcome IN ('accepted', 'already_pending')
                   GROUP BY action_status ORDER BY action_status";
        self.read(sql, |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(|e| self.failed("count", e))
    }

    /// Records where run number `run` writes its results, for commands that rewrite them later.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note_results(&mut self, run: i64, file: &str, excel: bool) -> Result<(), StoreError> {
        self.db
            .execute(
                "UPDATE run SET results = ?2, excel = ?3 WHERE id = ?1",
                params![run, file, excel],
            )
            .map(drop)
            .map_err(|e| self.failed("write", e))
    }

    /// Where the last run wrote its results, and whether in the form for Excel.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_results(&self) -> Result<Option<(String, bool)>, StoreError> {
        let sql =
            "SELECT results, excel FROM run WHERE results IS NOT NULL ORDER BY id DESC LIMIT 1";
        let found = self.read(sql, |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(found
            .map_err(|e| self.failed("read", e))?
            .into_iter()
            .next())
    }
}

/// Writes one update.
pub(super) fn update(db: &Connection, update: &ActionUpdate) -> rusqlite::Result<()> {
    db.prepare_cached(&format!(
        "UPDATE progress SET action_id = ?2, action_status = ?3, action_created = ?4
         WHERE n = ?1 AND (action_id = ?2 OR action_id = '') AND outcome IS NOT NULL
             AND action_status NOT IN ({FINAL})"
    ))?
    .execute(params![
        update.n,
        update.action_id,
        update.status,
        update.created
    ])
    .map(drop)
}

/// Whether a scan with this status has ended. An unknown status counts as not ended.
#[must_use]
pub fn is_final(status: &str) -> bool {
    matches!(status, "Succeeded" | "Failed" | "TimeOut" | "Cancelled")
}

impl OpenAction {
    /// When the scan was created, by the service's clock.
    #[must_use]
    pub fn created_at(&self) -> Option<Timestamp> {
        self.created.parse().ok()
    }
}

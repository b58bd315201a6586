//! How far a campaign has reached: what its brakes go by.

use super::{Store, StoreError};

/// How far all runs so far have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// Machines that were sent to.
    pub sent_to: u64,
    /// Those of them that have not ended.
    pub open: u64,
    /// Machines that ended as busy and were not sent to.
    pub skipped: u64,
}

impl Store {
    /// How far all runs so far have reached.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn reach(&self) -> Result<Reach, StoreError> {
        let sql = "
            SELECT coalesce(sum(attempts > 0), 0), coalesce(sum(attempts > 0 AND outcome IS NULL), 0),
                coalesce(sum(attempts = 0 AND outcome = 'already_pending'), 0) FROM progress";
        self.db
            .query_row(sql, [], |row| {
                Ok(Reach {
                    sent_to: row.get(0)?,
                    open: row.get(1)?,
                    skipped: row.get(2)?,
                })
            })
            .map_err(|e| self.failed("count", e))
    }

    /// How many of the scans that the campaign itself has started stand how.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn own_action_tally(&mut self) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT action_status, count(*) FROM progress WHERE outcome = 'accepted'
                   GROUP BY action_status ORDER BY action_status";
        self.read(sql, |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(|e| self.failed("count", e))
    }
}

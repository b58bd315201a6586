//! How many machines a campaign has sent to so far, which its brakes compare with their limits.

use super::{Store, StoreError};

/// How many machines all runs so far have sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// Machines that something was sent to.
    pub sent_to: u64,
    /// Those of them that have not ended.
    pub open: u64,
    /// Machines that ended as busy without anything being sent to them.
    pub skipped: u64,
}

impl Store {
    /// How many machines all runs so far have sent to.
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

    /// How many of the scans that the campaign itself has started have each status.
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

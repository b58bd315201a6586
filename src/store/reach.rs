//! How far a campaign has reached: the counts that its brakes go by.

use super::{Store, StoreError};

impl Store {
    /// How many machines have been sent to, in all runs, and how many of those have not ended.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn sent_to(&self) -> Result<(u64, u64), StoreError> {
        let sql =
            "SELECT count(*), coalesce(sum(outcome IS NULL), 0) FROM progress WHERE attempts > 0";
        self.db
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
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

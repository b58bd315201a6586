//! Attempts to cancel scans, and requests that the process that runs the campaign stop.

use jiff::Timestamp;
use rusqlite::params;

use super::{SentAt, Store, StoreError, millis, timestamp};

/// The request to send no more scans.
const STOP: &str = "stop";

/// How one attempt to cancel a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelEnd {
    /// The target.
    pub n: u64,
    /// The attempt's number, from 1.
    pub number: u32,
    /// When its answer came.
    pub at: Timestamp,
    /// What the answer was, in a word.
    pub result: &'static str,
}

impl Store {
    /// Records that a scan is about to be cancelled, and returns the attempt's number. Once this has returned, a
    /// crash leaves the attempt without an end, and it cannot be forgotten.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin_cancel(
        &mut self,
        n: u64,
        action_id: &str,
        sent: Timestamp,
    ) -> Result<u32, StoreError> {
        let sql = "INSERT INTO cancel (n, number, action_id, sent)
            VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM cancel WHERE n = ?1), ?2, ?3)
            RETURNING number";
        self.db
            .query_row(sql, params![n, action_id, millis(sent)], |row| row.get(0))
            .map_err(|e| self.failed("write", e))
    }

    /// Writes how attempts to cancel ended, all of them or none.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end_cancels(&mut self, ends: &[CancelEnd]) -> Result<(), StoreError> {
        if ends.is_empty() {
            return Ok(());
        }
        let written = self.db.transaction().and_then(|tx| {
            for end in ends {
                tx.prepare_cached(
                    "UPDATE cancel SET ended = ?3, result = ?4 WHERE n = ?1 AND number = ?2",
                )?
                .execute(params![
                    end.n,
                    end.number,
                    millis(end.at),
                    end.result
                ])?;
            }
            tx.commit()
        });
        written.map_err(|e| self.failed("write", e))
    }

    /// How many scans are cancelled after a call of ours that was not refused.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn cancelled(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(DISTINCT c.n) FROM cancel c
            JOIN progress p ON p.n = c.n AND p.action_id = c.action_id
            WHERE p.action_status = 'Cancelled' AND coalesce(c.result, 'answered') = 'answered'";
        self.db
            .query_row(sql, [], |row| row.get(0))
            .map_err(|e| self.failed("count", e))
    }

    /// When the last unconfirmed call, which was to start or to cancel a scan, was given up, or else sent, by this
    /// computer's clock.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_unconfirmed(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "
            SELECT max(at) FROM (
                SELECT max(sent) AS at FROM cancel WHERE ended IS NULL
                UNION ALL
                SELECT max(sent) FROM attempt WHERE ended IS NULL
                UNION ALL
                SELECT max(ended) FROM attempt
                WHERE n IN (SELECT n FROM progress WHERE unsure_since IS NOT NULL))";
        let sent = self.db.query_row(sql, [], |row| row.get(0));
        Ok(timestamp(sent.map_err(|e| self.failed("read", e))?))
    }

    /// When the first call was sent of which it is not known whether it has started a scan, if there is one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn first_unconfirmed(&self) -> Result<Option<SentAt>, StoreError> {
        let sql = "
            SELECT min(at), max(blind) FROM (
                SELECT coalesce(a.sent_server, a.sent) AS at, a.sent_server IS NULL AS blind
                FROM attempt a WHERE a.ended IS NULL
                UNION ALL
                SELECT p.unsure_since, NOT p.unsure_by_server FROM progress p
                WHERE p.unsure_since IS NOT NULL)";
        self.db
            .query_row(sql, [], |row| {
                let blind: Option<bool> = row.get(1)?;
                Ok(timestamp(row.get(0)?).map(|at| SentAt {
                    at,
                    by_server: blind == Some(false),
                }))
            })
            .map_err(|e| self.failed("read", e))
    }

    /// Requests that the process that runs the campaign send no more scans.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn request_stop(&mut self, given: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO orders (word, given) VALUES (?1, ?2)";
        self.db
            .execute(sql, params![STOP, millis(given)])
            .map(drop)
            .map_err(|e| self.failed("write", e))
    }

    /// The number of the last request to stop; 0 if there was none. A damaged request is ignored, because the file
    /// need not have been checked.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_stop_request(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(id), 0) FROM orders
                   WHERE word = ?1 AND sum IS row_sum(id, word, given)";
        self.db
            .query_row(sql, params![STOP], |row| row.get(0))
            .map_err(|e| self.failed("read", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample_for_tests::campaign;

    #[test]
    fn a_request_to_stop_is_found_without_a_check_of_the_file_and_a_damaged_one_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.campaign.db");
        let mut store = campaign(&path, []);
        let order = || {
            Store::open_unchecked(&path)
                .unwrap()
                .last_stop_request()
                .unwrap()
        };
        assert_eq!(order(), 0);
        store.request_stop(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(order(), 1);
        let other_word = "INSERT INTO orders (word, given) VALUES ('stoq', 0)";
        store.db.execute(other_word, []).unwrap();
        store.close().unwrap();
        // A flipped bit turns another word into a request to stop.
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(4).position(|word| word == b"stoq").unwrap();
        bytes[at + 3] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(
            Store::open_read_only(&path),
            Err(StoreError::Damaged { .. })
        ));
        assert_eq!(order(), 1);
    }
}

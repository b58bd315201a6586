//! What a recovery of a state that lost its end reads and writes: the open targets, and what other witnesses (the
//! results file, the service's list of scans) say about them.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{Store, StoreError, millis, timestamp};

/// What the state knows of a target, for a comparison with a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched<'a> {
    /// The machine id as typed.
    pub machine_id: &'a str,
    /// How many POSTs were sent.
    pub attempts: u32,
    /// Whether it has ended, or had ended and was reopened, so that a witness that says so says nothing new.
    pub has_ended: bool,
}

/// A target that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTarget {
    /// Its number.
    pub n: u64,
    /// Its machine's id, in lower case.
    pub machine: String,
    /// Whether it had ended and was reopened, so that an end in the results file does not count any more.
    pub reopened: bool,
}

impl Store {
    /// Calls `visit` with every target that something has happened to.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each_touched(&self, mut visit: impl FnMut(Touched<'_>)) -> Result<(), StoreError> {
        let sql = "SELECT t.machine_id, p.attempts, p.outcome IS NOT NULL OR p.reopened
                   FROM progress p JOIN target t ON t.n = p.n";
        self.each(sql, |row| {
            visit(Touched {
                machine_id: row.get_ref(0)?.as_str()?,
                attempts: row.get(1)?,
                has_ended: row.get(2)?,
            });
            Ok(())
        })
    }

    /// Every target that has not ended, by number.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open_targets(&self) -> Result<Vec<OpenTarget>, StoreError> {
        self.targets_that("p.outcome IS NULL")
    }

    /// The same, and those that `--where` leaves out, because a later command may admit them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn targets_to_recover(&self) -> Result<Vec<OpenTarget>, StoreError> {
        self.targets_that("p.outcome IS NULL OR p.left_out")
    }

    fn targets_that(&self, which: &str) -> Result<Vec<OpenTarget>, StoreError> {
        let sql = format!(
            "SELECT t.n, lower(t.machine_id), coalesce(p.reopened, 0)
             FROM target t LEFT JOIN progress p ON p.n = t.n WHERE {which} ORDER BY t.n"
        );
        let found = self.read(&sql, |row| {
            Ok(OpenTarget {
                n: row.get(0)?,
                machine: row.get(1)?,
                reopened: row.get(2)?,
            })
        });
        found.map_err(|e| self.failed("read", e))
    }

    /// Calls `visit` with the machine of every target that something was or is to be sent to, in lower case.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each_machine(&self, visit: impl FnMut(&str)) -> Result<(), StoreError> {
        self.machines_that(
            "p.outcome IS NULL OR p.outcome NOT IN ('invalid', 'duplicate', 'not_attempted')",
            visit,
        )
    }

    /// Calls `visit` with the machine of every target, in lower case.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn every_machine(&self, visit: impl FnMut(&str)) -> Result<(), StoreError> {
        self.machines_that("1", visit)
    }

    fn machines_that(&self, which: &str, mut visit: impl FnMut(&str)) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT lower(t.machine_id) FROM target t LEFT JOIN progress p ON p.n = t.n WHERE {which}"
        );
        self.each(&sql, |row| {
            visit(row.get_ref(0)?.as_str()?);
            Ok(())
        })
    }

    /// When the last attempt was sent that the state knows of, by this computer's clock.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_sent(&self) -> Result<Option<Timestamp>, StoreError> {
        let sent = self
            .db
            .query_row("SELECT max(sent) FROM attempt", [], |row| row.get(0));
        Ok(timestamp(sent.map_err(|e| self.failed("read", e))?))
    }

    /// Ends a recovery: the state is now as complete as its witnesses, and ahead of every mark up to `marked` batches.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end_recovery(&mut self, marked: u64) -> Result<(), StoreError> {
        self.committed = None;
        self.db
            .execute(
                "UPDATE mark SET committed = max(committed, ?1) + 1",
                [marked],
            )
            .map(drop)
            .map_err(|e| self.failed("write", e))
    }
}

/// Writes that the list shows no scan of this target's attempts. Attempts without an end get one, and the target is not
/// unsure any more.
pub(super) fn absent(db: &Connection, n: u64, at: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE attempt SET ended = ?2, verdict = 'absent' WHERE n = ?1 AND ended IS NULL",
    )?
    .execute(params![n, millis(at)])?;
    db.prepare_cached(
        "UPDATE progress SET unsure_since = NULL, unsure_by_server = 0, not_before = NULL, tries = 0,
             outcome = iif(left_out, 'not_attempted', outcome) WHERE n = ?1",
    )?
    .execute([n])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Decision, NewRow, Record, Subject,
        sample_for_tests::{campaign, row},
    };

    #[test]
    fn a_target_that_is_left_out_is_recovered_too_and_its_scan_keeps_it_from_another() {
        let folder = tempfile::tempdir().unwrap();
        let left_out = NewRow {
            ended: Some(("not_attempted", "left out by --where")),
            left_out: true,
            ..row(1, "ab")
        };
        let mut store = campaign(&folder.path().join("a.db"), [left_out, row(2, "ab")]);
        assert_eq!(store.open_targets().unwrap().len(), 1);
        assert_eq!(store.targets_to_recover().unwrap().len(), 2);
        let found = Record::Changed {
            n: 1,
            attempt: None,
            progress: Box::new(crate::store::Progress {
                outcome: Some("accepted"),
                attempts: 1,
                ..Default::default()
            }),
        };
        store.commit(0, &[found]).unwrap();
        // A later command that admits it finds it ended: nothing is left out any more.
        let row = store.rows().unwrap().row(1).unwrap();
        assert_eq!(
            (row.outcome.as_deref(), row.left_out),
            (Some("accepted"), false)
        );
        assert_eq!(store.targets_to_recover().unwrap().len(), 1);
    }

    #[test]
    fn what_is_absent_is_open_and_no_longer_unsure() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = campaign(&folder.path().join("a.db"), [row(1, "AB")]);
        let begun = Record::Begun {
            n: 1,
            number: 1,
            sent: Timestamp::UNIX_EPOCH,
            sent_server: None,
        };
        store.commit(0, &[begun]).unwrap();
        let in_doubt = |store: &Store| {
            let mut found = Vec::new();
            store.each_left(|left| found.push(left.in_doubt)).unwrap();
            found
        };
        assert_eq!(in_doubt(&store), [true]);
        let at = Timestamp::UNIX_EPOCH;
        store.commit(0, &[Record::Absent { n: 1, at }]).unwrap();
        assert_eq!(in_doubt(&store), [false]);
        let open = store.open_targets().unwrap();
        assert_eq!(open[0].machine, "ab");
        let before = store.committed().unwrap();
        store
            .decide(&Decision {
                subject: Subject::Recover,
                answer: "done".into(),
                covers: 1,
                who: String::new(),
                given: at,
            })
            .unwrap();
        store.end_recovery(77).unwrap();
        assert_eq!((before, store.committed().unwrap()), (2, 78));
    }
}

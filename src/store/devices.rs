//! What the devices themselves report of their last scans, beside what the service says of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Lock, Store, StoreError, actions::FINAL, millis, schema, timestamp};

/// A scan that has ended by the service's word, and whose device has not reported it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedScan {
    /// The target.
    pub n: u64,
    /// The machine id as typed.
    pub machine_id: String,
    /// The scan's id.
    pub action_id: String,
    /// Whether this campaign has started it; otherwise it is somebody else's, of a type that is not known.
    pub ours: bool,
    /// `quick` or `full`: the type that was asked for.
    pub scan_type: String,
    /// How the scan ended, as the service spells it.
    pub status: String,
    /// When it was created, as the service wrote it.
    pub created: String,
    /// When the call was sent that started it, by the server's clock.
    pub sent: Option<Timestamp>,
    /// What its device has reported before.
    pub device: Option<DeviceWord>,
}

/// What a target's device reports of its last scan of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceWord {
    /// The id of the scan that it was asked about.
    pub action_id: String,
    /// When that scan was.
    pub scanned: Option<Timestamp>,
    /// How it ended, in the device's words.
    pub result: String,
    /// When the report was made.
    pub reported: Option<Timestamp>,
    /// `yes`, `not yet` or `no report`.
    pub verified: String,
}

impl DeviceWord {
    /// Reads it from a row's cells from `first` on: action, scanned, result, reported, verified. `None` where the
    /// device was not asked.
    pub(super) fn at(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Self>> {
        let Some(action_id) = row.get(first)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            action_id,
            scanned: timestamp(row.get(first + 1)?),
            result: row.get(first + 2)?,
            reported: timestamp(row.get(first + 3)?),
            verified: row.get(first + 4)?,
        }))
    }
}

/// The question for what the devices report, in the table of what was asked.
const DEVICES: &str = "devices";

impl Store {
    /// Prepares the file for what the devices report: from now on the results have columns for it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin_verifying(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.is_verified()? {
            return Ok(());
        }
        self.add_after_scans()?;
        note_asked(&self.db, DEVICES, now, "").map_err(|e| self.failed("write", e))
    }

    /// Whether somebody has asked for what the devices report.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_verified(&self) -> Result<bool, StoreError> {
        Ok(self.asked(DEVICES)?.is_some())
    }

    /// Adds the tables for what the scans found, unless they are there.
    ///
    /// # Errors
    /// The file cannot be written, or an earlier release, which cannot read a file with them, is working on it.
    pub(super) fn add_after_scans(&mut self) -> Result<(), StoreError> {
        let failed = |e| self.failed("write", e);
        if schema::has_after_scans(&self.db).map_err(failed)? {
            return Ok(());
        }
        let last = "SELECT version FROM run ORDER BY id DESC LIMIT 1";
        let last: Option<String> = self
            .db
            .query_row(last, [], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        let is_older = last.is_some_and(|version| version != env!("CARGO_PKG_VERSION"));
        if is_older && Lock::is_held(&self.path) {
            return Err(StoreError::OlderAtWork(self.path.clone()));
        }
        schema::add_after_scans(&self.db).map_err(failed)
    }

    /// When a question was asked last, and how.
    pub(super) fn asked(&self, what: &str) -> Result<Option<(Timestamp, String)>, StoreError> {
        let read = || {
            if !schema::has_after_scans(&self.db)? {
                return Ok(None);
            }
            let asked = self.db.query_row(
                "SELECT at, how FROM asked WHERE what = ?1",
                params![what],
                |row| Ok((timestamp(row.get(0)?).unwrap_or_default(), row.get(1)?)),
            );
            asked.optional()
        };
        read().map_err(|e| self.failed("read", e))
    }

    /// The targets whose scan has ended, and whose device has not reported it yet, by number.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn unverified_scans(&self) -> Result<Vec<EndedScan>, StoreError> {
        let sql = format!(
            "SELECT p.n, t.machine_id, p.outcome = 'accepted', coalesce(t.scan_type, c.scan_type), p.action_status,
                p.action_created,
                (SELECT a.sent_server FROM attempt a WHERE a.n = p.n ORDER BY a.number DESC LIMIT 1), p.action_id,
                d.action, d.scanned, d.result, d.reported, d.verified
             FROM progress p JOIN target t ON t.n = p.n JOIN campaign c
                LEFT JOIN device d ON d.n = p.n AND d.action = p.action_id
             WHERE p.outcome IN ('accepted', 'already_pending')
                AND p.action_status IN ({FINAL}) AND coalesce(d.verified, '') <> 'yes'
             ORDER BY p.n"
        );
        let ended = self.read(&sql, |row| {
            Ok(EndedScan {
                n: row.get(0)?,
                machine_id: row.get(1)?,
                ours: row.get(2)?,
                scan_type: row.get(3)?,
                status: row.get(4)?,
                created: row.get(5)?,
                sent: timestamp(row.get(6)?),
                action_id: row.get(7)?,
                device: DeviceWord::at(row, 8)?,
            })
        });
        ended.map_err(|e| self.failed("read", e))
    }

    /// Writes what devices report, all of it or nothing, and that they were asked at `now`. What a device has once
    /// confirmed stays so.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_device_words(
        &mut self,
        words: &[(u64, DeviceWord)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.add_after_scans()?;
        let written = self.db.transaction().and_then(|tx| {
            note_asked(&tx, DEVICES, now, "")?;
            for (n, word) in words {
                tx.prepare_cached(
                    "INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (n) DO UPDATE SET action = excluded.action, scanned = excluded.scanned,
                        result = excluded.result, reported = excluded.reported, verified = excluded.verified
                     WHERE verified <> 'yes' OR action <> excluded.action",
                )?
                .execute(params![
                    n,
                    word.action_id,
                    word.scanned.map(millis),
                    word.result,
                    word.reported.map(millis),
                    word.verified
                ])?;
            }
            tx.commit()
        });
        written.map_err(|e| self.failed("write", e))
    }

    /// How many ended scans their devices were not asked about yet, or have not confirmed although they succeeded.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn unconfirmed_scans(&self) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM progress p LEFT JOIN device d ON d.n = p.n AND d.action = p.action_id
             WHERE p.outcome IN ('accepted', 'already_pending') AND p.action_status IN ({FINAL})
                AND (d.n IS NULL OR p.action_status = 'Succeeded' AND d.verified <> 'yes')"
        );
        let count = self.db.query_row(&sql, [], |row| row.get(0));
        count.map_err(|e| self.failed("count", e))
    }

    /// How many ended scans have each word of [`DeviceWord::verified`]; the empty word stands for those that were not
    /// asked about yet. `None` if nobody has asked for it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn verified_tally(&self) -> Result<Option<BTreeMap<String, u64>>, StoreError> {
        if !self.is_verified()? {
            return Ok(None);
        }
        let sql = format!(
            "SELECT coalesce(d.verified, ''), count(*)
             FROM progress p LEFT JOIN device d ON d.n = p.n AND d.action = p.action_id
             WHERE p.outcome IN ('accepted', 'already_pending') AND p.action_status IN ({FINAL})
             GROUP BY coalesce(d.verified, '')"
        );
        let counts = self.read(&sql, |row| Ok((row.get(0)?, row.get(1)?)));
        let counts = counts.map_err(|e| self.failed("count", e))?;
        Ok(Some(counts.into_iter().collect()))
    }
}

/// Notes that a question was asked at this time, and how.
pub(super) fn note_asked(
    db: &Connection,
    what: &str,
    at: Timestamp,
    how: &str,
) -> rusqlite::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO asked VALUES (?1, ?2, ?3)",
        params![what, millis(at), how],
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ActionUpdate, Progress, Record, Selection, sample_for_tests as sample};

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn word(n: u64, verified: &str) -> DeviceWord {
        DeviceWord {
            action_id: format!("a{n}"),
            scanned: Some(NOW),
            result: "Completed".into(),
            reported: Some(NOW),
            verified: verified.into(),
        }
    }

    fn ended(path: &std::path::Path) -> Store {
        let rows = (1..=3).map(|n| sample::row(n, "m"));
        let mut store = sample::campaign(path, rows);
        let records: Vec<_> = (1..=3)
            .map(|n| {
                let progress = Progress {
                    outcome: Some("accepted"),
                    action_id: format!("a{n}"),
                    ..Progress::default()
                };
                Record::Changed {
                    n,
                    attempt: None,
                    progress: Box::new(progress),
                }
            })
            .collect();
        store.commit(1, &records).unwrap();
        let updates: Vec<_> = (1..=2)
            .map(|n| ActionUpdate {
                n,
                action_id: format!("a{n}"),
                status: "Succeeded".into(),
                created: "2027-01-15T08:00:00Z".into(),
            })
            .collect();
        store.update_actions(&updates).unwrap();
        store
    }

    #[test]
    fn the_file_stays_readable_for_earlier_releases_until_somebody_asks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let mut store = ended(&path);
        assert!(!store.is_verified().unwrap());
        assert_eq!(store.verified_tally().unwrap(), None);
        assert_eq!(schema::version(&store.db, &path).unwrap(), schema::VERSION);
        store.begin_verifying(NOW).unwrap();
        assert!(store.is_verified().unwrap());
        assert_eq!(schema::version(&store.db, &path).unwrap(), 3);
        drop(store);
        let store = Store::open_read_only(&path).unwrap();
        assert_eq!(store.unverified_scans().unwrap().len(), 2);
    }

    #[test]
    fn what_a_device_has_confirmed_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = ended(&dir.path().join("a.db"));
        let put = |store: &mut Store, n, verified| {
            store
                .put_device_words(&[(n, word(n, verified))], NOW)
                .unwrap();
        };
        put(&mut store, 1, "not yet");
        put(&mut store, 1, "yes");
        put(&mut store, 1, "no report");
        put(&mut store, 2, "no report");
        let tally = store.verified_tally().unwrap().unwrap();
        assert_eq!(
            tally.into_iter().collect::<Vec<_>>(),
            [("no report".to_owned(), 1), ("yes".to_owned(), 1)]
        );
        let left = store.unverified_scans().unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].device, Some(word(2, "no report")));
        let mut seen = Vec::new();
        store
            .each_row(Selection::All, |row| {
                seen.push(row.device.clone().map(|device| device.verified));
                Ok::<_, StoreError>(())
            })
            .unwrap();
        assert_eq!(
            seen,
            [Some("yes".to_owned()), Some("no report".to_owned()), None]
        );
    }
}

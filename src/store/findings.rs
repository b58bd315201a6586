//! The alerts on the campaign's machines since their scans.

use jiff::Timestamp;
use rusqlite::params;

use super::{Store, StoreError, devices::note_asked, millis, timestamp};

/// A machine of the campaign, and since when its scan may have found something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedMachine {
    /// The target.
    pub n: u64,
    /// The machine id as typed.
    pub machine_id: String,
    /// When its scan began: when the service created it, else when its first call was sent. `None` if none did.
    pub began: Option<Timestamp>,
}

/// An alert on a target's machine. Its texts are those of the service; empty where it gave none.
#[derive(Debug, Clone, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Finding {
    /// The target.
    pub n: u64,
    /// The machine id as typed.
    pub machine_id: String,
    /// When the alert was created, as the service wrote it.
    pub created: String,
    /// What tells the alert from all others: its id in lower case, where it has one.
    pub key: String,
    /// The alert's id.
    pub alert: String,
    /// The machine's DNS name.
    pub computer: String,
    /// `UnSpecified`, `Informational`, `Low`, `Medium` or `High`.
    pub severity: String,
    /// The family of what was found.
    pub family: String,
    /// What was found.
    pub threat: String,
    /// The alert's title.
    pub title: String,
    /// Its category.
    pub category: String,
    /// Its status.
    pub status: String,
    /// The incident that it belongs to.
    pub incident: String,
    /// What has detected it.
    pub source: String,
    /// When its last event was, as the service wrote it.
    pub last_event: String,
    /// When the machine's scan began, if one did.
    pub began: Option<Timestamp>,
}

/// The question for alerts, in the table of what was asked.
const FINDINGS: &str = "findings";

impl Store {
    /// Calls `visit` with every target that has a machine of its own.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each_scanned_machine(
        &self,
        mut visit: impl FnMut(ScannedMachine),
    ) -> Result<(), StoreError> {
        // A scan may also have begun where the answer was lost.
        let sql = "SELECT t.n, t.machine_id, coalesce(p.action_created, ''),
                CASE WHEN p.outcome IN ('accepted', 'already_pending', 'unsure') OR p.outcome IS NULL
                    THEN coalesce((SELECT min(a.sent_server) FROM attempt a WHERE a.n = p.n), p.first_sent) END
            FROM target t LEFT JOIN progress p ON p.n = t.n
            WHERE coalesce(p.outcome, '') NOT IN ('duplicate', 'invalid') ORDER BY t.n";
        self.each(sql, |row| {
            let created = row.get_ref(2)?.as_str()?.parse().ok();
            visit(ScannedMachine {
                n: row.get(0)?,
                machine_id: row.get(1)?,
                began: created.or(timestamp(row.get(3)?)),
            });
            Ok(())
        })
    }

    /// Puts these findings in the place of those before, all of them or none, and notes that the alerts were read at
    /// `now`, and which were asked for, in words.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_findings<'a>(
        &mut self,
        findings: impl IntoIterator<Item = &'a Finding>,
        now: Timestamp,
        which: &str,
    ) -> Result<(), StoreError> {
        self.add_after_scans()?;
        let written = self.db.transaction().and_then(|tx| {
            note_asked(&tx, FINDINGS, now, which)?;
            tx.execute("DELETE FROM finding", [])?;
            for one in findings {
                tx.prepare_cached(
                    "INSERT OR REPLACE INTO finding
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                )?
                .execute(params![
                    one.key,
                    one.alert,
                    one.n,
                    one.computer,
                    one.severity,
                    one.family,
                    one.threat,
                    one.title,
                    one.category,
                    one.status,
                    one.incident,
                    one.source,
                    one.created,
                    one.last_event,
                    one.began.map(millis),
                ])?;
            }
            tx.commit()
        });
        written.map_err(|e| self.failed("write", e))
    }

    /// When the alerts were read last, and which were asked for, in words.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn findings_asked(&self) -> Result<Option<(Timestamp, String)>, StoreError> {
        self.asked(FINDINGS)
    }

    /// The findings that were read last, by target and time.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn findings(&self) -> Result<Vec<Finding>, StoreError> {
        if self.findings_asked()?.is_none() {
            return Ok(Vec::new());
        }
        let sql = "SELECT f.n, created, alert, computer, severity, family, threat, title, category, status, incident,
                source, last_event, began, t.machine_id, key
            FROM finding f JOIN target t ON t.n = f.n ORDER BY f.n, created, key";
        let read = self.read(sql, |row| {
            Ok(Finding {
                n: row.get(0)?,
                machine_id: row.get(14)?,
                key: row.get(15)?,
                created: row.get(1)?,
                alert: row.get(2)?,
                computer: row.get(3)?,
                severity: row.get(4)?,
                family: row.get(5)?,
                threat: row.get(6)?,
                title: row.get(7)?,
                category: row.get(8)?,
                status: row.get(9)?,
                incident: row.get(10)?,
                source: row.get(11)?,
                last_event: row.get(12)?,
                began: timestamp(row.get(13)?),
            })
        });
        read.map_err(|e| self.failed("read", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample_for_tests as sample;

    #[test]
    fn findings_are_replaced_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let mut store = sample::campaign(&path, [sample::row(1, "m1"), sample::row(2, "m2")]);
        assert_eq!(store.findings().unwrap(), []);
        let finding = |n, alert: &str| Finding {
            n,
            machine_id: format!("m{n}"),
            key: alert.into(),
            alert: alert.into(),
            severity: "High".into(),
            began: Some(Timestamp::UNIX_EPOCH),
            ..Finding::default()
        };
        let now = Timestamp::UNIX_EPOCH;
        let first = [finding(1, "x"), finding(2, "y")];
        store.put_findings(&first, now, "all").unwrap();
        let second = [finding(2, "y"), finding(2, "z")];
        store.put_findings(&second, now, "since").unwrap();
        drop(store);
        let store = Store::open_read_only(&path).unwrap();
        assert_eq!(store.findings().unwrap(), second);
        assert_eq!(
            store.findings_asked().unwrap(),
            Some((now, "since".to_owned()))
        );
        let mut machines = Vec::new();
        store
            .each_scanned_machine(|machine| machines.push(machine))
            .unwrap();
        assert_eq!(machines.len(), 2);
        assert!(machines.iter().all(|machine| machine.began.is_none()));
    }
}

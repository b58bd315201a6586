//! The table of runs, for auditors: who ran the campaign, when, with which command, and how it ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

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
    /// The quota's settings as JSON, for `status`. How long the run has waited is added to it, and, while machines are
    /// away, how many are.
    pub quota: String,
    /// When it began.
    pub started: Timestamp,
}

/// How many targets a run has set aside because their machines are away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwayNote {
    /// How many, at least 1.
    pub machines: u64,
    /// Since when it was so many.
    pub since: Timestamp,
}

impl Store {
    /// How many targets the last run has set aside because their machines are away, as it noted last; `None` if there
    /// are none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn away(&self) -> Result<Option<AwayNote>, StoreError> {
        let sql =
            "SELECT json_extract(quota, '$.away.machines'), json_extract(quota, '$.away.since')
                   FROM (SELECT CASE WHEN json_valid(quota) THEN quota ELSE '{}' END AS quota
                         FROM run ORDER BY id DESC LIMIT 1)";
        let found = self.db.query_row(sql, [], |row| {
            let machines: Option<u64> = row.get(0)?;
            let since: Option<i64> = row.get(1)?;
            Ok(machines.zip(timestamp(since)))
        });
        let found = found.optional().map_err(|e| self.failed("read", e))?;
        let found = found.flatten().filter(|(machines, _)| *machines > 0);
        Ok(found.map(|(machines, since)| AwayNote { machines, since }))
    }

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

/// Notes how many targets run number `id` has set aside. Programs that do not know the note pass over it.
pub(super) fn note_away(
    db: &Connection,
    id: i64,
    machines: u64,
    since: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "UPDATE run SET quota = CASE WHEN ?2 = 0 THEN json_remove(quota, '$.away')
                   ELSE json_set(quota, '$.away', json_object('machines', ?2, 'since', ?3)) END
               WHERE id = ?1 AND json_valid(quota)";
    let mut statement = db.prepare_cached(sql)?;
    statement.execute(params![id, machines, millis(since)])?;
    Ok(())
}

/// Notes how long run number `id` has waited so far. Programs that do not know the note pass over it.
pub(super) fn note_waits(
    db: &Connection,
    id: i64,
    waits: &BTreeMap<String, u64>,
) -> rusqlite::Result<()> {
    let waits = serde_json::to_string(waits).unwrap_or_default();
    let sql = "UPDATE run SET quota = json_set(quota, '$.waits', json(?2)) WHERE id = ?1 AND json_valid(quota)";
    db.prepare_cached(sql)?.execute(params![id, waits])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Record, sample_for_tests::campaign};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_run_notes_how_many_machines_are_away_and_the_next_one_begins_with_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.campaign.db");
        let mut store = campaign(&path, []);
        assert_eq!(store.away().unwrap(), None);
        let run = |quota: &str| Run {
            quota: quota.to_owned(),
            ..Run::default()
        };
        let notes = r#"{"limits":["100/1m"],"terms":{"x":1.50}}"#;
        let first = store.begin_run(&run(notes)).unwrap();
        let away = |machines, second| Record::Away {
            machines,
            at: at(second),
        };
        store.commit(first, &[away(5, 1), away(3, 2)]).unwrap();
        let expected = AwayNote {
            machines: 3,
            since: at(2),
        };
        assert_eq!(store.away().unwrap(), Some(expected));
        store.commit(first, &[away(0, 3)]).unwrap();
        assert_eq!(store.away().unwrap(), None);
        assert_eq!(store.last_run().unwrap().unwrap().quota, notes);
        store.commit(first, &[away(4, 4)]).unwrap();
        store.begin_run(&run(notes)).unwrap();
        assert_eq!(store.away().unwrap(), None);
        // A run that expected nothing has nowhere to note it.
        let silent = store.begin_run(&run("")).unwrap();
        store.commit(silent, &[away(4, 4)]).unwrap();
        assert_eq!(store.away().unwrap(), None);
        store.close().unwrap();
        assert!(
            Store::open(&path).is_ok(),
            "its checksums are as they should be"
        );
    }
}

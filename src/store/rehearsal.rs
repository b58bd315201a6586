//! What a run would change about a campaign, tried out and never written: everything goes into one transaction that is not
//! committed, and whose pages stay in memory.

use std::path::Path;

use rusqlite::config::DbConfig;

use super::{Store, StoreError, TargetSummary, connect, migrate, schema, sums};

impl Store {
    /// Opens a campaign to try changes out. Whatever is changed through it is seen through it alone, and is gone with it;
    /// the file stays as it is. The first change keeps others from writing for as long as this lives, so it is for a
    /// campaign that nobody works on.
    ///
    /// # Errors
    /// It cannot be read, is no state file of fleetsweep, of a version that this fleetsweep does not know, or damaged.
    pub fn rehearse(path: &Path) -> Result<Self, StoreError> {
        let at = |source| StoreError::new("read", path, source);
        let db = connect(path).map_err(at)?;
        schema::version(&db, path)?;
        sums::check(&db, path)?;
        let mode: String = db
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .map_err(at)?;
        // A write-ahead log is written at a commit only. Any other journal would be a file beside this one.
        if mode != "wal" {
            db.pragma_update(None, "journal_mode", "MEMORY")
                .map_err(at)?;
        }
        // A journal that a killed run has left stays for the next one to fold in.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(at)?;
        for (pragma, value) in [("cache_spill", "0"), ("temp_store", "MEMORY")] {
            db.pragma_update(None, pragma, value).map_err(at)?;
        }
        db.execute_batch("BEGIN").map_err(at)?;
        migrate::bring_up_unseen(&db, path)?;
        let identity = schema::identity(&db).map_err(at)?;
        Ok(Self {
            path: path.to_owned(),
            db,
            identity,
            looking: None,
            counted: None,
        })
    }

    /// The first few targets that ended with this outcome by being read, in the input's order; with or without those that
    /// the operator's `--where` left out.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn refused(
        &self,
        outcome: &str,
        how_many: usize,
    ) -> Result<Vec<TargetSummary>, StoreError> {
        // The word is one of ours, and no text of a user's.
        let outcome = outcome.replace('\'', "''");
        self.glimpses(
            &format!("p.outcome = '{outcome}' AND p.attempts = 0 ORDER BY t.n"),
            how_many,
        )
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{
        super::{Amendment, Identity, NewRow, StoreError},
        *,
    };

    fn campaign(path: &Path) {
        let identity = Identity {
            campaign: "a".into(),
            created: Timestamp::UNIX_EPOCH,
            tenant: "t".into(),
            api: "https://a".into(),
            scan_type: "quick".into(),
            comment: "c".into(),
            columns: Vec::new(),
            id_rule: "hex40".to_owned(),
        };
        let mut loader = Store::create(path, &identity).unwrap();
        for n in 1..=1000 {
            let machine_id = format!("{n:040x}");
            loader.insert(&row(n, &machine_id)).unwrap();
        }
        loader.finish().unwrap().close().unwrap();
    }

    fn row(n: u64, machine_id: &str) -> NewRow<'_> {
        NewRow {
            n,
            line: n + 1,
            machine_id,
            scan_type: None,
            comment: None,
            priority: None,
            extra: "",
            ended: None,
            left_out: false,
        }
    }

    #[test]
    fn what_is_tried_out_is_seen_and_gone_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.campaign.db");
        campaign(&path);
        let before = std::fs::read(&path).unwrap();
        let mut store = Store::rehearse(&path).unwrap();
        let leave_out: Vec<_> = (1..=600)
            .map(|n| Amendment::LeaveOut {
                n,
                message: "left out",
            })
            .collect();
        store.amend(&leave_out).unwrap();
        let added = store.extend::<StoreError>(|extension| extension.add(row(0, "new")));
        added.unwrap();
        let tally = store.tally().unwrap();
        assert!(tally.contains(&(None, false, 401)), "{tally:?}");
        assert_eq!(store.reopen("not_attempted").unwrap(), 0);
        assert_eq!(store.refused("not_attempted", 2).unwrap().len(), 2);
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "something lies beside the state");
        drop(store);
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(
            Store::look(&path).unwrap().tally().unwrap(),
            [(None, false, 1000)]
        );
    }
}

//! A new campaign's rows: all of them or none.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::{Identity, Store, StoreError, schema};

/// One row of the input, to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewRow<'a> {
    /// Its number, from 1, in the input's order.
    pub n: u64,
    /// Its line in the input.
    pub line: u64,
    /// The machine id as typed, trimmed.
    pub machine_id: &'a str,
    /// The row's own scan type.
    pub scan_type: Option<&'a str>,
    /// The row's own comment text.
    pub comment: Option<&'a str>,
    /// Lower goes first; none comes last.
    pub priority: Option<i64>,
    /// The other cells as one CSV record.
    pub extra: &'a str,
    /// The outcome with which the row ends at once, and why.
    pub ended: Option<(&'a str, &'a str)>,
    /// Whether the operator's `--where` left it out.
    pub left_out: bool,
}

/// Takes a new campaign's rows. Dropped unfinished, it leaves no file behind.
#[derive(Debug)]
pub struct Loader {
    path: PathBuf,
    /// None once it is finished.
    db: Option<Connection>,
    identity: Identity,
}

impl Loader {
    /// Opens the one transaction. It runs under a rollback journal: the pages of a new file need no undo, so nothing is
    /// written twice.
    pub(super) fn begin(
        path: &Path,
        db: Connection,
        identity: Identity,
    ) -> Result<Self, StoreError> {
        let this = Self {
            path: path.to_owned(),
            db: Some(db),
            identity,
        };
        if let Some(db) = &this.db {
            db.execute_batch("BEGIN EXCLUSIVE")
                .and_then(|()| schema::make(db, &this.identity))
                .map_err(|e| StoreError::new("create", path, e))?;
        }
        Ok(this)
    }

    /// Takes one more row.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn insert(&mut self, row: &NewRow<'_>) -> Result<(), StoreError> {
        let Some(db) = &self.db else { return Ok(()) };
        insert(db, row).map_err(|e| StoreError::new("write", &self.path, e))
    }

    /// Commits all rows. Once this has returned, the campaign exists.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<Store, StoreError> {
        let at = |e| StoreError::new("write", &self.path, e);
        if let Some(db) = &self.db {
            db.execute_batch("COMMIT").map_err(at)?;
        }
        self.db = None;
        Store::open(&self.path.clone())
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        if self.db.take().is_some() {
            let journal = {
                let mut name = self.path.clone().into_os_string();
                name.push("-journal");
                PathBuf::from(name)
            };
            // Nothing is lost if these fail: an empty state file is refused by its next reader in words.
            let _ = std::fs::remove_file(&self.path);
            let _ = std::fs::remove_file(journal);
        }
    }
}

fn insert(db: &Connection, row: &NewRow<'_>) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO target VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            row.n,
            row.line,
            row.machine_id,
            row.scan_type,
            row.comment,
            row.priority,
            row.extra,
        ])?;
    if let Some((outcome, message)) = row.ended {
        db.prepare_cached(
            "INSERT INTO progress (n, outcome, message, left_out) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![row.n, outcome, message, row.left_out])?;
    }
    Ok(())
}

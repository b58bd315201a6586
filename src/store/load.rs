//! Writes a new campaign's rows, all of them or none.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, params};

use super::{Decision, Identity, Store, StoreError, beside, decision, schema};
use crate::{audit::audit, private_file::for_its_owner};

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
    /// Lower goes first; `None` comes last.
    pub priority: Option<i64>,
    /// The other cells as one CSV record.
    pub extra: &'a str,
    /// The outcome of a row that has ended already, and the reason.
    pub ended: Option<(&'a str, &'a str)>,
    /// The code of that reason, if it has one.
    pub error_code: &'a str,
    /// Whether `--where` left it out.
    pub left_out: bool,
}

/// Writes a new campaign's rows to a temporary file beside the state file. If it is dropped before it is finished, it
/// removes that file; if the process is killed, the next loader does.
#[derive(Debug)]
pub struct Loader {
    path: PathBuf,
    loading: PathBuf,
    /// `None` once it is finished.
    db: Option<Connection>,
}

impl Store {
    /// Starts a new campaign at `path`, which must not exist.
    ///
    /// # Errors
    /// The file exists or cannot be created.
    pub fn create(path: &Path, identity: &Identity) -> Result<Loader, StoreError> {
        Loader::begin(path, identity)
    }
}

impl Loader {
    /// Begins the transaction. It uses a rollback journal, not a write-ahead log: the pages of a new file need no
    /// undo, so nothing is written twice.
    fn begin(path: &Path, identity: &Identity) -> Result<Self, StoreError> {
        let loading = beside(path, ".loading");
        remove(&loading);
        let mut options = OpenOptions::new();
        let made = for_its_owner(options.write(true).create_new(true)).open(&loading);
        made.map_err(|source| StoreError::file("create", path, source))?;
        let failed = |source| StoreError::new("create", path, source);
        let db = super::connect(&loading).map_err(failed)?;
        let this = Self {
            path: path.to_owned(),
            loading,
            db: Some(db),
        };
        if let Some(db) = &this.db {
            db.execute_batch("BEGIN EXCLUSIVE")
                .and_then(|()| schema::make(db, identity))
                .map_err(failed)?;
        }
        Ok(this)
    }

    /// Writes one row.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn insert(&mut self, row: &NewRow<'_>) -> Result<(), StoreError> {
        let Some(db) = &self.db else { return Ok(()) };
        insert(db, row).map_err(|e| StoreError::new("write", &self.path, e))
    }

    /// Records a decision that the campaign begins with.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn decide(&mut self, decision: &Decision) -> Result<(), StoreError> {
        let Some(db) = &self.db else { return Ok(()) };
        decision::insert(db, decision).map_err(|e| StoreError::new("write", &self.path, e))
    }

    /// Commits all rows. Once this has returned, the campaign exists.
    ///
    /// # Errors
    /// The file cannot be written, or it exists already.
    pub fn finish(mut self) -> Result<Store, StoreError> {
        if let Some(db) = &self.db {
            db.execute_batch("COMMIT")
                .map_err(|e| StoreError::new("write", &self.path, e))?;
        }
        drop(self.db.take());
        let renamed = if self.path.exists() {
            Err(io::ErrorKind::AlreadyExists.into())
        } else {
            // If a user removed a state file after a crash, its journal may still be there, and SQLite would take it
            // for the new file's.
            remove_journals(&self.path).and_then(|()| std::fs::rename(&self.loading, &self.path))
        };
        renamed.map_err(|source| {
            remove(&self.loading);
            StoreError::file("create", &self.path, source)
        })?;
        audit!("file", act = "written", what = "state", path = %self.path.display());
        Store::open_new(&self.path)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        if self.db.take().is_some() {
            remove(&self.loading);
        }
    }
}

/// Removes the files that SQLite keeps beside a database.
fn remove_journals(path: &Path) -> io::Result<()> {
    for ending in ["-wal", "-shm", "-journal"] {
        match std::fs::remove_file(beside(path, ending)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Removes a file that was never finished, and its journal.
fn remove(loading: &Path) {
    // If it cannot be removed, creating it again fails and reports the error.
    let _ = std::fs::remove_file(beside(loading, "-journal"));
    let _ = std::fs::remove_file(loading);
}

pub(super) fn insert(db: &Connection, row: &NewRow<'_>) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO target VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '')")?
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
            "INSERT INTO progress (n, outcome, message, left_out, error_code) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            row.n,
            outcome,
            message,
            row.left_out,
            row.error_code
        ])?;
    }
    Ok(())
}

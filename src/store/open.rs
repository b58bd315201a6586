//! The ways to open a state file.
//!
//! | | may change the file | checks the whole file |
//! |---|---|---|
//! | [`Store::open`] | yes, after the check | on a thread of its own |
//! | [`Store::open_unchecked`] | yes | no |
//! | [`Store::open_read_only`] | no | before it returns |
//! | [`Store::open_unchecked_read_only`] | no | no |
//! | [`Store::open_dry_run`] | no: changes are never committed | before it returns |
//! | [`Store::snapshot`] | no | no |

use std::{path::Path, thread::JoinHandle};

use rusqlite::{Connection, config::DbConfig};

use super::{Lock, Store, StoreError, connect, migrate, schema, sums};

impl Store {
    /// Opens an existing campaign, and checks the whole file on another thread while it is being read: that
    /// takes a second for a million targets. Nothing is written
    /// before [`finish_check`](Self::finish_check) has returned, and the caller must not act on what it has read
    /// before then. A file of an earlier version is checked first, and migrated.
    ///
    /// # Errors
    /// The file cannot be read, is not a state file, has an unknown version, or has an earlier one and is damaged.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let db = connect(path).map_err(|source| StoreError::new("open", path, source))?;
        migrate::bring_up(&db, path)?;
        let mut store = Self::writable(db, path)?;
        let path = path.to_owned();
        store.checking = Some(std::thread::spawn(move || {
            let db = connect(&path).map_err(|source| StoreError::new("open", &path, source))?;
            sums::check(&db, &path)
        }));
        Ok(store)
    }

    /// Waits until the file has been checked.
    ///
    /// # Errors
    /// It is damaged, or cannot be read.
    pub fn finish_check(&mut self) -> Result<(), StoreError> {
        match self.checking.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(checked)) => checked,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }

    /// Opens a campaign without checking its file: in a millisecond, however large it is. For small changes that are
    /// made beside the process that runs the campaign, such as a request to stop. A process that starts to work on a
    /// campaign checks the whole file first.
    ///
    /// # Errors
    /// The file cannot be read, is not a state file, has an unknown version, or an earlier release, which cannot read
    /// the current version, is working on it.
    pub fn open_unchecked(path: &Path) -> Result<Self, StoreError> {
        let db = connect(path).map_err(|source| StoreError::new("read", path, source))?;
        if schema::version(&db, path)? < schema::VERSION && Lock::is_held(path) {
            return Err(StoreError::OlderAtWork(path.to_owned()));
        }
        migrate::bring_up(&db, path)?;
        Self::new(db, path, "read")
    }

    /// Opens a campaign to read it, after checking the whole file. A file of an earlier version is migrated in memory.
    ///
    /// # Errors
    /// The file cannot be read, is not a state file, has an unknown version, or is damaged.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        Self::read_only(path, true)
    }

    /// Opens a campaign to read a few values from it, without checking the whole file.
    ///
    /// # Errors
    /// The file cannot be read, is not a state file, has an unknown version, or has an earlier one and is damaged.
    pub fn open_unchecked_read_only(path: &Path) -> Result<Self, StoreError> {
        Self::read_only(path, false)
    }

    /// Opens a campaign to try out changes. They go into one transaction that is never committed, and whose pages
    /// stay in memory. So they are visible through this store only, and the file stays as it is. The first change
    /// keeps other processes from writing for as long as this lives, so use it only for a campaign that nobody is
    /// working on.
    ///
    /// # Errors
    /// The file cannot be read, is not a state file, has an unknown version, or is damaged.
    pub fn open_dry_run(path: &Path) -> Result<Self, StoreError> {
        let at = |source| StoreError::new("read", path, source);
        let db = connect(path).map_err(at)?;
        schema::version(&db, path)?;
        sums::check(&db, path)?;
        let mode: String = db
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .map_err(at)?;
        // A write-ahead log is written only at a commit. Any other journal would be a file beside this one.
        if mode != "wal" {
            db.pragma_update(None, "journal_mode", "MEMORY")
                .map_err(at)?;
        }
        // A log that a killed run has left stays for the next run to checkpoint.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(at)?;
        for (pragma, value) in [("cache_spill", "0"), ("temp_store", "MEMORY")] {
            db.pragma_update(None, pragma, value).map_err(at)?;
        }
        db.execute_batch("BEGIN").map_err(at)?;
        migrate::bring_up_in_memory(&db, path)?;
        Self::new(db, path, "read")
    }

    fn read_only(path: &Path, check: bool) -> Result<Self, StoreError> {
        let db = connect(path).map_err(|source| StoreError::new("read", path, source))?;
        if schema::version(&db, path)? < schema::VERSION {
            return Self::open_dry_run(path);
        }
        if check {
            sums::check(&db, path)?;
        }
        Self::new(db, path, "read")
    }

    /// Opens a second connection to the same file, which sees the file as it is now and not what is written later.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn snapshot(&self) -> Result<Self, StoreError> {
        let at = |source| self.failed("read", source);
        let db = connect(&self.path).map_err(at)?;
        // SQLite takes the snapshot at the first read of a transaction.
        db.execute_batch("BEGIN; SELECT n FROM target LIMIT 1")
            .map_err(at)?;
        Self::new(db, &self.path, "read")
    }

    /// Opens a file that this process has just written.
    pub(super) fn open_new(path: &Path) -> Result<Self, StoreError> {
        let db = connect(path).map_err(|source| StoreError::new("open", path, source))?;
        Self::writable(db, path)
    }

    fn writable(db: Connection, path: &Path) -> Result<Self, StoreError> {
        db.pragma_update(None, "journal_mode", "WAL")
            .map_err(|source| StoreError::new("open", path, source))?;
        Self::new(db, path, "open")
    }

    fn new(db: Connection, path: &Path, act: &'static str) -> Result<Self, StoreError> {
        let identity =
            schema::identity(&db).map_err(|source| StoreError::new(act, path, source))?;
        Ok(Self {
            path: path.to_owned(),
            db,
            identity,
            checking: None,
            committed: None,
        })
    }
}

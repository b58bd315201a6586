//! A process's lock file beside the ledger. The process holds an OS lock on it for as long as it lives.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// This process (or one of its pacers), as others see it. Lock files are made and checked only while the ledger is
/// locked, so that nobody sees one that is not locked yet.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) id: i64,
    path: PathBuf,
    /// Open, and so locked, until the process ends.
    _lock: File,
}

impl Owner {
    /// Makes a lock file beside the ledger.
    pub(super) fn register(ledger: &Path) -> io::Result<Self> {
        let id = fastrand::i64(1..);
        let path = mark(ledger, id);
        let lock = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        lock.try_lock()?;
        Ok(Self {
            id,
            path,
            _lock: lock,
        })
    }

    /// Whether the process of that id is alive. If its lock file cannot be opened, it counts as alive; its calls become
    /// overdue in time anyway.
    pub(super) fn lives(ledger: &Path, id: i64) -> bool {
        match File::open(mark(ledger, id)) {
            Ok(file) => matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Removes the lock files of processes that died without doing so. One that cannot be removed does no harm.
    pub(super) fn sweep(ledger: &Path) {
        for id in Self::all(ledger) {
            if !Self::lives(ledger, id) {
                let _ = std::fs::remove_file(mark(ledger, id));
            }
        }
    }

    /// Every process that has a lock file, alive or dead.
    pub(super) fn all(ledger: &Path) -> Vec<i64> {
        let (Some(name), Some(directory)) = (ledger.file_name(), ledger.parent()) else {
            return Vec::new();
        };
        let directory = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let id = |file: OsString| {
            let rest = file.to_str()?.strip_prefix(name.to_str()?)?;
            let id = rest.strip_prefix('.')?.strip_suffix(".alive")?;
            id.parse().ok()
        };
        entries.filter_map(|entry| id(entry.file_name())).collect()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn mark(ledger: &Path, id: i64) -> PathBuf {
    let mut name = OsString::from(ledger);
    name.push(format!(".{id}.alive"));
    PathBuf::from(name)
}

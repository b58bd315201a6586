//! Makes sure that only one process works on a campaign, with a lock of the operating system. It ends with the process,
//! however that ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::beside;

/// How often, and how far apart, a lock is tried again that another process holds: whoever only looks whether a
/// campaign is being worked on holds it for an instant.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// The lock on a campaign, for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a campaign could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error("another fleetsweep is at work on the campaign {}; wait for its end, or stop it", .0.display())]
    Held(PathBuf),
    /// The lock file cannot be created.
    #[error(
        "cannot lock the campaign's state with {}: {source}; free some disk space or fix the permissions there, then \
         give the same command",
        path.display()
    )]
    File {
        /// The lock file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock of the campaign at `state`, after 0.2 s at most. Blocks. The lock file is never removed, since
    /// another process might have locked it already.
    ///
    /// # Errors
    /// Another process holds the lock, or the lock file cannot be created.
    pub fn take(state: &Path) -> Result<Self, LockError> {
        Self::take_file(lock_file(state), state)
    }

    /// Takes the lock of the campaign with this id, in a `folder` of this user, which is created if it does not
    /// exist. A copy of a state file, or a link to it, has another name but the same id.
    ///
    /// # Errors
    /// Another process holds the lock, or the lock file cannot be created.
    pub fn of_campaign(folder: &Path, campaign: &str) -> Result<Self, LockError> {
        let path = folder.join(format!("{campaign}.lock"));
        std::fs::create_dir_all(folder).map_err(|source| LockError::File {
            path: path.clone(),
            source,
        })?;
        Self::take_file(path, Path::new(campaign))
    }

    fn take_file(path: PathBuf, whose: &Path) -> Result<Self, LockError> {
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = opened.map_err(|source| LockError::File {
            path: path.clone(),
            source,
        })?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if tries < TRIES => tries += 1,
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(whose.to_owned())),
                Err(TryLockError::Error(source)) => return Err(LockError::File { path, source }),
            }
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Whether a process holds the lock of the campaign at `state`. This creates no file, and blocks nobody for
    /// longer than an instant.
    #[must_use]
    pub fn is_held(state: &Path) -> bool {
        let Ok(file) = File::open(lock_file(state)) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

fn lock_file(state: &Path) -> PathBuf {
    beside(state, ".lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_has_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a.campaign.db");
        let lock = Lock::take(&state).unwrap();
        assert!(matches!(Lock::take(&state), Err(LockError::Held(_))));
        drop(lock);
        assert!(Lock::take(&state).is_ok());
    }

    #[test]
    fn checking_a_lock_creates_no_file_and_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a.campaign.db");
        assert!(!Lock::is_held(&state));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let lock = Lock::take(&state).unwrap();
        assert!(Lock::is_held(&state) && Lock::is_held(&state));
        drop(lock);
        assert!(!Lock::is_held(&state));
        assert!(Lock::take(&state).is_ok());
    }
}

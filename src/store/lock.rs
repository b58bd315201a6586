//! One process a campaign, by a lock of the operating system, which ends with the process however that ends.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// The campaign is ours, for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The campaign is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another fleetsweep is at work on the campaign {}; wait for its end, or stop it", .0.display())]
    Held(PathBuf),
    /// The lock file cannot be made.
    #[error("cannot lock the campaign's state with {}: {source}; make room or mend the rights there, then give the \
         same command", path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock of the campaign at `state`, at once or not at all. The lock's file stays behind: whoever
    /// removed it could remove one that another process has locked already.
    ///
    /// # Errors
    /// Another process holds it, or the lock file cannot be made.
    pub fn take(state: &Path) -> Result<Self, LockError> {
        Self::take_file(lock_file(state), state)
    }

    /// Takes the lock of the campaign of this id, in a `folder` of this user's that is made if it is not there: a
    /// copy of a state, or a link to it, has another name and the same campaign.
    ///
    /// # Errors
    /// Another process holds it, or the lock file cannot be made.
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
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(whose.to_owned())),
            Err(TryLockError::Error(source)) => Err(LockError::File { path, source }),
        }
    }

    /// Whether a process holds the lock of the campaign at `state`. Whoever only looks makes no file, and stands in
    /// nobody's way for longer than an instant.
    #[must_use]
    pub fn is_held(state: &Path) -> bool {
        let Ok(file) = File::open(lock_file(state)) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

fn lock_file(state: &Path) -> PathBuf {
    let mut name = OsString::from(state);
    name.push(".lock");
    PathBuf::from(name)
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
    fn whoever_looks_at_a_lock_makes_no_file_and_takes_nothing() {
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

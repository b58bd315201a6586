//! What can be wrong with a state file.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A state file that cannot be read or written. Says the act, the file and the reason.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("cannot {act} the campaign's state {}: {source}; --state names another file", path.display())]
    Sqlite {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The file system said no.
    #[error("cannot {act} the campaign's state {}: {source}; --state names another file", path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is not as it was written. Going on from it could scan a machine twice, or never.
    #[error(
        "the campaign's state {} is damaged ({what}), so nothing was sent: put a whole copy in its place, or begin another \
         campaign with other files by -o and --state, with the machines that the results file does not show as accepted",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Some other database, or no database.
    #[error("{} is no state file of fleetsweep; --state names another file", .0.display())]
    Foreign(PathBuf),
    /// Written by another version of fleetsweep.
    #[error(
        "{} has version {found} of the state's format, this fleetsweep knows version {known}; finish the campaign with the \
         fleetsweep that began it, or name another file by --state", path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
}

impl StoreError {
    pub(super) fn new(act: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        Self::Sqlite {
            act,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn file(act: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File {
            act,
            path: path.to_owned(),
            source,
        }
    }
}

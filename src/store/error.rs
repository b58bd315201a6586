//! What can go wrong with a state file.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a state file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An error from SQLite.
    #[error("cannot {act} the campaign's state {}: {source}. {}", path.display(), cure(act))]
    Sqlite {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// An error from the file system.
    #[error("cannot {act} the campaign's state {}: {source}. {}", path.display(), cure(act))]
    File {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not as it was written. If a campaign were resumed from it, a machine could be scanned twice or
    /// never.
    #[error(
        "the campaign's state {} is damaged ({what}), so nothing was sent. Put a whole copy in its place if you have \
         one; otherwise the same command with --recover makes it anew from the results and the service's list of scans",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The file is another database, or not a database.
    #[error(
        "{} is no state file of fleetsweep: put the campaign's own file back in its place, or move this one away",
        .0.display()
    )]
    Foreign(PathBuf),
    /// The file has an earlier version, and an earlier release is using it, which could not go on after a migration.
    #[error(
        "an earlier release of fleetsweep is at work on the campaign {}: wait for its end, or stop it with Ctrl-C \
         where it runs, then give the same command again", .0.display()
    )]
    OlderAtWork(PathBuf),
    /// The file has an unknown version.
    #[error(
        "{} has version {found} of the state's format, this fleetsweep knows version {known}; go on with the \
         campaign with the fleetsweep that wrote it", path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The current version.
        known: i64,
    },
}

/// What to do about it. An existing campaign must be resumed from its own file: another file would begin another
/// campaign, which does not know of the scans that this one has started.
fn cure(act: &str) -> &'static str {
    if act == "create" {
        "Free some disk space or fix the permissions there, or name another file with --state"
    } else {
        "Make room on the disk, or mend what keeps the file from being used; then give the same command again"
    }
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

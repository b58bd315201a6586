//! What can be wrong with a state file.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A state file that cannot be read or written. Says the act, the file and the reason.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("cannot {act} the campaign's state {}: {source}. {}", path.display(), cure(act))]
    Sqlite {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The file system said no.
    #[error("cannot {act} the campaign's state {}: {source}. {}", path.display(), cure(act))]
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
    /// Some other database, or no database.
    #[error("{} is no state file of fleetsweep: put the campaign's own file back in its place, or move this one \
         away", .0.display())]
    Foreign(PathBuf),
    /// Of an earlier version, and in use by a release that could not go on once it were brought to ours.
    #[error(
        "an earlier release of fleetsweep is at work on the campaign {}: wait for its end, or stop it with Ctrl-C \
         where it runs, then give the same command again", .0.display()
    )]
    OlderAtWork(PathBuf),
    /// Written by another version of fleetsweep.
    #[error(
        "{} has version {found} of the state's format, this fleetsweep knows version {known}; go on with the campaign \
         with the fleetsweep that wrote it", path.display()
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

/// What to do. A campaign that is there is gone on with where it is: another file would begin another campaign, which
/// knows nothing of the scans that this one has started.
fn cure(act: &str) -> &'static str {
    if act == "create" {
        "Make room or mend the rights there, or name another file with --state"
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

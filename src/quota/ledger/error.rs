//! What can go wrong with a ledger.

use std::path::{Path, PathBuf};

/// Why the ledger could not be read or written. No call may be made then. No message suggests another ledger as a way
/// out, because calls that are counted in two ledgers break the limits.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file or its directory cannot be created, opened, read or written.
    #[error(
        "cannot use the quota ledger {}: {source}; free some disk space or fix the permissions, then give the same \
         command again",
        path.display()
    )]
    Unusable {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is not a ledger.
    #[error(
        "{} is no quota ledger, and was left as it is: look at how its name was typed; if a ledger should be there, \
         move this file away once no campaign has run for an hour ({LONGEST})",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later release made the file.
    #[error(
        "the quota ledger {} has version {version} and this release knows up to {known}: use the later release, which \
         counts the same calls",
        path.display()
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The latest version that is known.
        known: i64,
    },
    /// The file's content is not what was written. Counting on from it could break the limits.
    #[error(
        "the quota ledger {} is damaged ({what}): once no campaign has run for an hour ({LONGEST}), remove it",
        path.display()
    )]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Another process does not release the file.
    #[error(
        "another process has held the quota ledger {} for a minute: end that process, then give the same command again",
        path.display()
    )]
    Busy {
        /// The ledger.
        path: PathBuf,
    },
    /// A new ledger was to be created, but there is a file of that name.
    #[error("{} is there already, and was left as it is", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

/// How long nothing may have been sent before a ledger may be removed.
const LONGEST: &str = "or for the longest window of --limit, if that is longer";

impl LedgerError {
    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.into(),
        }
    }

    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    pub(super) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        if let rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) = error
        {
            let what = error.to_string();
            return Self::Damaged { path, what };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::SchemaChanged) => Self::Damaged {
                path,
                what: error.to_string(),
            },
            _ => Self::Unusable {
                path,
                source: error.into(),
            },
        }
    }
}

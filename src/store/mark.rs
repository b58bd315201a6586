//! How many batches a campaign's state has committed, kept outside of the state file. A state that has fewer has lost
//! its end.
//!
//! The file is `<state>.mark`. It is written after each commit, before anything that was committed is acted on, and
//! without waiting for the disk. So it survives a crash of the process; after a power cut it may be behind the state,
//! which does no harm. If there is a quota ledger, that keeps the same number, in case the whole folder is copied or
//! restored.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, Write},
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{Store, StoreError, beside};
use crate::private_file::for_its_owner;

/// The first words of the file.
const HEAD: &str = "fleetsweep mark 1";

/// The mark beside a state file, while a run is working on it.
#[derive(Debug)]
pub struct MarkFile {
    path: PathBuf,
    file: File,
    campaign: String,
}

impl MarkFile {
    /// The path of the mark of the campaign at `state`.
    #[must_use]
    pub fn place(state: &Path) -> PathBuf {
        beside(state, ".mark")
    }

    /// The campaign's id and the number of batches in the mark beside `state`. `None` if there is no mark, or the
    /// file is not one.
    ///
    /// # Errors
    /// The file exists and cannot be read.
    pub fn read(state: &Path) -> Result<Option<(String, u64)>, StoreError> {
        let path = Self::place(state);
        let text = match std::fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| StoreError::file("read", &path, source))?,
        };
        let text = String::from_utf8_lossy(&text);
        Ok(text.strip_prefix(HEAD).and_then(|rest| {
            let mut words = rest.split_ascii_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        }))
    }

    /// Opens the mark of `campaign` beside `state`, and writes that this many batches are committed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(state: &Path, campaign: &str, committed: u64) -> Result<Self, StoreError> {
        let path = Self::place(state);
        let mut options = OpenOptions::new();
        let opened = for_its_owner(options.create(true).truncate(false).write(true)).open(&path);
        let file = opened.map_err(|source| StoreError::file("write", &path, source))?;
        let mut this = Self {
            path,
            file,
            campaign: campaign.to_owned(),
        };
        this.write(committed)?;
        Ok(this)
    }

    /// Writes that this many batches are committed. The file always has the same length, so this needs no disk space.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, committed: u64) -> Result<(), StoreError> {
        let text = format!("{HEAD} {} {committed:020}\n", self.campaign);
        let written = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|source| StoreError::file("write", &self.path, source))
    }

    /// Removes the mark beside `state`, because its campaign has finished.
    pub fn remove(state: &Path) {
        // If it stays, it does no harm: it names its campaign.
        let _ = std::fs::remove_file(Self::place(state));
    }
}

impl Store {
    /// How many batches have been committed since the campaign was created.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn committed(&self) -> Result<u64, StoreError> {
        if let Some(committed) = self.committed {
            return Ok(committed);
        }
        self.db
            .prepare_cached("SELECT committed FROM mark")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(|e| self.failed("read", e))
    }
}

/// Counts a batch, within its transaction, and returns how many there are now.
pub(super) fn count(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("UPDATE mark SET committed = committed + 1 RETURNING committed")?
        .query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_anything_else_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a.campaign.db");
        assert_eq!(MarkFile::read(&state).unwrap(), None);
        let mut mark = MarkFile::open(&state, "ab12cd34ef", 7).unwrap();
        assert_eq!(
            MarkFile::read(&state).unwrap(),
            Some(("ab12cd34ef".to_owned(), 7))
        );
        mark.write(u64::MAX).unwrap();
        assert_eq!(MarkFile::read(&state).unwrap().unwrap().1, u64::MAX);
        for other in [
            "",
            "Dear Sir,",
            "fleetsweep mark 1",
            "fleetsweep mark 1 a b\n",
        ] {
            std::fs::write(MarkFile::place(&state), other).unwrap();
            assert_eq!(MarkFile::read(&state).unwrap(), None, "{other}");
        }
        MarkFile::remove(&state);
        assert!(!MarkFile::place(&state).exists());
    }
}

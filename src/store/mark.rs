//! How many batches a campaign's state has committed, kept outside of the state file: a state that has fewer has lost
//! its end.
//!
//! The file is `<state>.mark`. It is written after each commit and before anything that was committed is acted on,
//! without waiting for the disk: it outlives the process, and after a power cut it may be behind the state, which is
//! no loss. The quota's ledger keeps the same number where there is one, for a folder that is copied or restored as a
//! whole.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Seek, Write},
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{Store, StoreError};

/// How the file begins.
const HEAD: &str = "fleetsweep mark 1";

/// The mark beside a state, while a run is at work on it.
#[derive(Debug)]
pub struct MarkFile {
    path: PathBuf,
    file: File,
    campaign: String,
}

impl MarkFile {
    /// Where the mark of the campaign at `state` lies.
    #[must_use]
    pub fn place(state: &Path) -> PathBuf {
        let mut name = OsString::from(state);
        name.push(".mark");
        PathBuf::from(name)
    }

    /// The campaign and the number of batches that the mark beside `state` knows of. A file that is no mark tells
    /// nothing.
    ///
    /// # Errors
    /// It is there and cannot be read.
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

    /// Opens the mark of `campaign` beside `state`, and says that so many batches are committed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(state: &Path, campaign: &str, committed: u64) -> Result<Self, StoreError> {
        let path = Self::place(state);
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = opened.map_err(|source| StoreError::file("write", &path, source))?;
        let mut this = Self {
            path,
            file,
            campaign: campaign.to_owned(),
        };
        this.write(committed)?;
        Ok(this)
    }

    /// Says that so many batches are committed. The file is as long each time, so it needs no room on the disk.
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

    /// Takes the mark beside `state` away: its campaign has come to its end, and there is nothing left to be lost.
    pub fn remove(state: &Path) {
        // One that stays is read as what it is: the mark of that campaign.
        let _ = std::fs::remove_file(Self::place(state));
    }
}

impl Store {
    /// How many batches have been committed since the campaign was made.
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

/// Counts a batch, in its own transaction, and tells how many there are with it.
pub(super) fn count(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("UPDATE mark SET committed = committed + 1 RETURNING committed")?
        .query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_anything_else_tells_nothing() {
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

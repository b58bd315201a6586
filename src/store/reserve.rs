//! Room on the disk that is kept for a run's last words: what came back of calls that were on their way when the disk was full.

use std::{
    ffi::OsString,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use super::{Store, StoreError};

/// A hundred ends touch two pages of 4 KiB each, and the log of them is written before they are: 1 MB.
const BYTES: usize = 1 << 20;

/// The file that keeps the room. Dropped, it gives the room back.
#[derive(Debug)]
pub struct Reserve(Option<PathBuf>);

impl Reserve {
    /// Where the reserve of the campaign at `state` lies.
    #[must_use]
    pub fn place(state: &Path) -> PathBuf {
        let mut name = OsString::from(state);
        name.push(".reserve");
        PathBuf::from(name)
    }

    /// Keeps 1 MB beside `state`, written and not only promised.
    ///
    /// # Errors
    /// The disk has no room for it, or cannot be written.
    pub fn keep(state: &Path) -> Result<Self, StoreError> {
        let path = Self::place(state);
        let this = Self(Some(path.clone()));
        // Not zeros: a file system may keep those without a block.
        let bytes: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8 + 1).collect();
        let kept = File::create(&path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        kept.map_err(|source| StoreError::file("keep 1 MB for the end of", state, source))?;
        Ok(this)
    }

    /// Gives the room back, so that something can be written into it.
    pub fn release(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.release();
    }
}

impl Store {
    /// Commits a transaction as large as the attempts of a whole burst, and takes it away again: a disk that has no room for
    /// it is found out before the first call.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn prove_room(&mut self) -> Result<(), StoreError> {
        self.vouch()?;
        // An order that nobody obeys: one that a crash leaves here goes with the next run.
        let proven = self
            .db
            .execute(
                "INSERT INTO orders (word, given) VALUES ('room ' || hex(randomblob(200000)), 0)",
                [],
            )
            .and_then(|_| {
                let gone = "DELETE FROM orders WHERE word LIKE 'room %'";
                self.db.execute(gone, []).map(drop)
            });
        proven.map_err(|e| self.failed("write", e))
    }
}

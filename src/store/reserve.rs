//! Disk space that is reserved for a run's last writes: the ends of the calls that were in flight when the disk got
//! full.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use super::{Store, StoreError, beside, connect};

/// 1 MB: a hundred ends change two pages of 4 KiB each, which are written to the log and then to the file.
const BYTES: usize = 1 << 20;

/// The file that reserves the space. Dropping this removes it.
#[derive(Debug)]
pub struct Reserve(Option<PathBuf>);

impl Reserve {
    /// The path of the reserve of the campaign at `state`.
    #[must_use]
    pub fn place(state: &Path) -> PathBuf {
        beside(state, ".reserve")
    }

    /// Reserves 1 MB beside `state`, by really writing it.
    ///
    /// # Errors
    /// The disk has no room for it, or cannot be written.
    pub fn keep(state: &Path) -> Result<Self, StoreError> {
        let path = Self::place(state);
        let this = Self(Some(path.clone()));
        // A file system may store zeros without using a block, and compress whatever repeats itself.
        let mut bytes = vec![0; BYTES];
        fastrand::fill(&mut bytes);
        let kept = File::create(&path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        kept.map_err(|source| StoreError::file("keep 1 MB of room beside", state, source))?;
        Ok(this)
    }

    /// Releases the space, so that something else can be written.
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
    /// Writes as much to the write-ahead log as the attempts of a whole burst do, and rolls it back. So a disk that
    /// has no room for it is detected before the first call, and the file does not grow.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn prove_room(&mut self) -> Result<(), StoreError> {
        self.finish_check()?;
        // On a connection of its own whose cache is so small that most pages have to be written to the log immediately.
        let written = connect(&self.path).and_then(|mut db| {
            db.pragma_update(None, "cache_size", 8)?;
            let room = db.transaction()?;
            room.execute_batch(
                "CREATE TABLE room (bytes BLOB); INSERT INTO room VALUES (zeroblob(500000))",
            )?;
            room.rollback()
        });
        written.map_err(|e| self.failed("write", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample_for_tests::campaign;

    #[test]
    fn room_is_proven_in_the_log_and_the_state_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.campaign.db");
        let mut store = campaign(&path, []);
        let length =
            |ending: &str| std::fs::metadata(beside(&path, ending)).map_or(0, |file| file.len());
        let before = length("");
        store.prove_room().unwrap();
        assert!(length("-wal") > 400_000, "{}", length("-wal"));
        store.close().unwrap();
        assert_eq!(length(""), before);
        Store::open(&path).unwrap();
    }

    #[test]
    fn a_reserve_is_as_large_as_it_says_and_goes_when_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a.campaign.db");
        let mut reserve = Reserve::keep(&state).unwrap();
        let kept = std::fs::metadata(Reserve::place(&state)).unwrap().len();
        assert_eq!(kept, BYTES as u64);
        reserve.release();
        assert!(!Reserve::place(&state).exists());
    }
}

//! Room on the disk that is kept for a run's last words: what came back of calls that were on their way when the disk
//! was full.

use std::{
    ffi::OsString,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use super::{Store, StoreError, connect};

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
        let bytes: Vec<u8> = (1..=u8::MAX).cycle().take(BYTES).collect();
        let kept = File::create(&path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        kept.map_err(|source| StoreError::file("keep 1 MB of room beside", state, source))?;
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
    /// Writes as much as the attempts of a whole burst do into the log, and takes it back before it is committed: a
    /// disk that has no room for it is found out before the first call, and the file does not grow.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn prove_room(&mut self) -> Result<(), StoreError> {
        self.finish_check()?;
        // Through a connection of its own, of which so few pages stay in memory that the rest has to be written at
        // once.
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
        let length = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            std::fs::metadata(PathBuf::from(name)).map_or(0, |file| file.len())
        };
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

//! A new file beside the one that it is to replace, and the replacement.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{ResultsError, partial::keep_mode};
use crate::audit::audit;

/// How often a refused replacement is retried, and how long to wait in between: 10 s in all. That is enough for a
/// virus scanner or an indexer to close the file. If a user has it open in Excel, they are told where the results are
/// instead.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// Where the results are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// Where they should be.
    There(PathBuf),
    /// Beside the old file, because that could not be replaced.
    Aside {
        /// Where they are instead.
        path: PathBuf,
        /// What the operating system says.
        why: String,
    },
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The results.
    Results,
    /// The results as a workbook.
    Workbook,
}

impl What {
    /// For the log.
    const fn word(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::Workbook => "workbook",
        }
    }

    /// What is tried when it is written, for messages.
    pub(super) const fn writing(self) -> &'static str {
        match self {
            Self::Results => "write the results file",
            Self::Workbook => "write the workbook",
        }
    }
}

/// A temporary file beside its target. It is removed on drop unless it was renamed.
pub(super) struct Fresh {
    pub(super) target: PathBuf,
    path: PathBuf,
    file: Option<File>,
    what: What,
}

impl Fresh {
    /// The name is fixed, so that a process that was killed leaves at most one file, which the next run removes.
    pub(super) fn create(target: &Path, what: What) -> io::Result<Self> {
        // A link stays a link. The file that it points to is replaced.
        let target = if target.is_symlink() {
            fs::canonicalize(target)?
        } else {
            target.to_owned()
        };
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".tmp");
        let path = target.with_file_name(hidden);
        match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        // It must be a new file, because in a shared directory the name might be somebody else's link.
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        keep_mode(&file, &target);
        let old = fs::metadata(&target).map_or(0, |old| old.len());
        let this = Self {
            target,
            path,
            file: Some(file),
            what,
        };
        this.keep_room(old)?;
        Ok(this)
    }

    /// Reserves as much disk space as the old file takes, so that a full disk is detected before the first call. On a
    /// file system that cannot reserve space it is detected later, and then the old file stays.
    #[cfg(target_os = "linux")]
    fn keep_room(&self, bytes: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};

        let Some(file) = self.file.as_ref().filter(|_| bytes > 0) else {
            return Ok(());
        };
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
            Err(e @ (rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT)) => Err(e.into()),
            _ => Ok(()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Linux")]
    fn keep_room(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        file.write_all(bytes)
    }

    /// The file, to be written by somebody else until it is [synced](Self::sync).
    pub(super) fn file(&self) -> io::Result<File> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        file.try_clone()
    }

    /// Waits for the disk, and closes the file, since Windows cannot rename an open one.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        // Releases reserved space that was not needed.
        let length = file.stream_position()?;
        file.set_len(length)?;
        file.sync_all()
    }

    pub(super) fn put(&mut self, path: &Path) -> io::Result<()> {
        let was_there = path.exists();
        fs::rename(&self.path, path)?;
        let act = match (path == self.target, was_there) {
            (false, _) => "written beside",
            (true, true) => "replaced",
            (true, false) => "written",
        };
        audit!("file", act, what = self.what.word(), path = %path.display());
        // The rename is on disk only when the directory is. An error is ignored: some file systems cannot sync
        // directories, and the file has its name by now.
        #[cfg(unix)]
        if let Ok(directory) = File::open(super::owner::directory(path)) {
            let _ = directory.sync_all();
        }
        Ok(())
    }

    /// Replaces the old file. If that is refused, retries for 10 s, and then puts the new file beside the old one, as
    /// `<stem>.1.csv`. `sleep` waits between the retries, like `tokio::time::sleep`.
    ///
    /// # Errors
    /// The new file cannot be put beside the old one either, because the directory is gone or not writable any more.
    pub(super) async fn place<S, F>(mut self, mut sleep: S) -> Result<Installed, ResultsError>
    where
        S: FnMut(Duration) -> F,
        F: Future<Output = ()>,
    {
        let path = self.target.clone();
        let mut left = TRIES;
        let why = loop {
            match self.put(&path) {
                Ok(()) => return Ok(Installed::There(path)),
                Err(why) if left == 0 => break why,
                Err(_) => {}
            }
            left -= 1;
            sleep(PAUSE).await;
        };
        self.place_beside(why.to_string())
    }

    /// Puts the new file beside the old one, which is not to be replaced for this reason.
    ///
    /// # Errors
    /// It cannot be put there: the reason is that of the old one.
    pub(super) fn place_beside(mut self, why: String) -> Result<Installed, ResultsError> {
        let path = beside(&self.target);
        match self.put(&path) {
            Ok(()) => Ok(Installed::Aside { path, why }),
            Err(_) => Err(ResultsError::new(self.what.writing(), &self.target, &why)),
        }
    }

    pub(super) fn failed(&self, why: &io::Error) -> ResultsError {
        ResultsError::new(self.what.writing(), &self.target, why)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Closed first, because of Windows. If the file was renamed, there is nothing to remove.
        drop(self.file.take());
        let _ = fs::remove_file(&self.path);
    }
}

/// `fleet.results.csv` → `fleet.results.1.csv`, or the next number that is free, because the user may not have read
/// earlier ones yet.
#[must_use]
pub fn beside(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default();
    let numbered = |number: u32| {
        let mut name = stem.to_owned();
        name.push(format!(".{number}"));
        if let Some(ending) = path.extension() {
            name.push(".");
            name.push(ending);
        }
        path.with_file_name(name)
    };
    let free = (1..1000).map(numbered).find(|path| !path.exists());
    free.unwrap_or_else(|| numbered(1))
}

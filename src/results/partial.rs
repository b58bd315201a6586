//! A file that appears only when it is whole.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::audit::audit;

/// A file under another name, beside the one that it will have. It is removed on drop unless it got its name.
pub struct Partial {
    path: PathBuf,
    partial: PathBuf,
}

impl Partial {
    /// Creates the file that will be at `path`, which an `option` has named.
    ///
    /// # Errors
    /// `path` is a folder, or its folder cannot be written to.
    pub fn create(path: &Path, option: &str) -> io::Result<(Self, File)> {
        if path.is_dir() {
            return Err(io::Error::other(format!(
                "it is a folder; name a file with {option}"
            )));
        }
        // A link stays a link. The file that it points to is replaced.
        let path = if path.is_symlink() {
            &fs::canonicalize(path)?
        } else {
            path
        };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = File::create(&partial)?;
        keep_mode(&file, path)?;
        let path = path.to_owned();
        Ok((Self { path, partial }, file))
    }

    /// The name that it will have.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, in place of an older one. `what` is what it holds, for the log.
    ///
    /// # Errors
    /// The older file cannot be replaced.
    pub fn put(self, what: &'static str) -> io::Result<()> {
        let was_there = self.path.exists();
        fs::rename(&self.partial, &self.path)?;
        let act = if was_there { "replaced" } else { "written" };
        audit!("file", act, what, path = %self.path.display());
        Ok(())
    }
}

/// Gives a new file the rights of the one that it is to replace: whoever may not read that must not read this. On
/// Windows a file has the rights of its folder.
pub(super) fn keep_mode(file: &File, replaced: &Path) -> io::Result<()> {
    match fs::metadata(replaced) {
        Ok(old) if cfg!(unix) => file.set_permissions(old.permissions()),
        _ => Ok(()),
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // If it got its name, there is nothing to remove. If it cannot be removed, its name says what it is.
        let _ = fs::remove_file(&self.partial);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn who_may_not_read_the_old_file_may_not_read_the_new_one_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.html"), folder.path().join("b.html"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&path, &link).unwrap();
        let (partial, file) = Partial::create(&link, "-o").unwrap();
        drop(file);
        partial.put("report").unwrap();
        assert!(link.is_symlink());
        let new = fs::metadata(&path).unwrap();
        assert_eq!((new.len(), new.permissions().mode() & 0o777), (0, 0o600));
    }
}

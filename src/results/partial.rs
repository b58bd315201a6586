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
    /// What is at `path` is no file, or its folder cannot be written to.
    pub fn create(path: &Path, option: &str) -> io::Result<(Self, File)> {
        // A link stays a link. The file that it points to is replaced.
        let path = if path.is_symlink() {
            fs::canonicalize(path)?
        } else {
            path.to_owned()
        };
        // A device that is replaced by a file is gone for all programs.
        if path.exists() && !path.is_file() {
            let what = if path.is_dir() {
                "a folder"
            } else {
                "not a file"
            };
            return Err(io::Error::other(format!(
                "it is {what}; name a file with {option}"
            )));
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        // A name that nobody else has, not even another process that writes the same file.
        let partial = (0..100).find_map(|_| {
            let number = fastrand::u64(..);
            let name = format!(".{}.{number:016x}.partial", name.to_string_lossy());
            let partial = path.with_file_name(name);
            let file = File::create_new(&partial);
            let is_taken = matches!(&file, Err(e) if e.kind() == io::ErrorKind::AlreadyExists);
            (!is_taken).then_some((partial, file))
        });
        let (partial, file) = partial.ok_or(io::ErrorKind::AlreadyExists)?;
        let file = file?;
        keep_mode(&file, &path);
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
/// Windows a file has the rights of its folder, and some file systems know no rights.
pub(super) fn keep_mode(file: &File, replaced: &Path) {
    if let Ok(old) = fs::metadata(replaced)
        && cfg!(unix)
    {
        let _ = file.set_permissions(old.permissions());
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
    use std::os::unix::{
        fs::{PermissionsExt as _, symlink},
        net::UnixListener,
    };

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

    #[test]
    fn what_is_not_a_file_is_not_replaced_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for path in [folder.path(), &socket, Path::new("/dev/null")] {
            assert!(Partial::create(path, "-o").is_err(), "{}", path.display());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn two_that_write_the_same_file_do_not_share_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.html");
        let (one, _) = Partial::create(&path, "-o").unwrap();
        let (other, _) = Partial::create(&path, "-o").unwrap();
        drop(one);
        other.put("report").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

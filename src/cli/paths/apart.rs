//! Whether files that are to be kept apart are the same file under two names: a symbolic link, a hard link, another
//! spelling.

use std::path::{Path, PathBuf};

use same_file::Handle;

use crate::{campaign::open::STDIN, cli::Failure, store::beside};

/// What SQLite keeps beside a database that is open.
const BESIDE_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What lies beside a state file besides.
const BESIDE_STATE: [&str; 4] = [".lock", ".mark", ".reserve", ".loading"];

/// A link that leads to a link, and so on: more of them than any system follows.
const MOST_LINKS: usize = 40;

/// A file that a command uses, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUse {
    what: &'static str,
    path: PathBuf,
    is_written: bool,
}

impl FileUse {
    /// A file that is only read.
    pub fn read(what: &'static str, path: impl Into<PathBuf>) -> Self {
        Self {
            what,
            path: path.into(),
            is_written: false,
        }
    }

    /// A file that is made, changed or replaced.
    pub fn written(what: &'static str, path: impl Into<PathBuf>) -> Self {
        Self {
            is_written: true,
            ..Self::read(what, path)
        }
    }

    /// A campaign's state, and what lies beside it.
    #[must_use]
    pub fn state(path: &Path) -> Vec<Self> {
        let endings = BESIDE_DATABASE.into_iter().chain(BESIDE_STATE);
        Self::database(
            ["the state (--state)", "a file beside the state (--state)"],
            path,
            endings,
        )
    }

    /// The quota ledger, and what lies beside it.
    #[must_use]
    pub fn ledger(path: &Path) -> Vec<Self> {
        let what = [
            "the quota ledger (--quota-file)",
            "a file beside the quota ledger (--quota-file)",
        ];
        Self::database(what, path, BESIDE_DATABASE.into_iter())
    }

    fn database(
        [itself, companion]: [&'static str; 2],
        path: &Path,
        endings: impl Iterator<Item = &'static str>,
    ) -> Vec<Self> {
        // SQLite's own files lie beside what a link leads to, ours beside the link.
        let end = end_of(path);
        let mut files = vec![Self::written(itself, path)];
        for ending in endings {
            files.push(Self::written(companion, beside(path, ending)));
            if end != path {
                files.push(Self::written(companion, beside(&end, ending)));
            }
        }
        files
    }
}

/// The file that a command was given in place of a campaign's `state`: the campaign's input, unless it is that state or
/// the campaign's results themselves.
#[must_use]
pub fn input_beside(named: &Path, state: &Path, results: Option<&Path>) -> Option<FileUse> {
    let is_results = results.is_some_and(|results| Identity::of(results) == Identity::of(named));
    let is_input = named != state && !is_results;
    is_input.then(|| FileUse::read("the campaign's input", named))
}

/// Refuses files that are one file under two names, if it is written under either. Standard input and output are none,
/// and neither is a pipe or a device, of which nothing can be lost.
///
/// # Errors
/// Two of them are the same file.
pub fn keep_apart(files: &[FileUse]) -> Result<(), Failure> {
    let known: Vec<_> = files
        .iter()
        .filter(|file| file.path.as_os_str() != STDIN)
        .filter_map(|file| Some((file, Identity::of(&file.path)?)))
        .collect();
    for (at, (file, identity)) in known.iter().enumerate() {
        let same = known[..at].iter().find(|(before, its)| {
            before.what != file.what && (before.is_written || file.is_written) && its == identity
        });
        if let Some((before, _)) = same {
            return Err(refusal(before, file));
        }
    }
    Ok(())
}

fn refusal(one: &FileUse, other: &FileUse) -> Failure {
    let named = |file: &FileUse| format!("{} {}", file.what, file.path.display());
    Failure::usage(if one.path == other.path {
        format!(
            "{} and {} are both {}; name another file for one of them",
            one.what,
            other.what,
            other.path.display()
        )
    } else {
        format!(
            "{} is the same file as {}; name another file for one of them",
            named(other),
            named(one)
        )
    })
}

/// What makes a file the one that it is.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    /// One that is there, by the system's own numbers.
    There(Handle),
    /// One that is not there yet, or cannot be opened, by its place.
    Place(PathBuf),
}

impl Identity {
    /// `None` for a pipe or a device.
    fn of(path: &Path) -> Option<Self> {
        match std::fs::metadata(path) {
            Ok(found) if found.is_file() => {
                Some(Handle::from_path(path).map_or_else(|_| Self::place(path), Self::There))
            }
            Ok(found) if !found.is_dir() => None,
            _ => Some(Self::place(path)),
        }
    }

    fn place(path: &Path) -> Self {
        let end = end_of(path);
        Self::Place(if cfg!(any(windows, target_os = "macos")) {
            // As a rule these systems take two spellings that differ in case for one file.
            end.to_string_lossy().to_lowercase().into()
        } else {
            end
        })
    }
}

/// Where a path leads, though there may be nothing yet: its links followed, its folder written out.
fn end_of(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = std::fs::read_link(&path) else {
            break;
        };
        path = match path.parent() {
            Some(folder) => folder.join(target),
            None => target,
        };
    }
    let path = std::path::absolute(&path).unwrap_or(path);
    // The nearest folder that is there tells how the rest is spelled.
    let mut rest = PathBuf::new();
    let mut folder = path.as_path();
    loop {
        if let Ok(whole) = std::fs::canonicalize(folder) {
            return if rest.as_os_str().is_empty() {
                whole
            } else {
                whole.join(rest)
            };
        }
        let (Some(name), Some(parent)) = (folder.file_name(), folder.parent()) else {
            return path;
        };
        rest = if rest.as_os_str().is_empty() {
            PathBuf::from(name)
        } else {
            Path::new(name).join(rest)
        };
        folder = parent;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refused(files: &[FileUse]) -> Option<String> {
        keep_apart(files).err().map(|failure| failure.why)
    }

    #[test]
    fn what_is_one_file_under_two_names_is_refused_with_both() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("fleet.csv"), "machine_id\n").unwrap();
        fs::create_dir(at("sub")).unwrap();
        fs::hard_link(at("fleet.csv"), at("hard.csv")).unwrap();
        let mut names = vec!["fleet.csv", "hard.csv", "sub/../fleet.csv"];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("fleet.csv", at("soft.csv")).unwrap();
            std::os::unix::fs::symlink("soft.csv", at("softer.csv")).unwrap();
            names.extend(["soft.csv", "softer.csv"]);
        }
        let input = FileUse::read("the input", at("fleet.csv"));
        for name in names {
            let both = [
                input.clone(),
                FileUse::written("the results (-o)", at(name)),
            ];
            let why = refused(&both).unwrap_or_else(|| panic!("{name} is the input"));
            for word in ["the input", "the results (-o)", "fleet.csv", "name another"] {
                assert!(why.contains(word), "{name}: {why}");
            }
            let reads = [
                input.clone(),
                FileUse::read("the token (--token-file)", at(name)),
            ];
            assert_eq!(refused(&reads), None, "{name} is only read");
        }
    }

    #[test]
    fn what_is_not_there_yet_is_known_by_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        let mut names = vec!["new.csv", "sub/../new.csv", "./new.csv"];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("sub", at("way")).unwrap();
            std::os::unix::fs::symlink("new.csv", at("dangling.csv")).unwrap();
            names.extend(["way/../new.csv", "dangling.csv"]);
        }
        for name in names {
            let both = [
                FileUse::written("the summary (--summary)", at("new.csv")),
                FileUse::written("the log (--log-file)", at(name)),
            ];
            assert!(refused(&both).is_some(), "{name}");
        }
        let apart = [
            FileUse::written("the summary (--summary)", at("new.csv")),
            FileUse::written("the log (--log-file)", at("sub/new.csv")),
            FileUse::written("the ledger", at("not/there/quota.db")),
        ];
        assert_eq!(refused(&apart), None);
    }

    #[test]
    fn what_lies_beside_a_state_belongs_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut files = FileUse::state(&at("a.db"));
        assert_eq!(refused(&files), None);
        for ending in BESIDE_DATABASE.into_iter().chain(BESIDE_STATE) {
            files.push(FileUse::written(
                "the log (--log-file)",
                at(&format!("a.db{ending}")),
            ));
            let why = refused(&files).unwrap_or_else(|| panic!("{ending}"));
            assert!(why.contains("a file beside the state"), "{why}");
            files.pop();
        }
    }

    #[test]
    fn streams_and_devices_are_no_files() {
        let two = |path: &str| {
            [
                FileUse::written("the summary (--summary)", path),
                FileUse::written("the log (--log-file)", path),
            ]
        };
        assert_eq!(refused(&two(STDIN)), None);
        if cfg!(unix) {
            assert_eq!(refused(&two("/dev/null")), None);
        }
    }
}

//! Which files a campaign has, and whether they are kept apart.

mod apart;

use std::path::{Path, PathBuf};

pub use apart::{FileUse, keep_apart};

use super::Failure;

/// The input's name that means standard input.
pub const STDIN: &str = "-";

/// Where results and state lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The results file.
    pub results: PathBuf,
    /// The state file.
    pub state: PathBuf,
}

impl Places {
    /// Finds the places of a campaign over `input`, where the options do not name them.
    ///
    /// # Errors
    /// The input is standard input and no results file is named.
    pub fn find(
        input: &Path,
        results: Option<PathBuf>,
        state: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let results = match results {
            Some(results) => results,
            None if input.as_os_str() == STDIN => {
                return Err(Failure::usage(
                    "the input comes from standard input, so name the results file with -o",
                ));
            }
            None => beside(input, &[".csv"], ".results.csv"),
        };
        let state =
            state.unwrap_or_else(|| beside(&results, &[".results.csv", ".csv"], ".campaign.db"));
        Ok(Self { results, state })
    }

    /// The files that a campaign over `input` reads and writes. An empty path is a state that is not kept.
    #[must_use]
    pub fn files(&self, input: &Path) -> Vec<FileUse> {
        let mut files = vec![
            FileUse::read("the input", input),
            FileUse::written("the results (-o)", &self.results),
        ];
        if !self.state.as_os_str().is_empty() {
            files.extend(FileUse::state(&self.state));
        }
        files
    }
}

/// The state file that is meant by itself, or by the input or the results beside which it lies.
///
/// # Errors
/// There is none.
pub fn state_of(named: &Path) -> Result<PathBuf, Failure> {
    let default = beside(named, &[".results.csv", ".csv"], ".campaign.db");
    // A state file is known by its first bytes, whatever its name.
    let is_state = std::fs::File::open(named).is_ok_and(|mut file| {
        let mut head = [0; 15];
        std::io::Read::read_exact(&mut file, &mut head).is_ok() && &head == b"SQLite format 3"
    });
    if is_state {
        Ok(named.to_owned())
    } else if default.exists() {
        Ok(default)
    } else {
        Err(Failure::usage(format!(
            "there is no campaign at {} or {}; name its state file, or the input of `fleetsweep run`",
            named.display(),
            default.display()
        )))
    }
}

/// `path` with the first of these endings that it has, or else its last extension, replaced by another.
fn beside(path: &Path, endings: &[&str], ending: &str) -> PathBuf {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    // Not all of Unicode: a letter may grow by it, and the stem would end within another.
    let lower = name.to_ascii_lowercase();
    let stem = endings
        .iter()
        .find_map(|old| {
            lower
                .strip_suffix(old)
                .filter(|stem| !stem.is_empty())
                .map(|stem| &name[..stem.len()])
        })
        .map_or_else(
            || {
                Path::new(&name)
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned()
            },
            str::to_owned,
        );
    path.with_file_name(format!("{stem}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(input: &str, results: Option<&str>, state: Option<&str>) -> (String, String) {
        let places = Places::find(
            Path::new(input),
            results.map(Into::into),
            state.map(Into::into),
        )
        .unwrap();
        (
            places.results.display().to_string(),
            places.state.display().to_string(),
        )
    }

    #[test]
    fn files_lie_beside_the_input_unless_they_are_named() {
        let own = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            found("a/fleet.csv", None, None),
            own("a/fleet.results.csv", "a/fleet.campaign.db")
        );
        assert_eq!(
            found("fleet.CSV", None, None),
            own("fleet.results.csv", "fleet.campaign.db")
        );
        assert_eq!(
            found("fleet.v2.txt", None, None),
            own("fleet.v2.results.csv", "fleet.v2.campaign.db")
        );
        assert_eq!(
            found("fleet", None, None),
            own("fleet.results.csv", "fleet.campaign.db")
        );
        assert_eq!(
            found("fleet.csv", Some("out.csv"), None),
            own("out.csv", "out.campaign.db")
        );
        assert_eq!(
            found("fleet.csv", Some("out.results.csv"), None),
            own("out.results.csv", "out.campaign.db")
        );
        assert_eq!(
            found("\u{130}\u{130}.CSV", None, None).0,
            "\u{130}\u{130}.results.csv"
        );
        assert_eq!(
            found("-", Some("x/out"), Some("s.db")),
            own("x/out", "s.db")
        );
    }

    #[test]
    fn standard_input_has_no_place_of_its_own() {
        assert!(Places::find(Path::new("-"), None, None).is_err());
    }

    #[test]
    fn no_file_is_two_things() {
        for (results, state) in [
            (Some("a.csv"), None),
            (None, Some("a.csv")),
            (Some("b.csv"), Some("b.csv")),
            (Some("b.csv"), Some("./b.csv")),
        ] {
            let input = Path::new("a.csv");
            let places = Places::find(input, results.map(Into::into), state.map(Into::into));
            let files = places.unwrap().files(input);
            assert!(keep_apart(&files).is_err(), "{results:?} {state:?}");
        }
    }
}

//! Which files a campaign has.

use std::path::{Path, PathBuf};

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
        if results == state || results == input || state == input {
            let why = "input, results and state must be three files; look at -o and --state";
            return Err(Failure::usage(why));
        }
        Ok(Self { results, state })
    }

    /// Refuses a summary that would be written over one of the campaign's files, or over its `input`.
    ///
    /// # Errors
    /// It is one of them.
    pub fn keep_from(&self, summary: Option<&Path>, input: &Path) -> Result<(), Failure> {
        let Some(summary) = summary.filter(|path| path.as_os_str() != STDIN) else {
            return Ok(());
        };
        // What is not there yet has no other name but another way to say it.
        let whole = |path: &Path| {
            std::fs::canonicalize(path)
                .or_else(|_| std::path::absolute(path))
                .unwrap_or_else(|_| path.to_owned())
        };
        let files = [&self.results, &self.state, input];
        if files.iter().any(|file| whole(file) == whole(summary)) {
            return Err(Failure::usage(format!(
                "--summary {} is the input or one of the campaign's files; name another file",
                summary.display()
            )));
        }
        Ok(())
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
    fn a_summary_is_no_file_of_the_campaign() {
        let places = Places::find(Path::new("fleet.csv"), None, None).unwrap();
        for (summary, fits) in [
            ("fleet.csv", false),
            ("fleet.results.csv", false),
            ("./fleet.results.csv", false),
            ("fleet.campaign.db", false),
            ("fleet.json", true),
            ("-", true),
        ] {
            let kept = places.keep_from(Some(Path::new(summary)), Path::new("fleet.csv"));
            assert_eq!(kept.is_ok(), fits, "{summary}");
        }
        assert_eq!(
            found("\u{130}\u{130}.CSV", None, None).0,
            "\u{130}\u{130}.results.csv"
        );
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
        assert!(Places::find(Path::new("a.csv"), Some("a.csv".into()), None).is_err());
        assert!(Places::find(Path::new("a.csv"), None, Some("a.csv".into())).is_err());
    }
}

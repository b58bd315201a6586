//! Where a campaign's files are.

use std::path::{Path, PathBuf};

use super::{OpenError, STDIN};

/// Where a campaign's results and its state are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The results file.
    pub results: PathBuf,
    /// The state file. Empty if no state is kept.
    pub state: PathBuf,
}

impl Places {
    /// The places of a campaign over `input`, where the operator does not name them: the results are beside the input,
    /// and the state is beside the results.
    ///
    /// # Errors
    /// The input is standard input, and no results file is named.
    pub fn find(
        input: &Path,
        results: Option<PathBuf>,
        state: Option<PathBuf>,
    ) -> Result<Self, OpenError> {
        let results = match results {
            Some(results) => results,
            None if input.as_os_str() == STDIN => return Err(OpenError::NoResults),
            None => beside(input, &[".csv"], ".results.csv"),
        };
        let state = state.unwrap_or_else(|| Self::default_state(&results));
        Ok(Self { results, state })
    }

    /// Whether a state is kept.
    pub(super) fn keep_state(&self) -> bool {
        !self.state.as_os_str().is_empty()
    }

    /// Where the state is by default, beside the results or the input.
    #[must_use]
    pub fn default_state(file: &Path) -> PathBuf {
        beside(file, &[".results.csv", ".csv"], ".campaign.db")
    }
}

/// `path` with the first of these endings that it has, or else its last extension, replaced by another.
fn beside(path: &Path, endings: &[&str], ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, _) = split_name(&name, endings);
    path.with_file_name(format!("{stem}{ending}"))
}

/// A file's name, split before the first of these endings that it has in any case, or else before its last extension.
pub(super) fn split_name<'a>(name: &'a str, endings: &[&str]) -> (&'a str, &'a str) {
    // Only ASCII is compared without case: another letter may have more bytes in lower case.
    let lower = name.to_ascii_lowercase();
    let known = endings
        .iter()
        .find(|ending| lower.len() > ending.len() && lower.ends_with(**ending));
    let extension = || name.rfind('.').filter(|&at| at > 0).unwrap_or(name.len());
    name.split_at(known.map_or_else(extension, |ending| name.len() - ending.len()))
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
}

//! Which files a campaign has, and whether they are kept apart.

mod apart;

use std::path::Path;

pub use apart::{FileUse, input_beside, keep_apart};

use crate::campaign::open::Places;

/// The files that a campaign over `input` reads and writes. An empty path is a state that is not kept.
#[must_use]
pub fn files(Places { results, state }: &Places, input: &Path) -> Vec<FileUse> {
    let mut files = vec![
        FileUse::read("the input", input),
        FileUse::written("the results (-o)", results),
    ];
    if !state.as_os_str().is_empty() {
        files.extend(FileUse::state(state));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let files = files(&places.unwrap(), input);
            assert!(keep_apart(&files).is_err(), "{results:?} {state:?}");
        }
    }
}

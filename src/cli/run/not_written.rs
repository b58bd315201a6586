//! What a run could not write beside its results, and the command that writes it later.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    campaign::open::with_id,
    cli::{ExitCode, Failure, shell_words::shell_line},
};

/// The campaign that something is missing of.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) campaign: String,
    pub(super) state: PathBuf,
    /// Whether the state outlives the process.
    pub(super) state_stays: bool,
    /// The results, if they are whole and outlive the process.
    pub(super) results: Option<PathBuf>,
}

impl Source {
    /// Somebody did not wait for it.
    pub(super) fn stopped(&self, file: &str, later: &Later<'_>) -> Failure {
        let why = format!("stopped without waiting for {file}");
        self.failure(ExitCode::Interrupted, &why, later)
    }

    /// It could not be written. The run has done its work, so that this is never wrong usage.
    pub(super) fn failed(&self, why: &str, later: &Later<'_>) -> Failure {
        self.failure(ExitCode::Storage, why, later)
    }

    fn failure(&self, code: ExitCode, why: &str, later: &Later<'_>) -> Failure {
        let results = self.results.as_ref();
        let whole = results.map(|path| format!("; the results are whole: {}", path.display()));
        let command = self.state_stays.then(|| {
            let Later { verb, option, .. } = later;
            let command: [OsString; 5] = [
                "fleetsweep".into(),
                verb.into(),
                self.state.clone().into(),
                option.into(),
                later.file(&self.campaign).into(),
            ];
            format!(". This writes it: {}", shell_line(&command))
        });
        let [whole, command] = [whole, command].map(Option::unwrap_or_default);
        Failure::new(code, format!("{why}{whole}{command}"))
    }
}

/// How a file is written later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Later<'a> {
    /// The command.
    pub(super) verb: &'static str,
    /// The option that names the file.
    pub(super) option: &'static str,
    pub(super) path: &'a Path,
    /// Whether the file of an earlier campaign may be there. A run that follows that campaign replaces it, but the
    /// command does not.
    pub(super) is_of_earlier: bool,
}

impl Later<'_> {
    fn file(&self, campaign: &str) -> PathBuf {
        // Nor what has come there during the run.
        if self.is_of_earlier || self.path.exists() {
            with_id(self.path, campaign)
        } else {
            self.path.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_writes_it_can_be_typed_as_it_is_and_is_not_refused() {
        let mut source = Source {
            campaign: "ab12cd34ef".to_owned(),
            state: "my sweep.db".into(),
            state_stays: true,
            results: Some("r.1.csv".into()),
        };
        let mut later = Later {
            verb: "results",
            option: "--xlsx",
            path: Path::new("my sweep.xlsx"),
            is_of_earlier: false,
        };
        let said = source.failed("no", &later).why;
        let command = |file: &str| {
            let words = ["fleetsweep", "results", "my sweep.db", "--xlsx", file];
            shell_line(&words.map(OsString::from))
        };
        assert_ne!(
            command("my sweep.xlsx"),
            "fleetsweep results my sweep.db --xlsx my sweep.xlsx"
        );
        assert_eq!(
            said,
            format!(
                "no; the results are whole: r.1.csv. This writes it: {}",
                command("my sweep.xlsx")
            )
        );

        later.is_of_earlier = true;
        let stopped = source.stopped("the workbook a", &later);
        assert_eq!(stopped.code, ExitCode::Interrupted);
        let ending = command("my sweep.ab12cd34ef.xlsx");
        assert!(stopped.why.ends_with(&ending), "{}", stopped.why);

        (source.state_stays, source.results) = (false, None);
        assert_eq!(source.failed("no", &later).why, "no");
    }
}

//! The rows that a campaign is opened with.

use std::{
    fs::File,
    io::{self, Read},
};

use super::{OpenError, OpenRequest, STDIN};
use crate::{
    campaign::outcome::Outcome,
    roster::{self, IdRule, Roster},
};

impl OpenRequest {
    pub(super) fn roster(&self) -> Result<Roster<Box<dyn Read>>, OpenError> {
        self.roster_by(None)
    }

    /// The input, its ids judged by the rule of the campaign that is there.
    pub(super) fn roster_by(
        &self,
        rule: Option<IdRule>,
    ) -> Result<Roster<Box<dyn Read>>, OpenError> {
        let input: Box<dyn Read> = if self.input.as_os_str() == STDIN {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(&self.input);
            Box::new(file.map_err(|source| OpenError::Input {
                input: self.file(),
                source,
            })?)
        };
        let options = roster::Options {
            rule,
            ..self.options.clone()
        };
        Ok(Roster::open(&self.file(), input, &options)?)
    }

    pub(super) fn file(&self) -> String {
        if self.input.as_os_str() == STDIN {
            "standard input".to_owned()
        } else {
            self.input.display().to_string()
        }
    }
}

/// Refuses outcomes that nothing can be tried again about, before anything is opened.
pub(crate) fn check_retry(outcomes: &[Outcome]) -> Result<(), OpenError> {
    let not_retried = [Outcome::Accepted, Outcome::Invalid, Outcome::Duplicate];
    match outcomes
        .iter()
        .find(|outcome| not_retried.contains(outcome))
    {
        None => Ok(()),
        Some(&outcome) => Err(OpenError::Retry { outcome }),
    }
}

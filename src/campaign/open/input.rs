//! The rows that a campaign is opened with.

use std::{
    fs::File,
    io::{self, Read},
};

use super::{OpenRequest, STDIN};
use crate::{
    campaign::outcome::Outcome,
    cli::Failure,
    roster::{self, IdRule, Roster},
};

impl OpenRequest {
    pub(super) fn roster(&self) -> Result<Roster<Box<dyn Read>>, Failure> {
        self.roster_by(None)
    }

    /// The input, its ids judged by the rule of the campaign that is there.
    pub(super) fn roster_by(&self, rule: Option<IdRule>) -> Result<Roster<Box<dyn Read>>, Failure> {
        let input: Box<dyn Read> = if self.input.as_os_str() == STDIN {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(&self.input);
            Box::new(file.map_err(|e| Failure::usage(format!("cannot read {}: {e}", self.file())))?)
        };
        let options = roster::Options {
            rule,
            ..self.options.clone()
        };
        Roster::open(&self.file(), input, &options).map_err(Failure::usage)
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
pub(crate) fn check_retry(outcomes: &[Outcome]) -> Result<(), Failure> {
    for outcome in outcomes {
        let why = match outcome {
            Outcome::Accepted => {
                "a campaign starts one scan a machine; start another one with --again"
            }
            Outcome::Invalid | Outcome::Duplicate => {
                "such a row is not sent; mend the input and start another campaign"
            }
            _ => continue,
        };
        return Err(Failure::usage(format!("--retry {outcome}: {why}")));
    }
    Ok(())
}

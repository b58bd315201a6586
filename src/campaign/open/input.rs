//! The rows that a campaign is opened with.

use std::{
    fs::File,
    io::{self, Read},
    sync::Arc,
};

use super::{OpenError, OpenRequest, STDIN};
use crate::roster::{self, Excluded, IdRule, Names, Note, Roster};

impl OpenRequest {
    /// The input, without these machines. Its names stand for what is in `names`, if it may hold names. Its ids are
    /// judged by `rule`, or, if that is `None`, by the rule that its column suggests.
    ///
    /// # Errors
    /// It cannot be read, or is refused.
    pub(super) fn roster(
        &self,
        rule: Option<IdRule>,
        excluded: Excluded,
        names: Option<Arc<Names>>,
    ) -> Result<Roster<Box<dyn Read>>, OpenError> {
        let name = self.input_name();
        let options = roster::Options {
            excluded,
            names,
            rule,
            ..self.options.clone()
        };
        if self.input.as_os_str() == STDIN {
            let input: Box<dyn Read> = Box::new(io::stdin().lock());
            return Ok(Roster::open(&name, input, &options)?);
        }
        let file = File::open(&self.input).map_err(|source| OpenError::Input {
            input: name.clone(),
            source,
        })?;
        Ok(Roster::open_file(&name, file, &options)?)
    }

    /// The input's name in messages.
    pub(super) fn input_name(&self) -> String {
        if self.input.as_os_str() == STDIN {
            "standard input".to_owned()
        } else {
            self.input.display().to_string()
        }
    }

    /// Notes about the input, with its name.
    pub(super) fn notes(&self, notes: &[Note]) -> Vec<String> {
        let name = self.input_name();
        notes.iter().map(|note| format!("{name}: {note}")).collect()
    }
}

//! What has to be changed about a command before it goes on with a campaign that a brake has stopped.

use std::fmt;

/// An option, and what it must say. The command as it was would be stopped at once, by the same brake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// With its dashes.
    pub option: &'static str,
    /// Its value; without one, the option is left out.
    pub value: Option<String>,
    /// To how many machines a yes must be that names a number, if to more than before.
    pub machines: Option<u64>,
}

impl Change {
    /// This option, saying this.
    #[must_use]
    pub fn to(option: &'static str, value: impl fmt::Display) -> Self {
        Self {
            option,
            value: Some(value.to_string()),
            machines: None,
        }
    }

    /// The same, where so many machines are scanned then.
    #[must_use]
    pub fn on(self, machines: u64) -> Self {
        Self {
            machines: Some(machines),
            ..self
        }
    }

    /// Without this option.
    #[must_use]
    pub fn without(option: &'static str) -> Self {
        Self {
            option,
            value: None,
            machines: None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "with {} {value}", self.option),
            None => write!(f, "without {}", self.option),
        }
    }
}

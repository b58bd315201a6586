//! What has to change about a command before it can go on with a campaign that a brake has stopped.

use std::fmt;

/// An option, and the value it needs. The same command without the change would be stopped by the same brake
/// at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// With its dashes.
    pub option: &'static str,
    /// Its value; `None` leaves the option out.
    pub value: Option<String>,
    /// How many machines a `--yes=N` has to name, if more than before.
    pub machines: Option<u64>,
}

/// The options that stop a campaign again as long as they are unchanged. Each is the first word of its
/// reason.
const STANDS: [&str; 4] = [
    "--max-failures",
    "--canary",
    "--max-machines",
    "--not-after",
];

impl Change {
    /// Whether a campaign that stopped for this `reason`, in the words of its state, needs a change to go on.
    #[must_use]
    pub fn is_wanted_after(reason: &str) -> bool {
        let option = reason.split([' ', ':']).next();
        option.is_some_and(|option| STANDS.contains(&option))
    }

    /// This option with this value.
    #[must_use]
    pub fn to(option: &'static str, value: impl fmt::Display) -> Self {
        Self {
            option,
            value: Some(value.to_string()),
            machines: None,
        }
    }

    /// The same, where this many machines will be scanned.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brake_that_would_stop_the_same_command_again_wants_a_change() {
        for (reason, wants) in [
            ("--max-machines 5: 5 machines have been sent to", true),
            ("--canary 2: 2 were accepted, and the answer was", true),
            ("--give-up-after 5m: the same command goes on", false),
            ("the first 25 machines ended", false),
            ("interrupted", false),
        ] {
            assert_eq!(Change::is_wanted_after(reason), wants, "{reason}");
        }
    }
}

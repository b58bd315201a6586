//! Why a call cannot go now.

use std::{fmt, time::Duration};

use super::{clock::Moment, limit::friendly};

/// Why the next call of a kind cannot go now, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// What it waits for; if there are several causes, the one that lasts longest.
    pub cause: Cause,
    /// When the wait ends; `None` if that depends on answers.
    pub until: Option<Moment>,
}

/// What a call can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The window of this length is full.
    Window(Duration),
    /// The service has asked for no calls before then.
    Hold,
    /// The even pace.
    Pace,
    /// As many calls are in flight as a window or a ramp allows.
    Answers,
}

impl Waiting {
    /// How long the wait lasts from `now` on; `None` if that depends on answers.
    #[must_use]
    pub fn left(&self, now: Moment) -> Option<Duration> {
        self.until.map(|until| until.since(now))
    }

    /// The one that lasts longer. Waiting for answers counts as longest.
    pub(super) fn longer(self, other: Self) -> Self {
        let end = |waiting: &Self| waiting.until.map_or(u64::MAX, Moment::as_nanos);
        if end(&other) > end(&self) {
            other
        } else {
            self
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(length) => match length.as_millis() {
                1_000 => f.write_str("second window"),
                60_000 => f.write_str("minute window"),
                3_600_000 => f.write_str("hour window"),
                86_400_000 => f.write_str("day window"),
                _ => write!(f, "{} window", friendly(*length)),
            },
            Self::Hold => f.write_str("hold by the service"),
            Self::Pace => f.write_str("even pace"),
            Self::Answers => f.write_str("answers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_named_as_people_name_them() {
        let window = |secs| Cause::Window(Duration::from_secs(secs)).to_string();
        assert_eq!(window(60), "minute window");
        assert_eq!(window(3600), "hour window");
        assert_eq!(window(90), "1m 30s window");
        assert_eq!(Cause::Hold.to_string(), "hold by the service");
    }
}

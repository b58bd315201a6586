//! One limit: a number of calls in any window of some length.

use std::{fmt, str::FromStr, time::Duration};

use jiff::SignedDuration;

/// At most this many calls in any interval of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    calls: u32,
    window: Duration,
}

/// Why a text or a pair of numbers is not a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no `/`.
    #[error("`{0}` is no limit: write CALLS/WINDOW, such as 100/1m or 1500/1h")]
    Shape(String),
    /// The part before the `/` is out of range or not a number.
    #[error("`{0}` is no number of calls: write a whole number from 1 to {MAX}", MAX = Limit::MAX_CALLS)]
    Calls(String),
    /// The part after the `/` is not a duration.
    #[error("`{0}` is no window: write a duration with its unit, such as 20s, 1m or 1h")]
    Window(String),
    /// The window's length is out of range.
    #[error("a window of {0} cannot be kept: it must last from 10ms to 24h")]
    WindowRange(String),
}

impl Limit {
    /// The most calls a window may hold. Each needs a lane, so this bounds memory (to some megabytes).
    pub(super) const MAX_CALLS: u32 = 100_000;
    /// The shortest window. In a shorter one the margin of each window and the timer's resolution, a millisecond each,
    /// would matter more than the limit.
    const MIN_WINDOW: Duration = Duration::from_millis(10);
    /// The longest window. The ledger has to keep its rows for as long.
    const MAX_WINDOW: Duration = Duration::from_hours(24);

    /// A limit of `calls` (1 to 100,000) in any `window` (10 ms to 24 h).
    ///
    /// # Errors
    /// If either is out of its range.
    pub fn new(calls: u32, window: Duration) -> Result<Self, LimitError> {
        if !(1..=Self::MAX_CALLS).contains(&calls) {
            return Err(LimitError::Calls(calls.to_string()));
        }
        if !(Self::MIN_WINDOW..=Self::MAX_WINDOW).contains(&window) {
            return Err(LimitError::WindowRange(friendly(window)));
        }
        Ok(Self { calls, window })
    }

    /// The documented limits (MDE-API.md, section 5).
    pub(super) const DOCUMENTED: [Self; 2] = [
        Self {
            calls: 100,
            window: Duration::from_mins(1),
        },
        Self {
            calls: 1500,
            window: Duration::from_hours(1),
        },
    ];

    /// The documented limits of the calls that list what devices report of their antivirus (MDE-API.md, section 7).
    pub(super) const DOCUMENTED_HEALTH: [Self; 2] = [
        Self {
            calls: 30,
            window: Duration::from_mins(1),
        },
        Self {
            calls: 1000,
            window: Duration::from_hours(1),
        },
    ];

    /// Calls per window, at least 1.
    #[must_use]
    pub const fn calls(self) -> u32 {
        self.calls
    }

    /// The window's length.
    #[must_use]
    pub const fn window(self) -> Duration {
        self.window
    }

    /// The limit when `percent` of it is left to others: rounded down, at least one call.
    #[must_use]
    pub fn less(self, percent: u8) -> Self {
        let share = u64::from(100_u8.saturating_sub(percent));
        let calls = u64::from(self.calls) * share / 100;
        Self {
            calls: u32::try_from(calls).unwrap_or(self.calls).max(1),
            ..self
        }
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let (calls, window) = text
            .split_once('/')
            .ok_or_else(|| LimitError::Shape(text.to_owned()))?;
        let calls = calls.trim();
        let calls = calls
            .parse()
            .map_err(|_| LimitError::Calls(calls.to_owned()))?;
        let window = window.trim();
        let length: SignedDuration = window
            .parse()
            .map_err(|_| LimitError::Window(window.to_owned()))?;
        let length =
            Duration::try_from(length).map_err(|_| LimitError::WindowRange(window.to_owned()))?;
        Self::new(calls, length)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.calls, friendly(self.window))
    }
}

/// A duration as people write it: `1m 30s`.
pub(super) fn friendly(span: Duration) -> String {
    format!(
        "{:#}",
        SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_reads_back_as_it_was_written() {
        for text in [
            "100/1m",
            "20/2s",
            "1500/1h",
            "1/10ms",
            "100000/24h",
            "7/1m 30s",
        ] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
        let limit: Limit = " 20 / 2 seconds".parse().unwrap();
        assert_eq!(limit, Limit::new(20, Duration::from_secs(2)).unwrap());
    }

    #[test]
    fn a_bad_limit_is_refused_in_words() {
        for (text, word) in [
            ("100", "CALLS/WINDOW"),
            ("", "CALLS/WINDOW"),
            ("0/1m", "from 1 to 100000"),
            ("100001/1m", "from 1 to 100000"),
            ("-1/1m", "from 1 to 100000"),
            ("many/1m", "from 1 to 100000"),
            ("100/", "with its unit"),
            ("100/60", "with its unit"),
            ("100/1m/2", "with its unit"),
            ("100/9ms", "from 10ms to 24h"),
            ("100/25h", "from 10ms to 24h"),
            ("100/-1m", "from 10ms to 24h"),
        ] {
            let message = text.parse::<Limit>().unwrap_err().to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
    }

    #[test]
    fn headroom_rounds_down_and_leaves_at_least_one_call() {
        let limit = |calls| Limit::new(calls, Duration::from_mins(1)).unwrap();
        assert_eq!(limit(100).less(0).calls(), 100);
        assert_eq!(limit(100).less(33).calls(), 67);
        assert_eq!(limit(15).less(10).calls(), 13);
        assert_eq!(limit(3).less(50).calls(), 1);
        assert_eq!(limit(1).less(99).calls(), 1);
        assert_eq!(limit(100).less(255).calls(), 1);
    }
}

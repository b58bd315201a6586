//! When the last call goes out, as exactly as it is known.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use super::span;

/// When the last call of a campaign will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastCall {
    /// It has been sent.
    Gone,
    /// This cannot be known yet: during an outage, or while others spend the quota.
    NotKnown,
    /// In this time from now.
    In(Expected),
}

/// How long it takes until something happens, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// At the earliest.
    pub from: Duration,
    /// If everything goes on as so far.
    pub likely: Duration,
    /// At the latest; `None` if there is too little data to say.
    pub to: Option<Duration>,
}

/// If the bounds are this close to the likely time, or closer than this share of it, one time is shown.
const NEAR: Duration = Duration::from_secs(30);
const NEAR_SHARE: f64 = 0.05;

impl Expected {
    /// Whether it is shown as one time.
    #[must_use]
    pub fn is_near(&self) -> bool {
        let near = NEAR.max(self.likely.mul_f64(NEAR_SHARE));
        self.from + near >= self.likely && self.to.is_some_and(|to| to <= self.likely + near)
    }

    /// Whether it should have happened by now.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.to.unwrap_or(self.likely).is_zero()
    }

    /// The same expectation when `passed` has gone by.
    #[must_use]
    pub fn after(self, passed: Duration) -> Self {
        Self {
            from: self.from.saturating_sub(passed),
            likely: self.likely.saturating_sub(passed),
            to: self.to.map(|to| to.saturating_sub(passed)),
        }
    }

    /// "about 14:32, in 3 h 12 min", "between 14:32 and 15:10", "by 15:10" or "no earlier than 14:32, in 3 h 12 min",
    /// with times of day in `zone`.
    #[must_use]
    pub fn in_words(&self, now: Timestamp, zone: &TimeZone) -> String {
        let at = |after| span::arrival(now, after, zone);
        let (likely, left) = (at(self.likely), span::in_words(self.likely));
        match self.to {
            None => format!("no earlier than {likely}, in {left}"),
            Some(_) if self.is_near() => format!("about {likely}, in {left}"),
            Some(to) if self.from < NEAR => format!("by {}", at(to)),
            Some(to) => format!("between {} and {}", at(self.from), at(to)),
        }
    }
}

impl LastCall {
    /// "last call about 14:32, in 3 h 12 min", with times of day in `zone`. `None` if the call has been sent or is
    /// sent at once.
    #[must_use]
    pub fn in_words(self, now: Timestamp, zone: &TimeZone) -> Option<String> {
        match self {
            Self::Gone => None,
            Self::In(expected) if expected.is_over() => None,
            Self::NotKnown => Some("last call: not known yet".to_owned()),
            Self::In(expected) => Some(format!("last call {}", expected.in_words(now, zone))),
        }
    }
}

/// An expectation without uncertainty.
#[cfg(test)]
pub(super) fn about(minutes: u64) -> Expected {
    let likely = Duration::from_mins(minutes);
    Expected {
        from: likely,
        likely,
        to: Some(likely),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_exactly_as_it_is_known() {
        let now = "2024-10-21T11:20:00Z".parse().unwrap();
        let told = |from, to: Option<u64>| {
            let expected = Expected {
                from: Duration::from_mins(from),
                to: to.map(Duration::from_mins),
                ..about(100)
            };
            expected.in_words(now, &TimeZone::UTC)
        };
        assert_eq!(told(95, Some(105)), "about 13:00, in 1 h 40 min");
        assert_eq!(told(94, Some(105)), "between 12:54 and 13:05");
        assert_eq!(told(95, Some(106)), "between 12:55 and 13:06");
        assert_eq!(told(0, Some(100)), "by 13:00");
        assert_eq!(told(100, None), "no earlier than 13:00, in 1 h 40 min");
    }
}

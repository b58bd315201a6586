//! `--not-after` and `--window`: when scan calls may go out by the wall clock.
//!
//! The dispatcher reads the clock before every call, and the worker reads it as its last act before sending.
//! The clock can be set and the computer can be suspended, so no wait becomes one long sleep.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    monitor::count,
    schedule::{daily_window::Hours, deadline::Deadline},
};

/// When scan calls may go out. All other calls may go out at any time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendTimes {
    /// No scan call goes out at or after this instant.
    pub not_after: Option<NotAfter>,
    /// Scan calls go out only inside this window.
    pub hours: Option<Hours>,
}

/// A deadline, and how it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAfter {
    /// The instant.
    pub at: Timestamp,
    /// As it was typed.
    pub typed: String,
}

impl SendTimes {
    /// Whether a scan call may go out at this wall-clock time.
    #[must_use]
    pub fn allow(&self, wall: Timestamp) -> bool {
        let in_time = self.not_after.as_ref().is_none_or(|end| wall < end.at);
        in_time && self.hours.as_ref().is_none_or(|hours| hours.contains(wall))
    }

    /// Why the campaign stops, if the deadline has passed with `left` rows to go.
    #[must_use]
    pub fn over(&self, wall: Timestamp, left: u64) -> Option<String> {
        let end = self.not_after.as_ref().filter(|end| wall >= end.at)?;
        Some(format!(
            "--not-after {}: it is that late, and {} left; the same command goes on with a later --not-after, \
             or without it",
            end.typed,
            count::are(left, "row")
        ))
    }

    /// Whether the deadline has passed, and would have passed for the same command given again.
    #[must_use]
    pub(crate) fn stays_over(&self, wall: Timestamp) -> bool {
        let end = self.not_after.as_ref().filter(|end| wall >= end.at);
        // A time of day alone means its next occurrence when the command is given again.
        let is_next = |typed: &str| matches!(typed.parse(), Ok(Deadline::Next(_)));
        end.is_some_and(|end| !is_next(&end.typed))
    }

    /// What scan calls wait for and for how long, if they wait for the window.
    #[must_use]
    pub fn waiting(&self, wall: Timestamp) -> Option<(String, Duration)> {
        let hours = self.hours.as_ref().filter(|hours| !hours.contains(wall))?;
        let left = span(wall, hours.next_opening(wall));
        Some((
            format!("window opens at {}", hours.opening_in_words()),
            left,
        ))
    }
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    let span: SignedDuration = to.duration_since(from);
    Duration::try_from(span).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn times(not_after: Option<&str>, hours: Option<&str>) -> SendTimes {
        SendTimes {
            not_after: not_after.map(|text| NotAfter {
                at: instant(text),
                typed: text.to_owned(),
            }),
            hours: hours.map(|text| text.parse().unwrap()),
        }
    }

    #[test]
    fn the_last_moment_is_the_one_before_the_deadline() {
        let times = times(Some("2026-11-24T18:00:00Z"), None);
        assert!(times.allow(instant("2026-11-24T17:59:59.999Z")));
        assert!(!times.allow(instant("2026-11-24T18:00:00Z")));
        assert_eq!(times.over(instant("2026-11-24T17:59:59.999Z"), 3), None);
        let why = times.over(instant("2026-11-24T18:00:00Z"), 3).unwrap();
        assert!(why.contains("3 rows are left"), "{why}");
    }

    #[test]
    fn both_must_allow_a_call() {
        let times = times(Some("2026-11-24T23:00:00Z"), Some("22:00-06:00@UTC"));
        for (at, allowed) in [
            ("2026-11-24T21:59:59.999Z", false),
            ("2026-11-24T22:00:00Z", true),
            ("2026-11-24T22:59:59.999Z", true),
            ("2026-11-24T23:00:00Z", false),
        ] {
            assert_eq!(times.allow(instant(at)), allowed, "{at}");
        }
    }

    #[test]
    fn whoever_waits_is_told_when_the_window_opens() {
        let times = times(None, Some("22:00-06:00@UTC"));
        let waiting = times.waiting(instant("2026-11-24T21:30:00Z"));
        let half_an_hour = Duration::from_mins(30);
        assert_eq!(
            waiting,
            Some(("window opens at 22:00 (UTC)".to_owned(), half_an_hour))
        );
        assert_eq!(times.waiting(instant("2026-11-24T22:00:00Z")), None);
    }
}

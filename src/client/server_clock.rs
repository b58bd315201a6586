//! The server's clock, as the `Date` headers of its answers show it. Filters name times of this clock, never
//! of ours, which may be hours off.

use jiff::{SignedDuration, Timestamp};

use crate::quota::Moment;

/// The latest `Date` header, and when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerClock {
    latest: Option<(Moment, Timestamp)>,
}

impl ServerClock {
    /// Records a `Date` header that came at `at`. Older ones are ignored.
    pub fn update(&mut self, at: Moment, date: Option<Timestamp>) {
        if let Some(date) = date
            && self.latest.is_none_or(|(before, _)| before <= at)
        {
            self.latest = Some((at, date));
        }
    }

    /// What the server's clock showed, or will show, at `moment`; `None` until an answer has had a `Date`
    /// header.
    #[must_use]
    pub fn at(&self, moment: Moment) -> Option<Timestamp> {
        let (latest, date) = self.latest?;
        let after = SignedDuration::try_from(moment.since(latest)).ok()?;
        let before = SignedDuration::try_from(latest.since(moment)).ok()?;
        date.checked_add(after).ok()?.checked_sub(before).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_before_and_after_the_last_answer_are_told_by_it() {
        let mut clock = ServerClock::default();
        let at = Moment::ZERO + Duration::from_secs(100);
        assert_eq!(clock.at(at), None);
        clock.update(at, Some("2026-11-23T10:00:00Z".parse().unwrap()));
        clock.update(at, None);
        clock.update(
            at - Duration::from_secs(1),
            Some("2020-01-01T00:00:00Z".parse().unwrap()),
        );
        let told = |moment| clock.at(moment).map(|t| t.to_string());
        assert_eq!(
            told(at - Duration::from_secs(30)).as_deref(),
            Some("2026-11-23T09:59:30Z")
        );
        assert_eq!(
            told(at + Duration::from_secs(30)).as_deref(),
            Some("2026-11-23T10:00:30Z")
        );
    }
}

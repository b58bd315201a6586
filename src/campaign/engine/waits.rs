//! How long a run has waited for what, for the report.

use std::{collections::BTreeMap, time::Duration};

use crate::{monitor::Waiting, quota::Moment};

/// How often it is noted at most, together with whatever is written then.
const NOTED_EVERY: Duration = Duration::from_mins(1);

/// When nothing else is written it is noted this often, so that a kill forgets no more.
const NOTED_ALONE_EVERY: Duration = Duration::from_mins(10);

/// At most so much of the time between two looks counts as waiting. If there was more, the computer slept, or the
/// process was stopped.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// Adds up how long the next call waited, by cause. It is told the cause at least once a second, and each time that
/// something happens, so that what it adds up is right to about a second for each wait.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Since when the next call waits, and what for.
    since: Option<(Moment, String)>,
    sums: BTreeMap<String, Duration>,
    noted: Option<Moment>,
    has_news: bool,
}

impl Waits {
    /// Takes note of what the next call waits for from now on.
    pub(super) fn at(&mut self, now: Moment, waiting: Option<&Waiting>) {
        let waited = self.since.take();
        if let Some((since, cause)) = waited {
            let span = now.since(since).min(LONGEST_LOOK);
            self.has_news |= !span.is_zero();
            *self.sums.entry(cause).or_default() += span;
        }
        self.since = waiting.map(|waiting| (now, waiting.cause.clone().into_owned()));
    }

    /// Whether it is time to note the sums. `others` says whether something else is about to be written.
    pub(super) fn are_due(&self, now: Moment, others: bool) -> bool {
        let every = if others {
            NOTED_EVERY
        } else {
            NOTED_ALONE_EVERY
        };
        self.has_news && self.noted.is_none_or(|noted| now.since(noted) >= every)
    }

    /// The sums in milliseconds, which are noted now.
    pub(super) fn noted(&mut self, now: Moment) -> BTreeMap<String, u64> {
        self.noted = Some(now);
        self.has_news = false;
        let sums = self.sums.iter();
        sums.map(|(cause, sum)| {
            (
                cause.clone(),
                u64::try_from(sum.as_millis()).unwrap_or(u64::MAX),
            )
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(cause: &'static str) -> Waiting {
        Waiting {
            what: String::new(),
            cause: cause.into(),
            left: None,
        }
    }

    #[test]
    fn each_moment_counts_for_what_was_waited_for_then() {
        let start = Moment::ZERO;
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut waits = Waits::default();
        waits.at(at(0), Some(&waiting("minute")));
        waits.at(at(1), Some(&waiting("minute")));
        waits.at(at(3), Some(&waiting("hour")));
        waits.at(at(10), None);
        waits.at(at(20), Some(&waiting("minute")));
        waits.at(at(21), None);
        let sums = waits.noted(at(21));
        assert_eq!(
            sums,
            [("hour".to_owned(), 7_000), ("minute".to_owned(), 4_000)].into()
        );
    }

    #[test]
    fn a_computer_that_sleeps_does_not_wait() {
        let mut waits = Waits::default();
        waits.at(Moment::ZERO, Some(&waiting("minute")));
        let later = Moment::ZERO + Duration::from_hours(8);
        waits.at(later, None);
        assert_eq!(waits.noted(later), [("minute".to_owned(), 10_000)].into());
    }

    #[test]
    fn what_is_noted_waits_for_news_and_for_its_time() {
        let start = Moment::ZERO;
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut waits = Waits::default();
        assert!(!waits.are_due(at(9_000), true), "there is nothing to note");
        waits.at(at(0), Some(&waiting("minute")));
        waits.at(at(1), Some(&waiting("minute")));
        assert!(waits.are_due(at(1), false));
        let _ = waits.noted(at(1));
        waits.at(at(70), None);
        assert!(!waits.are_due(at(60), true));
        assert!(waits.are_due(at(61), true) && !waits.are_due(at(61), false));
        assert!(waits.are_due(at(601), false));
    }
}

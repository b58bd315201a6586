//! When the sign-in service may be asked for a token again, however earlier requests ended.

use std::{collections::VecDeque, time::Duration};

/// The most token requests in any minute, whether they fail at once, return tokens that have expired on arrival, or
/// return tokens that the API refuses. During an outage there are seven in the first minute (after 0, 1, 3, 7, 15, 30
/// and 45 s), perhaps just after one that succeeded. The service locks out an application that asks in a loop
/// (AADSTS50196).
pub(super) const MOST_A_MINUTE: usize = 8;

/// The time to which [`MOST_A_MINUTE`] applies.
const MINUTE: Duration = Duration::from_mins(1);

/// The first and the longest pause after a request that failed. Each pause is twice as long as the one before.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// The last requests, and when the next may be sent.
#[derive(Debug, Default)]
pub(super) struct RequestPace {
    /// When they were sent; at most [`MOST_A_MINUTE`] of them.
    sent: VecDeque<Duration>,
    /// How many have failed since one succeeded.
    failures: u32,
    not_before: Duration,
}

impl RequestPace {
    /// How long the next request has to wait.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        let full = self.sent.len() >= MOST_A_MINUTE;
        let free = match self.sent.front() {
            Some(oldest) if full => oldest.saturating_add(MINUTE),
            _ => Duration::ZERO,
        };
        free.max(self.not_before).saturating_sub(now)
    }

    /// A request is sent.
    pub(super) fn sends(&mut self, now: Duration) {
        if self.sent.len() >= MOST_A_MINUTE {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    /// The last request failed.
    pub(super) fn failed(&mut self, now: Duration) {
        let pause = PAUSES.0.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(pause.min(PAUSES.1));
    }

    /// The last request returned a token.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which requests are sent that all end at once.
    fn schedule(requests: usize, fail: bool) -> Vec<u64> {
        let (mut pace, mut now) = (RequestPace::default(), Duration::ZERO);
        let mut at = Vec::new();
        for _ in 0..requests {
            now += pace.wait(now);
            pace.sends(now);
            at.push(now.as_secs());
            if fail {
                pace.failed(now);
            } else {
                pace.succeeded();
            }
        }
        at
    }

    #[test]
    fn an_outage_is_asked_at_growing_intervals_and_the_bound_never_delays_it() {
        assert_eq!(schedule(9, true), [0, 1, 3, 7, 15, 30, 45, 60, 75]);
    }

    #[test]
    fn tokens_that_are_of_no_use_come_at_most_so_often() {
        let at = schedule(3 * MOST_A_MINUTE, false);
        assert_eq!(at[MOST_A_MINUTE - 1..=MOST_A_MINUTE], [0, 60]);
        assert_eq!(at[2 * MOST_A_MINUTE..], [120; MOST_A_MINUTE]);
    }

    #[test]
    fn a_token_that_came_ends_the_pauses() {
        let mut pace = RequestPace::default();
        for _ in 0..100 {
            pace.failed(Duration::ZERO);
        }
        assert_eq!(pace.wait(Duration::ZERO), PAUSES.1);
        pace.succeeded();
        assert_eq!(pace.wait(Duration::ZERO), Duration::ZERO);
    }
}

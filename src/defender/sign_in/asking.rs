//! When the sign-in service may be asked for a token again, whatever has become of the tokens before.

use std::{collections::VecDeque, time::Duration};

/// So many token requests go out in any minute, and no more, whether they fail at once, bring tokens that are dead on
/// arrival, or bring tokens that the API refuses one after the other. An outage asks seven times in its first minute
/// (after 0, 1, 3, 7, 15, 30 and 45 s), perhaps just after a request that went well; the service locks an application
/// out that asks in a loop (AADSTS50196).
pub(super) const MOST_A_MINUTE: usize = 8;

/// What [`MOST_A_MINUTE`] counts over.
const MINUTE: Duration = Duration::from_mins(1);

/// The first and the longest pause after a request that came to nothing; each is twice the one before.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// The last requests, and what has to be waited for before the next.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// When they went out, at most [`MOST_A_MINUTE`] of them.
    asked: VecDeque<Duration>,
    /// How many have come to nothing since one went well.
    failures: u32,
    not_before: Duration,
}

impl Asking {
    /// How long the next request has to wait.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        let full = self.asked.len() >= MOST_A_MINUTE;
        let free = match self.asked.front() {
            Some(oldest) if full => oldest.saturating_add(MINUTE),
            _ => Duration::ZERO,
        };
        free.max(self.not_before).saturating_sub(now)
    }

    /// A request goes out.
    pub(super) fn asks(&mut self, now: Duration) {
        if self.asked.len() >= MOST_A_MINUTE {
            self.asked.pop_front();
        }
        self.asked.push_back(now);
    }

    /// The last request came to nothing.
    pub(super) fn failed(&mut self, now: Duration) {
        let pause = PAUSES.0.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(pause.min(PAUSES.1));
    }

    /// The last request brought a token.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which requests go out that all end at once.
    fn schedule(requests: usize, fail: bool) -> Vec<u64> {
        let (mut asking, mut now) = (Asking::default(), Duration::ZERO);
        let mut at = Vec::new();
        for _ in 0..requests {
            now += asking.wait(now);
            asking.asks(now);
            at.push(now.as_secs());
            if fail {
                asking.failed(now);
            } else {
                asking.succeeded();
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
        let mut asking = Asking::default();
        for _ in 0..100 {
            asking.failed(Duration::ZERO);
        }
        assert_eq!(asking.wait(Duration::ZERO), PAUSES.1);
        asking.succeeded();
        assert_eq!(asking.wait(Duration::ZERO), Duration::ZERO);
    }
}

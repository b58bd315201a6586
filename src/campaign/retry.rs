//! When a target is tried again: policy as data, backoff as arithmetic.

use std::time::Duration;

/// The upper limit of the first backoff. A gateway's hiccup is over within a second or two.
const BASE: Duration = Duration::from_secs(2);

/// The upper limit of the last backoff. After five minutes it is an outage, and waiting longer between tries
/// would only leave quota unused.
const CEILING: Duration = Duration::from_mins(5);

/// A 404 counts only if it is repeated this much later: spurious ones have been seen (MDE-API.md, section 2).
pub(crate) const NOT_FOUND_AGAIN: Duration = Duration::from_secs(5);

/// After this many 429s in a row, a target goes behind all others: something about it may be what is refused.
pub(crate) const THROTTLED_IN_A_ROW: u8 = 3;

/// What to do about a machine on which somebody else's scan is waiting or running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnPending {
    /// It ends as `already_pending`.
    #[default]
    Skip,
    /// It is tried again later, so that it gets a scan of ours in the end.
    Retry {
        /// How much later.
        delay: Duration,
        /// How often it is tried in all, by a call or by a check of the list, the first time included; at
        /// least 1.
        tries: u32,
    },
}

/// Targets whose delays end within this time share one check of the list of scans. Machines that were called
/// in one burst were answered some hundred milliseconds apart.
const GATHER: Duration = Duration::from_secs(5);

impl OnPending {
    /// How long to gather targets whose delay is over for one check of the list. This lengthens a short delay
    /// by a tenth at most.
    #[must_use]
    pub fn gather(self) -> Duration {
        match self {
            Self::Retry { delay, .. } => GATHER.min(delay / 10),
            Self::Skip => GATHER,
        }
    }

    /// How long after it was found busy a machine is tried again.
    #[must_use]
    pub(crate) fn asked_after(self) -> Duration {
        match self {
            Self::Retry { delay, .. } => delay + self.gather(),
            Self::Skip => Duration::ZERO,
        }
    }
}

/// When and how often a target is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The number of tries in all, the first included; at least 1. A 429, the first 401 and "already pending"
    /// do not count.
    pub max_attempts: u32,
    /// What to do about busy machines.
    pub on_pending: OnPending,
}

/// While the API answers for other machines, the tries of a machine whose calls it does not answer are spread
/// over at least this time: the cause may have gone by then.
const SPREAD: Duration = Duration::from_mins(10);

impl Policy {
    /// How long after an attempt was given up the next one follows, where this many `tries` have failed:
    /// twice as long each time, ten minutes in all.
    #[must_use]
    pub fn spread(&self, tries: u32, rng: &mut fastrand::Rng) -> Duration {
        let gaps = self.max_attempts.saturating_sub(1).clamp(1, 31);
        let shares = f64::from(u32::MAX >> (32 - gaps));
        let share = f64::from(1_u32 << tries.saturating_sub(1).min(gaps - 1));
        SPREAD.mul_f64(share / shares * (1.0 + rng.f64() / 10.0))
    }

    /// The longest that a target waits before it is tried again.
    #[must_use]
    pub(crate) fn longest_delay(&self) -> Duration {
        match self.on_pending {
            OnPending::Skip => CEILING,
            OnPending::Retry { delay, .. } => delay.max(CEILING),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            on_pending: OnPending::Skip,
        }
    }
}

/// The delay before try number `tries` + 1: exponential with full jitter, so that machines that failed
/// together are not tried together again.
#[must_use]
pub(crate) fn backoff(tries: u32, rng: &mut fastrand::Rng) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    let edge = BASE.saturating_mul(1 << doublings).min(CEILING);
    edge.mul_f64(rng.f64())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_backoff_never_leaves_its_edges(tries in 1..100_u32, seed: u64) {
            let delay = backoff(tries, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(delay <= CEILING);
            prop_assert!(delay <= BASE * 2_u32.pow((tries - 1).min(20)));
        }
    }

    #[test]
    fn the_tries_of_a_machine_are_spread_over_ten_minutes() {
        let mut rng = fastrand::Rng::with_seed(1);
        for max_attempts in 2..40 {
            let policy = Policy {
                max_attempts,
                ..Policy::default()
            };
            let all: Duration = (1..max_attempts)
                .map(|tries| policy.spread(tries, &mut rng))
                .sum();
            assert!(
                all + Duration::from_secs(1) >= SPREAD,
                "{max_attempts}: {all:?}"
            );
            assert!(policy.spread(1, &mut rng) <= SPREAD.mul_f64(1.1));
        }
    }

    #[test]
    fn the_jitter_is_full() {
        let mut rng = fastrand::Rng::with_seed(1);
        let delays: Vec<_> = (0..1000).map(|_| backoff(3, &mut rng)).collect();
        assert!(delays.iter().any(|d| *d < Duration::from_millis(400)));
        assert!(delays.iter().any(|d| *d > Duration::from_millis(7600)));
    }
}

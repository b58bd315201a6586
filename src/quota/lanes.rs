//! Lanes on top of `governor`: token buckets of one call each.
//!
//! `governor` decides whether a lane is ready and when it will be. We use two of its extension points: a [`Clock`]
//! whose reading is set before each decision, so that time can be virtual, and a [`StateStore`] that keeps no states:
//! a decision's key is the lane's state itself. So a lane can be checked without spending, and restarted at any moment,
//! past or future, and its state can be read without a lock.

use std::{
    ops::Add,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::StateStore,
};

use super::clock::Moment;

/// A number of lanes with the same period, numbered from 0.
#[derive(Debug)]
pub(super) struct Lanes {
    limiter: RateLimiter<LaneState, Decided, Reading, NoOpMiddleware<Moment>>,
    /// Shared with the limiter.
    decided: Decided,
    states: Vec<LaneState>,
}

impl Lanes {
    /// Makes `count` lanes. All are ready, and each is ready again `period` after it was spent or restarted. A period
    /// of zero counts as one nanosecond.
    pub(super) fn new(count: usize, period: Duration) -> Self {
        let decided = Decided::default();
        let quota = Quota::with_period(period)
            .unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MAX));
        Self {
            // The reading is the clock's zero here, so that governor's times and ours have the same origin.
            limiter: RateLimiter::new(quota, decided.clone(), Reading::default()),
            decided,
            states: vec![READY; count],
        }
    }

    /// Whether the lane is ready at `now`; if not, when it will be. Spends nothing.
    pub(super) fn check(&self, lane: usize, now: Moment) -> Result<(), Moment> {
        self.decide(self.states[lane], now).map(drop)
    }

    /// Spends the lane at `now`. It must be ready.
    pub(super) fn spend(&mut self, lane: usize, now: Moment) {
        let spent = self.decide(self.states[lane], now);
        debug_assert!(spent.is_ok(), "a lane is spent only when it is ready");
        if let Ok(spent) = spent {
            self.states[lane] = spent;
        }
    }

    /// Restarts the lane: it is ready one period after `at`, whatever its state was.
    pub(super) fn restart(&mut self, lane: usize, at: Moment) {
        let restarted = self.decide(READY, at);
        debug_assert!(restarted.is_ok(), "a lane can be restarted at any moment");
        if let Ok(restarted) = restarted {
            self.states[lane] = restarted;
        }
    }

    /// Makes the lane ready, as if it had never been spent.
    pub(super) fn clear(&mut self, lane: usize) {
        self.states[lane] = READY;
    }

    /// When the lane is ready.
    pub(super) fn ready_at(&self, lane: usize) -> Moment {
        Moment::from_nanos(self.states[lane])
    }

    /// Adds a lane that is ready, and returns its number.
    pub(super) fn grow(&mut self) -> usize {
        self.states.push(READY);
        self.states.len() - 1
    }

    /// What becomes of a lane that is spent at `now`; if it is not ready, when it will be.
    fn decide(&self, lane: LaneState, now: Moment) -> Result<LaneState, Moment> {
        self.limiter.clock().set(now);
        self.limiter
            .check_key(&lane)
            .map(|()| self.decided.get())
            .map_err(|refusal| refusal.earliest_possible())
    }
}

/// The state of a lane, as governor has it: when it is ready, in nanoseconds.
type LaneState = u64;

/// The state of a lane that has been ready since the clock's zero.
const READY: LaneState = 0;

/// The state store, whose keys are states: it only remembers what the lane of the last decision becomes. governor does
/// not give access to its store, so we share it.
#[derive(Debug, Clone, Default)]
struct Decided(Arc<AtomicU64>);

impl Decided {
    fn get(&self) -> LaneState {
        self.0.load(Ordering::Relaxed)
    }
}

impl StateStore for Decided {
    type Key = LaneState;

    fn measure_and_replace<T, F, E>(&self, lane: &LaneState, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, after) = decide(Some(Nanos::new(*lane)))?;
        self.0.store(after.as_u64(), Ordering::Relaxed);
        Ok(answer)
    }
}

/// The clock that governor reads. It stands still until it is set again.
#[derive(Debug, Default)]
struct Reading(AtomicU64);

impl Reading {
    fn set(&self, now: Moment) {
        self.0.store(now.as_nanos(), Ordering::Relaxed);
    }
}

impl Clock for Reading {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        Nanos::new(self.as_nanos().saturating_sub(earlier.as_nanos()))
    }

    fn saturating_sub(&self, span: Nanos) -> Self {
        Self::from_nanos(self.as_nanos().saturating_sub(span.as_u64()))
    }
}

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, span: Nanos) -> Self {
        Self::from_nanos(self.as_nanos().saturating_add(span.as_u64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_mins(1);

    fn at(secs: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn a_lane_is_ready_exactly_one_period_after_it_was_restarted() {
        let mut lanes = Lanes::new(2, PERIOD);
        lanes.restart(0, at(100));
        assert_eq!(lanes.check(0, at(100)), Err(at(160)));
        assert_eq!(
            lanes.check(0, at(160) - Duration::from_nanos(1)),
            Err(at(160))
        );
        assert_eq!(lanes.check(0, at(160)), Ok(()));
        assert_eq!(lanes.check(1, at(100)), Ok(()));
    }

    #[test]
    fn checking_spends_nothing() {
        let lanes = Lanes::new(1, PERIOD);
        for _ in 0..3 {
            assert_eq!(lanes.check(0, at(5)), Ok(()));
        }
        assert_eq!(lanes.ready_at(0), Moment::ZERO);
    }

    #[test]
    fn a_lane_can_be_restarted_in_the_past_and_in_the_future() {
        let mut lanes = Lanes::new(1, PERIOD);
        lanes.restart(0, at(500));
        assert_eq!(lanes.ready_at(0), at(560));
        lanes.restart(0, at(100));
        assert_eq!(lanes.ready_at(0), at(160));
    }
}

//! Lanes on top of `governor`: token buckets of one call each, each lane a key.
//!
//! `governor` decides whether a lane is ready and when it will be. We use two of its extension points: a [`Clock`]
//! whose reading is set before each decision, so that time can be virtual, and a [`StateStore`] that can be checked
//! without spending, and whose lanes can be restarted at any moment, past or future.

use std::{
    ops::Add,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
    limiter: RateLimiter<LaneOp, LaneStore, Reading, NoOpMiddleware<Moment>>,
    lane_store: LaneStore,
}

impl Lanes {
    /// Makes `count` lanes. All are ready, and each is ready again `period` after it was spent or restarted. A period
    /// of zero counts as one nanosecond.
    pub(super) fn new(count: usize, period: Duration) -> Self {
        let lane_store = LaneStore(Arc::new(Mutex::new(vec![READY; count])));
        let quota = Quota::with_period(period)
            .unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MAX));
        Self {
            // The reading is the clock's zero here, so that governor's times and ours have the same origin.
            limiter: RateLimiter::new(quota, lane_store.clone(), Reading::default()),
            lane_store,
        }
    }

    /// Whether the lane is ready at `now`; if not, when it will be. Spends nothing.
    pub(super) fn check(&self, lane: usize, now: Moment) -> Result<(), Moment> {
        self.limiter.clock().set(now);
        self.limiter
            .check_key(&LaneOp::Check(lane))
            .map_err(|refusal| refusal.earliest_possible())
    }

    /// Spends the lane at `now`. It must be ready.
    pub(super) fn spend(&self, lane: usize, now: Moment) {
        self.limiter.clock().set(now);
        let spent = self.limiter.check_key(&LaneOp::Spend(lane));
        debug_assert!(spent.is_ok(), "a lane is spent only when it is ready");
    }

    /// Restarts the lane: it is ready one period after `at`, whatever its state was.
    pub(super) fn restart(&self, lane: usize, at: Moment) {
        self.limiter.clock().set(at);
        let restarted = self.limiter.check_key(&LaneOp::Restart(lane));
        debug_assert!(restarted.is_ok(), "a lane can be restarted at any moment");
    }

    /// Makes the lane ready, as if it had never been spent.
    pub(super) fn clear(&self, lane: usize) {
        self.lane_store.states()[lane] = READY;
    }

    /// When the lane is ready.
    pub(super) fn ready_at(&self, lane: usize) -> Moment {
        Moment::from_nanos(self.lane_store.states()[lane])
    }

    /// Adds a lane that is ready, and returns its number.
    pub(super) fn grow(&self) -> usize {
        let mut states = self.lane_store.states();
        states.push(READY);
        states.len() - 1
    }
}

/// The state of a lane that has been ready since the clock's zero.
const READY: u64 = 0;

/// What governor is to do with a lane. This is the key of its store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum LaneOp {
    /// Check whether it is ready; change nothing.
    Check(usize),
    /// Spend it if it is ready.
    Spend(usize),
    /// Spend it as if it were ready.
    Restart(usize),
}

/// The state store: when each lane is ready, in nanoseconds. governor does not give access to its store, so we share
/// it; the lock is never contended.
#[derive(Debug, Clone)]
struct LaneStore(Arc<Mutex<Vec<u64>>>);

impl LaneStore {
    fn states(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for LaneStore {
    type Key = LaneOp;

    fn measure_and_replace<T, F, E>(&self, op: &LaneOp, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (LaneOp::Check(lane) | LaneOp::Spend(lane) | LaneOp::Restart(lane)) = *op;
        let state = &mut self.states()[lane];
        let before = match op {
            LaneOp::Restart(_) => READY,
            LaneOp::Check(_) | LaneOp::Spend(_) => *state,
        };
        let (answer, after) = decide(Some(Nanos::new(before)))?;
        match op {
            LaneOp::Check(_) => {}
            LaneOp::Spend(_) | LaneOp::Restart(_) => *state = after.as_u64(),
        }
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
        let lanes = Lanes::new(2, PERIOD);
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
        let lanes = Lanes::new(1, PERIOD);
        lanes.restart(0, at(500));
        assert_eq!(lanes.ready_at(0), at(560));
        lanes.restart(0, at(100));
        assert_eq!(lanes.ready_at(0), at(160));
    }
}

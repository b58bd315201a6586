//! Lanes on `governor`: token buckets of one call each, one key a lane.
//!
//! `governor` decides whether a lane is ready and when it will be. Two of its extension points are ours: a
//! [`Clock`] whose reading is set once per decision, so that time can be virtual, and a [`StateStore`] that can be asked
//! without spending and whose lanes can be armed at any moment, past or future.

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

/// Some lanes of one period. Lanes have numbers, from 0.
#[derive(Debug)]
pub(super) struct Lanes {
    limiter: RateLimiter<Ask, LaneStore, Reading, NoOpMiddleware<Moment>>,
    lane_store: LaneStore,
}

impl Lanes {
    /// `count` lanes, all ready, each ready again `period` after it was armed. A period of nothing is made one
    /// nanosecond.
    pub(super) fn new(count: usize, period: Duration) -> Self {
        let lane_store = LaneStore(Arc::new(Mutex::new(vec![READY; count])));
        let quota = Quota::with_period(period)
            .unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MAX));
        Self {
            // The reading is the clock's zero here, so that governor's own times are ours too.
            limiter: RateLimiter::new(quota, lane_store.clone(), Reading::default()),
            lane_store,
        }
    }

    /// Whether the lane is ready at `now`, or when it will be. Nothing is spent.
    pub(super) fn look(&self, lane: usize, now: Moment) -> Result<(), Moment> {
        self.limiter.clock().set(now);
        self.limiter
            .check_key(&Ask::Look(lane))
            .map_err(|refusal| refusal.earliest_possible())
    }

    /// Spends the lane at `now`, when it must be ready.
    pub(super) fn spend(&self, lane: usize, now: Moment) {
        self.limiter.clock().set(now);
        let spent = self.limiter.check_key(&Ask::Spend(lane));
        debug_assert!(spent.is_ok(), "a lane is spent only when it is ready");
    }

    /// Arms the lane: it is ready one period after `at`, whatever it was before.
    pub(super) fn arm(&self, lane: usize, at: Moment) {
        self.limiter.clock().set(at);
        let armed = self.limiter.check_key(&Ask::Arm(lane));
        debug_assert!(armed.is_ok(), "a lane can be armed at any moment");
    }

    /// Makes the lane ready, as if it had never been spent.
    pub(super) fn clear(&self, lane: usize) {
        self.lane_store.states()[lane] = READY;
    }

    /// When the lane is ready.
    pub(super) fn ready_at(&self, lane: usize) -> Moment {
        Moment::from_nanos(self.lane_store.states()[lane])
    }

    /// Adds a lane, ready, and returns its number.
    pub(super) fn grow(&self) -> usize {
        let mut states = self.lane_store.states();
        states.push(READY);
        states.len() - 1
    }
}

/// The state of a lane that is ready since the clock's zero.
const READY: u64 = 0;

/// What governor is asked about a lane: this is the key of its store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Ask {
    /// Is it ready? Nothing changes.
    Look(usize),
    /// If it is ready, spend it.
    Spend(usize),
    /// Spend it as if it were ready.
    Arm(usize),
}

/// The state store: when each lane is ready, in nanoseconds. governor keeps it to itself once it has it, so it is shared;
/// the lock is never contended.
#[derive(Debug, Clone)]
struct LaneStore(Arc<Mutex<Vec<u64>>>);

impl LaneStore {
    fn states(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for LaneStore {
    type Key = Ask;

    fn measure_and_replace<T, F, E>(&self, ask: &Ask, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (Ask::Look(lane) | Ask::Spend(lane) | Ask::Arm(lane)) = *ask;
        let state = &mut self.states()[lane];
        let before = match ask {
            Ask::Arm(_) => READY,
            Ask::Look(_) | Ask::Spend(_) => *state,
        };
        let (answer, after) = decide(Some(Nanos::new(before)))?;
        match ask {
            Ask::Look(_) => {}
            Ask::Spend(_) | Ask::Arm(_) => *state = after.as_u64(),
        }
        Ok(answer)
    }
}

/// The clock that governor reads: it stands wherever it was set.
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
    fn a_lane_is_ready_exactly_one_period_after_it_was_armed() {
        let lanes = Lanes::new(2, PERIOD);
        lanes.arm(0, at(100));
        assert_eq!(lanes.look(0, at(100)), Err(at(160)));
        assert_eq!(
            lanes.look(0, at(160) - Duration::from_nanos(1)),
            Err(at(160))
        );
        assert_eq!(lanes.look(0, at(160)), Ok(()));
        assert_eq!(lanes.look(1, at(100)), Ok(()));
    }

    #[test]
    fn looking_spends_nothing() {
        let lanes = Lanes::new(1, PERIOD);
        for _ in 0..3 {
            assert_eq!(lanes.look(0, at(5)), Ok(()));
        }
        assert_eq!(lanes.ready_at(0), Moment::ZERO);
    }

    #[test]
    fn a_lane_can_be_armed_in_the_past_and_in_the_future() {
        let lanes = Lanes::new(1, PERIOD);
        lanes.arm(0, at(500));
        assert_eq!(lanes.ready_at(0), at(560));
        lanes.arm(0, at(100));
        assert_eq!(lanes.ready_at(0), at(160));
    }
}

//! One limit with the lanes of every kind of call, or of the one kind that it is for.
//!
//! A pool's free lanes are ordered by the moment at which they become ready. A lane that a call has taken is in no pool
//! until its window is restarted or it is put back. To *park* n lanes is to withhold the n that would be ready first: a
//! call may go when the lane behind them is ready. So a parked lane keeps its state, and no more than `size - n` calls
//! can be in the window.

use std::{collections::VecDeque, time::Duration};

use super::{clock::Moment, cut::Cut, kind::Kind, lanes::Lanes, limit::Limit};
use crate::audit::audit;

/// Added to each window, so that the limit also holds in intervals that are closed at both ends, and on a server whose
/// clock ticks in milliseconds.
const MARGIN: Duration = Duration::from_millis(1);

/// A limit, and what has been spent of it by each kind of call.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    /// The lanes of all pools. They share one store, so that pools can be joined.
    lanes: Lanes,
    pools: Vec<Pool>,
}

/// The lanes of one kind, or of all kinds once they are joined. A window of one kind has one pool, the first.
#[derive(Debug)]
struct Pool {
    /// Lanes that no call has taken, ordered by when they become ready.
    free: VecDeque<usize>,
    /// Lanes of this pool, free or taken.
    size: usize,
    cut: Cut,
}

impl Window {
    /// A window with `pools` pools of `whole.calls()` lanes each, of which `kept.calls()` may be used. The rest are
    /// parked: calls of other processes, whose headroom may be smaller, take their lanes from them.
    pub(super) fn new(whole: Limit, kept: Limit, pools: usize) -> Self {
        let length = whole.window();
        let size = usize_of(whole.calls());
        let lanes = Lanes::new(size * pools, length + MARGIN);
        let pools = (0..pools)
            .map(|pool| Pool {
                free: (pool * size..(pool + 1) * size).collect(),
                size,
                cut: Cut::new(kept.calls(), length),
            })
            .collect();
        Self {
            length,
            lanes,
            pools,
        }
    }

    /// The window's length, without the margin.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// The time from an answer until the lane is ready again: the window's length and the margin.
    pub(super) fn period(&self) -> Duration {
        self.length + MARGIN
    }

    /// Whether a call may go now. If not, when the next one may; `None` if that depends on answers.
    pub(super) fn check(&self, pool: usize, now: Moment) -> Result<(), Option<Moment>> {
        let next = self.pools[pool].free.get(self.parked(pool, now));
        next.ok_or(None)
            .and_then(|&lane| self.lanes.check(lane, now).map_err(Some))
    }

    /// Takes a lane for a call that goes now. A call that passed [`check`](Self::check) finds a ready one. A call that
    /// another process made may not; then the pool gets an additional lane, so that the call counts nevertheless.
    pub(super) fn take(&mut self, pool: usize, now: Moment) -> usize {
        let pool = &mut self.pools[pool];
        let ready = pool
            .free
            .pop_front_if(|lane| self.lanes.ready_at(*lane) <= now);
        let lane = ready.unwrap_or_else(|| {
            pool.size += 1;
            self.lanes.grow()
        });
        self.lanes.spend(lane, now);
        lane
    }

    /// Gives a lane back as if it had never been taken.
    pub(super) fn put_back(&mut self, pool: usize, lane: usize) {
        self.lanes.clear(lane);
        self.pools[pool].free.push_front(lane);
    }

    /// Gives a lane back; it is ready a period after `at`.
    pub(super) fn restart(&mut self, pool: usize, lane: usize, at: Moment) {
        self.lanes.restart(lane, at);
        let ready = self.lanes.ready_at(lane);
        let free = &mut self.pools[pool].free;
        // It is nearly always the last one: only the window of a call that was just given up starts at a later moment.
        let last = free.back().map(|&last| self.lanes.ready_at(last));
        if last <= Some(ready) {
            free.push_back(lane);
        } else {
            let before = free.partition_point(|&other| self.lanes.ready_at(other) <= ready);
            free.insert(before, lane);
        }
    }

    /// Reduces the limit because a call of the kind, sent at `sent`, was refused at `now`.
    pub(super) fn cut(&mut self, pool: usize, kind: Kind, sent: Moment, now: Moment) {
        let cut = &mut self.pools[pool].cut;
        if cut.refused(sent, now) {
            audit!(
                "cut",
                kind = kind.as_str(),
                window_s = self.length.as_secs_f64(),
                usable = cut.usable(now),
                limit = cut.full()
            );
        }
    }

    /// Puts all lanes into the first pool. Every lane keeps its state, so the calls of all kinds count. From now on as
    /// many lanes as the other kinds had are parked.
    pub(super) fn join(&mut self, now: Moment) {
        let others: Vec<Pool> = self.pools.drain(1..).collect();
        let pool = &mut self.pools[0];
        for other in others {
            pool.free.extend(other.free);
            pool.size += other.size;
            pool.cut = pool.cut.min(other.cut, now);
        }
        pool.free
            .make_contiguous()
            .sort_by_key(|&lane| self.lanes.ready_at(lane));
    }

    /// Calls that count against the window at `now`: those in flight, and those answered less than a window ago.
    pub(super) fn in_use(&self, pool: usize, now: Moment) -> usize {
        let pool = &self.pools[pool];
        let ready = pool
            .free
            .partition_point(|&lane| self.lanes.ready_at(lane) <= now);
        pool.size - ready
    }

    /// Calls that the window may hold at `now`, after cuts.
    pub(super) fn usable(&self, pool: usize, now: Moment) -> u32 {
        self.pools[pool].cut.usable(now)
    }

    /// Calls that the window may hold when nothing is cut.
    pub(super) fn full(&self, pool: usize) -> u32 {
        self.pools[pool].cut.full()
    }

    /// When each lane that is not parked is ready, in order. Calls in flight are taken to be answered at `now`.
    pub(super) fn forecast(&self, pool: usize, now: Moment) -> VecDeque<Moment> {
        let state = &self.pools[pool];
        let soonest_answer = now + self.period();
        let free = state
            .free
            .iter()
            .map(|&lane| self.lanes.ready_at(lane).clamp(now, soonest_answer));
        let taken = std::iter::repeat_n(soonest_answer, state.size - state.free.len());
        free.chain(taken).skip(self.parked(pool, now)).collect()
    }

    fn parked(&self, pool: usize, now: Moment) -> usize {
        let pool = &self.pools[pool];
        pool.size - usize_of(pool.cut.usable(now))
    }
}

/// A `usize` has at least 32 bits wherever there is an operating system.
fn usize_of(calls: u32) -> usize {
    usize::try_from(calls).unwrap_or(usize::MAX)
}

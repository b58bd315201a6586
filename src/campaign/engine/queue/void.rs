//! Finds the targets that have to be looked up again because their findings will be void when their turn
//! comes.

use std::time::Duration;

use super::Queue;
use crate::{campaign::engine::pending::PendingTarget, quota::Moment};

impl Queue {
    /// Removes and returns the targets whose turn comes before `horizon` and whose finding will be void by
    /// then, or up to `late` after. `turn` is the earliest time of the n-th call, counted from 1;
    /// `set_aside` others go before the retries. Targets behind all others are left alone: nothing waits for them.
    pub(crate) fn take_void(
        &mut self,
        now: Moment,
        horizon: Moment,
        late: Duration,
        set_aside: usize,
        turn: impl Fn(u64) -> Moment,
    ) -> Vec<PendingTarget> {
        self.ripen(now);
        let mut void = Vec::new();
        // Nothing beyond the horizon is urgent, and there may be many such targets.
        let is_void = |due: &PendingTarget, before: usize| {
            let then = turn(before as u64 + 1);
            (then <= horizon).then(|| due.is_void(then + late))
        };
        for (at, (&(priority, n), due)) in self.back.iter().enumerate() {
            if due.unconfirmed.is_none() {
                continue;
            }
            let fresh = self.fresh.partition_point(|f| f.priority() < priority);
            let retries = self.due.range(..(priority, Moment::ZERO, 0)).count();
            match is_void(due, at + fresh + retries) {
                None => break,
                Some(true) => void.push((priority, None, n)),
                Some(false) => {}
            }
        }
        for (at, (&(priority, since, n), waiter)) in self.due.iter().enumerate() {
            let Some(due) = waiter.target().filter(|due| due.unconfirmed.is_some()) else {
                continue;
            };
            let fresh = self.fresh.partition_point(|f| f.priority() <= priority);
            let back = self.back.range(..=(priority, u64::MAX)).count();
            match is_void(due, at + fresh + back + set_aside) {
                None => break,
                Some(true) => void.push((priority, Some(since), n)),
                Some(false) => {}
            }
        }
        let take = |(priority, since, n)| match since {
            None => self.back.remove(&(priority, n)),
            Some(since) => Some(*self.due.remove(&(priority, since, n))?.at_hand?),
        };
        void.into_iter().filter_map(take).collect()
    }
}

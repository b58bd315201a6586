//! Targets that have to be looked up again, because what was found of them will be void when their turn comes.

use std::time::Duration;

use super::Queue;
use crate::{campaign::engine::pending::PendingTarget, quota::Moment};

impl Queue {
    /// Takes out the targets whose turn comes before `horizon`, and of which a finding will be void by then or so long (`late`)
    /// after. `turn` tells when the call of that number, from 1, can go. Those behind all others are left alone: they
    /// were refused, and nobody waits for them.
    pub(crate) fn take_void(
        &mut self,
        now: Moment,
        horizon: Moment,
        late: Duration,
        turn: impl Fn(u64) -> Moment,
    ) -> Vec<PendingTarget> {
        self.ripen(now);
        let mut void = Vec::new();
        // As far as the horizon and no further: whoever goes later has time, and those in doubt may be many.
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
            match is_void(due, at + fresh + back) {
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

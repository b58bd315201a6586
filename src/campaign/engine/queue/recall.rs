//! Reads retries from the store again, shortly before their time.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{Queue, Waiter};
use crate::{
    campaign::{engine::pending::PendingTarget, journal::Place},
    quota::Moment,
    store::Target,
};

/// How long before its time a retry is read again: more than the second between two ticks of an idle run.
pub(super) const AHEAD: Duration = Duration::from_secs(2);

/// How many retries are kept in memory, which is a fifth of a second's work at 20,000 calls a second: due
/// ones first, then those that are due soon.
pub(super) const AT_HAND: usize = 4096;

impl Queue {
    /// The places of the stored targets to read now: the first of the due ones, and as many of those due soon
    /// as there is room for.
    pub fn recall(&mut self, now: Moment) -> Vec<Place> {
        if self.stored == 0 {
            return Vec::new();
        }
        self.ripen(now);
        let room = AT_HAND.saturating_sub(self.at_hand());
        let due = self
            .due
            .iter()
            .take(AT_HAND)
            .filter(|(_, waiter)| waiter.at_hand.is_none())
            .map(|(&(_, since, n), _)| (since, n));
        let soon = self
            .later
            .range(..=(now + AHEAD, u64::MAX))
            .filter(|(_, waiter)| waiter.at_hand.is_none())
            .map(|(&place, _)| place);
        due.chain(soon.take(room)).collect()
    }

    /// As [`recall`](Self::recall), while only `these` may go, no matter how many are due before them.
    pub(crate) fn recall_of(&mut self, these: &HashSet<u64>, now: Moment) -> Vec<Place> {
        if self.stored == 0 {
            return Vec::new();
        }
        self.ripen(now);
        let due = self.due.iter();
        due.filter(|((_, _, n), waiter)| waiter.at_hand.is_none() && these.contains(n))
            .map(|(&(_, since, n), _)| (since, n))
            .take(AT_HAND)
            .collect()
    }

    /// Takes in what was [recalled](Self::recall): the target of each place. A target that is missing is gone
    /// from the store.
    pub(crate) fn recalled(&mut self, places: &[Place], targets: Vec<Target>) {
        let mut targets: HashMap<u64, Target> = targets
            .into_iter()
            .map(|target| (target.n, target))
            .collect();
        for &(since, n) in places {
            let place = self.later.get(&(since, n));
            let is_later = place.is_some();
            let Some(target) = targets.remove(&n) else {
                // Nothing ends a target that waits. If one is gone all the same, its place is given up.
                self.forget(since, n);
                continue;
            };
            let waiter = Waiter::of(PendingTarget::new(target));
            let due = (waiter.priority, since, n);
            if is_later {
                self.later.insert((since, n), waiter);
            } else if self.due.contains_key(&due) {
                self.due.insert(due, waiter);
            } else {
                continue;
            }
            self.stored -= 1;
        }
    }

    /// Removes a place whose target is not in the store.
    fn forget(&mut self, since: Moment, n: u64) {
        let before = self.later.len() + self.due.len();
        self.later.remove(&(since, n));
        self.due.retain(|&(_, at, other), waiter| {
            (at, other) != (since, n) || waiter.at_hand.is_some()
        });
        self.stored -= before - self.later.len() - self.due.len();
    }
}

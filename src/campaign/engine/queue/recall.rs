//! Reading retries from the store again, shortly before their time.

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

/// So long before its time a retry is read from the store again: more than the second between two looks of a run at rest.
pub(super) const AHEAD: Duration = Duration::from_secs(2);

/// So many retries are at hand as a rule, a fifth of a second's work at 20,000 calls a second: the first ones of those that
/// are due, then those that are due soon.
pub(super) const AT_HAND: usize = 4096;

impl Queue {
    /// The places of the stored targets that are to be read now: those that go first of the due ones, and as many of those
    /// that are due soon as there is room for.
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

    /// The same while only `these` may go, however many are due before them.
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

    /// What was [recalled](Self::recall) has come: the target of each place, or none if the store has it no more.
    pub(crate) fn recalled(&mut self, places: &[Place], targets: Vec<Target>) {
        let mut targets: HashMap<u64, Target> = targets
            .into_iter()
            .map(|target| (target.n, target))
            .collect();
        for &(since, n) in places {
            let place = self.later.get(&(since, n));
            let is_later = place.is_some();
            let Some(target) = targets.remove(&n) else {
                // Nobody ends a target that waits; if one is gone all the same, nobody waits for it.
                self.forget(since, n);
                continue;
            };
            let waiter = Waiter::of(PendingTarget::new(target));
            let due = (waiter.priority, since, n);
            if is_later {
                self.later.insert((since, n), waiter);
            } else if let Some(place) = self.due.get_mut(&due) {
                *place = waiter;
            } else {
                continue;
            }
            self.stored -= 1;
        }
    }

    /// Takes away a place whose target is not in the store.
    fn forget(&mut self, since: Moment, n: u64) {
        let before = self.later.len() + self.due.len();
        self.later.remove(&(since, n));
        self.due.retain(|&(_, at, other), waiter| {
            (at, other) != (since, n) || waiter.at_hand.is_some()
        });
        self.stored -= before - self.later.len() - self.due.len();
    }
}

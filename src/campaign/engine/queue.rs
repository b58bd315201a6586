//! The targets that wait to be sent, in the order in which they go.
//!
//! By priority (a lower number first); within a priority those that a 429 put back, then fresh ones in the input's order,
//! then retries by the time they became due. Those that were refused three times running go behind all others.

mod recall;
mod void;
mod waiter;

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::pending::PendingTarget;
use crate::{quota::Moment, store::Target};
use recall::{AHEAD, AT_HAND};
pub use waiter::Stored;
use waiter::Waiter;

/// The waiting targets. A retry with nothing in doubt waits in the store: here is only its place, some thirty bytes, until it
/// is [recalled](Self::recall) shortly before its time.
#[derive(Debug, Default)]
pub struct Queue {
    back: BTreeMap<(i64, u64), PendingTarget>,
    fresh: VecDeque<PendingTarget>,
    due: BTreeMap<(i64, Moment, u64), Waiter>,
    later: BTreeMap<(Moment, u64), Waiter>,
    behind: VecDeque<PendingTarget>,
    /// How many of the retries are in the store only.
    stored: usize,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Back,
    Fresh,
    Due,
    Behind,
}

impl Queue {
    /// Adds a page of fresh targets, which come in their order.
    pub(crate) fn add_fresh(&mut self, page: Vec<Target>) {
        self.fresh.extend(page.into_iter().map(PendingTarget::new));
    }

    /// How many fresh ones are at hand.
    #[must_use]
    pub fn fresh(&self) -> usize {
        self.fresh.len()
    }

    /// Puts a target to the front of its priority.
    pub fn put_back(&mut self, mut due: PendingTarget) {
        due.front = true;
        self.back.insert((due.priority(), due.target.n), due);
    }

    /// Puts a target behind all others.
    pub(crate) fn put_behind(&mut self, mut due: PendingTarget) {
        due.front = false;
        self.behind.push_back(due);
    }

    /// Keeps a target until `not_before`. If the store has all of it, and it is not due at once, it is only recalled then.
    pub(crate) fn put_later(&mut self, mut due: PendingTarget, not_before: Moment, now: Moment) {
        due.front = false;
        let is_soon = not_before <= now + AHEAD && self.at_hand() < AT_HAND;
        let place = (not_before, due.target.n);
        let mut waiter = Waiter::of(due);
        if !is_soon {
            waiter.at_hand = waiter.at_hand.filter(|due| !due.is_plain());
        }
        self.stored += usize::from(waiter.at_hand.is_none());
        self.later.insert(place, waiter);
    }

    /// Keeps a place for a target that is in the store, until `not_before`.
    pub(crate) fn put_stored(&mut self, target: Stored, not_before: Moment) {
        self.stored += 1;
        let waiter = Waiter {
            priority: target.priority.unwrap_or(i64::MAX),
            is_begun: target.is_begun,
            pending_tries: target.pending_tries,
            at_hand: None,
        };
        self.later.insert((not_before, target.n), waiter);
    }

    /// How many wait, now or for later.
    #[must_use]
    pub fn len(&self) -> usize {
        self.back.len() + self.fresh.len() + self.due.len() + self.later.len() + self.behind.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of those that wait for nothing but their turn were sent to before.
    #[must_use]
    pub(crate) fn begun_at_hand(&self) -> usize {
        let all = self.back.values().chain(&self.behind);
        all.filter(|due| due.target.progress.attempts > 0).count()
    }

    /// The retries: when each becomes due, and how many times its machine was found busy.
    pub fn retries(&self) -> impl Iterator<Item = (Moment, u32)> + '_ {
        let due = self
            .due
            .iter()
            .map(|(&(_, since, _), waiter)| (since, waiter));
        let later = self.later.iter().map(|(&(at, _), waiter)| (at, waiter));
        due.chain(later)
            .map(|(at, waiter)| (at, waiter.pending_tries))
    }

    /// Whether one can go now. One whose turn it is and that is in the store still lets nobody go before it.
    pub(crate) fn has_due(&mut self, now: Moment) -> bool {
        match self.turn(now) {
            Some(Turn::Due) => self
                .due
                .first_key_value()
                .is_some_and(|(_, waiter)| waiter.at_hand.is_some()),
            turn => turn.is_some(),
        }
    }

    /// Whether one of `these` can go now. Fresh ones are none of them.
    pub(crate) fn has_due_of(&mut self, these: &HashSet<u64>, now: Moment) -> bool {
        self.ripen(now);
        let is_meant = |due: &PendingTarget| these.contains(&due.target.n);
        self.back.values().any(is_meant)
            || self.due.values().filter_map(Waiter::target).any(is_meant)
            || self.behind.iter().any(is_meant)
    }

    /// Drops the targets that nothing was ever sent to.
    pub(crate) fn drop_new(&mut self) {
        let is_begun = |due: &PendingTarget| due.target.progress.attempts > 0;
        self.fresh.clear();
        self.back.retain(|_, due| is_begun(due));
        self.behind.retain(is_begun);
        let mut stored = self.stored;
        let mut stays = |waiter: &Waiter| {
            stored -= usize::from(!waiter.is_begun && waiter.at_hand.is_none());
            waiter.is_begun
        };
        self.due.retain(|_, waiter| stays(waiter));
        self.later.retain(|_, waiter| stays(waiter));
        self.stored = stored;
    }

    /// When the first of those that wait for later becomes due.
    #[must_use]
    pub(crate) fn next_later(&self) -> Option<Moment> {
        self.later
            .first_key_value()
            .map(|(&(not_before, _), _)| not_before)
    }

    /// Takes the one of `these` that goes next. Fresh ones are none of them.
    pub(crate) fn pop_of(&mut self, these: &HashSet<u64>, now: Moment) -> Option<PendingTarget> {
        self.ripen(now);
        let is_meant = |due: &PendingTarget| these.contains(&due.target.n);
        let back = self.back.iter().find(|(_, due)| is_meant(due));
        let back = back.map(|(key, _)| *key);
        let mut due = self.due.iter();
        let due = due.find(|(_, waiter)| waiter.target().is_some_and(is_meant));
        let due = due.map(|(key, _)| *key);
        match (back, due) {
            (Some(back), due) if due.is_none_or(|due| back.0 <= due.0) => self.back.remove(&back),
            (_, Some(due)) => Some(*self.due.remove(&due)?.at_hand?),
            _ => {
                let at = self.behind.iter().position(is_meant)?;
                self.behind.remove(at)
            }
        }
    }

    /// Takes the target that goes next.
    pub fn pop(&mut self, now: Moment) -> Option<PendingTarget> {
        match self.turn(now)? {
            Turn::Back => self.back.pop_first().map(|(_, due)| due),
            Turn::Fresh => self.fresh.pop_front(),
            Turn::Due => {
                let first = self.due.first_entry()?;
                first.get().target()?;
                first.remove().at_hand.map(|due| *due)
            }
            Turn::Behind => self.behind.pop_front(),
        }
    }

    /// Takes a fresh target at random, or the one that goes next where there is none.
    pub(crate) fn pop_random(
        &mut self,
        now: Moment,
        rng: &mut fastrand::Rng,
    ) -> Option<PendingTarget> {
        if self.fresh.is_empty() {
            return self.pop(now);
        }
        let at = rng.usize(..self.fresh.len());
        self.fresh.remove(at)
    }

    /// Retries that are at hand.
    fn at_hand(&self) -> usize {
        self.due.len() + self.later.len() - self.stored
    }

    /// Puts those whose time has come among the due ones.
    fn ripen(&mut self, now: Moment) {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let ((since, n), waiter) = entry.remove_entry();
            self.due.insert((waiter.priority, since, n), waiter);
        }
    }

    fn turn(&mut self, now: Moment) -> Option<Turn> {
        self.ripen(now);
        let back = self
            .back
            .first_key_value()
            .map(|(key, _)| (key.0, Turn::Back));
        let fresh = self.fresh.front().map(|due| (due.priority(), Turn::Fresh));
        let due = self
            .due
            .first_key_value()
            .map(|(key, _)| (key.0, Turn::Due));
        let first = [back, fresh, due].into_iter().flatten().min();
        let behind = || (!self.behind.is_empty()).then_some(Turn::Behind);
        first.map(|(_, turn)| turn).or_else(behind)
    }
}

#[cfg(test)]
mod tests;

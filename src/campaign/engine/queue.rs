//! The targets that wait to be sent, in their order.
//!
//! A lower priority number goes first. Within a priority, targets that a 429 put back go first, then fresh
//! ones in the input's order, then retries by the time at which they became due. Targets that were refused
//! several times in a row go behind all others.

mod recall;
mod void;
mod waiter;

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::pending::PendingTarget;
use crate::{quota::Moment, store::Target};
use recall::{AHEAD, AT_HAND};
pub use waiter::Stored;
use waiter::{Waiter, Waiters};

/// The waiting targets. A retry without unconfirmed attempts is kept in the store: only its place, some
/// thirty bytes, is kept here until it is [recalled](Self::recall) shortly before its time.
#[derive(Debug, Default)]
pub struct Queue {
    back: BTreeMap<(i64, u64), PendingTarget>,
    fresh: VecDeque<PendingTarget>,
    due: Waiters<(i64, Moment, u64)>,
    later: Waiters<(Moment, u64)>,
    behind: VecDeque<PendingTarget>,
    /// How many of the retries are only in the store.
    stored: usize,
}

/// Which part of the queue goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Back,
    Fresh,
    Due,
    Behind,
}

impl Queue {
    /// Adds a page of fresh targets, in the input's order.
    pub(crate) fn add_fresh(&mut self, page: Vec<Target>) {
        self.fresh.extend(page.into_iter().map(PendingTarget::new));
    }

    /// The number of fresh targets in memory.
    #[must_use]
    pub fn fresh(&self) -> usize {
        self.fresh.len()
    }

    /// Puts a target at the front of its priority.
    pub fn put_back(&mut self, mut due: PendingTarget) {
        due.front = true;
        self.back.insert((due.priority(), due.target.n), due);
    }

    /// Puts a target behind all others.
    pub(crate) fn put_behind(&mut self, mut due: PendingTarget) {
        due.front = false;
        self.behind.push_back(due);
    }

    /// Keeps a target until `not_before`. If the store holds everything about it and it is not due soon, only
    /// its place is kept.
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

    /// How many targets wait, due or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.back.len() + self.fresh.len() + self.due.len() + self.later.len() + self.behind.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the targets that wait for nothing but their turn were sent to before.
    #[must_use]
    pub(crate) fn begun_at_hand(&self) -> usize {
        let all = self.back.values().chain(&self.behind);
        all.filter(|due| due.target.progress.attempts > 0).count()
    }

    /// How many retries wait because their machine was found busy.
    #[must_use]
    pub(crate) fn busy(&self) -> usize {
        self.due.busy() + self.later.busy()
    }

    /// How many others were sent to, and wait for another reason or for nothing but their turn.
    #[must_use]
    pub(crate) fn retrying(&self) -> usize {
        self.due.begun() + self.later.begun() + self.begun_at_hand()
    }

    /// The retries: when each becomes due, and how often its machine was found busy.
    pub fn retries(&self) -> impl Iterator<Item = (Moment, u32)> + '_ {
        let due = self
            .due
            .iter()
            .map(|(&(_, since, _), waiter)| (since, waiter));
        let later = self.later.iter().map(|(&(at, _), waiter)| (at, waiter));
        due.chain(later)
            .map(|(at, waiter)| (at, waiter.pending_tries))
    }

    /// Whether a target can go now. If the next one is only in the store, none goes before it.
    pub(crate) fn has_due(&mut self, now: Moment) -> bool {
        match self.turn(now) {
            Some(Turn::Due) => self
                .due
                .first_key_value()
                .is_some_and(|(_, waiter)| waiter.at_hand.is_some()),
            turn => turn.is_some(),
        }
    }

    /// Whether one of `these` can go now. Fresh targets are not considered.
    pub(crate) fn has_due_of(&mut self, these: &HashSet<u64>, now: Moment) -> bool {
        self.ripen(now);
        let is_meant = |due: &PendingTarget| these.contains(&due.target.n);
        self.back.values().any(is_meant)
            || self.due.values().filter_map(Waiter::target).any(is_meant)
            || self.behind.iter().any(is_meant)
    }

    /// Drops the targets that were never sent to.
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

    /// When the first retry becomes due that is not due yet.
    #[must_use]
    pub(crate) fn next_later(&self) -> Option<Moment> {
        self.later
            .first_key_value()
            .map(|(&(not_before, _), _)| not_before)
    }

    /// Takes the next of `these`. Fresh targets are not considered.
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

    /// Takes the next target.
    pub fn pop(&mut self, now: Moment) -> Option<PendingTarget> {
        match self.turn(now)? {
            Turn::Back => self.back.pop_first().map(|(_, due)| due),
            Turn::Fresh => self.fresh.pop_front(),
            Turn::Due => {
                self.due.first_key_value()?.1.target()?;
                self.due.pop_first()?.1.at_hand.map(|due| *due)
            }
            Turn::Behind => self.behind.pop_front(),
        }
    }

    /// The next target, if it is at hand.
    pub(crate) fn next(&mut self, now: Moment) -> Option<&PendingTarget> {
        match self.turn(now)? {
            Turn::Back => self.back.first_key_value().map(|(_, due)| due),
            Turn::Fresh => self.fresh.front(),
            Turn::Due => self.due.first_key_value()?.1.target(),
            Turn::Behind => self.behind.front(),
        }
    }

    /// Takes a fresh target at random, or the next target where there is none.
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

    /// The number of retries in memory.
    fn at_hand(&self) -> usize {
        self.due.len() + self.later.len() - self.stored
    }

    /// Moves the retries whose time has come to the due ones.
    fn ripen(&mut self, now: Moment) {
        while self.next_later().is_some_and(|next| next <= now)
            && let Some(((since, n), waiter)) = self.later.pop_first()
        {
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

//! Which machine is tried while starts are down and the list answers: those whose starts failed, in turn.

use std::collections::HashSet;

use super::Dispatcher;
use crate::quota::Moment;

/// Machines whose starts failed, and which are tried in turn.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    pub(super) all: HashSet<u64>,
    /// Those that have not been tried in this round. Otherwise a machine that is looked up sooner than the
    /// others would take every turn.
    pub(super) left: HashSet<u64>,
}

/// Which machines may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// The suspects that have not been tried in this round.
    Left,
    /// All suspects.
    All,
    /// No suspect can go, so any machine may.
    Anybody,
}

impl Suspects {
    pub(super) fn new(all: HashSet<u64>) -> Self {
        Self {
            left: all.clone(),
            all,
        }
    }

    pub(super) fn add(&mut self, n: u64) {
        if self.all.insert(n) {
            self.left.insert(n);
        }
    }

    /// This machine has had its turn.
    pub(super) fn tried(&mut self, n: u64) {
        self.left.remove(&n);
        if self.left.is_empty() {
            self.left.clone_from(&self.all);
        }
    }

    pub(super) fn remove(&mut self, n: u64) {
        self.all.remove(&n);
        self.tried(n);
    }
}

impl Dispatcher {
    /// Whose turn it is while starts are down. A machine that was tried waits for the others that can be
    /// tried soon, but not for those that may not be due for long, nor for a list that does not answer.
    pub(super) fn round(&mut self, now: Moment) -> Round {
        let (Some(left), Some(all)) = (
            self.reach.suspects(Round::Left),
            self.reach.suspects(Round::All),
        ) else {
            return Round::Anybody;
        };
        let are_looked_up =
            self.listings.outage.is_none() && left.iter().any(|n| self.unconfirmed.contains_key(n));
        if are_looked_up || self.queue.has_due_of(left, now) {
            Round::Left
        } else if self.queue.has_due_of(all, now) {
            Round::All
        } else {
            Round::Anybody
        }
    }
}

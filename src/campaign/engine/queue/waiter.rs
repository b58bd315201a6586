//! A retry that waits: with its target, or with its place only. [`Waiters`]: many of them, in an order.

use std::{collections::BTreeMap, ops::Deref};

use crate::campaign::engine::pending::PendingTarget;

/// A retry that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) priority: i64,
    /// Whether the target was ever sent to.
    pub(super) is_begun: bool,
    /// How often its machine was found busy.
    pub(super) pending_tries: u32,
    /// The target; `None` while it is only in the store.
    pub(super) at_hand: Option<Box<PendingTarget>>,
}

impl Waiter {
    pub(super) fn of(due: PendingTarget) -> Self {
        Self {
            priority: due.priority(),
            is_begun: due.target.progress.attempts > 0,
            pending_tries: due.target.progress.pending_tries,
            at_hand: Some(Box::new(due)),
        }
    }

    /// Whether its machine was found busy.
    fn is_busy(&self) -> bool {
        self.pending_tries > 0
    }

    /// Whether it was sent to, and waits for another reason.
    fn is_retried(&self) -> bool {
        self.is_begun && !self.is_busy()
    }

    pub(super) fn target(&self) -> Option<&PendingTarget> {
        self.at_hand.as_deref()
    }
}

/// Retries in the order of their keys, how many of them wait for a busy machine, and how many others were sent to.
#[derive(Debug)]
pub(super) struct Waiters<K> {
    by_key: BTreeMap<K, Waiter>,
    busy: usize,
    begun: usize,
}

impl<K> Default for Waiters<K> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            busy: 0,
            begun: 0,
        }
    }
}

impl<K> Deref for Waiters<K> {
    type Target = BTreeMap<K, Waiter>;

    fn deref(&self) -> &BTreeMap<K, Waiter> {
        &self.by_key
    }
}

impl<K: Ord> Waiters<K> {
    /// How many wait because their machine was found busy.
    pub(super) fn busy(&self) -> usize {
        self.busy
    }

    /// How many of the others were sent to.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// Adds a retry, in the place of another one with this key.
    pub(super) fn insert(&mut self, key: K, waiter: Waiter) {
        self.busy += usize::from(waiter.is_busy());
        self.begun += usize::from(waiter.is_retried());
        if let Some(before) = self.by_key.insert(key, waiter) {
            self.is_gone(&before);
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<Waiter> {
        let waiter = self.by_key.remove(key)?;
        self.is_gone(&waiter);
        Some(waiter)
    }

    pub(super) fn pop_first(&mut self) -> Option<(K, Waiter)> {
        let (key, waiter) = self.by_key.pop_first()?;
        self.is_gone(&waiter);
        Some((key, waiter))
    }

    fn is_gone(&mut self, waiter: &Waiter) {
        self.busy -= usize::from(waiter.is_busy());
        self.begun -= usize::from(waiter.is_retried());
    }

    /// Keeps the retries for which `stays` returns true.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(&K, &Waiter) -> bool) {
        self.by_key.retain(|key, waiter| stays(key, waiter));
        self.busy = self.by_key.values().filter(|w| w.is_busy()).count();
        self.begun = self.by_key.values().filter(|w| w.is_retried()).count();
    }
}

/// A target that is only in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub n: u64,
    /// A lower number goes first, `None` goes last.
    pub priority: Option<i64>,
    /// Whether the target was ever sent to.
    pub is_begun: bool,
    /// How often its machine was found busy.
    pub pending_tries: u32,
}

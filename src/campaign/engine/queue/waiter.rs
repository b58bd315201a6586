//! A retry that waits: with its target, or with its place only.

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

    pub(super) fn target(&self) -> Option<&PendingTarget> {
        self.at_hand.as_deref()
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

//! A retry that waits, and one that is in the store only.

use crate::campaign::engine::pending::PendingTarget;

/// A retry that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) priority: i64,
    /// Whether anything was ever sent to it.
    pub(super) is_begun: bool,
    /// How many times its machine was found busy.
    pub(super) pending_tries: u32,
    /// The target; none while it is in the store only.
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

/// A target that is in the store only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub n: u64,
    /// Lower goes first; none goes last.
    pub priority: Option<i64>,
    /// Whether anything was ever sent to it.
    pub is_begun: bool,
    /// How many times its machine was found busy.
    pub pending_tries: u32,
}

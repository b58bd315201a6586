//! A target in the hands of the engine, and what is in doubt about it.

use std::time::Duration;

use crate::{
    quota::Moment,
    store::{SentAt, Target},
};

/// A finding that a scan is not listed is good for so long; then it is void.
pub(crate) const FINDING: Duration = Duration::from_mins(1);

/// A target in the hands of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingTarget {
    /// The target.
    pub target: Target,
    /// How many times running it was answered 429.
    pub throttled: u8,
    /// The number of the token with which its last attempt was answered 401.
    pub unauthorized: Option<u64>,
    /// What is not known about its earlier attempts.
    pub unconfirmed: Option<Unconfirmed>,
    /// It is one of the first few, which all others wait for.
    pub canary: bool,
    /// Its place is at the front of its priority.
    pub front: bool,
}

/// One or more attempts of a target may have started a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unconfirmed {
    /// When the first such attempt was sent.
    pub sent: SentAt,
    /// How long after that the last one may have started a scan.
    pub lasted: Duration,
    /// When the last one was given up.
    pub gave_up: Moment,
    /// When the listing began that did not show a scan of ours.
    pub absent: Option<Moment>,
    /// When its turn among the retries came, after the first finding: later ones do not put it off again.
    pub turn: Option<Moment>,
    /// The service has said since that a scan is under way: if it is not ours, it is somebody else's.
    pub found_busy: bool,
    /// The operator would rather risk a second scan than none, where it cannot be looked up.
    pub risk_taken: bool,
    /// The API could not be reached when its last attempt was sent: that costs no try.
    pub is_blameless: bool,
    /// So many listings took longer to read than a finding is good for.
    pub slow_listings: u8,
}

impl Unconfirmed {
    /// An attempt was sent, and given up so long after.
    #[must_use]
    pub fn new(sent: SentAt, lasted: Duration, gave_up: Moment) -> Self {
        Self {
            sent,
            lasted,
            gave_up,
            absent: None,
            turn: None,
            found_busy: false,
            risk_taken: false,
            is_blameless: false,
            slow_listings: 0,
        }
    }

    /// Until when the target may be sent again; `None` until it has been looked up.
    #[must_use]
    pub(crate) fn send_by(&self) -> Option<Moment> {
        self.absent.map(|began| began + FINDING)
    }
}

impl PendingTarget {
    /// A target that nothing is in doubt about.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            throttled: 0,
            unauthorized: None,
            unconfirmed: None,
            canary: false,
            front: false,
        }
    }

    /// Whether what was found of it is void at this moment.
    pub(crate) fn is_void(&self, then: Moment) -> bool {
        let by = self.unconfirmed.as_ref().and_then(Unconfirmed::send_by);
        by.is_some_and(|by| by < then)
    }

    /// Whether the store has all there is to know of it, and nobody waits for it.
    pub(crate) fn is_plain(&self) -> bool {
        self.throttled == 0
            && self.unauthorized.is_none()
            && self.unconfirmed.is_none()
            && !self.canary
    }

    pub(crate) fn priority(&self) -> i64 {
        self.target.priority.unwrap_or(i64::MAX)
    }
}

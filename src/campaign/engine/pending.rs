//! A target that the engine is working on, and what is not known about its attempts.

use std::time::Duration;

use crate::{
    quota::Moment,
    store::{SentAt, Target},
};

/// For how long the finding that no scan is listed is valid.
pub(crate) const FINDING: Duration = Duration::from_mins(1);

/// A target that the engine is working on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingTarget {
    /// The target.
    pub target: Target,
    /// How many times in a row it was answered with 429.
    pub throttled: u8,
    /// The serial number of the token, if the last attempt was answered with 401.
    pub unauthorized: Option<u64>,
    /// Its attempts that may have started a scan, if there are any.
    pub unconfirmed: Option<Unconfirmed>,
    /// Whether it is one of the canaries, which all others wait for.
    pub canary: bool,
    /// Whether its place is at the front of its priority.
    pub front: bool,
}

/// Attempts of one target that may have started a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unconfirmed {
    /// When the first such attempt was sent.
    pub sent: SentAt,
    /// How long after that an attempt may have started a scan at the latest.
    pub lasted: Duration,
    /// When the last attempt was given up.
    pub gave_up: Moment,
    /// When the latest listing began that showed no scan of ours.
    pub absent: Option<Moment>,
    /// Its time among the retries, set by the first finding. Later findings do not postpone it again.
    pub turn: Option<Moment>,
    /// Whether the service has said since that a scan is under way. If the scan is not ours, it is somebody
    /// else's.
    pub found_busy: bool,
    /// Whether the operator prefers the risk of a second scan to none, if the attempts cannot be looked up.
    pub risk_taken: bool,
    /// Whether the API could not be reached when the last attempt was sent. Then it costs no try.
    pub is_blameless: bool,
    /// How many listings took longer to read than a finding is valid.
    pub slow_listings: u8,
}

impl Unconfirmed {
    /// One attempt, which was given up `lasted` after it was sent.
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

    /// How long after the first of these attempts the later one may have started a scan. An earlier run's attempts are
    /// taken up long after they were made, so that what this process has measured since does not tell.
    #[must_use]
    pub(crate) fn lasted_until(&self, later: &Self) -> Duration {
        let between = later.sent.at.duration_since(self.sent.at);
        let by_clock = Duration::try_from(between).unwrap_or_default() + later.lasted;
        let measured = self.lasted + later.gave_up.since(self.gave_up);
        by_clock.max(measured)
    }

    /// Until when the target may be sent again; `None` if it has not been looked up.
    #[must_use]
    pub(crate) fn send_by(&self) -> Option<Moment> {
        self.absent.map(|began| began + FINDING)
    }
}

impl PendingTarget {
    /// A target without unconfirmed attempts.
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

    /// Whether its finding will be void at this moment.
    pub(crate) fn is_void(&self, then: Moment) -> bool {
        let by = self.unconfirmed.as_ref().and_then(Unconfirmed::send_by);
        by.is_some_and(|by| by < then)
    }

    /// Whether the store holds everything about it, so that it need not be kept in memory.
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

//! The result of following.

use super::super::stop::Signal;
use crate::store::is_final;

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowEnd {
    /// There is nothing left to follow.
    Done,
    /// The time was up.
    TimedOut,
    /// Somebody interrupted it.
    Interrupted,
    /// `fleetsweep cancel` stopped it.
    Ordered,
}

impl FollowEnd {
    pub(super) fn by(signal: Signal) -> Self {
        if signal == Signal::Ordered {
            Self::Ordered
        } else {
            Self::Interrupted
        }
    }
}

/// The result of following.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Why it ended.
    pub end: FollowEnd,
    /// The number of scans by status. The empty status is for those that were never found.
    pub scans: Vec<(String, u64)>,
    /// The number of rounds that were begun.
    pub rounds: u64,
    /// The number of calls it took.
    pub calls: u64,
}

impl Followed {
    /// Whether every scan succeeded.
    #[must_use]
    pub fn all_succeeded(&self) -> bool {
        self.scans.iter().all(|(status, _)| status == "Succeeded")
    }

    /// How many scans are not known to be over.
    #[must_use]
    pub fn left(&self) -> u64 {
        let open = self.scans.iter().filter(|(status, _)| !is_final(status));
        open.map(|(_, count)| count).sum()
    }

    /// "8 Succeeded, 1 Failed, 3 not found".
    #[must_use]
    pub fn in_words(&self) -> String {
        let scans = self.scans.iter().map(|(status, count)| {
            let status = if status.is_empty() {
                "not found"
            } else {
                status
            };
            format!("{count} {status}")
        });
        let scans: Vec<_> = scans.collect();
        if scans.is_empty() {
            "no scans".to_owned()
        } else {
            scans.join(", ")
        }
    }
}

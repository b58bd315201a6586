//! The result of following.

use std::collections::BTreeMap;

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
    /// The number of ended scans by what their devices report: `yes`, `not yet`, `no report`, or nothing where no
    /// report was read. `None` if that was not asked for.
    pub verified: Option<BTreeMap<String, u64>>,
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

    /// Whether every device has reported its scan, if that was asked for.
    #[must_use]
    pub fn all_verified(&self) -> bool {
        let mut words = self.verified.iter().flat_map(BTreeMap::keys);
        words.all(|word| word == "yes")
    }

    /// How many scans are not known to be over.
    #[must_use]
    pub fn left(&self) -> u64 {
        let open = self.scans.iter().filter(|(status, _)| !is_final(status));
        open.map(|(_, count)| count).sum()
    }

    /// "8 Succeeded, 1 Failed, 3 not found; scans that the devices report: 6 yes, 2 not yet, 1 no report".
    #[must_use]
    pub fn in_words(&self) -> String {
        let scans = self.scans_in_words();
        match self.verified.as_ref().and_then(verified_in_words) {
            Some(devices) => format!("{scans}; {devices}"),
            None => scans,
        }
    }

    fn scans_in_words(&self) -> String {
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

/// "scans that the devices report: 6 yes, 2 not yet, 1 no report". `None` if no scan has ended.
#[must_use]
pub fn verified_in_words(tally: &BTreeMap<String, u64>) -> Option<String> {
    let order = ["yes", "not yet", "no report", ""];
    let counts = order.iter().filter_map(|word| {
        let count = tally.get(*word)?;
        let word = if word.is_empty() { "not asked" } else { word };
        Some(format!("{count} {word}"))
    });
    let counts: Vec<_> = counts.collect();
    (!counts.is_empty()).then(|| format!("scans that the devices report: {}", counts.join(", ")))
}

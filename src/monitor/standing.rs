//! What a state is made of: where the targets are, how far the windows are spent, what went wrong, and the scans.

use std::time::Duration;

use super::{count::grouped, span};

/// Where the targets are that have not ended. With those that have, the numbers add up to all targets at any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// A call is on its way, or its answer is being written to the disk.
    pub in_flight: u64,
    /// A scan may have been started; they are looked up before anything else is sent to them.
    pub unconfirmed: u64,
    /// Somebody else is scanning the machine; they wait until that is over.
    pub busy: u64,
    /// Sent to, and to be sent to once more.
    pub retrying: u64,
    /// Never sent to, and set aside because the machine is away.
    pub away: u64,
    /// Never sent to, and not set aside.
    pub to_go: u64,
}

impl Standing {
    /// Each number with its word.
    #[must_use]
    pub fn in_words(&self) -> [(&'static str, u64); 6] {
        [
            ("in flight", self.in_flight),
            ("to look up", self.unconfirmed),
            ("busy", self.busy),
            ("retrying", self.retrying),
            ("away", self.away),
            ("to go", self.to_go),
        ]
    }
}

/// A window of the quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its length.
    pub length: Duration,
    /// How many calls count against it.
    pub used: u64,
    /// How many it may hold.
    pub limit: u64,
    /// How many it may hold at the moment: fewer than its limit after refusals by the service.
    pub usable: u64,
}

impl Window {
    /// "minute", "hour", "10 s".
    #[must_use]
    pub fn name(&self) -> String {
        match self.length.as_millis() {
            1_000 => "second".to_owned(),
            60_000 => "minute".to_owned(),
            3_600_000 => "hour".to_owned(),
            86_400_000 => "day".to_owned(),
            _ => span::in_words(self.length),
        }
    }

    /// "minute 73/100", or "minute 40/50, cut from 100".
    #[must_use]
    pub fn in_words(&self) -> String {
        let (name, used, usable) = (self.name(), grouped(self.used), grouped(self.usable));
        if self.usable < self.limit {
            format!("{name} {used}/{usable}, cut from {}", grouped(self.limit))
        } else {
            format!("{name} {used}/{}", grouped(self.limit))
        }
    }
}

/// Something that went wrong with calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Such as "403 `DisallowedOperation`" or "timed out".
    pub what: String,
    /// How often.
    pub count: u64,
}

/// The scans of a campaign, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scans {
    /// How many have which status, in the service's words; no word for those that the list has not shown yet.
    pub by_status: Vec<(String, u64)>,
    /// How many are over.
    pub over: u64,
}

impl Scans {
    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_status.iter().map(|(_, count)| count).sum()
    }

    /// Each status with its count, for people.
    pub fn in_words(&self) -> impl Iterator<Item = String> + '_ {
        self.by_status.iter().map(|(status, count)| {
            let status = if status.is_empty() {
                "not found yet"
            } else {
                status
            };
            format!("{} {status}", grouped(*count))
        })
    }
}

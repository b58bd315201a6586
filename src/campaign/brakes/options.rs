//! What the operator asks of the brakes.

use super::{Baseline, MaxFailures, SendTimes};
use crate::{campaign::forecast::Bounds, store::Reach};

/// What the operator asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrakeOptions {
    /// How many failures stop the campaign.
    pub max_failures: Option<MaxFailures>,
    /// How many machines have to be accepted before the rest may start; at least 1.
    pub canary: Option<u64>,
    /// How many of these were accepted in earlier runs ([`gate`](super::canary_start::gate)).
    pub canaries_before: u64,
    /// The most machines that are ever sent to, in all runs together; at least 1.
    pub max_machines: Option<u64>,
    /// When scan calls may go out.
    pub times: SendTimes,
    /// How the campaign stood when tonight began, for a command that runs every night: only what came since
    /// then counts for `max_failures` and `max_machines`. Without it, the whole campaign counts.
    pub before_tonight: Option<Baseline>,
}

impl BrakeOptions {
    /// What bounds the calls of a run that begins where earlier runs have come to.
    #[must_use]
    pub fn bounds(&self, reach: &Reach) -> Bounds {
        let max = self.max_in_all();
        Bounds {
            hours: self.times.hours.clone(),
            not_after: self.times.not_after.as_ref().map(|end| end.at),
            most: max.map(|max| max.saturating_sub(reach.sent_to)),
        }
    }

    /// How many machines may have been sent to in all when `max_machines` is reached.
    #[must_use]
    pub fn max_in_all(&self) -> Option<u64> {
        let max = self.max_machines?;
        Some(max.saturating_add(self.sent_before_tonight()))
    }

    pub(super) fn sent_before_tonight(&self) -> u64 {
        self.before_tonight.as_ref().map_or(0, Baseline::sent_to)
    }

    /// How many machines a run may send to that begins where earlier runs have come to.
    #[must_use]
    pub fn most(&self, reach: &Reach) -> u64 {
        self.max_in_all().map_or(u64::MAX, |max| {
            max.saturating_sub(reach.sent_to).saturating_add(reach.open)
        })
    }
}

//! What the operator asks of the brakes.

use super::{Baseline, MaxFailures, SendTimes};
use crate::{campaign::forecast::Bounds, store::Reach};

/// What the operator asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrakeOptions {
    /// So many failures stop the campaign.
    pub max_failures: Option<MaxFailures>,
    /// So many machines have to be accepted before the rest may start; at least 1.
    pub canary: Option<u64>,
    /// How many of these earlier runs have brought to that ([`canary_start`](super::canary_start)).
    pub canaries_before: u64,
    /// No more machines than this are ever sent to, in all runs together; at least 1.
    pub max_machines: Option<u64>,
    /// When scan calls may go out.
    pub times: SendTimes,
    /// How the campaign stood when tonight began, in the form that comes every night: only what came since then counts for
    /// `max_failures` and `max_machines`. Without it the whole campaign counts.
    pub before_tonight: Option<Baseline>,
}

impl BrakeOptions {
    /// What bounds the calls of a run that begins where others have reached so far.
    #[must_use]
    pub fn bounds(&self, reach: &Reach) -> Bounds {
        let max = self.max_in_all();
        Bounds {
            hours: self.times.hours.clone(),
            not_after: self.times.not_after.as_ref().map(|end| end.at),
            most: max.map(|max| max.saturating_sub(reach.sent_to)),
        }
    }

    /// To how many machines the campaign may have sent when `max_machines` are reached.
    #[must_use]
    pub fn max_in_all(&self) -> Option<u64> {
        let max = self.max_machines?;
        Some(max.saturating_add(self.sent_before_tonight()))
    }

    pub(super) fn sent_before_tonight(&self) -> u64 {
        self.before_tonight.as_ref().map_or(0, Baseline::sent_to)
    }

    /// How many machines may be sent to by a run that begins where others have reached so far.
    #[must_use]
    pub fn most(&self, reach: &Reach) -> u64 {
        self.max_in_all().map_or(u64::MAX, |max| {
            max.saturating_sub(reach.sent_to).saturating_add(reach.open)
        })
    }
}

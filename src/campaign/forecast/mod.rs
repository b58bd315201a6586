//! When the calls that are left go out: the one forecast of `plan`, the bar and `status`. Pure arithmetic over the quota's own
//! schedule, the hours in which calls may go, and the delays of those that wait; what will come back as busy or to be
//! repeated is taken from what the campaign has seen so far. How much that leaves open is told too: the campaign is gone
//! through three times, as it would be over first, as it has gone so far, and as it would be over last.
//!
//! What it leaves out: outages, refusals (429) and other people's calls that are still to come, a computer that sleeps, and
//! answers that get slower by more than a tenth.
//!
//! - `gate`: the hours in which calls may go, and the instant from which on none may.
//! - `course`: the calls of one of the three, one after the other.

mod course;
pub mod experience;
mod gate;
pub mod histogram;
pub mod timeline;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub(super) use course::Course;

use self::experience::{Experience, Lean};
use super::retry::{OnPending, Policy};
use crate::{
    client::margins::SHOWS_WITHIN,
    monitor::Expected,
    quota,
    schedule::daily_window::Hours,
    store::{Store, StoreError},
};

/// So long a listing takes, and the turn of what it finds to be sent once more.
pub(super) const LISTED_WITHIN: Duration = Duration::from_secs(10);

/// So long after a run has begun the calls are looked up that an earlier one left without an answer.
pub(super) const LOOKED_UP_WITHIN: Duration = SHOWS_WITHIN.saturating_add(LISTED_WITHIN);

/// What bounds the calls besides the quota.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// Calls go out in these hours only.
    pub hours: Option<Hours>,
    /// No call goes out at this instant or after it.
    pub not_after: Option<Timestamp>,
    /// No more machines than these are sent to.
    pub most: Option<u64>,
}

/// What stops the calls before the last one has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// The instant from which on none goes out.
    NotAfter,
    /// The greatest number of machines.
    MaxMachines,
    /// The hours never open again, as far as a calendar reaches.
    Window,
}

/// Why a target waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its call is to be made once more, and tells whether its machine is busy.
    Again,
    /// Its machine was found free, and its turn has come.
    Free,
    /// It is not known whether its call started a scan, which is looked up.
    Lookup,
    /// Its machine was found busy so many times.
    Busy(u32),
}

/// Open targets to which something was sent, and what was seen of calls so far.
#[derive(Debug, Clone, Default)]
pub struct Begun {
    /// Those that wait: how much longer, and why; in any order.
    pub waiting: Vec<(Duration, Why)>,
    /// Calls on their way.
    pub on_its_way: u64,
    /// What is known of how calls go.
    pub seen: Experience,
}

impl Begun {
    /// As a state tells it at `now`; a process that `runs` waits for the calls without an answer, else they are looked up.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of(
        store: &Store,
        now: Timestamp,
        runs: bool,
        policy: &Policy,
    ) -> Result<Self, StoreError> {
        let mut begun = Self {
            seen: Experience::of_earlier_runs(&store.seen()?),
            ..Self::default()
        };
        store.each_left(|left| {
            if left.in_doubt && runs && !left.is_unsure {
                begun.on_its_way += 1;
            } else if left.in_doubt {
                begun.waiting.push((LOOKED_UP_WITHIN, Why::Lookup));
            } else {
                let delay = left.not_before.map(|t| t.duration_since(now));
                let delay = Duration::try_from(delay.unwrap_or_default()).unwrap_or_default();
                let delay = delay.min(policy.longest_delay());
                begun.waiting.push(match left.pending_tries {
                    0 => (delay, Why::Again),
                    times => (delay + policy.on_pending.gather(), Why::Busy(times)),
                });
            }
        })?;
        Ok(begun)
    }

    /// How many targets these are.
    #[must_use]
    pub fn targets(&self) -> u64 {
        self.waiting.len() as u64 + self.on_its_way
    }
}

/// All that the time of the last call depends on, as it stands at one moment.
#[derive(Debug, Clone)]
pub struct Prospect {
    /// The quota's lanes and holds.
    pub quota: quota::Forecast,
    /// That moment, on the clock on the wall.
    pub now: Timestamp,
    /// What bounds the calls besides.
    pub bounds: Bounds,
    /// Targets that were never sent to.
    pub fresh: u64,
    /// The others that are open.
    pub begun: Begun,
    /// What becomes of busy machines.
    pub on_pending: OnPending,
    /// A list of scans that cannot be asked: a call asks whether a machine is still busy.
    pub is_blind: bool,
}

impl Prospect {
    /// That of targets of which nothing is known but how many they are.
    #[must_use]
    pub fn new(quota: quota::Forecast, fresh: u64, bounds: Bounds, now: Timestamp) -> Self {
        Self {
            quota,
            now,
            bounds,
            fresh,
            begun: Begun::default(),
            on_pending: OnPending::Skip,
            is_blind: false,
        }
    }

    /// How long until the last call goes out; `None` if none does.
    #[must_use]
    pub fn last_call(&self) -> Option<Expected> {
        let likely = self.last(Lean::Likely);
        let asks_again = matches!(self.on_pending, OnPending::Retry { tries, .. } if tries > 1);
        if !self.begun.seen.is_enough(asks_again) {
            return likely.map(|likely| Expected {
                from: likely,
                likely,
                to: None,
            });
        }
        let to = self.last(Lean::Late);
        let likely = likely.or(to)?;
        Some(Expected {
            from: self.last(Lean::Early).unwrap_or_default().min(likely),
            likely,
            to: to.max(Some(likely)),
        })
    }

    /// How many targets are left over by the last call.
    #[must_use]
    pub fn left_over(&self) -> u64 {
        let mut course = Course::new(self, Lean::Likely);
        course.calls(&self.quota).for_each(drop);
        course.left_over().1
    }

    fn last(&self, lean: Lean) -> Option<Duration> {
        Course::new(self, lean).calls(&self.quota).last()
    }
}

/// The instant so long after `now`.
pub(super) fn later(now: Timestamp, after: Duration) -> Timestamp {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
    now.saturating_add(after).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;

//! Forecasts when the remaining calls go out, for `plan`, the progress bar and `status`. Pure arithmetic over
//! the quota's schedule, the hours in which calls may go out, and the delays of the targets that wait. The
//! share of calls that will find a machine busy or have to be repeated is taken from what the campaign has
//! seen so far. Three courses are computed to show the uncertainty: the earliest, the likely and the latest
//! one.
//!
//! Not included are future outages, 429s and other people's calls, a suspended computer, and answers that
//! become slower by more than a tenth.
//!
//! - `gate`: the hours in which calls may go out, and the deadline. `experience`: what was seen so far.
//! - `course`: the calls of one course, one after the other. `timeline`: a course condensed to one screen;
//!   `histogram`: its calls by minute, hour or day.

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

/// How long a listing takes, including the wait of what it finds for its turn.
pub(super) const LISTED_WITHIN: Duration = Duration::from_secs(10);

/// How long after a run has begun the calls are looked up that an earlier run left unanswered.
pub(super) const LOOKED_UP_WITHIN: Duration = SHOWS_WITHIN.saturating_add(LISTED_WITHIN);

/// What bounds the calls besides the quota.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// Calls go out only in these hours.
    pub hours: Option<Hours>,
    /// No call goes out at or after this instant.
    pub not_after: Option<Timestamp>,
    /// The most machines that are sent to.
    pub most: Option<u64>,
}

/// What stops the calls before the last one has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// The deadline.
    NotAfter,
    /// The limit on the number of machines.
    MaxMachines,
    /// The daily window never opens again within the range of the calendar.
    Window,
}

/// Why a target waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its call has to be repeated, and shows whether its machine is busy.
    Again,
    /// Its machine was found free, and it is due.
    Free,
    /// It has to be looked up whether its call started a scan.
    Lookup,
    /// Its machine was found busy this many times.
    Busy(u32),
}

/// Open targets that were sent to, and what was seen of calls so far.
#[derive(Debug, Clone, Default)]
pub struct Begun {
    /// Targets that wait: how much longer and why, in any order.
    pub waiting: Vec<(Duration, Why)>,
    /// The number of calls in flight.
    pub on_its_way: u64,
    /// What is known about how calls go.
    pub seen: Experience,
}

impl Begun {
    /// Read from a state at `now`. If a process `runs` the campaign, it waits for the unanswered calls;
    /// otherwise they will be looked up.
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

    /// The number of these targets.
    #[must_use]
    pub fn targets(&self) -> u64 {
        self.waiting.len() as u64 + self.on_its_way
    }
}

/// Everything that the time of the last call depends on, at one moment.
#[derive(Debug, Clone)]
pub struct Prospect {
    /// The quota's lanes and holds.
    pub quota: quota::Forecast,
    /// That moment, by the wall clock.
    pub now: Timestamp,
    /// What bounds the calls besides.
    pub bounds: Bounds,
    /// The number of targets that were never sent to.
    pub fresh: u64,
    /// The other open targets.
    pub begun: Begun,
    /// What happens to busy machines.
    pub on_pending: OnPending,
    /// Whether the list of scans cannot be read, so that a call has to show whether a machine is still busy.
    pub is_blind: bool,
}

impl Prospect {
    /// A prospect for this many targets, of which nothing else is known.
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

    /// How long until the last call goes out; `None` if no call does.
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

    /// How many targets are left after the last call.
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

/// The instant this long after `now`.
pub(super) fn later(now: Timestamp, after: Duration) -> Timestamp {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
    now.saturating_add(after).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;

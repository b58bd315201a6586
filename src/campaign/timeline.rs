//! When the calls of a campaign go out at the earliest, condensed to what can be read on one screen. Pure arithmetic: the
//! forecast of the quota, through the hours in which calls may go and the instant from which on none may.
//!
//! The schedule is gone through twice: once for its length, once for what happens when. Nothing is kept of a call but what
//! is shown, so a million calls need no more memory than ten.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    hours::Hours,
    slots::{Slot, Slots},
};
use crate::quota::Forecast;

/// A curve with more points shows nothing more.
const POINTS: u64 = 200;

/// The minute's burst of the documented limits: by then the first answers are there to be looked at.
const FIRST_MANY: u64 = 100;

/// What bounds the calls besides the quota.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// Calls go out in these hours only.
    pub hours: Option<Hours>,
    /// No call goes out at this instant or after it.
    pub not_after: Option<Timestamp>,
    /// No more calls than these.
    pub most: Option<u64>,
}

/// One call of many, and when it goes out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mark {
    /// Its number, from 1.
    pub call: u64,
    /// When.
    pub at: Timestamp,
    /// The same, from now.
    #[serde(rename = "in_s", serialize_with = "seconds")]
    pub after: Duration,
}

/// What stops the calls before the last one has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// The instant from which on none goes out.
    NotAfter,
    /// The greatest number of calls.
    MaxMachines,
    /// The hours never open again, as far as a calendar reaches.
    Window,
}

/// When the calls go out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    /// How many go out.
    pub calls: u64,
    /// How many of those that are due do not.
    pub beyond: u64,
    /// Why they do not.
    pub stopped_by: Option<StoppedBy>,
    /// How many times the calls wait for the hours to open.
    pub openings: u64,
    /// The 1st, the 100th, each quarter, the last.
    pub marks: Vec<Mark>,
    /// How many in each stretch of time: at most 16 of them, and one more where the first begins in the middle.
    pub slots: Vec<Slot>,
    /// Whether the slots are the hours' openings, and not stretches of the calendar.
    pub by_opening: bool,
    /// The whole curve, as at most 201 calls with their times.
    pub points: Vec<Mark>,
}

impl Timeline {
    /// The timeline of `due` calls from `now` on; stretches of time begin as the clock of `zone` shows them.
    #[must_use]
    pub fn new(
        forecast: &Forecast,
        due: u64,
        bounds: &Bounds,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let most = bounds.most.unwrap_or(u64::MAX).min(due);
        let mut gate = Gate::new(bounds, now);
        let (mut calls, mut last) = (0, Duration::ZERO);
        for at in forecast.schedule(|at| gate.pass(at)).take(size(most)) {
            calls += 1;
            last = at;
        }
        let stopped_by = match () {
            () if calls == due => None,
            () if calls == most => Some(StoppedBy::MaxMachines),
            () => gate.closed.or(Some(StoppedBy::NotAfter)),
        };
        let openings = gate.openings;

        let wanted = marks(calls);
        let step = calls.div_ceil(POINTS).max(1);
        let mut this = Self {
            calls,
            beyond: due - calls,
            stopped_by,
            openings,
            marks: Vec::new(),
            slots: Vec::new(),
            by_opening: false,
            points: Vec::new(),
        };
        let mut gate = Gate::new(bounds, now);
        let mut slots = Slots::new(now, last, zone);
        this.by_opening = bounds.hours.is_some() && openings <= Slots::MOST;
        let schedule = forecast.schedule(|at| gate.pass(at)).take(size(calls));
        for (call, after) in (1..).zip(schedule) {
            let at = later(now, after);
            match bounds.hours.as_ref().filter(|_| this.by_opening) {
                Some(hours) => slots.add_until(at, || hours.next_closing(at)),
                None => slots.add(at),
            }
            let mark = Mark { call, at, after };
            if wanted.contains(&call) {
                this.marks.push(mark);
            }
            if (call - 1).is_multiple_of(step) || call == calls {
                this.points.push(mark);
            }
        }
        this.slots = slots.finish();
        this
    }

    /// The first call that goes out.
    #[must_use]
    pub fn first(&self) -> Option<Mark> {
        self.marks.first().copied()
    }

    /// The last call that goes out.
    #[must_use]
    pub fn last(&self) -> Option<Mark> {
        self.marks.last().copied()
    }
}

/// The calls that are shown by their numbers.
fn marks(calls: u64) -> Vec<u64> {
    let quarter = |n: u64| calls.saturating_mul(n).div_ceil(4);
    let mut marks = vec![1, FIRST_MANY, quarter(1), quarter(2), quarter(3), calls];
    marks.retain(|&mark| (1..=calls).contains(&mark));
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// Lets calls through while the hours are open and the end has not come. It looks at the calendar once an opening.
struct Gate<'a> {
    bounds: &'a Bounds,
    now: Timestamp,
    /// Calls before this pass without a look.
    open_until: Option<Timestamp>,
    openings: u64,
    closed: Option<StoppedBy>,
}

impl<'a> Gate<'a> {
    fn new(bounds: &'a Bounds, now: Timestamp) -> Self {
        Self {
            bounds,
            now,
            open_until: None,
            openings: 0,
            closed: None,
        }
    }

    fn pass(&mut self, after: Duration) -> Option<Duration> {
        let wanted = later(self.now, after);
        let mut at = wanted;
        if let Some(hours) = &self.bounds.hours
            && self.open_until.is_none_or(|until| wanted >= until)
        {
            at = hours.next_opening(wanted);
            if at == Timestamp::MAX {
                self.closed = Some(StoppedBy::Window);
                return None;
            }
            self.open_until = Some(hours.next_closing(at));
            self.openings += u64::from(at > wanted);
        }
        if self.bounds.not_after.is_some_and(|end| at >= end) {
            self.closed = Some(StoppedBy::NotAfter);
            return None;
        }
        if at == wanted {
            return Some(after);
        }
        Duration::try_from(at.duration_since(self.now)).ok()
    }
}

/// The instant so long after `now`.
fn later(now: Timestamp, after: Duration) -> Timestamp {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
    now.saturating_add(after).unwrap_or(Timestamp::MAX)
}

/// No more calls than memory has bytes are asked for.
fn size(calls: u64) -> usize {
    usize::try_from(calls).unwrap_or(usize::MAX)
}

fn seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Milliseconds are what anyone can measure; the rest would be noise in a diff.
    serializer.serialize_f64((span.as_secs_f64() * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests;

//! When the calls of a campaign go out, condensed to one screen: the [forecast](crate::campaign::forecast)
//! from the first call to the last.
//!
//! The schedule is computed twice: once for its length, and once for what happens when. Nothing is kept of a
//! call that is not shown, so a million calls need no more memory than ten.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    Course, Prospect, StoppedBy,
    experience::Lean,
    histogram::{Histogram, Slot},
    later,
};
use crate::campaign::summary::seconds;

/// More points would not make a curve more precise.
const POINTS: u64 = 200;

/// The burst of the documented limit per minute. By then the first answers can be looked at.
const FIRST_MANY: u64 = 100;

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

/// When the calls go out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    /// How many calls go out.
    pub calls: u64,
    /// How many targets are left.
    pub beyond: u64,
    /// Why they are left.
    pub stopped_by: Option<StoppedBy>,
    /// How often the calls wait for the window to open.
    pub openings: u64,
    /// The 1st, the 100th, each quarter, the last.
    pub marks: Vec<Mark>,
    /// The calls in each period: at most 16 periods, and one more if the first one begins in the middle.
    pub slots: Vec<Slot>,
    /// Whether the slots are the window's openings instead of periods of the calendar.
    pub by_opening: bool,
    /// The whole curve, as at most 201 calls with their times.
    pub points: Vec<Mark>,
}

impl Timeline {
    /// The timeline of a prospect. Periods begin by the clock of `zone`.
    #[must_use]
    pub fn new(prospect: &Prospect, zone: &TimeZone) -> Self {
        let (bounds, now) = (&prospect.bounds, prospect.now);
        let mut course = Course::new(prospect, Lean::Likely);
        let (mut calls, mut last) = (0, Duration::ZERO);
        for at in course.calls(&prospect.quota) {
            calls += 1;
            last = at;
        }
        let (stopped_by, beyond) = course.left_over();
        let openings = course.openings();

        let wanted = marks(calls);
        let step = calls.div_ceil(POINTS).max(1);
        let mut this = Self {
            calls,
            beyond,
            stopped_by,
            openings,
            marks: Vec::new(),
            slots: Vec::new(),
            by_opening: false,
            points: Vec::new(),
        };
        let mut course = Course::new(prospect, Lean::Likely);
        let mut slots = Histogram::new(now, last, zone);
        this.by_opening = bounds.hours.is_some() && openings <= Histogram::MOST;
        for (call, after) in (1..).zip(course.calls(&prospect.quota)) {
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

/// The numbers of the calls that are shown.
fn marks(calls: u64) -> Vec<u64> {
    let quarter = |n: u64| calls.saturating_mul(n).div_ceil(4);
    let mut marks = vec![1, FIRST_MANY, quarter(1), quarter(2), quarter(3), calls];
    marks.retain(|&mark| (1..=calls).contains(&mark));
    marks.sort_unstable();
    marks.dedup();
    marks
}

#[cfg(test)]
mod tests;

//! How the scan starts of a campaign used the limits, by the times at which they were sent.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    quota::Limit,
    store::{PastCall, Store, StoreError},
};

/// The scan starts of a campaign, by this computer's clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Calls {
    pub(super) count: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    /// How many were refused with 429.
    pub(super) throttled: u64,
    /// How many had which status; `none` where no answer came.
    pub(super) by_status: BTreeMap<String, u64>,
    /// How many were answered before they were sent, by this computer's clock: it was set back meanwhile.
    pub(super) clock_set_back: u64,
    /// Why no limit is told, if none is.
    pub(super) no_limits: Option<&'static str>,
    /// The length of one step of the windows' courses, in seconds.
    pub(super) step_s: u64,
    pub(super) windows: Vec<WindowUse>,
}

/// How far a limit was used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct WindowUse {
    pub(super) window_s: u64,
    /// How many calls it may hold; `None` without limits.
    pub(super) limit: Option<u32>,
    /// The most calls that any window of this length held.
    pub(super) most: u32,
    /// For each step from the first call on, the most calls that a window held which ended in it.
    pub(super) course: Vec<u32>,
}

/// As many steps at most, which is what a screen can show.
const STEPS: u64 = 240;

/// The lengths of a step in seconds; beyond the last one, whole days.
const LENGTHS: [u64; 14] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600,
];

const DAY: u64 = 24 * 60 * 60;

/// The windows of a campaign without limits: those that the service counts by (MDE-API.md, section 2).
const UNLIMITED: [Window; 2] = [
    Window {
        length: Duration::from_mins(1),
        limit: None,
    },
    Window {
        length: Duration::from_hours(1),
        limit: None,
    },
];

/// A window of this length, and how many calls it may hold.
#[derive(Debug, Clone, Copy)]
struct Window {
    length: Duration,
    limit: Option<u32>,
}

impl Window {
    fn of(limit: &Limit) -> Self {
        Self {
            length: limit.window(),
            limit: Some(limit.calls()),
        }
    }
}

impl Calls {
    /// Reads the calls of a campaign. Also hands each of them to `visit`.
    pub(super) fn of(
        store: &Store,
        (limits, no_limits): (&[Limit], &'static str),
        mut visit: impl FnMut(PastCall),
    ) -> Result<Self, StoreError> {
        let mut sent = Vec::new();
        let (mut by_status, mut throttled) = (BTreeMap::<Option<u16>, u64>::new(), 0);
        let mut clock_set_back = 0;
        store.each_call(|call| {
            sent.push(call.sent);
            *by_status.entry(call.status).or_default() += 1;
            clock_set_back += u64::from(call.is_answered_before);
            throttled += u64::from(call.status == Some(429));
            visit(call);
        })?;
        sent.sort_unstable();
        let step_s = step(&sent);
        let limited = limits.iter().map(Window::of).collect::<Vec<_>>();
        let windows = if limited.is_empty() {
            &UNLIMITED[..]
        } else {
            &limited
        };
        let named = by_status.into_iter().map(|(status, count)| {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            (status, count)
        });
        let at = |millis: Option<&i64>| Timestamp::from_millisecond(*millis?).ok();
        Ok(Self {
            count: sent.len() as u64,
            first: at(sent.first()),
            last: at(sent.last()),
            throttled,
            by_status: named.collect(),
            clock_set_back,
            no_limits: limits.is_empty().then_some(no_limits),
            step_s,
            windows: windows
                .iter()
                .map(|window| WindowUse::of(&sent, *window, step_s))
                .collect(),
        })
    }
}

impl WindowUse {
    /// Slides a window over the calls, which are sorted.
    fn of(sent: &[i64], spec: Window, step_s: u64) -> Self {
        let window = i64::try_from(spec.length.as_millis()).unwrap_or(i64::MAX);
        let step = i64::try_from(step_s)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000)
            .max(1);
        let (start, end) = (sent.first().copied(), sent.last().copied());
        let span = start.zip(end).map(|(start, end)| (start, end - start));
        let mut course = Vec::new();
        if let Some((start, span)) = span {
            let how_many = usize::try_from(span / step).unwrap_or_default() + 1;
            // What a step inherits from those before it.
            course.extend((0..how_many).map(|at| {
                let begin = start + step.saturating_mul(i64::try_from(at).unwrap_or(i64::MAX));
                held(sent, begin.saturating_sub(window), begin)
            }));
            let mut oldest = 0;
            for (newest, at) in sent.iter().enumerate() {
                while sent[oldest] <= at - window {
                    oldest += 1;
                }
                let step = usize::try_from((at - start) / step).unwrap_or_default();
                course[step] = course[step].max(count(newest - oldest + 1));
            }
        }
        Self {
            window_s: spec.length.as_secs(),
            limit: spec.limit,
            most: course.iter().copied().max().unwrap_or_default(),
            course,
        }
    }
}

/// How many calls were sent after one instant and up to another.
fn held(sent: &[i64], after: i64, until: i64) -> u32 {
    let before = |at: i64| sent.partition_point(|sent| *sent <= at);
    count(before(until) - before(after))
}

fn count(calls: usize) -> u32 {
    u32::try_from(calls).unwrap_or(u32::MAX)
}

/// The shortest step with which the calls fit into [`STEPS`].
fn step(sent: &[i64]) -> u64 {
    let span = sent.first().zip(sent.last());
    let span = span.map_or(0, |(first, last)| last.abs_diff(*first) / 1000);
    let fits = |step: &u64| span / step < STEPS;
    LENGTHS
        .into_iter()
        .find(fits)
        .unwrap_or_else(|| (span / STEPS / DAY + 1) * DAY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Window = UNLIMITED[0];

    #[test]
    fn a_window_counts_the_calls_of_its_length() {
        let sent: Vec<i64> = (0..100).chain(60_000..60_100).collect();
        let used = WindowUse::of(&sent, MINUTE, step(&sent));
        assert_eq!(used.most, 100, "a call leaves the window after a minute");
        let closer: Vec<i64> = (0..100).chain(59_999..60_099).collect();
        assert_eq!(WindowUse::of(&closer, MINUTE, 1).most, 101);
    }

    #[test]
    fn a_campaign_without_calls_has_no_course() {
        let used = WindowUse::of(&[], MINUTE, step(&[]));
        assert_eq!((used.most, used.course.len()), (0, 0));
    }

    proptest! {
        #[test]
        fn the_course_has_the_most_of_each_step_and_fits_the_screen(
            gaps in proptest::collection::vec(0_i64..200_000, 1..300),
            stretch in 1_i64..3_000,
        ) {
            let mut at = 1_700_000_000_000;
            let sent: Vec<i64> = gaps.iter().map(|gap| { at += gap * stretch / 100; at }).collect();
            let step_s = step(&sent);
            let used = WindowUse::of(&sent, MINUTE, step_s);
            prop_assert!(used.course.len() as u64 <= STEPS);
            let step = i64::try_from(step_s * 1_000).unwrap();
            for (at, value) in (0..).zip(&used.course) {
                let (begin, end) = (sent[0] + at * step, sent[0] + (at + 1) * step);
                let within = sent.iter().copied().filter(|sent| (begin..end).contains(sent));
                let most = within.chain([begin]).map(|at| held(&sent, at - 60_000, at)).max();
                prop_assert_eq!(Some(*value), most);
            }
            prop_assert_eq!(used.course.iter().max(), Some(&used.most));
        }
    }
}

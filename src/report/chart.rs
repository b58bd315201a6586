//! The figures of the report as shapes in SVG. They stretch to the width of the page; their texts are HTML beside them,
//! so that they stay legible.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::calls::{Calls, WindowUse};
use crate::monitor::{count::grouped, span};

/// Bars, one below the other.
pub(super) struct Bars {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) desc: String,
    pub(super) rows: Vec<Bar>,
}

/// One bar.
pub(super) struct Bar {
    pub(super) label: String,
    /// How much that is, in words.
    pub(super) value: String,
    /// Its length, out of 1,000.
    pub(super) length: u64,
    /// What it is, for its colour.
    pub(super) class: &'static str,
    /// Where it begins, out of 1,000, where several make one.
    pub(super) from: u64,
}

impl Bars {
    /// Bars that are as long as their amounts are large. `None` if there is nothing to show.
    pub(super) fn of(
        id: &'static str,
        title: &'static str,
        rows: impl IntoIterator<Item = (String, String, &'static str, f64)>,
    ) -> Option<Self> {
        let rows: Vec<_> = rows.into_iter().collect();
        let most = rows.iter().map(|row| row.3).fold(0.0, f64::max);
        if most <= 0.0 {
            return None;
        }
        let desc = rows.iter().map(|row| format!("{}: {}", row.0, row.1));
        let desc = desc.collect::<Vec<_>>().join("; ");
        let rows = rows.into_iter().map(|(label, value, class, amount)| Bar {
            label,
            value,
            length: thousandths(amount / most),
            class,
            from: 0,
        });
        Some(Self {
            id,
            title,
            desc,
            rows: rows.collect(),
        })
    }

    /// Puts the bars one behind the other: shares of a whole.
    pub(super) fn shares(mut self, amounts: &[u64]) -> Self {
        let whole: u64 = amounts.iter().sum();
        let place = |part: u64| part * 1_000 / whole.max(1);
        let mut sum = 0;
        for (bar, amount) in self.rows.iter_mut().zip(amounts) {
            bar.from = place(sum);
            sum += amount;
            // What is there is seen, however little it is.
            bar.length = (place(sum) - bar.from).max(u64::from(*amount > 0) * 2);
        }
        self
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1"
)]
fn thousandths(share: f64) -> u64 {
    // What is there is seen, however little it is.
    let length = (share.clamp(0.0, 1.0) * 1_000.0).round() as u64;
    if share > 0.0 { length.max(2) } else { 0 }
}

/// How far a limit was used in the course of the campaign.
pub(super) struct Course {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) desc: String,
    /// How many steps there are, and as many units is the figure wide.
    pub(super) steps: usize,
    /// How high it is, in calls.
    pub(super) top: u32,
    /// The area below the course.
    pub(super) path: String,
    /// How far below the top the limit is, if there is one.
    pub(super) limit_line: Option<u32>,
    /// The numbers beside it, and how far below the top they are, in percent.
    pub(super) marks: [(u32, u32); 2],
    /// The times at the beginning, in the middle and at the end.
    pub(super) times: [String; 3],
}

impl Course {
    /// The course of a window; `None` if no call went out.
    pub(super) fn of(calls: &Calls, window: &WindowUse) -> Option<Self> {
        let (first, last) = (calls.first?, calls.last?);
        let mark = window.limit.unwrap_or(window.most);
        let most = window.most.max(mark).max(1);
        let top = most + most.div_ceil(12);
        let name = window_name(window.window_s);
        let percent = |calls: u32| (top - calls.min(top)) * 100 / top;
        Some(Self {
            id: format!("course-{}", window.window_s),
            title: format!("Scan starts in any {name}"),
            desc: format!(
                "From {} to {} UTC. The most in any {name} was {}; {}{}",
                minute(first),
                minute(last),
                grouped(window.most.into()),
                match window.limit {
                    Some(limit) =>
                        format!("the limit, the dashed line, is {}.", grouped(limit.into())),
                    None => format!("{}.", calls.no_limits.unwrap_or("there was no limit")),
                },
                doubt(calls, window)
            ),
            steps: window.course.len(),
            top,
            path: area(&window.course, top),
            limit_line: window.limit.map(|limit| top - limit),
            marks: [mark, mark / 2].map(|mark| (mark, percent(mark))),
            times: times(first, calls.step_s * window.course.len() as u64),
        })
    }
}

/// What to know about a figure that cannot be right.
fn doubt(calls: &Calls, window: &WindowUse) -> &'static str {
    let is_over = window.limit.is_some_and(|limit| window.most > limit);
    if is_over || calls.clock_set_back > 0 {
        " This computer's clock was set back meanwhile, so calls that were apart may be counted together here; the \
         limits were kept by a clock that is never set."
    } else {
        ""
    }
}

/// "minute", "hour", "10 s".
pub(super) fn window_name(window_s: u64) -> String {
    match window_s {
        60 => "minute".to_owned(),
        3_600 => "hour".to_owned(),
        86_400 => "day".to_owned(),
        _ => span::in_words(std::time::Duration::from_secs(window_s)),
    }
}

/// The outline of the area below the course: a step for each value, downwards from the top.
fn area(course: &[u32], top: u32) -> String {
    let mut path = format!("M0 {top}");
    let mut before = None;
    for (at, value) in course.iter().enumerate() {
        if before != Some(value) {
            // Writing to a string cannot fail.
            let _ = write!(path, "H{at}V{}", top - value);
        }
        before = Some(value);
    }
    let _ = write!(path, "H{}V{top}Z", course.len());
    path
}

/// The times at the beginning, in the middle and at the end, with their days if that is not one.
fn times(first: Timestamp, span_s: u64) -> [String; 3] {
    let length = i64::try_from(span_s).unwrap_or_default();
    let at = |half: i64| {
        let later = SignedDuration::from_secs(length * half / 2);
        first.saturating_add(later).unwrap_or(first)
    };
    let format = match length {
        0..600 => "%H:%M:%S",
        600..64_800 => "%H:%M",
        _ => "%-d %b %H:%M",
    };
    [0, 1, 2].map(|half| at(half).strftime(format).to_string())
}

/// A time to the minute, in UTC.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_has_a_step_for_each_change() {
        assert_eq!(area(&[1, 1, 0, 3], 4), "M0 4H0V3H2V4H3V1H4V4Z");
    }

    #[test]
    fn what_is_little_is_still_seen() {
        let rows = [("a", 1_000_000.0), ("b", 1.0), ("c", 0.0)];
        let rows = rows.map(|(label, amount)| (label.to_owned(), String::new(), "", amount));
        let bars = Bars::of("x", "x", rows).unwrap();
        let lengths: Vec<_> = bars.rows.iter().map(|bar| bar.length).collect();
        assert_eq!(lengths, [1_000, 2, 0]);
        let shares = bars.shares(&[999_999, 1, 0]);
        let last = &shares.rows[1];
        assert_eq!((last.from, last.length), (999, 2));
    }
}

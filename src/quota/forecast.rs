//! When the calls to come can go at best: the recurrence of promise 2, from the lanes as they stand.

use std::{collections::VecDeque, time::Duration};

use super::clock::Moment;

/// The lower bound of what is to come, from the quota's state at one moment.
#[derive(Debug, Clone)]
pub struct Forecast {
    pub(super) now: Moment,
    /// No call goes before: a hold, or the pace.
    pub(super) not_before: Moment,
    /// The time from call to call, at an even pace.
    pub(super) even: Duration,
    pub(super) windows: Vec<Outlook>,
}

/// One window's part in it.
#[derive(Debug, Clone)]
pub(super) struct Outlook {
    /// When each lane that may be used is ready, in order.
    pub(super) ready: VecDeque<Moment>,
    /// The window's length.
    pub(super) length: Duration,
}

impl Forecast {
    /// How long after the forecast's moment the last of `calls` further calls can go at the earliest: t(i) is the
    /// latest of t(i-L) + W over all windows, with the lanes' present state before the first. A few nanoseconds a call;
    /// memory as the lanes have.
    #[must_use]
    pub fn lower_bound(&self, calls: u64) -> Duration {
        let mut windows = self.windows.clone();
        let mut last = self.now;
        let mut earliest = self.not_before;
        for _ in 0..calls {
            last = windows
                .iter_mut()
                .filter_map(|window| window.ready.pop_front())
                .fold(last.max(earliest), Moment::max);
            for window in &mut windows {
                window.ready.push_back(last + window.length);
            }
            earliest = last + self.even;
        }
        last.since(self.now)
    }
}

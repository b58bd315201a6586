//! When the calls to come can go at the earliest: the recurrence of promise 2, started from the present state of the
//! lanes.

use std::{collections::VecDeque, time::Duration};

use super::clock::Moment;

/// When calls can go at the earliest, from the quota's state at one moment.
#[derive(Debug, Clone)]
pub struct Forecast {
    pub(super) now: Moment,
    /// No call goes before this moment, because of a hold or the pace.
    pub(super) not_before: Moment,
    /// The interval between calls at an even pace; zero at a burst pace.
    pub(super) even: Duration,
    /// How long a call is in flight. Its window begins this much later than it was sent.
    pub(super) latency: Duration,
    pub(super) windows: Vec<WindowForecast>,
}

/// One window's part of the forecast.
#[derive(Debug, Clone)]
pub(super) struct WindowForecast {
    /// When each usable lane is ready, in order.
    pub(super) ready: VecDeque<Moment>,
    /// The window's length.
    pub(super) length: Duration,
}

impl Forecast {
    /// The same forecast with calls that are each in flight for `latency`. This is an expectation, not a lower bound.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// The least time from the forecast's moment until the last of `calls` further calls can go. Takes a few
    /// nanoseconds a call to compute.
    #[must_use]
    pub fn lower_bound(&self, calls: u64) -> Duration {
        let mut schedule = self.schedule(Some);
        let mut last = Duration::ZERO;
        for _ in 0..calls {
            last = schedule.next().unwrap_or(last);
        }
        last
    }

    /// When each further call can go at the earliest, as times from the forecast's moment: t(i) is the latest of
    /// t(i-L) + W over all windows, where the lanes' present state stands for the calls before the first. Uses as much
    /// memory as the lanes.
    ///
    /// `gate` may postpone calls: it is given the time at which the quota has room, and returns the same time or a
    /// later one, or `None` if no further call goes.
    pub fn schedule<G: FnMut(Duration) -> Option<Duration>>(&self, gate: G) -> Schedule<G> {
        Schedule {
            now: self.now,
            last: self.now,
            earliest: self.not_before,
            even: self.even,
            latency: self.latency,
            windows: self.windows.clone(),
            gate,
        }
    }
}

/// The times of further calls, without end unless the gate ends them.
#[derive(Debug, Clone)]
pub struct Schedule<G> {
    now: Moment,
    last: Moment,
    earliest: Moment,
    even: Duration,
    latency: Duration,
    windows: Vec<WindowForecast>,
    gate: G,
}

impl<G: FnMut(Duration) -> Option<Duration>> Iterator for Schedule<G> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let room = self
            .windows
            .iter_mut()
            .filter_map(|window| window.ready.pop_front())
            .fold(self.last.max(self.earliest), Moment::max);
        let at = (self.gate)(room.since(self.now))?;
        self.last = room.max(self.now + at);
        for window in &mut self.windows {
            window
                .ready
                .push_back(self.last + self.latency + window.length);
        }
        self.earliest = self.last + self.even;
        Some(self.last.since(self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::cpu_time_for_tests::cpu_time;

    const MINUTE: Duration = Duration::from_mins(1);

    /// Nothing spent, and the documented limits.
    fn fresh() -> Forecast {
        let window_forecast = |calls, length| WindowForecast {
            ready: std::iter::repeat_n(Moment::ZERO, calls).collect(),
            length,
        };
        Forecast {
            now: Moment::ZERO,
            not_before: Moment::ZERO,
            even: Duration::ZERO,
            latency: Duration::ZERO,
            windows: vec![
                window_forecast(100, MINUTE),
                window_forecast(1500, 60 * MINUTE),
            ],
        }
    }

    #[test]
    fn the_lower_bound_is_the_last_time_of_the_schedule() {
        for (calls, minutes) in [
            (0, 0),
            (1, 0),
            (100, 0),
            (101, 1),
            (1_500, 14),
            (1_501, 60),
            (10_000, 369),
        ] {
            let bound = minutes * MINUTE;
            assert_eq!(fresh().lower_bound(calls), bound, "{calls}");
            let times = fresh().schedule(Some);
            let last = times.take(usize::try_from(calls).unwrap()).last();
            assert_eq!(last.unwrap_or_default(), bound, "{calls}");
        }
    }

    #[test]
    fn what_the_gate_puts_off_goes_later_and_fills_the_windows_then() {
        // Open in every second half hour, first in half an hour.
        let gate = |at: Duration| {
            let half = 30 * MINUTE;
            let turn = u32::try_from(at.as_secs() / half.as_secs()).unwrap();
            Some(if turn.is_multiple_of(2) {
                half * (turn + 1)
            } else {
                at
            })
        };
        let times: Vec<_> = fresh().schedule(gate).take(3_001).collect();
        assert_eq!(times[0], 30 * MINUTE);
        assert_eq!(times[1_499], 44 * MINUTE);
        // The hour's window has room again at 90 minutes, which is also when the gate opens again.
        assert_eq!(times[1_500], 90 * MINUTE);
        assert_eq!(times[3_000], 150 * MINUTE);
        assert!(times.is_sorted());
    }

    #[test]
    fn a_call_that_is_on_its_way_keeps_its_lane_so_much_longer() {
        let slow = fresh().with_latency(Duration::from_secs(20));
        let secs: Vec<_> = slow
            .schedule(Some)
            .take(1_501)
            .map(|at| at.as_secs())
            .collect();
        assert_eq!([secs[99], secs[100], secs[200]], [0, 80, 160]);
        assert_eq!(secs[1_500], 3_620);
    }

    #[test]
    fn a_gate_that_closes_for_good_ends_the_schedule() {
        let until = 2 * MINUTE;
        let times = fresh().schedule(|at| (at < until).then_some(at));
        assert_eq!(times.count(), 200);
    }

    #[test]
    fn a_million_calls_are_computed_at_once() {
        let began = cpu_time();
        let took = fresh().lower_bound(1_000_000);
        let computed = cpu_time().saturating_sub(began);
        assert!(took > Duration::from_hours(24 * 27), "{took:?}");
        assert!(computed < Duration::from_secs(2), "{computed:?}");
    }
}

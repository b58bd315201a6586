//! Detects that the computer slept.

use std::time::Duration;

use super::clock::Moment;

/// If two readings of the clock are further apart than this, although the wait between them was at most
/// [`LONGEST_WAIT`](super::LONGEST_WAIT), the computer (or the process) slept. This is twice that wait, so that a busy
/// computer is not mistaken for a sleeping one.
const SLEPT: Duration = Duration::from_secs(10);

/// Detects sleep from the clock readings of a caller that never waits longer than
/// [`LONGEST_WAIT`](super::LONGEST_WAIT).
#[derive(Debug, Clone, Copy)]
pub struct SleepWatch {
    last: Moment,
}

impl SleepWatch {
    /// A watch whose first reading is `now`.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self { last: now }
    }

    /// Takes another reading. If the computer slept since the one before, returns the time between the two. The caller
    /// should then abandon its calls in flight, because their answers are lost or late.
    pub fn check(&mut self, now: Moment) -> Option<Duration> {
        let apart = now.since(self.last);
        self.last = now;
        (apart > SLEPT).then_some(apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_more_than_ten_seconds_apart_mean_sleep() {
        let start = Moment::ZERO;
        let mut watch = SleepWatch::new(start);
        let second = Duration::from_secs(1);
        assert_eq!(watch.check(start + 5 * second), None);
        assert_eq!(watch.check(start + 15 * second), None);
        assert_eq!(
            watch.check(start + 15 * second + SLEPT + Duration::from_millis(1)),
            Some(SLEPT + Duration::from_millis(1))
        );
        assert_eq!(watch.check(start + 26 * second), None);
    }

    #[test]
    fn a_clock_that_stands_still_is_no_sleep() {
        let mut watch = SleepWatch::new(Moment::from_nanos(7));
        assert_eq!(watch.check(Moment::from_nanos(7)), None);
    }
}

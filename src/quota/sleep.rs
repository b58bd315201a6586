//! Noticing that the computer slept.

use std::time::Duration;

use super::clock::Moment;

/// Two looks at the clock further apart than this, although at most [`LONGEST_WAIT`](super::LONGEST_WAIT) was asked for
/// between them, mean that the computer (or the process) slept. Twice that wait, so that a busy computer is not taken
/// for a sleeping one.
const SLEPT: Duration = Duration::from_secs(10);

/// Notices sleep from the looks at the clock of whoever never waits longer than [`LONGEST_WAIT`](super::LONGEST_WAIT).
#[derive(Debug, Clone, Copy)]
pub struct SleepWatch {
    last: Moment,
}

impl SleepWatch {
    /// A watch whose first look was at `now`.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self { last: now }
    }

    /// Another look. If the computer slept since the one before: how long the two lie apart. Calls in flight are then to
    /// be abandoned, for their answers are lost or late.
    pub fn look(&mut self, now: Moment) -> Option<Duration> {
        let apart = now.since(self.last);
        self.last = now;
        (apart > SLEPT).then_some(apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_more_than_ten_seconds_apart_mean_sleep() {
        let start = Moment::ZERO;
        let mut watch = SleepWatch::new(start);
        let second = Duration::from_secs(1);
        assert_eq!(watch.look(start + 5 * second), None);
        assert_eq!(watch.look(start + 15 * second), None);
        assert_eq!(
            watch.look(start + 15 * second + SLEPT + Duration::from_millis(1)),
            Some(SLEPT + Duration::from_millis(1))
        );
        assert_eq!(watch.look(start + 26 * second), None);
    }

    #[test]
    fn a_clock_that_stands_still_is_no_sleep() {
        let mut watch = SleepWatch::new(Moment::from_nanos(7));
        assert_eq!(watch.look(Moment::from_nanos(7)), None);
    }
}

//! How much of a limit may be used after the service has refused calls.

use std::time::Duration;

use super::clock::Moment;

/// One limit's cuts. A refusal means that somebody else uses the quota too, so each refusal makes our share smaller,
/// and each window without one makes it a little larger again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    full: u32,
    window: Duration,
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    at: Moment,
    /// How much could still be used then, in thousandths of a call, so that small cuts add up.
    left: u64,
}

/// Thousandths of a call in a call.
const CALL: u64 = 1000;

impl Cut {
    /// A limit of `full` calls per `window`, uncut.
    pub(super) fn new(full: u32, window: Duration) -> Self {
        Self {
            full,
            window,
            last: None,
        }
    }

    /// The limit when nothing is cut.
    pub(super) fn full(&self) -> u32 {
        self.full
    }

    /// The limit that may be used at `now`: at least one call.
    pub(super) fn usable(&self, now: Moment) -> u32 {
        if self.last.is_none() {
            return self.full;
        }
        u32::try_from(self.left(now) / CALL)
            .unwrap_or(self.full)
            .max(1)
    }

    /// A call sent at `sent` was refused at `now`. This cuts off a tenth of what is left, but never leaves less than a
    /// tenth of the full limit. A call that was sent before the last cut tells us nothing new and cuts nothing. Returns
    /// whether it was cut.
    pub(super) fn refused(&mut self, sent: Moment, now: Moment) -> bool {
        if self.last.is_some_and(|last| sent <= last.at) {
            return false;
        }
        let left = (self.left(now) * 9 / 10).max(self.whole() / 10);
        self.last = Some(Last { at: now, left });
        true
    }

    /// The smaller of two cuts, for kinds that turn out to be counted together.
    pub(super) fn min(self, other: Self, now: Moment) -> Self {
        if other.left(now) < self.left(now) {
            other
        } else {
            self
        }
    }

    /// What may be used at `now`, in thousandths of a call: every window since the last cut gives back 2 % of the full
    /// limit.
    fn left(&self, now: Moment) -> u64 {
        let Some(last) = self.last else {
            return self.whole();
        };
        let clean = now.since(last.at).as_nanos() / self.window.as_nanos();
        let back = u64::try_from(clean)
            .unwrap_or(u64::MAX)
            .saturating_mul(self.whole() / 50);
        last.left.saturating_add(back).min(self.whole())
    }

    fn whole(&self) -> u64 {
        u64::from(self.full) * CALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(secs: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn a_refusal_cuts_a_tenth_and_each_clean_window_gives_back_a_fiftieth() {
        let mut cut = Cut::new(100, MINUTE);
        assert_eq!(cut.usable(at(0)), 100);
        cut.refused(at(9), at(10));
        assert_eq!(cut.usable(at(10)), 90);
        assert_eq!(cut.usable(at(69)), 90);
        assert_eq!(cut.usable(at(70)), 92);
        assert_eq!(cut.usable(at(130)), 94);
        assert_eq!(cut.usable(at(100_000)), 100);
    }

    #[test]
    fn only_a_call_sent_after_the_last_cut_cuts_again() {
        let mut cut = Cut::new(100, MINUTE);
        cut.refused(at(9), at(10));
        cut.refused(at(9), at(11));
        cut.refused(at(10), at(12));
        assert_eq!(cut.usable(at(12)), 90);
        cut.refused(at(11), at(13));
        assert_eq!(cut.usable(at(13)), 81);
    }

    #[test]
    fn no_cut_goes_below_a_tenth_nor_below_one_call() {
        for (full, least) in [(100, 10), (15, 1), (3, 1), (1, 1)] {
            let mut cut = Cut::new(full, MINUTE);
            for second in 0..59 {
                cut.refused(at(2 * second + 1), at(2 * second + 2));
            }
            assert_eq!(cut.usable(at(119)), least, "of {full}");
        }
    }

    #[test]
    fn cuts_of_a_small_limit_add_up_and_come_back() {
        let mut cut = Cut::new(5, MINUTE);
        cut.refused(at(1), at(2));
        assert_eq!(cut.usable(at(2)), 4);
        assert_eq!(cut.usable(at(2 + 60 * 4)), 4);
        assert_eq!(cut.usable(at(2 + 60 * 5)), 5);
    }
}

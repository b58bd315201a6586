//! What a campaign has seen of how its calls go, which the forecast extrapolates.

use std::time::Duration;

use crate::store::Seen;

/// How much later a call is repeated, if that was not recorded.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// If every call is repeated, each machine has the five tries that are the default: four of five calls are
/// repeats.
const MOST_AGAIN: f64 = 0.8;

/// A check counts as on time if it comes at most this long after the delay is over.
pub(crate) const ON_TIME: Duration = Duration::from_mins(1);

/// How many observations a share needs before it is used.
const ENOUGH: u64 = 30;

/// Which of the possible courses to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lean {
    /// The earliest one: shares are at the lower end of what the counts allow, and what is not known costs no
    /// call.
    Early,
    /// The one that continues as before.
    Likely,
    /// The latest one: shares are at the upper end of what the counts allow, and whatever may wait does.
    Late,
}

impl Lean {
    /// `part` of `whole` as a share from 0 to 1. Its ends are those of Wilson's score interval for two standard
    /// deviations, by which none of two is no proof that it is none of all.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody makes so many calls that a share would suffer"
    )]
    fn share(self, part: u64, whole: u64) -> f64 {
        const DEVIATIONS: f64 = 2.0;
        let count = whole.max(1) as f64;
        let share = (part as f64 / count).min(1.0);
        let square = DEVIATIONS * DEVIATIONS / count;
        let middle = share + square / 2.0;
        let reach = DEVIATIONS * (share * (1.0 - share) / count + square / count / 4.0).sqrt();
        let leant = match self {
            Self::Early => (middle - reach) / (1.0 + square),
            Self::Likely => share,
            Self::Late => (middle + reach) / (1.0 + square),
        };
        leant.clamp(0.0, 1.0)
    }
}

/// Counts of the results of calls, and of checks of machines that had been busy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Experience {
    /// By how often the machine had been found busy before: how many were tried, and how many of those were
    /// busy.
    asked: Vec<(u64, u64)>,
    /// The number of answers, and how long they took in all.
    answers: u64,
    took: Duration,
    /// Calls to be repeated, and the sum of their delays: after an answer, and without one.
    again: [(u64, Duration); 2],
    /// The longest of these delays.
    longest: Duration,
    /// Look-ups of calls without an answer, and how many of those calls had to be repeated.
    lookups: u64,
    absent: u64,
}

impl Experience {
    /// The experience of earlier runs, from the state.
    #[must_use]
    pub(crate) fn of_earlier_runs(seen: &Seen) -> Self {
        let found_busy = &seen.found_busy;
        let mut beyond = 0;
        let mut asked = vec![(0, 0); found_busy.len()];
        for (times, &(targets, ended)) in found_busy.iter().enumerate().rev() {
            asked[times] = (ended + beyond, beyond);
            beyond += targets;
        }
        Self {
            asked,
            answers: seen.answers,
            took: seen.took,
            again: [
                (
                    seen.again,
                    AGAIN_AFTER * u32::try_from(seen.again).unwrap_or(u32::MAX),
                ),
                (0, Duration::ZERO),
            ],
            longest: if seen.again > 0 {
                AGAIN_AFTER
            } else {
                Duration::ZERO
            },
            ..Self::default()
        }
    }

    /// The service has answered, after this long.
    pub fn answered(&mut self, took: Duration) {
        self.answers += 1;
        self.took = self.took.saturating_add(took);
    }

    /// A machine that was found busy this many `times` before was busy again, or was not.
    pub fn asked(&mut self, times: u32, busy: bool) {
        let times = times as usize;
        if self.asked.len() <= times {
            self.asked.resize(times + 1, (0, 0));
        }
        let (asked, found) = &mut self.asked[times];
        *asked += 1;
        *found += u64::from(busy);
    }

    /// A call has to be repeated, this much later. `was_lost` if it had no answer.
    pub(crate) fn will_repeat(&mut self, was_lost: bool, after: Duration) {
        let (count, delayed) = &mut self.again[usize::from(was_lost)];
        *count += 1;
        *delayed = delayed.saturating_add(after);
        self.longest = self.longest.max(after);
    }

    /// A call without an answer was looked up; `absent` if it has to be repeated.
    pub(crate) fn looked_up(&mut self, absent: bool) {
        self.lookups += 1;
        self.absent += u64::from(absent);
    }

    /// Whether enough is known for a range: about answers, and about busy machines if they are tried again.
    #[must_use]
    pub(crate) fn is_enough(&self, asks_again: bool) -> bool {
        let asked = self.asked.first().map_or(0, |(asked, _)| *asked);
        self.answers > 0 && (!asks_again || asked >= ENOUGH)
    }

    /// How long a call takes.
    #[must_use]
    pub fn latency(&self, lean: Lean) -> Duration {
        // The sum has room for 10,000,000 calls of an hour each.
        let mean = self.took.as_nanos() / u128::from(self.answers.max(1));
        let mean = Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX));
        match lean {
            Lean::Early => mean.mul_f64(0.9),
            Lean::Likely => mean,
            Lean::Late => mean.saturating_add(mean / 10),
        }
    }

    /// The share of the machines found busy this many `times` that are busy the next time; `None` if none has
    /// been tried.
    #[must_use]
    pub fn busy(&self, times: u32, lean: Lean) -> Option<f64> {
        let (asked, busy) = *self.asked.get(times as usize)?;
        (asked > 0).then(|| lean.share(busy, asked))
    }

    /// The share of calls that are repeated and how much later, after an answer and without one. The shares
    /// are capped, so that the calls come to an end.
    #[must_use]
    pub fn again(&self, lean: Lean) -> [(f64, Duration); 2] {
        let shares = self.again.map(|(count, _)| lean.share(count, self.answers));
        let cut = (MOST_AGAIN / shares.iter().sum::<f64>()).min(1.0);
        let mut shares = shares.into_iter();
        self.again.map(|(count, delayed)| {
            let mean = delayed.as_nanos() / u128::from(count.max(1));
            let mean = Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX));
            (shares.next().unwrap_or_default() * cut, mean)
        })
    }

    /// The longest delay of a repeated call.
    #[must_use]
    pub(crate) fn longest_again(&self) -> Duration {
        self.longest
    }

    /// The share of the calls without an answer that are repeated; `None` until one was looked up.
    #[must_use]
    pub fn absent(&self, lean: Lean) -> Option<f64> {
        (self.lookups > 0).then(|| lean.share(self.absent, self.lookups))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIKELY: Lean = Lean::Likely;

    #[test]
    fn shares_and_means_are_those_of_what_was_seen() {
        let mut seen = Experience::default();
        assert_eq!((seen.busy(0, LIKELY), seen.absent(LIKELY)), (None, None));
        assert_eq!(seen.again(LIKELY), [(0.0, Duration::ZERO); 2]);
        assert_eq!(seen.latency(LIKELY), Duration::ZERO);
        assert!(!seen.is_enough(false));
        for call in 0..10 {
            seen.answered(Duration::from_secs(call));
            seen.asked(0, call == 0);
        }
        seen.asked(1, false);
        seen.will_repeat(true, Duration::from_secs(30));
        seen.looked_up(true);
        seen.looked_up(false);
        let busy = |times| seen.busy(times, LIKELY);
        assert_eq!((busy(0), busy(1), busy(7)), (Some(0.1), Some(0.0), None));
        assert!(seen.is_enough(false) && !seen.is_enough(true));
        let lost = (0.1, Duration::from_secs(30));
        assert_eq!(seen.again(LIKELY), [(0.0, Duration::ZERO), lost]);
        assert_eq!(seen.absent(LIKELY), Some(0.5));
        assert_eq!(seen.latency(LIKELY), Duration::from_millis(4_500));
    }

    #[test]
    fn where_every_call_is_made_once_more_there_is_an_end_all_the_same() {
        let mut seen = Experience::default();
        for _ in 0..10 {
            seen.will_repeat(true, Duration::ZERO);
        }
        seen.answered(Duration::ZERO);
        let all: f64 = seen.again(Lean::Late).iter().map(|(share, _)| share).sum();
        assert!((all - MOST_AGAIN).abs() < 1e-9, "{all}");
    }

    #[test]
    fn earlier_runs_are_read_from_the_state() {
        // 90 ended at once. Of 10 busy ones, 4 ended after that and 3 wait. Of 3 that were busy again, 2 have
        // ended.
        let seen = Experience::of_earlier_runs(&Seen {
            found_busy: vec![(90, 90), (7, 4), (3, 2)],
            answers: 100,
            took: Duration::from_secs(50),
            again: 10,
        });
        assert_eq!(seen.latency(LIKELY), Duration::from_millis(500));
        assert_eq!(seen.again(LIKELY)[0], (0.1, AGAIN_AFTER));
        let busy = |times| seen.busy(times, LIKELY);
        assert_eq!((busy(0), busy(1)), (Some(0.1), Some(3.0 / 7.0)));
    }
}

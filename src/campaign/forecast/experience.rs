//! What a campaign has seen so far of how its calls go: the forecast goes on by that.

use std::time::Duration;

use crate::store::Seen;

/// How much later a call is made once more, as a rule, where nobody has kept it.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Where every call is made once more, each machine has the five tries that it has by default: four of five calls are.
const MOST_AGAIN: f64 = 0.8;

/// A look that comes so long after a delay is over is one of those that the delay was meant for.
pub(crate) const ON_TIME: Duration = Duration::from_mins(1);

/// A share says more about what comes, the more it was taken from.
const ENOUGH: u64 = 30;

/// Which of the courses that a campaign may take, going by what it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lean {
    /// The one that is over first: counts come out lower by twice their spread, and what nobody knows costs no call.
    Early,
    /// The one that goes on as before.
    Likely,
    /// The one that is over last: counts come out higher by twice their spread, and whatever may wait does.
    Late,
}

impl Lean {
    /// `part` of `whole`, as a share from 0 to 1. Counts of rare events spread by their square root.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody makes so many calls that a share would suffer"
    )]
    fn share(self, part: u64, whole: u64) -> f64 {
        let count = part as f64;
        let leant = match self {
            Self::Early => count - 2.0 * count.sqrt(),
            Self::Likely => count,
            Self::Late => count + 2.0 * count.sqrt(),
        };
        (leant / whole.max(1) as f64).clamp(0.0, 1.0)
    }
}

/// Counts of what became of calls, and of looks at machines that had been busy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Experience {
    /// By how many times the machine had been found busy before: how many were asked, and how many of them were busy.
    asked: Vec<(u64, u64)>,
    /// Answers, and how long they took together.
    answers: u64,
    took: Duration,
    /// Calls that were to be made once more, and how much later together: after an answer, and after none.
    again: [(u64, Duration); 2],
    /// The longest that one of them waited.
    longest: Duration,
    /// Lookups of calls without an answer, and how many of them were to be made once more.
    lookups: u64,
    absent: u64,
}

impl Experience {
    /// That of the runs so far, as the state tells it.
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

    /// The service has answered, and that took so long.
    pub fn answered(&mut self, took: Duration) {
        self.answers += 1;
        self.took = self.took.saturating_add(took);
    }

    /// A machine that was found busy so many `times` before was busy again, or was not.
    pub fn asked(&mut self, times: u32, busy: bool) {
        let times = times as usize;
        if self.asked.len() <= times {
            self.asked.resize(times + 1, (0, 0));
        }
        let (asked, found) = &mut self.asked[times];
        *asked += 1;
        *found += u64::from(busy);
    }

    /// A call is to be made once more, so much later: one without an answer, or what was answered.
    pub(crate) fn repeats(&mut self, was_lost: bool, after: Duration) {
        let (count, delayed) = &mut self.again[usize::from(was_lost)];
        *count += 1;
        *delayed = delayed.saturating_add(after);
        self.longest = self.longest.max(after);
    }

    /// A call without an answer was looked up, and has to be made once more, or not.
    pub(crate) fn looked_up(&mut self, absent: bool) {
        self.lookups += 1;
        self.absent += u64::from(absent);
    }

    /// Whether enough is known to say how many machines are busy, or else how calls go at all.
    #[must_use]
    pub(crate) fn is_enough(&self, asks_again: bool) -> bool {
        let asked = self.asked.first().map_or(0, |(asked, _)| *asked);
        self.answers > 0 && (!asks_again || asked >= ENOUGH)
    }

    /// How long a call takes.
    #[must_use]
    pub fn latency(&self, lean: Lean) -> Duration {
        // A sum of 10,000,000 calls of an hour each has its place in it.
        let mean = self.took.as_nanos() / u128::from(self.answers.max(1));
        let mean = Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX));
        match lean {
            Lean::Early => mean.mul_f64(0.9),
            Lean::Likely => mean,
            Lean::Late => mean.saturating_add(mean / 10),
        }
    }

    /// How many of the machines that were found busy so many `times` are busy when they are asked the next time; `None` where
    /// none has been asked.
    #[must_use]
    pub fn busy(&self, times: u32, lean: Lean) -> Option<f64> {
        let (asked, busy) = *self.asked.get(times as usize)?;
        (asked > 0).then(|| lean.share(busy, asked))
    }

    /// How many calls are made once more, and how much later: after an answer, and after none. Never so many that the calls
    /// would have no end.
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

    /// The longest that a call waited which was to be made once more.
    #[must_use]
    pub(crate) fn longest_again(&self) -> Duration {
        self.longest
    }

    /// How many of the calls without an answer are made once more; `None` until one was looked up.
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
        seen.repeats(true, Duration::from_secs(30));
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
            seen.repeats(true, Duration::ZERO);
        }
        seen.answered(Duration::ZERO);
        let all: f64 = seen.again(Lean::Late).iter().map(|(share, _)| share).sum();
        assert!((all - MOST_AGAIN).abs() < 1e-9, "{all}");
    }

    #[test]
    fn earlier_runs_are_read_from_the_state() {
        // 90 have ended at once; of 10 busy ones 4 ended after that, 3 wait; of 3 that were busy again 2 have ended.
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

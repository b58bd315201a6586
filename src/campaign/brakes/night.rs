//! What counts for a command that runs every night: only what happened tonight. A night is not stopped by
//! what an earlier night has reached, and repeating the command in the same night adds to what that night has
//! reached.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{campaign::outcome::Tally, store::Reach};

/// A night is over this long after its first run: longer than any night, and shorter than a day whose clock
/// is put forward by an hour or whose job starts late.
pub const NIGHT: SignedDuration = SignedDuration::from_hours(20);

/// How a campaign stood when a run began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Baseline {
    /// Machines that were sent to.
    sent_to: u64,
    /// Machines that ended as busy and were not sent to.
    skipped: u64,
    /// How many ended how, by the outcomes' words.
    ended: BTreeMap<String, u64>,
}

impl Baseline {
    /// The campaign as earlier runs have left it.
    #[must_use]
    pub fn of(reach: &Reach, tally: &Tally) -> Self {
        let ended = tally.iter().filter(|(_, count)| *count > 0);
        Self {
            sent_to: reach.sent_to,
            skipped: reach.skipped,
            ended: ended
                .map(|(outcome, count)| (outcome.as_str().to_owned(), count))
                .collect(),
        }
    }

    /// Machines that were sent to.
    #[must_use]
    pub const fn sent_to(&self) -> u64 {
        self.sent_to
    }

    /// Machines that ended as busy and were not sent to.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many targets have ended since.
    #[must_use]
    pub fn since(&self, tally: &Tally) -> Tally {
        let mut since = Tally::default();
        for (outcome, count) in tally.iter() {
            let before = self.ended.get(outcome.as_str()).copied();
            since.add_many(outcome, count.saturating_sub(before.unwrap_or(0)));
        }
        since
    }

    /// The part of this that is still so: targets that were reopened meanwhile have not ended before.
    fn limited_to(mut self, now: &Self) -> Self {
        self.sent_to = self.sent_to.min(now.sent_to);
        self.skipped = self.skipped.min(now.skipped);
        for (outcome, count) in &mut self.ended {
            *count = now.ended.get(outcome).map_or(0, |now| (*count).min(*now));
        }
        self
    }
}

/// How the campaign stood at the beginning of the night that a run belongs to. The run begins at `now`, with
/// the campaign at `baseline`. `runs` are the runs before it, oldest first: when each began, and how the
/// campaign stood then, if that was recorded; if it was not, everything counts.
#[must_use]
pub fn before(
    runs: &[(Timestamp, Option<Baseline>)],
    now: Timestamp,
    baseline: Baseline,
) -> Baseline {
    let mut first: Option<&(Timestamp, Option<Baseline>)> = None;
    let is_tonight = |began: &Timestamp, at: Timestamp| at.duration_since(*began) < NIGHT;
    for run in runs {
        if first.is_none_or(|(began, _)| !is_tonight(began, run.0)) {
            first = Some(run);
        }
    }
    match first {
        Some((began, noted)) if is_tonight(began, now) => {
            noted.clone().unwrap_or_default().limited_to(&baseline)
        }
        _ => baseline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::outcome::Outcome;

    fn baseline(sent_to: u64, failed: u64) -> Baseline {
        let mut tally = Tally::default();
        tally.add_many(Outcome::Failed, failed);
        let reach = Reach {
            sent_to,
            ..Reach::default()
        };
        Baseline::of(&reach, &tally)
    }

    #[test]
    fn a_night_is_its_first_run_and_all_that_begin_within_twenty_hours_of_that() {
        let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let noted = |hours, sent_to| (at(hours), Some(baseline(sent_to, 0)));
        for (runs, now, sent_before) in [
            (vec![], 0, 100),
            (vec![noted(0, 0)], 1, 0),
            (vec![noted(0, 0)], 19, 0),
            (vec![noted(0, 0)], 20, 100),
            (vec![noted(0, 0), noted(19, 10)], 21, 100),
            (vec![noted(0, 0), noted(24, 10), noted(25, 20)], 26, 10),
            (vec![noted(0, 0), noted(24, 10), noted(25, 20)], 48, 100),
            // The clock was put back, and an older version recorded nothing.
            (vec![noted(24, 10)], 0, 10),
            (vec![(at(0), None), noted(1, 10)], 2, 0),
        ] {
            let before = before(&runs, at(now), baseline(100, 0));
            assert_eq!(before.sent_to(), sent_before, "{runs:?} {now}");
        }
    }

    #[test]
    fn what_was_opened_again_counts_when_it_ends_again() {
        let runs = [(Timestamp::UNIX_EPOCH, Some(baseline(10, 5)))];
        let tonight = before(&runs, Timestamp::UNIX_EPOCH, baseline(10, 1));
        let mut tally = Tally::default();
        tally.add_many(Outcome::Failed, 4);
        assert_eq!(tonight.since(&tally).of(Outcome::Failed), 3);
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let text = serde_json::to_string(&baseline(7, 2)).unwrap();
        assert_eq!(text, r#"{"sent_to":7,"skipped":0,"ended":{"failed":2}}"#);
        assert_eq!(
            serde_json::from_str::<Baseline>(&text).unwrap(),
            baseline(7, 2)
        );
    }
}

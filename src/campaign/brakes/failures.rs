//! `--max-failures`: how many failures are too many.

use std::{fmt, str::FromStr};

use super::Change;
use crate::{
    campaign::outcome::{Outcome, Tally},
    monitor::count,
};

/// A percentage applies from this many ended targets on: before, one failure of two would be half.
pub const SHARE_FROM: u64 = 20;

/// How many failures stop a campaign. Failures are `failed`, `refused` and `unsure`, in all of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxFailures {
    /// A number; at least 1.
    Count(u64),
    /// A percentage of the targets that have ended, 1 to 100, from [`SHARE_FROM`] on. Rows that ended by
    /// being read are not counted: they would dilute it.
    Share(u8),
}

/// A text that is neither a number nor a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a number of machines from 1, as in 10, or a whole percentage from 1% to 100%, as in 5%"
)]
pub struct MaxFailuresError;

impl MaxFailures {
    /// Why a campaign with these counts stops, if it does. `skipped` of the ended machines were not sent to,
    /// because the list of scans showed that they were busy.
    #[must_use]
    pub fn stops(self, tally: &Tally, skipped: u64) -> Option<String> {
        self.why(tally, skipped, ["", "goes on"])
    }

    /// The same, if these are the counts of one night and others follow.
    #[must_use]
    pub(crate) fn stops_tonight(self, tally: &Tally, skipped: u64) -> Option<String> {
        let goes_on = "goes on tomorrow night, and tonight";
        self.why(tally, skipped, [" tonight", goes_on])
    }

    fn why(self, tally: &Tally, skipped: u64, [when, goes_on]: [&str; 2]) -> Option<String> {
        let [failed, refused, unsure] =
            [Outcome::Failed, Outcome::Refused, Outcome::Unsure].map(|o| tally.of(o));
        let failures = failed + refused + unsure;
        let ended = ended_by_calls(tally).saturating_sub(skipped);
        let (stops, of) = match self {
            Self::Count(max) => (failures >= max, String::new()),
            Self::Share(percent) => (
                ended >= SHARE_FROM
                    && u128::from(failures) * 100 >= u128::from(ended) * u128::from(percent),
                format!(" of {ended}"),
            ),
        };
        stops.then(|| {
            let machines = match &*of {
                "" => count::of(failures, "machine"),
                of => format!("{failures}{of} machines"),
            };
            let on = match self.above(failures, ended) {
                Some(least) => format!("with --max-failures {least} or more, or without it"),
                None => "without --max-failures".to_owned(),
            };
            format!(
                "--max-failures {self}: {machines} ended badly{when} ({failed} failed, {refused} refused, \
                 {unsure} unsure); look at the messages in the results; the same command {goes_on} {on}"
            )
        })
    }

    /// What has to change about a command that these counts stop.
    #[must_use]
    pub fn change(self, tally: &Tally, skipped: u64) -> Option<Change> {
        self.stops(tally, skipped)?;
        let failures = [Outcome::Failed, Outcome::Refused, Outcome::Unsure].map(|o| tally.of(o));
        let ended = ended_by_calls(tally).saturating_sub(skipped);
        Some(match self.above(failures.iter().sum(), ended) {
            Some(least) => Change::to("--max-failures", least),
            None => Change::without("--max-failures"),
        })
    }

    /// The least limit that this many failures do not reach, in the same form; `None` if every percentage is
    /// reached.
    fn above(self, failures: u64, ended: u64) -> Option<Self> {
        match self {
            Self::Count(_) => Some(Self::Count(failures + 1)),
            Self::Share(_) => {
                let percent = u128::from(failures) * 100 / u128::from(ended.max(1)) + 1;
                let percent = u8::try_from(percent).ok();
                percent.filter(|percent| *percent <= 100).map(Self::Share)
            }
        }
    }
}

/// Targets that ended by a call, whether it was answered or not.
fn ended_by_calls(tally: &Tally) -> u64 {
    tally
        .iter()
        .filter(|(outcome, _)| {
            !matches!(
                outcome,
                Outcome::Invalid | Outcome::Duplicate | Outcome::NotAttempted
            )
        })
        .map(|(_, count)| count)
        .sum()
}

impl FromStr for MaxFailures {
    type Err = MaxFailuresError;

    fn from_str(text: &str) -> Result<Self, MaxFailuresError> {
        let text = text.trim();
        let read = match text.strip_suffix('%') {
            Some(share) => share.trim_end().parse().ok().map(Self::Share),
            None => text.parse().ok().map(Self::Count),
        };
        match read {
            Some(Self::Count(0) | Self::Share(0 | 101..)) | None => Err(MaxFailuresError),
            Some(max) => Ok(max),
        }
    }
}

impl fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(max) => write!(f, "{max}"),
            Self::Share(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally(counts: &[(Outcome, u64)]) -> Tally {
        let mut tally = Tally::default();
        for (outcome, count) in counts {
            tally.add_many(*outcome, *count);
        }
        tally
    }

    #[test]
    fn the_nth_failure_stops_and_not_the_one_before() {
        for outcome in [Outcome::Failed, Outcome::Refused, Outcome::Unsure] {
            let max = MaxFailures::Count(3);
            assert_eq!(max.stops(&tally(&[(outcome, 2)]), 0), None);
            let why = max.stops(&tally(&[(outcome, 3)]), 0).unwrap();
            assert!(why.starts_with("--max-failures 3: 3 machines"), "{why}");
        }
        let mixed = tally(&[
            (Outcome::Failed, 1),
            (Outcome::Refused, 1),
            (Outcome::Unsure, 1),
        ]);
        assert!(MaxFailures::Count(3).stops(&mixed, 0).is_some());
    }

    #[test]
    fn nothing_else_is_a_failure() {
        for outcome in Outcome::ALL {
            let is_failure = matches!(
                outcome,
                Outcome::Failed | Outcome::Refused | Outcome::Unsure
            );
            for max in [MaxFailures::Count(1), MaxFailures::Share(1)] {
                let stops = max.stops(&tally(&[(outcome, 100)]), 0);
                assert_eq!(stops.is_some(), is_failure, "{outcome}");
            }
        }
    }

    #[test]
    fn a_share_stops_from_the_twentieth_end_on() {
        let half = MaxFailures::Share(50);
        let ends =
            |accepted, failed| tally(&[(Outcome::Accepted, accepted), (Outcome::Failed, failed)]);
        assert_eq!(half.stops(&ends(0, 19), 0), None);
        assert!(half.stops(&ends(0, 20), 0).is_some());
        assert_eq!(half.stops(&ends(11, 9), 0), None);
        let why = half.stops(&ends(10, 10), 0).unwrap();
        assert!(
            why.starts_with("--max-failures 50%: 10 of 20 machines"),
            "{why}"
        );
    }

    #[test]
    fn rows_that_ended_by_being_read_do_not_dilute_the_share() {
        let read = [
            (Outcome::Invalid, 500),
            (Outcome::Duplicate, 500),
            (Outcome::NotAttempted, 500),
            (Outcome::Accepted, 18),
        ];
        let mut counts = tally(&read);
        counts.add(Outcome::Failed);
        assert_eq!(
            MaxFailures::Share(5).stops(&counts, 0),
            None,
            "19 have ended"
        );
        counts.add(Outcome::NotFound);
        assert!(
            MaxFailures::Share(5).stops(&counts, 0).is_some(),
            "1 of 20 are 5 %"
        );
        assert_eq!(MaxFailures::Share(6).stops(&counts, 0), None);
        assert_eq!(
            MaxFailures::Share(5).stops(&counts, 1),
            None,
            "one was skipped"
        );
    }

    proptest! {
        #[test]
        fn a_share_stops_exactly_where_the_fraction_is_reached(
            ended in 0..2_000_u64,
            share in 0.0..1.0_f64,
            percent in 1..=100_u8,
        ) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "small"
            )]
            let failed = (ended as f64 * share) as u64;
            let counts = tally(&[(Outcome::Accepted, ended - failed), (Outcome::Unsure, failed)]);
            let reached = (0..=ended).find(|f| f * 100 >= ended * u64::from(percent));
            let stops = ended >= 20 && reached.is_some_and(|least| failed >= least);
            prop_assert_eq!(MaxFailures::Share(percent).stops(&counts, 0).is_some(), stops);
        }
    }

    proptest! {
        #[test]
        fn what_is_to_be_said_instead_does_not_stop_it_again(
            accepted in 0..500_u64,
            failed in 1..500_u64,
            percent in 1..=100_u8,
            is_share: bool,
        ) {
            let max = if is_share { MaxFailures::Share(percent) } else { MaxFailures::Count(u64::from(percent)) };
            let counts = tally(&[(Outcome::Accepted, accepted), (Outcome::Failed, failed)]);
            if let Some(change) = max.change(&counts, 0) {
                let said = change.value.map(|value| value.parse::<MaxFailures>().unwrap());
                prop_assert!(said.is_none_or(|max| max.stops(&counts, 0).is_none()));
            }
        }
    }

    #[test]
    fn numbers_and_percentages_are_read() {
        for (text, max) in [
            ("1", MaxFailures::Count(1)),
            (" 250 ", MaxFailures::Count(250)),
            ("1%", MaxFailures::Share(1)),
            ("100 %", MaxFailures::Share(100)),
        ] {
            assert_eq!(text.parse(), Ok(max));
            assert_eq!(max.to_string().parse(), Ok(max));
        }
        for text in ["", "0", "0%", "101%", "-1", "2.5%", "%", "many", "300%"] {
            assert_eq!(text.parse::<MaxFailures>(), Err(MaxFailuresError), "{text}");
        }
    }
}

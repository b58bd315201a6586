//! How one target ended, and how many ended how.

use std::{fmt, str::FromStr};

/// What became of one row of the input. Every row ends in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The service started (queued) our scan.
    Accepted,
    /// A scan of somebody else was waiting or running already.
    AlreadyPending,
    /// The service does not know the machine. It said so twice, at least 5 s apart.
    NotFound,
    /// The machine's platform or agent can never be scanned this way.
    Unsupported,
    /// The service refuses to scan this machine; the error code says why.
    Refused,
    /// The tries are used up.
    Failed,
    /// A scan may or may not have been started, and it could not be looked up.
    Unsure,
    /// The row has no usable machine id, or a cell that is not valid.
    Invalid,
    /// The machine is in an earlier row.
    Duplicate,
    /// The row was left out, or was not reached before the campaign stopped.
    NotAttempted,
}

impl Outcome {
    /// All outcomes, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::AlreadyPending,
        Self::NotFound,
        Self::Unsupported,
        Self::Refused,
        Self::Failed,
        Self::Unsure,
        Self::Invalid,
        Self::Duplicate,
        Self::NotAttempted,
    ];

    /// The word used in files and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AlreadyPending => "already_pending",
            Self::NotFound => "not_found",
            Self::Unsupported => "unsupported",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unsure => "unsure",
            Self::Invalid => "invalid",
            Self::Duplicate => "duplicate",
            Self::NotAttempted => "not_attempted",
        }
    }

    /// Whether the machine is being scanned, by us or by somebody else.
    #[must_use]
    pub const fn is_scanned(self) -> bool {
        matches!(self, Self::Accepted | Self::AlreadyPending)
    }

    const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is not an outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no outcome; there are accepted, already_pending, not_found, unsupported, refused, failed, unsure, \
     invalid, duplicate and not_attempted"
)]
pub struct UnknownOutcome(String);

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(word: &str) -> Result<Self, UnknownOutcome> {
        Self::ALL
            .into_iter()
            .find(|o| o.as_str() == word)
            .ok_or_else(|| UnknownOutcome(word.to_owned()))
    }
}

/// The message of a row that `--where` leaves out.
pub(crate) const LEFT_OUT: &str = "left out by --where";

/// The message of a row whose machine is excluded.
pub(crate) use crate::roster::EXCLUDED;

/// How the message of a row begins whose machine needs no scan, or cannot have one.
pub(crate) const SKIPPED: &str = "skipped: ";

/// The message of a target whose row is no longer in an extended input.
pub(crate) const GONE: &str = "no longer in the input";

/// Whether a `not_attempted` with this message is what the operator asked for, and not a machine that is still to be
/// scanned.
pub(crate) fn is_left_out(message: &str) -> bool {
    [LEFT_OUT, EXCLUDED, GONE].contains(&message) || message.starts_with(SKIPPED)
}

/// The number of targets by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    counts: [u64; Outcome::ALL.len()],
    left_out: u64,
}

impl Tally {
    /// Counts one more target.
    pub fn add(&mut self, outcome: Outcome) {
        self.add_many(outcome, 1);
    }

    /// Counts `many` more targets.
    pub fn add_many(&mut self, outcome: Outcome, many: u64) {
        self.counts[outcome.index()] += many;
    }

    /// Counts `many` targets that the operator's `--where` left out: `not_attempted`, and no failure.
    pub fn leave_out(&mut self, many: u64) {
        self.add_many(Outcome::NotAttempted, many);
        self.left_out += many;
    }

    /// How many targets ended with this outcome.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.counts[outcome.index()]
    }

    /// How many targets the operator left out: they count as `not_attempted`.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How many targets have ended.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each outcome with its count, in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        Outcome::ALL.into_iter().map(|o| (o, self.of(o)))
    }

    /// Whether every row is `accepted`, `already_pending` or `duplicate`, or was left out by the operator.
    #[must_use]
    pub fn is_all_well(&self) -> bool {
        self.iter().all(|(outcome, count)| match outcome {
            Outcome::Accepted | Outcome::AlreadyPending | Outcome::Duplicate => true,
            Outcome::NotAttempted => count == self.left_out,
            _ => count == 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_reads_its_own_word() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        assert!("done".parse::<Outcome>().is_err());
    }

    #[test]
    fn all_is_well_exactly_when_only_harmless_outcomes_are_there() {
        for outcome in Outcome::ALL {
            let mut tally = Tally::default();
            tally.add(outcome);
            let harmless = matches!(
                outcome,
                Outcome::Accepted | Outcome::AlreadyPending | Outcome::Duplicate
            );
            assert_eq!(tally.is_all_well(), harmless, "{outcome}");
        }
        let mut tally = Tally::default();
        tally.leave_out(3);
        assert!(tally.is_all_well());
        tally.add(Outcome::NotAttempted);
        assert!(!tally.is_all_well());
    }
}

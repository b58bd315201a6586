//! How many of a campaign's targets have ended, by its state.

use super::outcome::Tally;
use crate::store::{Store, StoreError};

/// How many of a campaign's targets have ended, and how many have not.
pub(crate) struct Counts {
    /// Those that have ended, by outcome.
    pub(crate) tally: Tally,
    /// Those that have not.
    pub(crate) open: u64,
}

impl Counts {
    /// Counts the targets.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) fn of(store: &Store) -> Result<Self, StoreError> {
        let (mut tally, mut open) = (Tally::default(), 0);
        for (outcome, left_out, count) in store.tally()? {
            match outcome.map(|word| word.parse()) {
                Some(Ok(_)) if left_out => tally.leave_out(count),
                Some(Ok(outcome)) => tally.add_many(outcome, count),
                _ => open += count,
            }
        }
        Ok(Self { tally, open })
    }
}

//! How the targets of a campaign stand, by its state.

use super::outcome::Tally;
use crate::store::{Store, StoreError};

/// How a campaign's targets stand.
pub(crate) struct Counts {
    pub(crate) tally: Tally,
    /// Those that have not ended.
    pub(crate) open: u64,
}

impl Counts {
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

//! How the targets of a campaign stand, by its state.

use super::Failure;
use crate::{campaign::outcome::Tally, store::Store};

/// How a campaign's targets stand.
pub(super) struct Counts {
    pub(super) tally: Tally,
    /// Those that have not ended.
    pub(super) open: u64,
}

impl Counts {
    pub(super) fn of(store: &Store) -> Result<Self, Failure> {
        let (mut tally, mut open) = (Tally::default(), 0);
        for (outcome, left_out, count) in store.tally().map_err(Failure::storage)? {
            match outcome.map(|word| word.parse()) {
                Some(Ok(_)) if left_out => tally.leave_out(count),
                Some(Ok(outcome)) => tally.add_many(outcome, count),
                _ => open += count,
            }
        }
        Ok(Self { tally, open })
    }
}

//! The port to what the quota remembers beyond one process, and the memory of a run that needs none.

use std::fmt::Debug;

use super::{clock::Moment, kind::Kind};

/// Why the ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {}

/// Names a call in the ledger, among those of all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CallId(pub(super) u64);

/// What the ledger holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// A call was let go at `at`; its caller gives it up at `give_up_at`.
    Sent {
        id: CallId,
        kind: Kind,
        at: Moment,
        give_up_at: Moment,
    },
    /// The windows of that call run from `at`.
    Answered { id: CallId, at: Moment },
    /// No calls of the kind before `until`.
    Hold { kind: Kind, until: Moment },
}

/// What is remembered of the calls of all processes that share a quota.
///
/// A transaction is `begin`, then `commit`; between them no other process can begin one. A transaction that was begun
/// and not committed is void.
pub(super) trait Ledger: Debug + Send {
    /// Begins a transaction and returns what others have written since the last one; the first one returns all that is
    /// still of use. May block.
    fn begin(&mut self) -> Result<Vec<Entry>, LedgerError>;

    /// Writes `entries` and ends the transaction. Once this has returned they survive a crash of the process and of the
    /// computer. May block.
    fn commit(&mut self, entries: &[Entry]) -> Result<(), LedgerError>;
}

/// The ledger of a quota that no one else uses: it remembers nothing and never blocks.
#[derive(Debug)]
pub(super) struct NoLedger;

impl Ledger for NoLedger {
    fn begin(&mut self) -> Result<Vec<Entry>, LedgerError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _entries: &[Entry]) -> Result<(), LedgerError> {
        Ok(())
    }
}

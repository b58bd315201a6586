//! What the quota remembers beyond one process: the port, and the memory of a run that needs none.
//!
//! - this file: the port ([`Ledger`]), what it carries ([`Entry`]), and [`NoLedger`].
//! - `file`: the port over a file that processes share. It alone knows of other processes, their deaths included.
//! - `row`: an entry as it stands in the file: its time on this boot and on the wall, and its checksum.
//! - `schema`: opening, making and checking the file.
//! - `owner`: a process's mark beside the file, by which others know that it is alive.
//! - `error`: what goes wrong, in words.

mod error;
mod file;
mod owner;
mod row;
mod schema;

use std::fmt::Debug;

use super::{clock::Moment, kind::Kind};

pub use error::LedgerError;
pub(super) use file::FileLedger;
pub use file::LedgerPlace;

/// Names a call, among those of all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CallId(pub(super) u64);

/// What a ledger holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// A call was let go at `at`; its caller has given it up by `give_up_at`.
    Sent {
        id: CallId,
        kind: Kind,
        at: Moment,
        give_up_at: Moment,
    },
    /// The windows of that call run from `at`.
    Answered { id: CallId, kind: Kind, at: Moment },
    /// At `at` the service said: no calls of the kind before `until`.
    Hold {
        kind: Kind,
        at: Moment,
        until: Moment,
    },
}

/// What is remembered of the calls of all processes that share a quota.
///
/// A transaction is `begin`, then `commit`; between them no other process can begin one. A transaction that was begun
/// and not committed is void.
pub(super) trait Ledger: Debug + Send {
    /// Begins a transaction and returns what others have done since the last one; the first one returns all that is
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

//! What the quota remembers beyond one process.
//!
//! - this file: the port ([`Ledger`]), what is written through it ([`Entry`]), and [`NoLedger`] for a quota that nobody
//!   else uses.
//! - `file`: the port on top of a file that processes share. `others`: calls of other processes, and which of those
//!   processes have died.
//! - `row`: an entry as it is stored: its time on this boot's clock and on the wall clock, and its checksum. `rows`:
//!   the table of them.
//! - `marks`: what is remembered of campaigns, so that a state that lost its end is detected. `mark_rows`: their table.
//! - `survey`: reads the whole ledger, and ends holds.
//! - `schema`: opens, creates, migrates and checks the file.
//! - `owner`: a process's lock file beside the ledger, which tells others that it is alive.
//! - `error`: what can go wrong.

mod error;
mod file;
mod mark_rows;
mod marks;
mod others;
mod owner;
mod row;
mod rows;
mod schema;
mod survey;

use std::{fmt::Debug, sync::Arc};

use super::{clock::Moment, kind::Kind};

pub use error::LedgerError;
pub(super) use file::FileLedger;
pub use file::LedgerPlace;
pub use mark_rows::MarkRow;
pub use marks::{Mark, abandon, finish, marks};
pub use schema::create;
pub use survey::{Account, Lifted, Process, accounts, lift, processes};

/// Identifies a call among those of all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CallId(pub(super) u64);

/// One entry of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// A call was permitted at `at`; its caller has given it up by `give_up_at`.
    Sent {
        id: CallId,
        kind: Kind,
        at: Moment,
        give_up_at: Moment,
    },
    /// That call has ended; its windows start at `at`.
    Answered { id: CallId, kind: Kind, at: Moment },
    /// That call, permitted at `at`, was certainly never sent, so its lanes are free again. If this entry is lost, the
    /// call counts as sent, which is the safe side.
    Withdrawn { id: CallId, kind: Kind, at: Moment },
    /// At `at` the service asked for no calls of the kind before `until`.
    Hold {
        kind: Kind,
        at: Moment,
        until: Moment,
    },
    /// At `at` a user ended the kind's hold, for all processes.
    Lift { kind: Kind, at: Moment },
    /// At `at` a refusal of a call of the kind showed that all kinds are counted together.
    Joined { kind: Kind, at: Moment },
}

/// What is remembered of the calls of all processes that share a quota.
///
/// A transaction is `begin` followed by `commit`; between them no other process can begin one. A transaction that was
/// begun and not committed has no effect.
pub(super) trait Ledger: Debug + Send {
    /// Whether other processes may use it at the same time. If so, every call to it may block.
    fn has_neighbours(&self) -> bool {
        false
    }

    /// Begins a transaction and returns what other processes have written since the last one. The first transaction
    /// returns everything that still matters.
    fn begin(&mut self) -> Result<Vec<Entry>, LedgerError>;

    /// Writes `entries` and ends the transaction. Once this has returned, they survive a crash of the process and of
    /// the computer.
    fn commit(&mut self, entries: &[Entry]) -> Result<(), LedgerError>;

    /// Registers a campaign. From now on each `commit` writes how far its mark has grown, in the same transaction, and
    /// never lowers what is there. A ledger that remembers nothing does nothing.
    fn keep_mark(&mut self, _mark: Arc<Mark>, _row: MarkRow) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Records that a campaign has ended.
    fn end_mark(&mut self, _campaign: &str, _abandoned: bool) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Writes as much as a burst of calls does, and rolls it back. Fails if there is no room for it.
    fn prove_room(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }
}

/// The ledger of a quota that nobody else uses. It remembers nothing and never blocks.
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

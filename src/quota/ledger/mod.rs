//! What the quota remembers beyond one process: the port, and the memory of a run that needs none.
//!
//! - this file: the port ([`Ledger`]), what it carries ([`Entry`]), and [`NoLedger`].
//! - `file`: the port over a file that processes share. `others`: calls of other processes; their deaths too.
//! - `row`: an entry as it stands in the file: its time on this boot and on the wall, and its checksum. `rows`: all of them.
//! - `marks`: what is remembered of campaigns, so that a state that lost its end is noticed.
//! - `survey`: for who looks at the whole ledger, or ends a hold.
//! - `schema`: opening, making and checking the file.
//! - `owner`: a process's mark beside the file, by which others know that it is alive.
//! - `error`: what goes wrong, in words.

mod error;
mod file;
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
pub use marks::{Mark, MarkRow, abandon, finish, marks};
pub use schema::create;
pub use survey::{Account, Lifted, Process, accounts, lift, processes};

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
    /// That call, let go at `at`, was surely never sent: it has its lane back. Losing this errs towards caution.
    Withdrawn { id: CallId, kind: Kind, at: Moment },
    /// At `at` the service said: no calls of the kind before `until`.
    Hold {
        kind: Kind,
        at: Moment,
        until: Moment,
    },
    /// At `at` somebody ended the kind's hold, for everyone.
    Lift { kind: Kind, at: Moment },
    /// At `at` a refusal of a call of the kind showed that all kinds count as one.
    Joined { kind: Kind, at: Moment },
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

    /// Registers a campaign. From now on each `commit` writes how far its mark has grown, in the same transaction, and
    /// never lowers what is there. May block, as all that follow. A ledger that remembers nothing does nothing.
    fn keep_mark(&mut self, _mark: Arc<Mark>, _row: MarkRow) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Notes that a campaign has ended.
    fn end_mark(&mut self, _campaign: &str, _abandoned: bool) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Writes as much as a burst of calls does, and takes it back: fails if there is no room for it.
    fn prove_room(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }
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

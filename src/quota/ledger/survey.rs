//! Reads the whole ledger from outside of a run, and ends holds.

use std::{collections::BTreeMap, path::Path};

use super::{
    super::{clock::Clock, hold::Holds, kind::Kind},
    Entry, LedgerError, LedgerPlace,
    owner::Owner,
    row::{Now, Row, SENT},
    rows, schema,
};

/// An application in a tenant whose calls a ledger counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The ledger, and whose calls these are.
    pub place: LedgerPlace,
    /// The processes that have sent such calls and are alive.
    pub processes: Vec<Process>,
}

/// A live process, or one of its pacers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id in the ledger. This is not the process id of the operating system.
    pub id: i64,
    /// How many calls of its the ledger remembers.
    pub calls: u64,
}

/// A hold that was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifted {
    /// The ledger, and whose hold it was.
    pub place: LedgerPlace,
    /// The kind that may be called again.
    pub kind: Kind,
    /// How much longer it would have lasted.
    pub left: std::time::Duration,
}

/// The accounts whose calls a ledger counts; none if the file does not exist. Nothing is created or written. Blocks.
///
/// # Errors
/// The file cannot be read, is not a ledger, was made by a later release, or is damaged.
pub fn accounts(file: &Path) -> Result<Vec<Account>, LedgerError> {
    let Some((conn, _)) = schema::open_read_only(file)? else {
        return Ok(Vec::new());
    };
    let mut scopes: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
    rows::each(&conn, file, 0, |_, row| {
        let owners = scopes.entry(row.scope.clone()).or_default();
        if row.event == SENT {
            *owners.entry(row.owner).or_default() += 1;
        }
        Ok(())
    })?;
    let accounts = scopes.into_iter().map(|(scope, owners)| Account {
        place: LedgerPlace::of_scope(file.to_owned(), &scope),
        processes: owners
            .into_iter()
            .filter(|&(id, _)| Owner::lives(file, id))
            .map(|(id, calls)| Process { id, calls })
            .collect(),
    });
    Ok(accounts.collect())
}

/// How many processes have the ledger open.
#[must_use]
pub fn processes(file: &Path) -> usize {
    let all = Owner::all(file).into_iter();
    all.filter(|&id| Owner::lives(file, id)).count()
}

/// Ends the holds of these kinds for all accounts, and returns what was ended. Running processes notice within 5 s, and
/// then send one call alone. A file that does not exist has no holds, and is not created. Blocks.
///
/// # Errors
/// The ledger cannot be read or written.
pub fn lift(file: &Path, kinds: &[Kind], clock: &dyn Clock) -> Result<Vec<Lifted>, LedgerError> {
    if schema::open_read_only(file)?.is_none() {
        return Ok(Vec::new());
    }
    let conn = schema::open_existing(file)?;
    schema::transaction(&conn, file, || {
        let now = Now::of(clock, &clock.boot());
        let mut held: BTreeMap<String, Holds> = BTreeMap::new();
        rows::each(&conn, file, 0, |seq, row| {
            let entry = row
                .entry(&now)
                .ok_or_else(|| rows::damaged_row(file, seq))?;
            note(held.entry(row.scope.clone()).or_default(), &entry, &now);
            Ok(())
        })?;
        let mut lifted = Vec::new();
        for (scope, holds) in &mut held {
            for &kind in kinds {
                let left = holds.until(kind).since(now.moment);
                if !holds.lift(kind, now.moment) {
                    continue;
                }
                let at = now.moment;
                let row = Row::new(&Entry::Lift { kind, at }, scope, 0, &now);
                rows::insert(&conn, &row).map_err(|error| LedgerError::sqlite(file, error))?;
                let place = LedgerPlace::of_scope(file.to_owned(), scope);
                lifted.push(Lifted { place, kind, left });
            }
        }
        Ok(lifted)
    })
}

/// Applies what an entry says about holds.
fn note(holds: &mut Holds, entry: &Entry, now: &Now) {
    match *entry {
        Entry::Hold { kind, until, .. } => holds.hold(kind, until),
        Entry::Lift { kind, .. } => {
            holds.lift(kind, now.moment);
        }
        Entry::Joined { .. } => holds.join(),
        Entry::Sent { .. } | Entry::Answered { .. } | Entry::Withdrawn { .. } => {}
    }
}

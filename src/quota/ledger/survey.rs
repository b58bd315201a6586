//! The whole ledger, for who looks at it from outside of a run, or ends a hold.

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
    /// Whose calls, and the ledger.
    pub place: LedgerPlace,
    /// The processes that have sent calls of its and are alive.
    pub processes: Vec<Process>,
}

/// A process that is alive, or one of its pacers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its number in the ledger, which is not the system's.
    pub id: i64,
    /// How many of the calls that the ledger remembers it has sent.
    pub calls: u64,
}

/// A hold that was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifted {
    /// Whose it was, and the ledger.
    pub place: LedgerPlace,
    /// The kind that may be called again.
    pub kind: Kind,
    /// For how long it would have held still.
    pub left: std::time::Duration,
}

/// Whose calls a ledger counts. A file that is not there counts nobody's. Nothing is made or written. Blocks.
///
/// # Errors
/// The file cannot be read, is something else, newer or damaged.
pub fn accounts(file: &Path) -> Result<Vec<Account>, LedgerError> {
    let Some((conn, _)) = schema::look(file)? else {
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

/// Ends the holds of these kinds, whosever they are; processes that are running hear of it at their next look, within 5 s,
/// and send one call alone. Returns what was ended. A file that is not there holds nobody, and is not made. Blocks.
///
/// # Errors
/// The ledger cannot be read or written.
pub fn lift(file: &Path, kinds: &[Kind], clock: &dyn Clock) -> Result<Vec<Lifted>, LedgerError> {
    if schema::look(file)?.is_none() {
        return Ok(Vec::new());
    }
    let conn = schema::open_existing(file)?;
    schema::transaction(&conn, file, || {
        let now = Now::of(clock, &clock.boot());
        let mut held: BTreeMap<String, Holds> = BTreeMap::new();
        rows::each(&conn, file, 0, |seq, row| {
            let entry = row.entry(&now).ok_or_else(|| rows::strange(file, seq))?;
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

/// What an entry says of holds.
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

//! Calls of other processes that have not ended, and when they count as if they had.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{
    super::{call_life::counted_by, clock::Moment, kind::Kind},
    CallId, Entry,
    owner::Owner,
};

/// Calls of other processes that have not ended.
#[derive(Debug, Default)]
pub(super) struct Others {
    open: HashMap<CallId, Open>,
}

/// A call of another process.
#[derive(Debug)]
struct Open {
    kind: Kind,
    owner: i64,
    /// When the service has counted it at the latest, if its owner does not write its end.
    counted_by: Moment,
}

impl Others {
    /// Keeps track of what the process `owner` wrote. Returns the entry, unless it ends a call that was ended before.
    pub(super) fn note(&mut self, entry: Entry, owner: i64) -> Option<Entry> {
        match entry {
            Entry::Sent {
                id,
                kind,
                at,
                give_up_at,
            } => {
                let call = Open {
                    kind,
                    owner,
                    counted_by: counted_by(at, give_up_at),
                };
                self.open.insert(id, call);
                Some(entry)
            }
            Entry::Answered { id, .. } | Entry::Withdrawn { id, .. } => {
                self.open.remove(&id).map(|_| entry)
            }
            Entry::Hold { .. } | Entry::Lift { .. } | Entry::Joined { .. } => Some(entry),
        }
    }

    /// Ends calls of other processes whose end will not be written any more: those of dead processes, and those that
    /// are overdue because their process is suspended. Either way the service may be as slow with them as with a call
    /// that timed out ([`counted_by`]), since the death of a caller says nothing about the service. Ending a dead
    /// process's call early only means that its end is known, so that nobody polls for its answer.
    pub(super) fn finish_overdue(
        &mut self,
        ledger: &Path,
        now: Moment,
        look_for_the_dead: bool,
        news: &mut Vec<Entry>,
    ) {
        let dead: HashSet<i64> = if look_for_the_dead {
            let owners: HashSet<i64> = self.open.values().map(|open| open.owner).collect();
            owners
                .into_iter()
                .filter(|&owner| !Owner::lives(ledger, owner))
                .collect()
        } else {
            HashSet::new()
        };
        let over = self
            .open
            .extract_if(|_, call| now >= call.counted_by || dead.contains(&call.owner));
        news.extend(over.map(|(id, call)| Entry::Answered {
            id,
            kind: call.kind,
            at: call.counted_by,
        }));
    }
}

//! Calls of other processes that have not been answered, and when they count as if they had been.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{
    super::{clock::Moment, kind::Kind, permit::counted_by},
    CallId, Entry,
    owner::Owner,
};

/// Calls of others that have not been answered.
#[derive(Debug, Default)]
pub(super) struct Others {
    open: HashMap<CallId, Open>,
}

/// A call of another process.
#[derive(Debug)]
struct Open {
    kind: Kind,
    owner: i64,
    /// By when the service has counted it, if nobody tells.
    counted_by: Moment,
}

impl Others {
    /// Keeps track of what the process `owner` wrote. What concerns a call that was concluded before is no news any more.
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

    /// Concludes calls of others that will not be answered any more: those of dead processes, now that their death is
    /// noticed, and those of processes that stand still. Either way the service may be as slow with them as with a call
    /// whose time was over ([`counted_by`]): that its caller is dead tells nothing about the service. That a call is
    /// concluded early by a death changes only that its end is known, and no answer need be looked for.
    pub(super) fn conclude(
        &mut self,
        ledger: &Path,
        now: Moment,
        ask_who_lives: bool,
        news: &mut Vec<Entry>,
    ) {
        let dead: HashSet<i64> = if ask_who_lives {
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

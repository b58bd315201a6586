//! The limiter, fed with what other processes have written to the ledger, and what this process has yet to write there.

use std::{collections::HashMap, time::Duration};

use super::{
    clock::Moment,
    hold::{Throttle, believed},
    kind::Kind,
    ledger::{CallId, Entry},
    limiter::{Call, Limiter},
    quota::Quota,
    waiting::Waiting,
};

/// What is known of all calls, ours and those of other processes, and which ends of ours are not in the ledger yet.
#[derive(Debug)]
pub(super) struct LimiterState {
    pub(super) limiter: Limiter,
    /// Calls of other processes that have not ended.
    foreign: HashMap<CallId, Call>,
    /// Ends of our calls that are not in the ledger yet.
    unwritten: Vec<Entry>,
    /// When another process last sent a call.
    neighbour: Option<Moment>,
    /// Whether the last call of any process was ours.
    last_was_ours: bool,
}

/// A process that has sent a call this recently probably wants to send more.
const NEIGHBOURHOOD: Duration = Duration::from_mins(5);

impl LimiterState {
    pub(super) fn new(quota: &Quota) -> Self {
        Self {
            limiter: Limiter::new(quota),
            foreign: HashMap::new(),
            unwritten: Vec::new(),
            neighbour: None,
            last_was_ours: false,
        }
    }

    /// Applies what other processes have written to the ledger.
    pub(super) fn merge(&mut self, news: Vec<Entry>, now: Moment) {
        for entry in news {
            match entry {
                Entry::Sent { id, kind, at, .. } => {
                    self.neighbour = self.neighbour.max(Some(at));
                    self.last_was_ours = false;
                    let call = self.limiter.observe(kind, now);
                    self.foreign.insert(id, call);
                }
                Entry::Answered { id, at, .. } => {
                    if let Some(call) = self.foreign.remove(&id) {
                        self.limiter.restart_windows(&call, at);
                    }
                }
                Entry::Withdrawn { id, .. } => {
                    if let Some(call) = self.foreign.remove(&id) {
                        self.limiter.withdraw(&call);
                    }
                }
                Entry::Hold { kind, until, .. } => self.limiter.hold(kind, until),
                Entry::Lift { kind, at } => self.limiter.lift(kind, at, now),
                Entry::Joined { .. } => self.limiter.join(now),
            }
        }
    }

    /// Permits a call, or says why it has to wait.
    pub(super) fn take(&mut self, kind: Kind, now: Moment) -> Result<Call, Waiting> {
        let call = self.limiter.take(kind, now)?;
        self.last_was_ours = true;
        Ok(call)
    }

    /// Whether it is another process's turn: the last call was ours, and another process has sent one recently.
    pub(super) fn is_others_turn(&self, now: Moment) -> bool {
        let is_near = |at| now.since(at) < NEIGHBOURHOOD;
        self.last_was_ours && self.neighbour.is_some_and(is_near)
    }

    /// Gives back a call that was not made. Other processes and the next run free its lanes when they read the entry.
    pub(super) fn put_back(&mut self, id: CallId, call: &Call) {
        self.limiter.put_back(call);
        self.unwritten.push(Entry::Withdrawn {
            id,
            kind: call.kind,
            at: call.at,
        });
    }

    /// Ends a call of ours; its windows start at `at`.
    pub(super) fn finish(&mut self, id: CallId, call: &Call, at: Moment) {
        self.limiter.finish(call, at);
        self.unwritten.push(Entry::Answered {
            id,
            kind: call.kind,
            at,
        });
    }

    /// Ends a call of ours that the service refused at `now`.
    pub(super) fn throttled(&mut self, id: CallId, call: &Call, throttle: &Throttle, now: Moment) {
        self.finish(id, call, now);
        let joined_before = self.limiter.joined();
        self.limiter.throttled(call, throttle, now);
        let kind = call.kind;
        self.unwritten.push(Entry::Hold {
            kind,
            at: now,
            until: now + believed(throttle.retry_after),
        });
        if self.limiter.joined() && !joined_before {
            self.unwritten.push(Entry::Joined { kind, at: now });
        }
    }

    /// Moves what is not in the ledger yet to the end of `entries`.
    pub(super) fn drain_unwritten(&mut self, entries: &mut Vec<Entry>) {
        entries.append(&mut self.unwritten);
    }
}

//! Decides what a permit is spent on: which target goes next, and what is sent.

use std::collections::HashSet;

use jiff::Timestamp;
use tracing::debug;

use super::{Dispatcher, Phase, unconfirmed::MAX_UNCONFIRMED};
use crate::{
    campaign::{
        brakes::Admitted,
        engine::{attempt::Attempt, pending::PendingTarget},
    },
    quota::Moment,
    store::{Record, Target},
};

impl Dispatcher {
    /// Whether a call would go out if there were a permit.
    #[must_use]
    pub(crate) fn wants_permit(&mut self, now: Moment) -> bool {
        let room = match self.phase {
            Phase::Alone => self.in_flight.is_empty(),
            Phase::Open => {
                let most = self.settings.capacity.min(self.reach.width());
                let most = most.min(self.suspicion.width());
                self.in_flight.len() < most && self.unconfirmed.len() < MAX_UNCONFIRMED
            }
            Phase::Stopping(_) => false,
        };
        room && !self.tokens.renewing
            && self.busy.has_room()
            && !self.running.asks_first
            && self.may_start(now)
            && self.has_due(now)
    }

    fn has_due(&mut self, now: Moment) -> bool {
        if self.running.places.is_full() {
            let reserved = self.reserved();
            return self.queue.has_due_of(&reserved, now);
        }
        self.set_aside(now);
        self.has_due_anywhere(now)
    }

    /// Whether a target could go now if there were a place for it. Those that were set aside count only where their
    /// site has one.
    pub(super) fn has_due_anywhere(&mut self, now: Moment) -> bool {
        let round = self.round(now);
        let (parked, places) = (&self.running.parked, &self.running.places);
        let room = |group| places.room_in(group);
        match (self.brakes.admitted(), self.reach.suspects(round)) {
            (Admitted::Nobody, _) => false,
            (Admitted::Only(these), _) | (Admitted::Anybody, Some(these)) => {
                self.queue.has_due_of(these, now) || parked.has_of(these, room)
            }
            (Admitted::Anybody, None) => self.queue.has_due(now) || parked.first(room).is_some(),
        }
    }

    /// Those that have a place already and may go.
    fn reserved(&self) -> HashSet<u64> {
        let reserved = self.running.places.reserved().iter().copied();
        let these = match self.brakes.admitted() {
            Admitted::Nobody => return HashSet::new(),
            Admitted::Only(these) => Some(these),
            Admitted::Anybody => None,
        };
        reserved
            .filter(|n| these.is_none_or(|these| these.contains(n)))
            .collect()
    }

    /// Sets the next targets aside for as long as their sites have no place, so that others go first.
    fn set_aside(&mut self, now: Moment) {
        let is_plain = self.brakes.admitted() == Admitted::Anybody
            && !self.reach.is_out()
            && !self.suspicion.is_on();
        while is_plain
            && let Some(next) = self.queue.next(now)
            && let Some(group) = self.running.places.blocked_by(next.target.n)
            && let Some(pending) = self.queue.pop(now)
        {
            self.running.parked.put(group, pending);
        }
    }

    /// Takes the next target for which there is a place. Others that come before it are set aside.
    fn pop_placed(&mut self, now: Moment) -> Option<PendingTarget> {
        if self.running.places.is_full() {
            let reserved = self.reserved();
            return self.queue.pop_of(&reserved, now);
        }
        loop {
            let pending = self.pop_parked(now).or_else(|| self.pop(now))?;
            match self.running.places.blocked_by(pending.target.n) {
                None => return Some(pending),
                Some(group) => self.running.parked.put(group, pending),
            }
        }
    }

    /// Takes the first of those that were set aside and whose site has a place again. They go before others of their
    /// priority, for their turn had come.
    fn pop_parked(&mut self, now: Moment) -> Option<PendingTarget> {
        if self.running.parked.is_empty() {
            return None;
        }
        let round = self.round(now);
        let places = &self.running.places;
        let room = |group| places.room_in(group);
        match (self.brakes.admitted(), self.reach.suspects(round)) {
            (Admitted::Nobody, _) => None,
            (Admitted::Only(these), _) | (Admitted::Anybody, Some(these)) => {
                self.running.parked.take_of(these, room)
            }
            (Admitted::Anybody, None) => {
                let first = self.running.parked.first(room)?;
                // What was put back to the front goes before all others of its priority.
                let goes_before = |next: &PendingTarget| {
                    next.priority() < first || (next.front && next.priority() == first)
                };
                if self.queue.next(now).is_some_and(goes_before) {
                    return None;
                }
                let pending = self.running.parked.take(room)?;
                if self.suspicion.is_on() {
                    self.suspicion.picked(pending.target.n);
                }
                Some(pending)
            }
        }
    }

    /// Takes the next target.
    fn pop(&mut self, now: Moment) -> Option<PendingTarget> {
        let round = self.round(now);
        match (self.brakes.admitted(), self.reach.suspects(round)) {
            (Admitted::Only(these), _) | (Admitted::Anybody, Some(these)) => {
                self.queue.pop_of(these, now)
            }
            _ if self.reach.is_out() => self.queue.pop_random(now, &mut self.rng),
            _ if self.suspicion.is_on() => {
                let pending = self.queue.pop_random(now, &mut self.rng)?;
                self.suspicion.picked(pending.target.n);
                Some(pending)
            }
            _ => self.queue.pop(now),
        }
    }

    /// Spends a permit: returns the attempt to send, if there is one. Its record has to be written first.
    pub fn assign(&mut self, now: Moment, wall: Timestamp) -> Option<Attempt> {
        if !self.wants_permit(now) {
            return None;
        }
        let mut pending = loop {
            let pending = self.pop_placed(now)?;
            if pending.target.progress.attempts == 0 && !self.brakes.admits_new() {
                continue;
            }
            match pending.unconfirmed {
                Some(unconfirmed) if unconfirmed.send_by().is_none_or(|by| by < now) => {
                    // It keeps its turn while it is looked up again.
                    self.running.places.reserve(pending.target.n);
                    self.unconfirmed.insert(pending.target.n, pending);
                }
                _ => {
                    if let Some(pending) = self.unless_busy(pending, now, wall) {
                        break pending;
                    }
                }
            }
        };
        let number = pending.target.progress.attempts + 1;
        let n = pending.target.n;
        self.running.places.take(n);
        pending.target.progress.attempts = number;
        pending.target.progress.first_sent.get_or_insert(wall);
        pending.target.progress.not_before = None;
        self.records.push(Record::Begun {
            n,
            number,
            sent: wall,
            sent_server: self.server.at(now),
        });
        let attempt = Attempt {
            n,
            line: pending.target.line,
            number,
            machine: pending.target.machine_id.to_lowercase(),
            scan_type: scan_type(&pending.target, self.settings.scan_type),
            comment: self.comment(&pending.target),
            send_by: pending
                .unconfirmed
                .and_then(|unconfirmed| unconfirmed.send_by()),
        };
        debug!(line = attempt.line, number, "goes next");
        pending.canary = self.brakes.tries_canaries();
        pending.front = false;
        self.in_flight.insert(n, pending);
        self.brakes.begun(n, number == 1);
        self.drop_the_rest();
        Some(attempt)
    }

    /// Takes back an attempt whose record could not be written. Nothing was sent.
    pub fn unwritten(&mut self, n: u64) {
        if let Some(mut pending) = self.in_flight.remove(&n) {
            pending.target.progress.attempts -= 1;
            debug!(
                line = pending.target.line,
                "its attempt could not be written"
            );
            self.running.places.release(n);
            self.brakes
                .taken_back(n, pending.target.progress.attempts == 0);
            self.queue.put_back(pending);
        }
    }

    pub(super) fn comment(&self, target: &Target) -> String {
        let text = target.comment.as_deref().unwrap_or(&self.settings.comment);
        self.settings.campaign.comment(target.n, text)
    }
}

fn scan_type(target: &Target, default: &'static str) -> &'static str {
    match target.scan_type.as_deref() {
        Some("quick") => "Quick",
        Some("full") => "Full",
        _ => default,
    }
}

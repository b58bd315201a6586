//! Decides what a permit is spent on: which target goes next, and what is sent.

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
            && self.may_start(now)
            && self.has_due(now)
    }

    fn has_due(&mut self, now: Moment) -> bool {
        let round = self.round(now);
        match (self.brakes.admitted(), self.reach.suspects(round)) {
            (Admitted::Nobody, _) => false,
            (Admitted::Only(these), _) | (Admitted::Anybody, Some(these)) => {
                self.queue.has_due_of(these, now)
            }
            (Admitted::Anybody, None) => self.queue.has_due(now),
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
            let pending = self.pop(now)?;
            if pending.target.progress.attempts == 0 && !self.brakes.admits_new() {
                continue;
            }
            match pending.unconfirmed {
                Some(unconfirmed) if unconfirmed.send_by().is_none_or(|by| by < now) => {
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

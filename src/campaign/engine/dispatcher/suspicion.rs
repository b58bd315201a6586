//! Whether a 403 of the service is meant for one machine or for all: single devices can be restricted, and an
//! application can lose its role.
//!
//! The machine stays open, and others, picked at random, are tried one at a time. Any answer of the service's
//! own other than a 401, 403 or 429 says that calls are permitted, so the 403 was meant for the machine.
//! Three more 403s say that it is meant for all.

use tracing::debug;

use super::Dispatcher;
use crate::{
    campaign::{
        engine::{
            pending::PendingTarget,
            verdict::{Judgement, Verdict},
        },
        outcome::Outcome,
        stop::StopReason,
    },
    client::reply::Class,
    quota::Moment,
    store::AttemptEnd,
};

/// How many other machines are tried.
const OTHERS: u32 = 3;

/// The state of the suspicion.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// Machines whose start was forbidden.
    in_question: Vec<PendingTarget>,
    /// The service's last message.
    why: String,
    /// The machine that was picked last.
    drawn: Option<u64>,
    /// How many of the machines that were picked were forbidden too.
    others: u32,
    /// When an answer last showed that calls are permitted.
    permitted: Option<Moment>,
}

impl Suspicion {
    /// Whether machines are in question.
    pub(super) fn is_on(&self) -> bool {
        !self.in_question.is_empty()
    }

    /// How many machines are in question.
    pub(super) fn in_question(&self) -> usize {
        self.in_question.len()
    }

    /// This machine was picked.
    pub(super) fn picked(&mut self, n: u64) {
        self.drawn = Some(n);
    }

    /// How many calls may be in flight.
    pub(super) fn width(&self) -> usize {
        if self.is_on() { 1 } else { usize::MAX }
    }
}

impl Dispatcher {
    /// The service has forbidden a start, in words that may be meant for this machine alone.
    pub(super) fn forbidden(
        &mut self,
        pending: PendingTarget,
        end: AttemptEnd,
        sent: Moment,
        why: String,
    ) {
        let permitted = self.suspicion.permitted;
        if permitted.is_some_and(|permitted| sent <= permitted) {
            self.end(pending, Some(end), Outcome::Refused);
            return;
        }
        self.changed(&pending, Some(end));
        // Another canary may be tried in its place.
        self.brakes.waits(pending.target.n);
        let suspicion = &mut self.suspicion;
        suspicion.others += u32::from(suspicion.drawn == Some(pending.target.n));
        debug!(line = pending.target.line, "forbidden: others are tried");
        suspicion.why = why;
        suspicion.in_question.push(pending);
        if self.suspicion.others >= OTHERS {
            self.forbidden_for_all();
        }
    }

    /// Takes in what an answer says about whether calls are permitted.
    pub(super) fn weigh_suspicion(&mut self, judgement: &Judgement, ended: Moment) {
        let says_nothing = matches!(judgement.http_status, None | Some(401 | 403 | 429))
            || !matches!(judgement.class, Class::Own(_))
            || matches!(judgement.verdict, Verdict::Stop(_));
        if says_nothing {
            return;
        }
        self.suspicion.permitted = Some(ended);
        self.forbidden_for_these();
    }

    /// Decides if no other machine is left to try.
    pub(super) fn conclude_suspicion(&mut self) {
        let nobody_is_there = self.in_flight.is_empty() && self.has_only_away();
        if !self.suspicion.is_on() || !nobody_is_there || self.is_stopping() {
            return;
        }
        if self.suspicion.permitted.is_some() {
            self.forbidden_for_these();
        } else if !self.try_some_away(OTHERS) {
            self.forbidden_for_all();
        }
    }

    fn forbidden_for_these(&mut self) {
        self.suspicion.drawn = None;
        self.suspicion.others = 0;
        for pending in std::mem::take(&mut self.suspicion.in_question) {
            self.end(pending, None, Outcome::Refused);
        }
    }

    /// The 403 is meant for all: the machines in question stay open, and the campaign stops.
    fn forbidden_for_all(&mut self) {
        let why = std::mem::take(&mut self.suspicion.why);
        for pending in std::mem::take(&mut self.suspicion.in_question) {
            self.queue.put_back(pending);
        }
        self.stop(StopReason::Tenant(why));
    }
}

//! Whether the service's 403 is of one machine or of all: single devices can be restricted, and an application can lose its role.
//!
//! The machine stays open, and others are tried one at a time, drawn at random. Any answer of the service's own that is no 401, 403
//! or 429 says that calls are permitted: the 403 was the machines' own. Three more of them say that it is of all.

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

/// So many others are tried.
const OTHERS: u32 = 3;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// Machines whose start was forbidden.
    in_question: Vec<PendingTarget>,
    /// What the service said last.
    why: String,
    /// Who was drawn last.
    drawn: Option<u64>,
    /// Of those that were drawn, how many were forbidden too.
    others: u32,
    /// When the last answer came by which calls are permitted.
    permitted: Option<Moment>,
}

impl Suspicion {
    /// Whether machines are in question.
    pub(super) fn is_on(&self) -> bool {
        !self.in_question.is_empty()
    }

    /// This one was drawn.
    pub(super) fn picked(&mut self, n: u64) {
        self.drawn = Some(n);
    }

    /// How many calls may be on their way.
    pub(super) fn width(&self) -> usize {
        if self.is_on() { 1 } else { usize::MAX }
    }
}

impl Dispatcher {
    /// The service has forbidden a start, in words that may be about this machine alone.
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
        // Another may be tried in its place.
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

    /// What an answer says of whether calls are permitted.
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

    /// Decides where nobody is left who could be tried.
    pub(super) fn conclude_suspicion(&mut self) {
        let nobody_is_left = self.in_flight.is_empty() && self.has_only_suspects();
        if !self.suspicion.is_on() || !nobody_is_left || self.is_stopping() {
            return;
        }
        if self.suspicion.permitted.is_some() {
            self.forbidden_for_these();
        } else {
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

    /// All in question stay open.
    fn forbidden_for_all(&mut self) {
        let why = std::mem::take(&mut self.suspicion.why);
        for pending in std::mem::take(&mut self.suspicion.in_question) {
            self.queue.put_back(pending);
        }
        self.stop(StopReason::Tenant(why));
    }
}

//! What a worker's report changes: the target is sent again, waits, or ends; the campaign goes on or stops.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::{Dispatcher, Phase};
use crate::{
    campaign::{
        engine::{
            attempt::{Report, Sending},
            pending::{PendingTarget, Unconfirmed},
            trail,
            verdict::{Judgement, Scan, Verdict},
        },
        outcome::Outcome,
        retry::{self, OnPending},
        stop::StopReason,
    },
    client::reply::Class,
    quota::Moment,
    store::{AttemptEnd, Record},
};

/// The times of a call, and the serial number of its token.
#[derive(Debug, Clone, Copy)]
struct Timing {
    sent: Moment,
    ended: Moment,
    wall: Timestamp,
    token: u64,
}

impl Dispatcher {
    /// A worker has finished with an attempt. `wall` is this computer's time.
    pub fn reported(&mut self, report: Report, wall: Timestamp) {
        let Some(pending) = self.in_flight.remove(&report.n) else {
            return;
        };
        match report.event {
            Sending::Unsent => self.unsent(pending),
            Sending::NoToken(why) => {
                self.unsent(pending);
                self.stop(StopReason::Tenant(why));
            }
            Sending::Replied {
                judgement,
                sent,
                ended,
                date,
                token,
            } => {
                self.server.update(ended, date);
                self.troubles.add(&judgement);
                let (n, tries) = (pending.target.n, pending.target.progress.tries);
                self.reached(n, tries, &judgement.class, sent, ended);
                let timing = Timing {
                    sent,
                    ended,
                    wall,
                    token,
                };
                match &judgement.class {
                    Class::NeverSent(_) => self.unsent(pending),
                    Class::Unsendable(_) => self.unsendable(pending, &judgement),
                    Class::Own(_) | Class::Perhaps(_) => self.replied(pending, *judgement, timing),
                }
            }
        }
        self.conclude_suspicion();
    }

    /// A call went out: notes what came back, then applies the verdict.
    fn replied(&mut self, mut pending: PendingTarget, judgement: Judgement, timing: Timing) {
        self.attempts += 1;
        let progress = &mut pending.target.progress;
        progress.http_status = judgement.http_status;
        progress.error_code.clone_from(&judgement.error_code);
        progress.message.clone_from(&judgement.message);
        progress
            .correlation_id
            .clone_from(&judgement.correlation_id);
        if judgement.http_status.is_some() {
            progress.last_answer = Some(timing.wall);
        }
        if judgement.comment_lost && !std::mem::replace(&mut self.comment_lost, true) {
            self.notes.push(
                "the service does not give comments back whole: scans are told apart by their age instead".into(),
            );
        }
        let end = AttemptEnd {
            number: progress.attempts,
            at: timing.wall,
            verdict: judgement.verdict.as_str(),
            http_status: judgement.http_status,
        };
        if matches!(judgement.class, Class::Own(_)) {
            self.seen.answered(timing.ended.since(timing.sent));
            if judgement.verdict != Verdict::Unauthorized {
                self.tokens.accepted = self.tokens.accepted.max(timing.token);
            }
        }
        self.apply(pending, end, judgement, timing);
    }

    /// The attempt did not go out: the target goes back to its place.
    fn unsent(&mut self, mut pending: PendingTarget) {
        self.take_attempt_back(&mut pending);
        debug!(
            line = pending.target.line,
            number = pending.target.progress.attempts + 1,
            "not sent after all: it is put back"
        );
        self.queue.put_back(pending);
    }

    /// No request can carry this target's id: it ends without an attempt.
    fn unsendable(&mut self, mut pending: PendingTarget, judgement: &Judgement) {
        self.take_attempt_back(&mut pending);
        let message = &mut pending.target.progress.message;
        message.clone_from(&judgement.message);
        self.end(pending, None, Outcome::Refused);
    }

    fn take_attempt_back(&mut self, pending: &mut PendingTarget) {
        let (n, progress) = (pending.target.n, &mut pending.target.progress);
        self.running.places.release(n);
        let number = progress.attempts;
        self.records.push(Record::Unsent { n, number });
        progress.attempts = number - 1;
        if number == 1 {
            progress.first_sent = None;
        }
        self.brakes.taken_back(n, number == 1);
    }

    fn apply(
        &mut self,
        mut pending: PendingTarget,
        end: AttemptEnd,
        judgement: Judgement,
        timing: Timing,
    ) {
        let Timing { ended, wall, .. } = timing;
        let says_nothing = matches!(
            judgement.verdict,
            Verdict::Stop(_) | Verdict::Unauthorized | Verdict::Forbidden(_) | Verdict::Unsure(_)
        );
        if self.phase == Phase::Alone && !says_nothing {
            debug!("the first call has gone well: the others may go");
            self.phase = Phase::Open;
        }
        self.weigh_suspicion(&judgement, ended);
        self.weigh_place(&pending, &judgement.verdict);
        if !matches!(judgement.verdict, Verdict::Throttled(_)) {
            pending.throttled = 0;
        }
        let unauthorized_before = pending.unauthorized.take();
        if Self::tells_free(&judgement.verdict) && self.is_asked_by_call(&pending) {
            self.seen
                .asked(pending.target.progress.pending_tries, false);
        }
        match judgement.verdict {
            Verdict::Accepted(scan) => {
                self.end_with_scan(pending, Some(end), Outcome::Accepted, Some(scan));
            }
            Verdict::AlreadyPending(scan) => {
                // An action without its comment may be the one that an unconfirmed attempt started: the list
                // shows its age.
                let is_named = !judgement.comment_lost || pending.unconfirmed.is_none();
                self.already_pending(pending, end, scan.filter(|_| is_named), ended, wall);
            }
            Verdict::NotFound => self.not_found(pending, end, ended, wall),
            Verdict::Unsupported => self.end(pending, Some(end), Outcome::Unsupported),
            Verdict::Refused => self.end(pending, Some(end), Outcome::Refused),
            Verdict::Throttled(_) => self.throttled_at(pending, end, ended),
            Verdict::Unauthorized => {
                trail::retry(&pending, Duration::ZERO, "the token was refused");
                self.changed(&pending, Some(end));
                pending.unauthorized = Some(timing.token);
                self.queue.put_back(pending);
                let again = unauthorized_before.is_some_and(|before| before < timing.token);
                self.unauthorized(timing.token, again, &judgement.message);
            }
            Verdict::Stop(why) => {
                self.changed(&pending, Some(end));
                self.queue.put_back(pending);
                self.stop(StopReason::Tenant(why));
            }
            Verdict::Forbidden(why) => self.forbidden(pending, end, timing.sent, why),
            // `reported` has handled these already.
            Verdict::NotSent(_) => self.unsent(pending),
            Verdict::Unsure(_) => self.unsure(pending, end, timing),
        }
    }

    /// A 404 counts only if it is repeated.
    fn not_found(
        &mut self,
        mut pending: PendingTarget,
        end: AttemptEnd,
        ended: Moment,
        wall: Timestamp,
    ) {
        if std::mem::replace(&mut pending.target.progress.not_found, true) {
            self.end(pending, Some(end), Outcome::NotFound);
        } else {
            self.try_again(pending, end, ended, wall, retry::NOT_FOUND_AGAIN);
        }
    }

    /// A 429. The target loses no try; after several in a row it goes behind all others.
    fn throttled_at(&mut self, mut pending: PendingTarget, end: AttemptEnd, ended: Moment) {
        self.throttled += 1;
        self.last_throttled = Some(ended);
        pending.throttled += 1;
        trail::retry(&pending, Duration::ZERO, "throttled");
        self.changed(&pending, Some(end));
        if pending.throttled >= retry::THROTTLED_IN_A_ROW {
            pending.throttled = 0;
            self.queue.put_behind(pending);
        } else {
            self.queue.put_back(pending);
        }
    }

    /// A scan may have been started: the attempt is looked up before anything else is sent to this machine.
    fn unsure(&mut self, mut pending: PendingTarget, end: AttemptEnd, timing: Timing) {
        let Timing {
            sent, ended, wall, ..
        } = timing;
        let is_blameless = self.reach.is_blameless(sent);
        let sent_at = self.sent_at(sent, ended, wall);
        let this = Unconfirmed::new(sent_at, ended.since(sent), ended);
        let unconfirmed = match pending.unconfirmed {
            Some(before) => Unconfirmed {
                sent: before.sent.earlier(sent_at),
                lasted: before.lasted_until(&this),
                is_blameless,
                ..this
            },
            None => Unconfirmed {
                is_blameless,
                ..this
            },
        };
        pending.target.progress.unsure_since = Some(unconfirmed.sent);
        pending.unconfirmed = Some(unconfirmed);
        self.hold_for_lookup(pending, Some(end), ended);
    }

    /// The service says that a scan is under way on this machine already; which one, if the reply names it.
    fn already_pending(
        &mut self,
        mut pending: PendingTarget,
        end: AttemptEnd,
        scan: Option<Scan>,
        ended: Moment,
        wall: Timestamp,
    ) {
        if self.is_asked_by_call(&pending) {
            self.seen.asked(pending.target.progress.pending_tries, true);
        }
        pending.target.progress.pending_tries += 1;
        self.busy.forget(pending.target.n);
        if let (None, Some(unconfirmed)) = (&scan, &mut pending.unconfirmed) {
            // The scan that is under way may be the one that the unconfirmed attempt started.
            *unconfirmed = Unconfirmed {
                gave_up: ended,
                absent: None,
                turn: None,
                found_busy: true,
                ..*unconfirmed
            };
            self.hold_for_lookup(pending, Some(end), ended);
            return;
        }
        self.busy_with_another(pending, Some(end), scan, ended, wall);
    }

    /// Somebody else's scan is under way: the target ends, or waits for `--pending-delay`.
    pub(super) fn busy_with_another(
        &mut self,
        mut pending: PendingTarget,
        end: Option<AttemptEnd>,
        scan: Option<Scan>,
        now: Moment,
        wall: Timestamp,
    ) {
        // Where the scan is known, its creation tells how far back the list has to be read the next time.
        let Scan {
            id,
            status,
            created,
        } = scan.unwrap_or_default();
        self.running.places.release(pending.target.n);
        pending.target.progress.set_action(id, status, created);
        match self.settings.policy.on_pending {
            OnPending::Retry { delay, tries } if pending.target.progress.pending_tries < tries => {
                pending.target.progress.not_before = later(wall, delay);
                trail::retry(&pending, delay, "busy");
                self.changed(&pending, end);
                self.brakes.waits(pending.target.n);
                pending.canary = false;
                self.queue.put_later(pending, now + delay, now);
            }
            OnPending::Retry { .. } | OnPending::Skip => {
                self.end(pending, end, Outcome::AlreadyPending);
            }
        }
    }

    /// Sends to a target again after a backoff of at least `at_least`, if it has tries left.
    fn try_again(
        &mut self,
        mut pending: PendingTarget,
        end: AttemptEnd,
        now: Moment,
        wall: Timestamp,
        at_least: Duration,
    ) {
        pending.target.progress.tries += 1;
        if pending.target.progress.tries >= self.settings.policy.max_attempts {
            self.end(pending, Some(end), Outcome::Failed);
            return;
        }
        let delay = at_least + retry::backoff(pending.target.progress.tries, &mut self.rng);
        pending.target.progress.not_before = later(wall, delay);
        trail::retry(&pending, delay, "not answered as it should be");
        self.seen.will_repeat(false, delay);
        self.changed(&pending, Some(end));
        self.queue.put_later(pending, now + delay, now);
    }
}

fn later(wall: Timestamp, delay: Duration) -> Option<Timestamp> {
    let delay = SignedDuration::try_from(delay).ok()?;
    wall.checked_add(delay).ok()
}

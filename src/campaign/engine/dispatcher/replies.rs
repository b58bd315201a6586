//! What a reply changes: the target goes on, waits, or ends; the campaign goes on or stops.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::{Dispatcher, Phase};
use crate::campaign::engine::attempt::{Report, Sending};
use crate::{
    campaign::{
        engine::{
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

/// What is known of the tokens by their answers.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The newest one that the service has taken.
    pub(super) good: u64,
    /// The newest one that was refused and given up.
    pub(super) refused: u64,
    /// A newer one than [`refused`](Self::refused) is being fetched.
    pub(super) renewing: bool,
    /// What the service said when it refused the last one.
    pub(super) words: String,
}

impl Dispatcher {
    /// A worker has done with an attempt.
    pub fn reported(&mut self, report: Report, wall: Timestamp) {
        let Some(mut due) = self.in_flight.remove(&report.n) else {
            return;
        };
        match report.event {
            Sending::Unsent => self.unsent(due),
            Sending::NoToken(why) => {
                self.unsent(due);
                self.stop(StopReason::Tenant(why));
            }
            Sending::Replied {
                judgement,
                sent,
                ended,
                date,
                token,
            } => {
                self.server.hear(ended, date);
                let (n, tries) = (due.target.n, due.target.progress.tries);
                self.reached(n, tries, &judgement.class, ended);
                match &judgement.class {
                    Class::NeverSent(_) => {
                        self.unsent(due);
                        return;
                    }
                    Class::Unsendable(_) => {
                        self.unsendable(due, &judgement);
                        return;
                    }
                    Class::Own(_) | Class::Perhaps(_) => {}
                }
                self.attempts += 1;
                let progress = &mut due.target.progress;
                progress.http_status = judgement.http_status;
                progress.error_code.clone_from(&judgement.error_code);
                progress.message.clone_from(&judgement.message);
                progress
                    .correlation_id
                    .clone_from(&judgement.correlation_id);
                if judgement.http_status.is_some() {
                    progress.last_answer = Some(wall);
                }
                if judgement.comment_lost && !std::mem::replace(&mut self.comment_lost, true) {
                    self.notes.push(
                        "the service does not give comments back whole: scans are told apart by their age instead".into(),
                    );
                }
                let end = AttemptEnd {
                    number: progress.attempts,
                    at: wall,
                    verdict: judgement.verdict.as_str(),
                    http_status: judgement.http_status,
                };
                if matches!(judgement.class, Class::Own(_)) {
                    self.seen.answered(ended.since(sent));
                }
                if matches!(judgement.class, Class::Own(_))
                    && judgement.verdict != Verdict::Unauthorized
                {
                    self.tokens.good = self.tokens.good.max(token);
                }
                self.judged(due, end, *judgement, (sent, ended), token, wall);
            }
        }
        self.conclude_suspicion();
    }

    pub(super) fn unsent(&mut self, mut due: PendingTarget) {
        let number = due.target.progress.attempts;
        self.records.push(Record::Unsent {
            n: due.target.n,
            number,
        });
        due.target.progress.attempts = number - 1;
        if number == 1 {
            due.target.progress.first_sent = None;
        }
        debug!(
            line = due.target.line,
            number, "not sent after all: it is put back"
        );
        self.brakes.taken_back(due.target.n, number == 1);
        self.queue.put_back(due);
    }

    /// No request can carry it: it ends without an attempt.
    fn unsendable(&mut self, mut due: PendingTarget, judgement: &Judgement) {
        let number = due.target.progress.attempts;
        self.records.push(Record::Unsent {
            n: due.target.n,
            number,
        });
        let progress = &mut due.target.progress;
        progress.attempts = number - 1;
        if number == 1 {
            progress.first_sent = None;
        }
        progress.message.clone_from(&judgement.message);
        self.brakes.taken_back(due.target.n, number == 1);
        self.end(due, None, Outcome::Refused);
    }

    pub(super) fn judged(
        &mut self,
        mut due: PendingTarget,
        end: AttemptEnd,
        judgement: Judgement,
        (sent, ended): (Moment, Moment),
        token: u64,
        wall: Timestamp,
    ) {
        let says_nothing = matches!(
            judgement.verdict,
            Verdict::Stop(_) | Verdict::Unauthorized | Verdict::Forbidden(_) | Verdict::Unsure(_)
        );
        if self.phase == Phase::Alone && !says_nothing {
            debug!("the first call has gone well: the others may go");
            self.phase = Phase::Open;
        }
        self.weigh_suspicion(&judgement, ended);
        if !matches!(judgement.verdict, Verdict::Throttled(_)) {
            due.throttled = 0;
        }
        let unauthorized_before = due.unauthorized.take();
        if Self::tells_free(&judgement.verdict) && self.is_asked_by_call(&due) {
            self.seen.asked(due.target.progress.pending_tries, false);
        }
        match judgement.verdict {
            Verdict::Accepted(scan) => {
                self.end_with_scan(due, Some(end), Outcome::Accepted, Some(scan));
            }
            Verdict::AlreadyPending(scan) => {
                // An action without its comment may be the one that we are in doubt about, and the list knows its age.
                let is_told = !judgement.comment_lost || due.doubt.is_none();
                self.pending(due, end, scan.filter(|_| is_told), ended, wall);
            }
            Verdict::NotFound => {
                if std::mem::replace(&mut due.target.progress.not_found, true) {
                    self.end(due, Some(end), Outcome::NotFound);
                } else {
                    self.try_again(due, Some(end), ended, wall, retry::NOT_FOUND_AGAIN);
                }
            }
            Verdict::Unsupported => self.end(due, Some(end), Outcome::Unsupported),
            Verdict::Refused => self.end(due, Some(end), Outcome::Refused),
            Verdict::Throttled(_) => {
                self.throttled += 1;
                self.last_throttled = Some(ended);
                due.throttled += 1;
                trail::retry(&due, Duration::ZERO, "throttled");
                self.changed(&due, Some(end));
                if due.throttled >= retry::THROTTLED_IN_A_ROW {
                    due.throttled = 0;
                    self.queue.put_behind(due);
                } else {
                    self.queue.put_back(due);
                }
            }
            Verdict::Unauthorized => {
                trail::retry(&due, Duration::ZERO, "the token was refused");
                self.changed(&due, Some(end));
                due.unauthorized = Some(token);
                self.queue.put_back(due);
                let again = unauthorized_before.is_some_and(|before| before < token);
                self.unauthorized(token, again, &judgement.message);
            }
            Verdict::Stop(why) => {
                self.changed(&due, Some(end));
                self.queue.put_back(due);
                self.stop(StopReason::Tenant(why));
            }
            Verdict::Forbidden(why) => self.forbidden(due, end, sent, why),
            // It was taken back before.
            Verdict::NotSent(_) => self.unsent(due),
            Verdict::Unsure(_) => {
                let is_blameless = self.reach.is_blameless(sent);
                let lasted = ended.since(sent);
                let sent = self.sent_at(sent, ended, wall);
                let doubt = match due.doubt {
                    Some(before) => Unconfirmed {
                        sent: before.sent.earlier(sent),
                        lasted: before.lasted + ended.since(before.gave_up),
                        ..Unconfirmed::new(sent, lasted, ended)
                    },
                    None => Unconfirmed::new(sent, lasted, ended),
                };
                let doubt = Unconfirmed {
                    is_blameless,
                    ..doubt
                };
                due.target.progress.unsure_since = Some(doubt.sent);
                due.doubt = Some(doubt);
                self.doubt(due, Some(end), ended);
            }
        }
    }

    /// A 401. The first for a token fetches a newer one; a second, by a token fetched after the first and never taken,
    /// stops the campaign; so does a second for the same target (`again`), whatever the newer token is good for elsewhere.
    pub(super) fn unauthorized(&mut self, token: u64, again: bool, message: &str) {
        if token <= self.tokens.refused && !again {
            return;
        }
        if again || (self.tokens.refused > 0 && token > self.tokens.good) {
            self.stop(StopReason::Tenant(format!(
                "the service refuses the token, a new one too (HTTP 401: {message}); if it names the account or a licence, \
                 a new token does not cure it"
            )));
        } else {
            self.tokens.refused = token;
            self.tokens.renewing = true;
            message.clone_into(&mut self.tokens.words);
        }
    }

    /// A newer token has come, or there is none.
    pub fn renewed(&mut self, result: Result<u64, String>) {
        self.tokens.renewing = false;
        if let Err(why) = result {
            let words = &self.tokens.words;
            self.stop(StopReason::Tenant(format!(
                "the service refuses the token (HTTP 401: {words}); {why}"
            )));
        }
    }

    /// Which token was refused, if a newer one is wanted.
    #[must_use]
    pub fn wants_renewal(&self) -> Option<u64> {
        (self.tokens.renewing && !self.is_stopping()).then_some(self.tokens.refused)
    }

    pub(super) fn pending(
        &mut self,
        mut due: PendingTarget,
        end: AttemptEnd,
        scan: Option<Scan>,
        ended: Moment,
        wall: Timestamp,
    ) {
        if self.is_asked_by_call(&due) {
            self.seen.asked(due.target.progress.pending_tries, true);
        }
        due.target.progress.pending_tries += 1;
        self.busy.forget(due.target.n);
        if let (None, Some(doubt)) = (&scan, &mut due.doubt) {
            // The scan that is under way may be the one that we are in doubt about.
            *doubt = Unconfirmed {
                gave_up: ended,
                absent: None,
                turn: None,
                pending: true,
                ..*doubt
            };
            self.doubt(due, Some(end), ended);
            return;
        }
        self.somebody_elses(due, Some(end), scan, ended, wall);
    }

    pub(super) fn somebody_elses(
        &mut self,
        mut due: PendingTarget,
        end: Option<AttemptEnd>,
        scan: Option<Scan>,
        now: Moment,
        wall: Timestamp,
    ) {
        // Which scan it is, if that is known, tells how far back the list is to be read the next time.
        let Scan {
            id,
            status,
            created,
        } = scan.unwrap_or_default();
        due.target.progress.set_action(id, status, created);
        match self.settings.policy.on_pending {
            OnPending::Retry { delay, tries } if due.target.progress.pending_tries < tries => {
                due.target.progress.not_before = later(wall, delay);
                trail::retry(&due, delay, "busy");
                self.changed(&due, end);
                self.brakes.waits(due.target.n);
                due.canary = false;
                self.queue.put_later(due, now + delay, now);
            }
            OnPending::Retry { .. } | OnPending::Skip => {
                self.end(due, end, Outcome::AlreadyPending);
            }
        }
    }

    /// Tries a target again after a backoff of at least `at_least`, if it has tries left.
    pub(super) fn try_again(
        &mut self,
        mut due: PendingTarget,
        end: Option<AttemptEnd>,
        now: Moment,
        wall: Timestamp,
        at_least: Duration,
    ) {
        due.target.progress.tries += 1;
        if due.target.progress.tries >= self.settings.policy.max_attempts {
            self.end(due, end, Outcome::Failed);
            return;
        }
        let delay = at_least + retry::backoff(due.target.progress.tries, &mut self.rng);
        due.target.progress.not_before = later(wall, delay);
        trail::retry(&due, delay, "not answered as it should be");
        self.seen.to_be_repeated(false, delay);
        self.changed(&due, end);
        self.queue.put_later(due, now + delay, now);
    }
}

fn later(wall: Timestamp, delay: Duration) -> Option<Timestamp> {
    let delay = SignedDuration::try_from(delay).ok()?;
    wall.checked_add(delay).ok()
}

//! The one owner of a run's state. It decides synchronously, on named events; the engine asks it what to do next and does
//! it. It neither waits nor sends nor writes, so a test can feed it events.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    lookup::{Finding, Listing, ListingError, Wanted},
    outcome::{Outcome, Tally},
    queue::{Doubt, Due, Queue},
    retry::{self, OnPending, Policy},
    server_clock::ServerClock,
    stop::StopReason,
    tag::CampaignId,
    verdict::{Judgement, Scan, Verdict},
};
use crate::{
    quota::Moment,
    store::{AttemptEnd, Cursor, Record, SentAt, Target, Unfinished},
};

/// So many fresh targets are fetched at once; a fifth of a second's work at 25,000 calls a second.
pub const PAGE: usize = 4096;

/// Fresh targets are fetched again when fewer than this are at hand.
const LOW_WATER: usize = PAGE / 2;

/// A listing tells of an attempt only when it begins this much after the attempt was given up. An action was seen to take
/// up to 5 s to show (MDE-API.md, section 3), and the service may act some seconds after the answer was given up. 10 s led
/// to second scans of short scans where listings lag 20 s; of the minute that a finding is good for, half is left.
pub const SHOWS_WITHIN: Duration = Duration::from_secs(30);

/// The longest backoff after a lookup, which has taken longer than most backoffs and is void in a minute.
const AFTER_LOOKUP: Duration = Duration::from_secs(10);

/// A call of a process that died was under way for no longer than this.
const LONGEST_CALL: Duration = Duration::from_mins(5);

/// Listings begin at least this far apart; one serves all.
const LISTING_APART: Duration = Duration::from_secs(10);

/// So many listings may fail in a row before the targets that wait for one end as unsure.
const LISTINGS_FAILED: u32 = 5;

/// If this many machines have ended and none of them is being scanned, somebody's ids or tenant are wrong.
const NOTHING_SCANNED: u64 = 25;

/// What does not change while a campaign runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The campaign's id.
    pub campaign: CampaignId,
    /// `Quick` or `Full`, for rows that do not say.
    pub scan_type: &'static str,
    /// The comment's text, for rows that have none.
    pub comment: String,
    /// When targets are tried again.
    pub policy: Policy,
    /// How many calls may be on their way, from the write of their attempt to their verdict.
    pub capacity: usize,
    /// Seed of the jitter.
    pub seed: u64,
}

/// An attempt that the dispatcher wants to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The target.
    pub n: u64,
    /// The attempt's number, from 1.
    pub number: u32,
    /// The machine, in lower case.
    pub machine: String,
    /// `Quick` or `Full`.
    pub scan_type: &'static str,
    /// The whole comment.
    pub comment: String,
    /// Not to be sent after this moment.
    pub send_by: Option<Moment>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The target.
    pub n: u64,
    /// What happened.
    pub event: Sending,
}

/// What a worker made of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// It was too late to send it; the permit went back unspent.
    Unsent,
    /// There was no token to send it with.
    NoToken(String),
    /// It was sent, and answered or given up.
    Replied {
        /// What it means.
        judgement: Box<Judgement>,
        /// When it was sent.
        sent: Moment,
        /// When it was answered or given up.
        ended: Moment,
        /// The answer's `Date`.
        date: Option<Timestamp>,
        /// Which token it carried.
        token: u64,
    },
}

/// Whether targets go out.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The first call of a run goes alone, so that a missing role costs one call, not a hundred.
    Alone,
    /// As the quota allows.
    Open,
    /// No new calls; those in flight are awaited.
    Stopping(StopReason),
}

/// The owner of the run's state.
#[derive(Debug)]
pub struct Dispatcher {
    settings: Settings,
    phase: Phase,
    rng: fastrand::Rng,
    queue: Queue,
    cursor: Option<Cursor>,
    in_flight: HashMap<u64, Due>,
    doubtful: BTreeMap<u64, Due>,
    records: Vec<Record>,
    server: ServerClock,
    tally: Tally,
    targets: u64,
    /// Machines that ended in this run by what the service said.
    ended_by_calls: u64,
    attempts: u64,
    throttled: u64,
    tokens: Tokens,
    listings: Listings,
    notes: Vec<String>,
    comment_lost: bool,
}

/// What is known of the tokens by their answers.
#[derive(Debug, Default)]
struct Tokens {
    /// The newest one that the service has taken.
    good: u64,
    /// The newest one that was refused and given up.
    refused: u64,
    /// A newer one than [`refused`](Self::refused) is being fetched.
    renewing: bool,
}

/// What is known of looking up.
#[derive(Debug, Default)]
struct Listings {
    forbidden: Option<String>,
    running: bool,
    not_before: Moment,
    failed: u32,
}

impl Dispatcher {
    /// A dispatcher for `targets` rows, of which `tally` have ended already.
    #[must_use]
    pub fn new(settings: Settings, targets: u64, tally: Tally) -> Self {
        let rng = fastrand::Rng::with_seed(settings.seed);
        Self {
            settings,
            phase: Phase::Alone,
            rng,
            queue: Queue::default(),
            cursor: Some(Cursor::START),
            in_flight: HashMap::new(),
            doubtful: BTreeMap::new(),
            records: Vec::new(),
            server: ServerClock::default(),
            tally,
            targets,
            ended_by_calls: 0,
            attempts: 0,
            throttled: 0,
            tokens: Tokens::default(),
            listings: Listings::default(),
            notes: Vec::new(),
            comment_lost: false,
        }
    }

    // What the engine asks for.

    /// Where the next page of fresh targets begins, if one is wanted.
    #[must_use]
    pub fn wants_page(&self) -> Option<Cursor> {
        if self.is_stopping() || self.queue.fresh() >= LOW_WATER {
            None
        } else {
            self.cursor
        }
    }

    /// Whether a call could go out if there were a permit.
    #[must_use]
    pub fn wants_permit(&self, now: Moment) -> bool {
        let room = match self.phase {
            Phase::Alone => self.in_flight.is_empty(),
            Phase::Open => self.in_flight.len() < self.settings.capacity,
            Phase::Stopping(_) => false,
        };
        room && !self.tokens.renewing && self.queue.has_due(now)
    }

    /// Which token was refused, if a newer one is wanted.
    #[must_use]
    pub fn wants_renewal(&self) -> Option<u64> {
        (self.tokens.renewing && !self.is_stopping()).then_some(self.tokens.refused)
    }

    /// What is to be looked up in the list of scans, if it is time to. The listing then counts as running until
    /// [`listed`](Self::listed).
    pub fn wants_listing(&mut self, now: Moment) -> Option<Wanted> {
        if self.is_stopping() || self.listings.running || self.next_listing()? > now {
            return None;
        }
        self.listings.running = true;
        self.listings.not_before = now + LISTING_APART;
        Some(Wanted::new(
            self.server,
            self.doubtful.values().filter_map(|due| {
                let doubt = due.doubt?;
                Some((
                    due.target.n,
                    doubt,
                    due.target.machine_id.to_lowercase(),
                    self.comment(&due.target),
                ))
            }),
        ))
    }

    /// When something is to be done though nothing happens: a moment after `now`. What is due already waits for something
    /// else, a permit or an answer, and a timer for it would never rest.
    #[must_use]
    pub fn next_wake(&self, now: Moment) -> Option<Moment> {
        if self.is_stopping() {
            return None;
        }
        [self.queue.next_later(), self.next_listing()]
            .into_iter()
            .flatten()
            .filter(|wake| *wake > now)
            .min()
    }

    /// Whether something is to be written.
    #[must_use]
    pub fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// What is to be written.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// What is to be said, a line each.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Whether nothing is left to be done, or nothing more may be.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let idle = self.in_flight.is_empty() && self.records.is_empty();
        let drained = self.queue.is_empty() && self.doubtful.is_empty() && self.cursor.is_none();
        idle && (drained || self.is_stopping())
    }

    /// Why the campaign stops before its end, if it does.
    #[must_use]
    pub fn stop_reason(&self) -> Option<&StopReason> {
        match &self.phase {
            Phase::Stopping(reason) => Some(reason),
            Phase::Alone | Phase::Open => None,
        }
    }

    /// The counts of the targets that have ended.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Calls on their way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Targets in all.
    #[must_use]
    pub fn targets(&self) -> u64 {
        self.targets
    }

    /// POSTs of this run.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// 429s of this run.
    #[must_use]
    pub fn throttled(&self) -> u64 {
        self.throttled
    }

    // What the engine tells.

    /// A page of fresh targets; an empty one is the last.
    pub fn page_came(&mut self, page: Vec<Target>, next: Cursor) {
        self.cursor = (!page.is_empty()).then_some(next);
        self.queue.add_fresh(page);
    }

    /// Targets that an earlier run left behind: those in doubt are looked up before anything is sent to them, the others
    /// are tried when their delay is over. `risk_taken` says that those in doubt are to be sent again even if they cannot
    /// be looked up.
    pub fn resume(
        &mut self,
        left: Vec<Unfinished>,
        risk_taken: bool,
        now: Moment,
        wall: Timestamp,
    ) {
        for Unfinished { target, unsure } in left {
            let not_before = target.progress.not_before;
            let mut due = Due::new(target);
            if let Some(sent) = unsure {
                due.target.progress.unsure_since = Some(sent);
                due.doubt = Some(Doubt {
                    risk_taken,
                    ..Doubt::new(sent, LONGEST_CALL, now)
                });
                self.doubtful.insert(due.target.n, due);
            } else {
                // The wall clock may have been moved meanwhile: no delay is served twice.
                let left = not_before.map_or(SignedDuration::ZERO, |t| t.duration_since(wall));
                let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
                self.queue
                    .put_later(due, now + left.min(self.settings.policy.longest_delay()));
            }
        }
    }

    /// There is a permit: the attempt to spend it on, if any. Its record is among those to be written first.
    pub fn assign(&mut self, now: Moment, wall: Timestamp) -> Option<Attempt> {
        if !self.wants_permit(now) {
            return None;
        }
        let mut due = loop {
            let due = self.queue.pop(now)?;
            match due.doubt {
                Some(doubt) if doubt.send_by().is_none_or(|by| by < now) => {
                    self.doubtful.insert(due.target.n, due);
                }
                _ => break due,
            }
        };
        let number = due.target.progress.attempts + 1;
        let n = due.target.n;
        due.target.progress.attempts = number;
        due.target.progress.first_sent.get_or_insert(wall);
        due.target.progress.not_before = None;
        self.records.push(Record::Begun {
            n,
            number,
            sent: wall,
            sent_server: self.server.at(now),
        });
        let attempt = Attempt {
            n,
            number,
            machine: due.target.machine_id.to_lowercase(),
            scan_type: scan_type(&due.target, self.settings.scan_type),
            comment: self.comment(&due.target),
            send_by: due.doubt.and_then(|doubt| doubt.send_by()),
        };
        self.in_flight.insert(n, due);
        Some(attempt)
    }

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
                self.attempts += 1;
                self.server.hear(ended, date);
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
                    verdict: word(&judgement.verdict),
                    http_status: judgement.http_status,
                };
                if judgement.services_own && judgement.verdict != Verdict::Unauthorized {
                    self.tokens.good = self.tokens.good.max(token);
                }
                self.judged(due, end, *judgement, (sent, ended), token, wall);
            }
        }
    }

    /// A newer token has come, or there is none.
    pub fn renewed(&mut self, result: Result<u64, String>) {
        self.tokens.renewing = false;
        if let Err(why) = result {
            self.stop(StopReason::Tenant(why));
        }
    }

    /// A listing has ended.
    pub fn listed(&mut self, result: Result<Listing, ListingError>, now: Moment, wall: Timestamp) {
        self.listings.running = false;
        match result {
            Ok(listing) => {
                self.listings.failed = 0;
                self.server = listing.server;
                self.settle_doubts(&listing, now, wall);
            }
            Err(ListingError::Forbidden(why)) => {
                self.notes.push(format!("scans cannot be looked up: {why}"));
                self.listings.forbidden = Some(why);
                self.give_up_doubts(now);
            }
            Err(ListingError::Unauthorized(why)) => self.stop(StopReason::Tenant(why)),
            Err(ListingError::Failed(why)) => {
                self.listings.failed += 1;
                self.notes
                    .push(format!("the list of scans could not be read: {why}"));
                self.listings.not_before =
                    now + LISTING_APART + retry::backoff(self.listings.failed + 2, &mut self.rng);
                if self.listings.failed >= LISTINGS_FAILED {
                    self.listings.failed = 0;
                    self.give_up_doubts(now);
                }
            }
        }
    }

    /// Stops the campaign: no new calls, those in flight are awaited.
    pub fn stop(&mut self, reason: StopReason) {
        if self.stop_reason().is_none_or(|before| *before < reason) {
            self.phase = Phase::Stopping(reason);
        }
    }

    /// An attempt that was to be sent, but cannot be: nothing of it was written.
    pub fn unwritten(&mut self, n: u64) {
        if let Some(mut due) = self.in_flight.remove(&n) {
            due.target.progress.attempts -= 1;
            self.queue.put_back(due);
        }
    }

    // Decisions.

    fn is_stopping(&self) -> bool {
        self.stop_reason().is_some()
    }

    fn comment(&self, target: &Target) -> String {
        let text = target.comment.as_deref().unwrap_or(&self.settings.comment);
        self.settings.campaign.comment(target.n, text)
    }

    fn unsent(&mut self, mut due: Due) {
        let number = due.target.progress.attempts;
        self.records.push(Record::Unsent {
            n: due.target.n,
            number,
        });
        due.target.progress.attempts = number - 1;
        if number == 1 {
            due.target.progress.first_sent = None;
        }
        self.queue.put_back(due);
    }

    fn judged(
        &mut self,
        mut due: Due,
        end: AttemptEnd,
        judgement: Judgement,
        (sent, ended): (Moment, Moment),
        token: u64,
        wall: Timestamp,
    ) {
        if !matches!(judgement.verdict, Verdict::Stop(_) | Verdict::Unauthorized)
            && self.phase == Phase::Alone
        {
            self.phase = Phase::Open;
        }
        if !matches!(judgement.verdict, Verdict::Throttled(_)) {
            due.throttled = 0;
        }
        let unauthorized_before = due.unauthorized.take();
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
                due.throttled += 1;
                self.changed(&due, Some(end));
                if due.throttled >= retry::THROTTLED_IN_A_ROW {
                    due.throttled = 0;
                    self.queue.put_behind(due);
                } else {
                    self.queue.put_back(due);
                }
            }
            Verdict::Unauthorized => {
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
            Verdict::NotSent => self.try_again(due, Some(end), ended, wall, Duration::ZERO),
            Verdict::Unsure => {
                due.target.progress.tries += 1;
                let lasted = ended.since(sent);
                let sent = self.sent_at(sent, ended, wall);
                let doubt = match due.doubt {
                    Some(before) => Doubt {
                        sent: before.sent.earlier(sent),
                        lasted: before.lasted + ended.since(before.gave_up),
                        ..Doubt::new(sent, lasted, ended)
                    },
                    None => Doubt::new(sent, lasted, ended),
                };
                due.target.progress.unsure_since = Some(doubt.sent);
                due.doubt = Some(doubt);
                self.doubt(due, Some(end), ended);
            }
        }
    }

    /// A 401. The first for a token fetches a newer one; a second, by a token fetched after the first and never taken,
    /// stops the campaign; so does a second for the same target (`again`), whatever the newer token is good for elsewhere.
    fn unauthorized(&mut self, token: u64, again: bool, message: &str) {
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
        }
    }

    fn pending(
        &mut self,
        mut due: Due,
        end: AttemptEnd,
        scan: Option<Scan>,
        ended: Moment,
        wall: Timestamp,
    ) {
        due.target.progress.pending_tries += 1;
        if let (None, Some(doubt)) = (&scan, &mut due.doubt) {
            // The scan that is under way may be the one that we are in doubt about.
            *doubt = Doubt {
                gave_up: ended,
                absent: None,
                pending: true,
                ..*doubt
            };
            self.doubt(due, Some(end), ended);
            return;
        }
        self.somebody_elses(due, Some(end), scan, ended, wall);
    }

    fn somebody_elses(
        &mut self,
        mut due: Due,
        end: Option<AttemptEnd>,
        scan: Option<Scan>,
        now: Moment,
        wall: Timestamp,
    ) {
        match self.settings.policy.on_pending {
            OnPending::Retry { delay, tries } if due.target.progress.pending_tries < tries => {
                due.target.progress.not_before = later(wall, delay);
                self.changed(&due, end);
                self.queue.put_later(due, now + delay);
            }
            OnPending::Retry { .. } | OnPending::Skip => {
                self.end_with_scan(due, end, Outcome::AlreadyPending, scan);
            }
        }
    }

    /// Tries a target again after a backoff of at least `at_least`, if it has tries left.
    fn try_again(
        &mut self,
        mut due: Due,
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
        self.changed(&due, end);
        self.queue.put_later(due, now + delay);
    }

    /// Keeps a target until a listing has told what became of its attempts.
    fn doubt(&mut self, due: Due, end: Option<AttemptEnd>, now: Moment) {
        if let Some(why) = self.listings.forbidden.clone() {
            self.give_up_doubt(due, end, now, &why);
            return;
        }
        self.changed(&due, end);
        self.doubtful.insert(due.target.n, due);
    }

    /// Ends a target that cannot be looked up, unless the operator has taken the risk of a second scan.
    fn give_up_doubt(&mut self, mut due: Due, end: Option<AttemptEnd>, now: Moment, why: &str) {
        if due.doubt.is_some_and(|doubt| doubt.risk_taken) {
            due.doubt = None;
            self.queue.put_later(due, now);
        } else {
            self.end_unsure(due, end, why);
        }
    }

    /// When an attempt was sent that ended at `ended`, when this computer's wall clock showed `wall`.
    fn sent_at(&self, sent: Moment, ended: Moment, wall: Timestamp) -> SentAt {
        let ago = SignedDuration::try_from(ended.since(sent)).unwrap_or(SignedDuration::ZERO);
        self.server.at(sent).map_or_else(
            || SentAt {
                at: wall.saturating_sub(ago).unwrap_or(wall),
                by_server: false,
            },
            |at| SentAt {
                at,
                by_server: true,
            },
        )
    }

    fn next_listing(&self) -> Option<Moment> {
        if self.listings.running {
            return None;
        }
        let first = self
            .doubtful
            .values()
            .filter_map(|due| Some(due.doubt?.gave_up + SHOWS_WITHIN))
            .min()?;
        Some(first.max(self.listings.not_before))
    }

    fn settle_doubts(&mut self, listing: &Listing, now: Moment, wall: Timestamp) {
        for (&n, finding) in &listing.findings {
            let Some(mut due) = self.doubtful.remove(&n) else {
                continue;
            };
            let Some(doubt) = &mut due.doubt else {
                continue;
            };
            match finding {
                Finding::Found(scan) => {
                    due.doubt = None;
                    due.target.progress.message =
                        "its answer was lost; found in the list of scans by its tag".into();
                    self.end_with_scan(due, None, Outcome::Accepted, Some(scan.clone()));
                }
                Finding::Absent if doubt.gave_up + SHOWS_WITHIN > listing.began => {
                    self.doubtful.insert(n, due);
                }
                Finding::Absent => {
                    let was_pending = std::mem::replace(&mut doubt.pending, false);
                    doubt.absent = Some(listing.began);
                    if was_pending {
                        self.somebody_elses(due, None, None, now, wall);
                    } else if due.target.progress.tries >= self.settings.policy.max_attempts {
                        due.doubt = None;
                        self.end(due, None, Outcome::Failed);
                    } else {
                        let delay = retry::backoff(due.target.progress.tries, &mut self.rng)
                            .min(AFTER_LOOKUP);
                        self.queue.put_later(due, now + delay);
                    }
                }
            }
        }
    }

    fn give_up_doubts(&mut self, now: Moment) {
        let why = self
            .listings
            .forbidden
            .clone()
            .unwrap_or_else(|| "the list of scans could not be read".into());
        for due in std::mem::take(&mut self.doubtful).into_values() {
            self.give_up_doubt(due, None, now, &why);
        }
    }

    fn end_unsure(&mut self, mut due: Due, end: Option<AttemptEnd>, why: &str) {
        let progress = &mut due.target.progress;
        if progress.message.is_empty() {
            progress.message = "the run ended before an answer was kept".to_owned();
        }
        progress.message = format!(
            "{}; whether a scan was started could not be looked up ({why}): grant Machine.Read.All and use --retry unsure, \
             which without it risks a second scan",
            progress.message
        );
        self.end(due, end, Outcome::Unsure);
    }

    fn end_with_scan(
        &mut self,
        mut due: Due,
        end: Option<AttemptEnd>,
        outcome: Outcome,
        scan: Option<Scan>,
    ) {
        if let Some(scan) = scan {
            let progress = &mut due.target.progress;
            progress.action_id = scan.id;
            progress.action_status = scan.status;
            progress.action_created = scan.created;
        }
        self.end(due, end, outcome);
    }

    fn end(&mut self, mut due: Due, end: Option<AttemptEnd>, outcome: Outcome) {
        let progress = &mut due.target.progress;
        progress.outcome = Some(outcome.as_str());
        progress.not_before = None;
        if outcome != Outcome::Unsure {
            progress.unsure_since = None;
        }
        self.changed(&due, end);
        self.tally.add(outcome);
        self.ended_by_calls += 1;
        let none_scanned = !self
            .tally
            .iter()
            .any(|(outcome, count)| outcome.is_scanned() && count > 0);
        if self.ended_by_calls == NOTHING_SCANNED && none_scanned {
            self.stop(StopReason::Brake(format!(
                "the first {NOTHING_SCANNED} machines ended and not one of them is being scanned: look at the ids, the tenant \
                 and the messages in the results before going on"
            )));
        }
    }

    fn changed(&mut self, due: &Due, attempt: Option<AttemptEnd>) {
        let progress = Box::new(due.target.progress.clone());
        self.records.push(Record::Changed {
            n: due.target.n,
            attempt,
            progress,
        });
    }
}

fn scan_type(target: &Target, default: &'static str) -> &'static str {
    match target.scan_type.as_deref() {
        Some("quick") => "Quick",
        Some("full") => "Full",
        _ => default,
    }
}

fn later(wall: Timestamp, delay: Duration) -> Option<Timestamp> {
    let delay = SignedDuration::try_from(delay).ok()?;
    wall.checked_add(delay).ok()
}

/// The verdict's word in the table of attempts.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted(_) => "accepted",
        Verdict::AlreadyPending(_) => "already_pending",
        Verdict::NotFound => "not_found",
        Verdict::Unsupported => "unsupported",
        Verdict::Refused => "refused",
        Verdict::Throttled(_) => "throttled",
        Verdict::Unauthorized => "unauthorized",
        Verdict::Stop(_) => "stopped",
        Verdict::Unsure => "unsure",
        Verdict::NotSent => "not_sent",
    }
}

#[cfg(test)]
#[path = "dispatcher_tests.rs"]
mod tests;

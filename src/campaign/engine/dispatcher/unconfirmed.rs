//! Targets of which nobody knows whether a scan was started: nothing is sent to them before the list of scans has told.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::Dispatcher;
use crate::client::scans::SHOWS_WITHIN;
use crate::{
    campaign::{
        brakes::Admitted,
        engine::{
            lookup::{Finding, Listing, ListingError, Sought, Wanted},
            pending::{FINDING, PendingTarget, Unconfirmed},
            queue::Stored,
            trail,
        },
        outcome::Outcome,
        retry,
        stop::StopReason,
    },
    client::{outage::Outage, reply::Trouble},
    quota::{Kind, Moment, PERMIT_LIFE},
    store::{AttemptEnd, Left, SentAt, Unfinished},
};

/// So long a target whose machine may be busy waits for a list that is not answered.
const LOOKS_WAIT: Duration = Duration::from_mins(2);

/// A call of a process that died was under way for no longer than this.
const LONGEST_CALL: Duration = Duration::from_mins(5);

/// So long before its turn a target is looked up again whose finding will be void by then: the listing may have to wait for
/// another to be [`LISTING_APART`], and has as much time for itself; most of the minute that a finding is good for is left.
const LOOKED_UP_BEFORE: Duration = Duration::from_secs(20);

/// Listings begin at least this far apart; one serves all.
const LISTING_APART: Duration = Duration::from_secs(10);

/// It is looked ahead at most this often: a second more or less does not matter, and those who wait may be many.
const LOOK_AHEAD_EVERY: Duration = Duration::from_secs(1);

/// So many listings may take longer than a finding is good for before a target ends as unsure: pages of a few rows each would
/// be read for ever.
const SLOW_LISTINGS: u8 = 3;

/// So many listings may fail in a row before the targets that wait for one end as unsure.
const LISTINGS_FAILED: u32 = 5;

/// No more targets than this are in doubt at once: beyond it nothing is sent before a listing has told of some. By the
/// documented limits it would take thirteen hours of lost answers; without limits it bounds the memory.
pub(super) const MOST_IN_DOUBT: usize = 20_000;

/// What is known of looking up.
#[derive(Debug, Default)]
pub(super) struct Listings {
    pub(super) forbidden: Option<String>,
    pub(super) running: bool,
    pub(super) not_before: Moment,
    pub(super) failed: u32,
    /// The list alone is not answered.
    pub(super) outage: Option<Outage>,
    /// When it was last looked ahead whose finding would be void.
    looked_ahead: Option<Moment>,
}

impl Dispatcher {
    /// Whether it is time to [look ahead](Self::look_ahead), while a permit is waited for.
    #[must_use]
    pub fn wants_look_ahead(&self, now: Moment) -> bool {
        let last = self.listings.looked_ahead;
        let is_time = last.is_none_or(|last| now.since(last) >= LOOK_AHEAD_EVERY);
        is_time && !self.is_stopping() && self.brakes.admitted() == Admitted::Anybody
    }

    /// A permit is waited for, and the start call of each number, from 1, can go at its `turn`. The targets whose turn is near
    /// and whose finding will be void by then are looked up again now: noticed when the permit is there, it would give their
    /// turn to others, again and again where the permits come a minute apart.
    pub fn look_ahead(&mut self, now: Moment, turn: impl Fn(u64) -> Moment) {
        self.listings.looked_ahead = Some(now);
        if self.listings.forbidden.is_some() {
            return;
        }
        let horizon = now + LOOKED_UP_BEFORE;
        // A call may go so much later than its permit.
        for due in self.queue.take_void(now, horizon, PERMIT_LIFE, turn) {
            self.unconfirmed.insert(due.target.n, due);
        }
    }

    /// What is to be looked up in the list of scans, if it is time to. The listing then counts as running until
    /// [`listed`](Self::listed).
    pub fn wants_listing(&mut self, now: Moment) -> Option<Wanted> {
        if self.is_stopping() || self.listings.running || self.next_listing()? > now {
            return None;
        }
        self.listings.running = true;
        self.listings.not_before = now + LISTING_APART;
        let doubts = self.unconfirmed.values().map(|due| Sought {
            n: due.target.n,
            machine: due.target.machine_id.to_lowercase(),
            comment: self.comment(&due.target),
            doubt: due.doubt,
            busy_since: Self::doubtful_since(due),
        });
        let wanted = Wanted::new(self.server, doubts.chain(self.looks()));
        Some(wanted.and_all_since(self.busy.skip.all_since()))
    }

    /// A listing has ended.
    pub fn listed(&mut self, result: Result<Listing, ListingError>, now: Moment, wall: Timestamp) {
        self.listings.running = false;
        if self.busy.skip.is_asking()
            && let Err(ListingError::Forbidden(why) | ListingError::Failed(why)) = &result
        {
            self.stop_unasked(why);
            return;
        }
        if !matches!(result, Err(ListingError::Unanswered { .. })) {
            if let Some(outage) = self.listings.outage.take() {
                outage.over(now);
            }
            self.reach.heard = true;
        }
        if let Err(e) = &result {
            trail::no_listing(e);
        }
        match result {
            Ok(mut listing) => {
                self.listings.failed = 0;
                self.server = listing.server;
                self.settle_doubts(&mut listing, now, wall);
                self.settle_looks(&mut listing, now, wall);
                self.settle_skip(&mut listing, wall);
            }
            Err(ListingError::Forbidden(why)) => self.cannot_list(why, now),
            Err(ListingError::Unauthorized(why) | ListingError::Blocked(why)) => {
                self.stop(StopReason::Tenant(why));
            }
            Err(ListingError::Ledger(why)) => self.stop(StopReason::Disk(why)),
            Err(ListingError::Unanswered {
                trouble,
                never_sent: true,
            }) => self.out(&trouble, true, now),
            Err(ListingError::Unanswered { trouble, .. }) => self.list_not_answered(&trouble, now),
            Err(ListingError::Failed(why)) => {
                self.listings.failed += 1;
                self.notes
                    .push(format!("the list of scans could not be read: {why}"));
                self.listings.not_before =
                    now + LISTING_APART + retry::backoff(self.listings.failed + 2, &mut self.rng);
                if self.listings.failed >= LISTINGS_FAILED {
                    self.listings.failed = 0;
                    self.give_up_doubts(now);
                    self.give_up_looks(now);
                }
            }
        }
    }

    /// The application may not list: what is in doubt stays so.
    pub(super) fn cannot_list(&mut self, why: String, now: Moment) {
        self.notes.push(format!("scans cannot be looked up: {why}"));
        self.listings.forbidden = Some(why);
        self.give_up_doubts(now);
        self.give_up_looks(now);
    }

    /// The service may have received the call: starts may be answered all the same, and go on. What is in doubt waits.
    fn list_not_answered(&mut self, trouble: &Trouble, now: Moment) {
        let stops = if let Some(outage) = &mut self.listings.outage {
            outage.failed(now, trouble)
        } else {
            self.notes.push(format!(
                "the list of scans could not be read: {trouble}; it is asked again"
            ));
            None
        };
        let heard = self.reach.heard;
        let outage = self
            .listings
            .outage
            .get_or_insert_with(|| Outage::of_calls(Kind::List, now, trouble, heard));
        self.listings.not_before = outage.next_look().max(now + LISTING_APART);
        if let Some(why) = stops {
            self.stop(StopReason::Tenant(why));
        }
        // Who is busy can be asked by a call too.
        let since = self.listings.outage.as_ref().map(Outage::since);
        if since.is_some_and(|since| now.since(since) >= LOOKS_WAIT) {
            self.give_up_looks(now);
        }
    }

    pub(super) fn next_listing(&self) -> Option<Moment> {
        if self.listings.running || self.reach.list_is_out() {
            return None;
        }
        let doubts = self.unconfirmed.values();
        let first = doubts
            .filter_map(|due| Some(due.doubt?.gave_up + SHOWS_WITHIN))
            .chain(self.busy.next_look())
            .min()?;
        Some(first.max(self.listings.not_before))
    }

    /// Keeps a target until a listing has told what became of its attempts.
    pub(super) fn doubt(&mut self, due: PendingTarget, end: Option<AttemptEnd>, now: Moment) {
        if let Some(why) = self.listings.forbidden.clone() {
            self.give_up_doubt(due, end, now, &why);
            return;
        }
        debug!(line = due.target.line, "in doubt until the list has told");
        self.changed(&due, end);
        self.unconfirmed.insert(due.target.n, due);
    }

    /// Ends a target that cannot be looked up, unless that is forbidden and the operator has taken the risk of a second scan:
    /// a list that cannot be read for now can be read later.
    pub(super) fn give_up_doubt(
        &mut self,
        mut due: PendingTarget,
        end: Option<AttemptEnd>,
        now: Moment,
        why: &str,
    ) {
        let is_forbidden = self.listings.forbidden.is_some();
        let is_wanted = !due.target.progress.left_out;
        if is_forbidden && is_wanted && due.doubt.is_some_and(|doubt| doubt.risk_taken) {
            due.doubt = None;
            self.queue.put_later(due, now, now);
        } else {
            self.end_unsure(due, end, why);
        }
    }

    pub(super) fn give_up_doubts(&mut self, now: Moment) {
        let why = self
            .listings
            .forbidden
            .clone()
            .unwrap_or_else(|| "the list of scans could not be read".into());
        for due in std::mem::take(&mut self.unconfirmed).into_values() {
            self.give_up_doubt(due, None, now, &why);
        }
    }

    pub(super) fn settle_doubts(&mut self, listing: &mut Listing, now: Moment, wall: Timestamp) {
        for (n, mut due) in std::mem::take(&mut self.unconfirmed) {
            let Some(finding) = listing.findings.remove(&n) else {
                self.unconfirmed.insert(n, due);
                continue;
            };
            trail::lookup(&due, &finding);
            let Some(doubt) = &mut due.doubt else {
                // Nothing is in doubt, so nothing keeps it from its turn.
                self.queue.put_later(due, now, now);
                continue;
            };
            match finding {
                Finding::Found(scan) => {
                    self.seen.looked_up(false);
                    due.doubt = None;
                    due.target.progress.message =
                        "its answer was lost; found in the list of scans by its tag".into();
                    self.end_with_scan(due, None, Outcome::Accepted, Some(scan));
                }
                _ if doubt.gave_up + SHOWS_WITHIN > listing.began => {
                    self.unconfirmed.insert(n, due);
                }
                // Its row is gone from the input, and no scan of ours is there.
                Finding::Busy(_) | Finding::Absent if due.target.progress.left_out => {
                    self.end(due, None, Outcome::NotAttempted);
                }
                Finding::Busy(scan) => {
                    doubt.absent = Some(listing.began);
                    self.still_busy(due, scan, now, wall);
                }
                Finding::Absent => {
                    let was_pending = std::mem::replace(&mut doubt.pending, false);
                    doubt.absent = Some(listing.began);
                    doubt.slow_listings += u8::from(listing.began + FINDING < now);
                    if doubt.slow_listings >= SLOW_LISTINGS {
                        let why = "the list takes longer to read than what it tells is good for";
                        self.end_unsure(due, None, why);
                    } else if was_pending {
                        self.somebody_elses(due, None, None, now, wall);
                    } else {
                        self.surely_not_started(due, now);
                    }
                }
            }
        }
    }

    /// The list has shown that an attempt started no scan. That the list was answered and the attempt was not costs a try.
    fn surely_not_started(&mut self, mut due: PendingTarget, now: Moment) {
        let Some(doubt) = &mut due.doubt else {
            return;
        };
        // One that was looked up before keeps the place that it had, and has paid.
        let is_first = doubt.turn.is_none();
        let tries = &mut due.target.progress.tries;
        *tries += u32::from(is_first && !doubt.is_blameless);
        if *tries >= self.settings.policy.max_attempts {
            due.doubt = None;
            self.end(due, None, Outcome::Failed);
            return;
        }
        let turn = match doubt.turn {
            Some(turn) => turn,
            None if doubt.is_blameless => now,
            None => doubt.gave_up + self.settings.policy.spread(*tries, &mut self.rng),
        };
        if is_first && !doubt.is_blameless {
            self.seen.looked_up(true);
            self.seen
                .to_be_repeated(true, turn.max(now).since(doubt.gave_up));
        }
        doubt.turn = Some(turn);
        if due.front {
            self.queue.put_back(due);
        } else {
            self.queue.put_later(due, turn.max(now), now);
        }
    }

    /// When an attempt was sent that ended at `ended`, when this computer's wall clock showed `wall`.
    pub(super) fn sent_at(&self, sent: Moment, ended: Moment, wall: Timestamp) -> SentAt {
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

    /// A target that an earlier run left behind: one in doubt is looked up before anything is sent to it, another is tried
    /// when its delay is over.
    pub fn left(&mut self, left: Left, now: Moment, wall: Timestamp) {
        if left.in_doubt {
            self.left_in_doubt.push_back(left.n);
            self.brakes.begun(left.n, false);
            return;
        }
        if !left.is_begun && !self.brakes.admits_new() {
            return;
        }
        // The wall clock may have been moved meanwhile: no delay is served twice.
        let delay = left.not_before.map(|t| t.duration_since(wall));
        let delay = Duration::try_from(delay.unwrap_or_default()).unwrap_or(Duration::ZERO);
        let delay = delay.min(self.settings.policy.longest_delay());
        // It is under way, unless it waits because its machine is busy.
        if left.is_begun && left.pending_tries == 0 {
            self.brakes.begun(left.n, false);
        }
        let left_over = Stored {
            n: left.n,
            priority: left.priority,
            is_begun: left.is_begun,
            pending_tries: left.pending_tries,
        };
        self.queue.put_stored(left_over, now + delay);
    }

    /// The targets in doubt that an earlier run left and that are to be read now. One listing serves all that are at hand,
    /// so they come many at a time.
    pub(super) fn doubts_to_read(&self) -> Vec<u64> {
        if self.unconfirmed.len() > MOST_IN_DOUBT / 2 {
            return Vec::new();
        }
        let next = self.left_in_doubt.iter().take(MOST_IN_DOUBT / 2);
        next.copied().collect()
    }

    /// Targets in doubt that an earlier run left have been read.
    pub(super) fn doubts_came(&mut self, numbers: usize, left: Vec<Unfinished>, now: Moment) {
        self.left_in_doubt.drain(..numbers);
        for Unfinished { target, unsure } in left {
            let mut due = PendingTarget::new(target);
            let Some(sent) = unsure else {
                // Whatever was in doubt is not any more.
                if due.target.progress.left_out {
                    self.end(due, None, Outcome::NotAttempted);
                } else {
                    self.queue.put_later(due, now, now);
                }
                continue;
            };
            due.target.progress.unsure_since = Some(sent);
            due.doubt = Some(Unconfirmed {
                risk_taken: self.settings.risk_taken,
                ..Unconfirmed::new(sent, LONGEST_CALL, now)
            });
            if let Some(why) = self.listings.forbidden.clone() {
                self.give_up_doubt(due, None, now, &why);
            } else {
                self.unconfirmed.insert(due.target.n, due);
            }
        }
    }
}

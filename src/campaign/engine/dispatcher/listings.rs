//! When the list of scans is read, for what, and what follows where it cannot be read.

use std::time::Duration;

use jiff::Timestamp;

use super::Dispatcher;
use crate::{
    campaign::{
        brakes::Admitted,
        engine::{
            lookup::{Listing, ListingError, Sought, Wanted},
            trail,
        },
        retry,
        stop::StopReason,
    },
    client::{margins::SHOWS_WITHIN, outage::Outage, reply::Trouble},
    quota::{Kind, Moment, PERMIT_LIFE},
};

/// So long a target whose machine may be busy waits for a list that is not answered.
const LOOKS_WAIT: Duration = Duration::from_mins(2);

/// So long before its turn a target is looked up again whose finding will be void by then: the listing may have to wait for
/// another to be [`LISTING_APART`], and has as much time for itself; most of the minute that a finding is good for is left.
const LOOKED_UP_BEFORE: Duration = Duration::from_secs(20);

/// Listings begin at least this far apart; one serves all.
const LISTING_APART: Duration = Duration::from_secs(10);

/// It is looked ahead at most this often: a second more or less does not matter, and those who wait may be many.
const LOOK_AHEAD_EVERY: Duration = Duration::from_secs(1);

/// So many listings may fail in a row before the targets that wait for one end as unsure.
const LISTINGS_FAILED: u32 = 5;

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
    pub(super) looked_ahead: Option<Moment>,
}

impl Dispatcher {
    /// Whether it is time to [look ahead](Self::look_ahead), while a permit is waited for.
    #[must_use]
    pub(crate) fn wants_look_ahead(&self, now: Moment) -> bool {
        let last = self.listings.looked_ahead;
        let is_time = last.is_none_or(|last| now.since(last) >= LOOK_AHEAD_EVERY);
        is_time && !self.is_stopping() && self.brakes.admitted() == Admitted::Anybody
    }

    /// A permit is waited for, and the start call of each number, from 1, can go at its `turn`. The targets whose turn is near
    /// and whose finding will be void by then are looked up again now: noticed when the permit is there, it would give their
    /// turn to others, again and again where the permits come a minute apart.
    pub(crate) fn look_ahead(&mut self, now: Moment, turn: impl Fn(u64) -> Moment) {
        self.listings.looked_ahead = Some(now);
        if self.listings.forbidden.is_some() {
            return;
        }
        let horizon = now + LOOKED_UP_BEFORE;
        // A call may go so much later than its permit.
        for pending in self.queue.take_void(now, horizon, PERMIT_LIFE, turn) {
            self.unconfirmed.insert(pending.target.n, pending);
        }
    }

    /// What is to be looked up in the list of scans, if it is time to. The listing then counts as running until
    /// [`listed`](Self::listed).
    pub(crate) fn wants_listing(&mut self, now: Moment) -> Option<Wanted> {
        if self.is_stopping() || self.listings.running || self.next_listing()? > now {
            return None;
        }
        self.listings.running = true;
        self.listings.not_before = now + LISTING_APART;
        let unconfirmed = self.unconfirmed.values().map(|pending| Sought {
            n: pending.target.n,
            machine: pending.target.machine_id.to_lowercase(),
            comment: self.comment(&pending.target),
            unconfirmed: pending.unconfirmed,
            busy_since: Self::busy_since_if_unconfirmed(pending),
        });
        let wanted = Wanted::new(self.server, unconfirmed.chain(self.busy_checks()));
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
            self.reach.answered_before = true;
        }
        if let Err(e) = &result {
            trail::no_listing(e);
        }
        match result {
            Ok(mut listing) => {
                self.listings.failed = 0;
                self.server = listing.server;
                self.settle_unconfirmed(&mut listing, now, wall);
                self.settle_busy_checks(&mut listing, now, wall);
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
                    self.give_up_lookups(now);
                    self.give_up_busy_checks(now);
                }
            }
        }
    }

    /// The application may not list: what is in doubt stays so.
    pub(super) fn cannot_list(&mut self, why: String, now: Moment) {
        self.notes.push(format!("scans cannot be looked up: {why}"));
        self.listings.forbidden = Some(why);
        self.give_up_lookups(now);
        self.give_up_busy_checks(now);
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
        let answered_before = self.reach.answered_before;
        let outage = self
            .listings
            .outage
            .get_or_insert_with(|| Outage::of_calls(Kind::List, now, trouble, answered_before));
        self.listings.not_before = outage.next_probe().max(now + LISTING_APART);
        if let Some(why) = stops {
            self.stop(StopReason::Tenant(why));
        }
        // Who is busy can be asked by a call too.
        let since = self.listings.outage.as_ref().map(Outage::since);
        if since.is_some_and(|since| now.since(since) >= LOOKS_WAIT) {
            self.give_up_busy_checks(now);
        }
    }

    pub(super) fn next_listing(&self) -> Option<Moment> {
        if self.listings.running || self.reach.list_is_out() {
            return None;
        }
        let unconfirmed = self.unconfirmed.values();
        let first = unconfirmed
            .filter_map(|pending| Some(pending.unconfirmed?.gave_up + SHOWS_WITHIN))
            .chain(self.busy.next_probe())
            .min()?;
        Some(first.max(self.listings.not_before))
    }
}

//! When the list of scans is read and for what, and what follows if it cannot be read.

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

/// How long a target whose machine may be busy waits for a list that does not answer.
const LOOKS_WAIT: Duration = Duration::from_mins(2);

/// How long before its turn a target is looked up again if its finding will be void by then. The listing may
/// have to wait for another one to be [`LISTING_APART`], and has as much time for itself. Most of the minute
/// for which the finding is valid is left.
const LOOKED_UP_BEFORE: Duration = Duration::from_secs(20);

/// Listings begin at least this far apart. One serves all targets.
const LISTING_APART: Duration = Duration::from_secs(10);

/// How often to look ahead at most. A second more or less does not matter, and many targets may be waiting.
const LOOK_AHEAD_EVERY: Duration = Duration::from_secs(1);

/// After this many failed listings in a row, the targets that wait for one end as unsure.
const LISTINGS_FAILED: u32 = 5;

/// The state of the listings.
#[derive(Debug, Default)]
pub(super) struct Listings {
    pub(super) forbidden: Option<String>,
    pub(super) running: bool,
    pub(super) not_before: Moment,
    pub(super) failed: u32,
    /// An outage of the list alone.
    pub(super) outage: Option<Outage>,
    /// When the dispatcher last looked ahead for findings that will be void.
    pub(super) looked_ahead: Option<Moment>,
}

impl Dispatcher {
    /// Whether it is time to [look ahead](Self::look_ahead), while a permit is being waited for.
    #[must_use]
    pub(crate) fn wants_look_ahead(&self, now: Moment) -> bool {
        let last = self.listings.looked_ahead;
        let is_time = last.is_none_or(|last| now.since(last) >= LOOK_AHEAD_EVERY);
        is_time && !self.is_stopping() && self.brakes.admitted() == Admitted::Anybody
    }

    /// Looks up again the targets whose turn is near and whose finding will be void by then. `turn` is the
    /// time of the n-th start call, counted from 1. If this were noticed only when the permit is there, the
    /// target would lose its turn to others, again and again where permits come a minute apart.
    pub(crate) fn look_ahead(&mut self, now: Moment, turn: impl Fn(u64) -> Moment) {
        self.listings.looked_ahead = Some(now);
        if self.listings.forbidden.is_some() {
            return;
        }
        let horizon = now + LOOKED_UP_BEFORE;
        // A call may go out this much later than its permit.
        let places = &self.running.places;
        let set_aside = self.running.parked.ready(|group| places.room_in(group));
        let void = self
            .queue
            .take_void(now, horizon, PERMIT_LIFE, set_aside, turn);
        for pending in void {
            self.unconfirmed.insert(pending.target.n, pending);
        }
    }

    /// What to look up in the list of scans, if it is time to. The listing counts as running until
    /// [`listed`](Self::listed).
    pub(crate) fn wants_listing(&mut self, now: Moment) -> Option<Wanted> {
        self.refresh_waits(now);
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
        let sought = unconfirmed.chain(self.busy_checks());
        let wanted = Wanted::new(self.server, sought.chain(self.unsure_places()));
        let wanted = wanted.and_all_since(self.busy.skip.all_since());
        Some(self.with_places(wanted, now))
    }

    /// Takes in the result of a listing.
    pub fn listed(&mut self, result: Result<Listing, ListingError>, now: Moment, wall: Timestamp) {
        self.listings.running = false;
        if self.busy.skip.is_asking()
            && let Err(e @ (ListingError::Forbidden(_) | ListingError::Failed(_))) = &result
        {
            self.stop_unasked(e);
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
                self.settle_places(&mut listing, now, wall);
            }
            Err(e @ ListingError::Forbidden(_)) => self.cannot_list(&e, now),
            Err(e @ (ListingError::Unauthorized(_) | ListingError::Blocked(_))) => {
                self.stop(StopReason::Tenant(e.to_string()));
            }
            Err(ListingError::Ledger(e)) => self.stop(StopReason::Disk(e.to_string())),
            Err(ListingError::Unanswered {
                trouble,
                never_sent: true,
            }) => self.out(&trouble, true, now),
            Err(ListingError::Unanswered { trouble, .. }) => self.list_not_answered(&trouble, now),
            Err(e @ ListingError::Failed(_))
                if self.listings.failed + 1 >= LISTINGS_FAILED && self.stop_without_list(&e) => {}
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

    /// The application may not list, so unconfirmed attempts stay unconfirmed.
    pub(super) fn cannot_list(&mut self, why: &ListingError, now: Moment) {
        if self.stop_without_list(why) {
            return;
        }
        self.notes.push(format!("scans cannot be looked up: {why}"));
        self.listings.forbidden = Some(why.to_string());
        self.give_up_lookups(now);
        self.give_up_busy_checks(now);
    }

    /// The list does not answer. Starts may be answered all the same, and go on; unconfirmed attempts wait.
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
        // A call finds out too whether a machine is busy.
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
            .chain(self.running.next_look())
            .min()?;
        Some(first.max(self.listings.not_before))
    }
}

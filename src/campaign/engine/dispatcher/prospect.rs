//! The basis of the forecast of the last call: which targets wait, for how long, and what was seen so far.
//! While no forecast is possible, it says why.

use std::time::Duration;

use jiff::Timestamp;

use super::{Dispatcher, away, running};
use crate::{
    campaign::{
        engine::{pending::PendingTarget, verdict::Verdict},
        forecast::{Begun, Bounds, LISTED_WITHIN, LOOKED_UP_WITHIN, Prospect, Why},
    },
    quota::{self, Moment},
    store::Record,
};

/// For this long after the service's last 429, or after the hold that came with it, it is not known how much
/// of the quota others leave. This is the shortest documented window.
const REFUSED_LATELY: Duration = Duration::from_mins(1);

impl Dispatcher {
    /// Why the last call cannot be forecast, if it cannot. A 429 holds calls until `held`.
    #[must_use]
    pub(crate) fn unforeseen(&self, now: Moment, held: Moment) -> Option<&'static str> {
        let refused = self.last_throttled;
        if self.reach.is_out() {
            Some("the API does not answer")
        } else if refused.is_some_and(|last| now < last.max(held) + REFUSED_LATELY) {
            Some("the service refuses calls (429)")
        } else if self.brakes.tries_canaries() {
            Some("the canaries go first")
        } else if self.suspicion.is_on() {
            Some("it is being found out whether a 403 is meant for all")
        } else if self.listings.outage.is_some() && self.unsettled() > 0 {
            Some("the list of scans does not answer")
        } else if self.reach.waits_for_token(now) {
            Some("the sign-in does not answer")
        } else if self.running.has_waited {
            Some(running::UNFORESEEN)
        } else if self.depends_on_away() {
            Some(away::UNFORESEEN)
        } else {
            None
        }
    }

    /// The same, and records it in the state for `status` in another terminal.
    pub(crate) fn note_unforeseen(&mut self, now: Moment, held: Moment) -> Option<&'static str> {
        let unforeseen = self.unforeseen(now, held);
        if std::mem::replace(&mut self.unforeseen, unforeseen) != unforeseen {
            self.records.push(Record::ForecastNote(unforeseen));
        }
        unforeseen
    }

    /// Everything that the time of the last call depends on, as of now.
    #[must_use]
    pub fn prospect(&self, quota: quota::Forecast, now: Moment, wall: Timestamp) -> Prospect {
        let mut waiting: Vec<_> = self
            .queue
            .retries()
            .map(|(at, times)| {
                let after = at.since(now);
                match times {
                    0 => (after, Why::Again),
                    _ => (
                        after + self.settings.policy.on_pending.gather(),
                        Why::Busy(times),
                    ),
                }
            })
            .collect();
        // No scan is under way on their machines, or they did not wait for that.
        let at_hand = std::iter::repeat_n((Duration::ZERO, Why::Free), self.queue.begun_at_hand());
        waiting.extend(at_hand);
        let (look, looked_at) = self.waiting_busy_checks();
        let look = look.map_or(Duration::ZERO, |look| look.since(now));
        waiting.extend(looked_at.map(|times| (look, Why::Busy(times))));
        let listing = self.next_listing().map(|at| at.since(now));
        let lookup = listing.unwrap_or_default() + LISTED_WITHIN;
        waiting.extend(self.unconfirmed.values().map(|_| (lookup, Why::Lookup)));
        let read_first = (LOOKED_UP_WITHIN, Why::Lookup);
        waiting.extend(self.left_unconfirmed.iter().map(|_| read_first));
        let on_its_way = self.in_flight.len() as u64;
        let open = self.open_targets();
        let fresh = open.saturating_sub(waiting.len() as u64 + on_its_way);
        let times = self.times();
        Prospect {
            bounds: Bounds {
                hours: times.hours.clone(),
                not_after: times.not_after.as_ref().map(|end| end.at),
                most: Some(self.brakes.may(fresh)),
            },
            begun: Begun {
                waiting,
                on_its_way,
                seen: self.seen.clone(),
            },
            on_pending: self.settings.policy.on_pending,
            is_blind: self.listings.forbidden.is_some(),
            ..Prospect::new(quota, fresh, Bounds::default(), wall)
        }
    }

    /// Whether the answer to this call is the first to show whether the machine is busy; otherwise the list
    /// has shown it before.
    pub(super) fn is_asked_by_call(&self, pending: &PendingTarget) -> bool {
        pending.target.progress.pending_tries == 0 || self.listings.forbidden.is_some()
    }

    /// Whether such an answer says that no scan is under way.
    pub(super) fn tells_free(verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Accepted(_) | Verdict::Unsupported | Verdict::Refused | Verdict::NotFound => {
                true
            }
            Verdict::AlreadyPending(_)
            | Verdict::Throttled(_)
            | Verdict::Unauthorized
            | Verdict::Stop(_)
            | Verdict::NotSent(_)
            | Verdict::Forbidden(_)
            | Verdict::Unsure(_) => false,
        }
    }
}

//! Targets that may or may not have a scan of ours. Nothing is sent to them before the list of scans has
//! shown which.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::Dispatcher;
use crate::{
    campaign::{
        engine::{
            lookup::{Finding, Listing},
            pending::{FINDING, PendingTarget, Unconfirmed},
            queue::Stored,
            trail,
        },
        outcome::Outcome,
    },
    client::margins::SHOWS_WITHIN,
    quota::Moment,
    store::{AttemptEnd, Left, SentAt, Unfinished},
};

/// The longest that a call of a process that died can have been in flight.
pub(super) const LONGEST_CALL: Duration = Duration::from_mins(5);

/// After this many listings that took longer than a finding is valid, a target ends as unsure. Otherwise,
/// with pages of a few rows each, the list would be read for ever.
const SLOW_LISTINGS: u8 = 3;

/// The most unconfirmed targets at once. Beyond it, nothing is sent before a listing has settled some. At the
/// documented limits this would take thirteen hours of lost answers; without limits, it bounds the memory.
pub(super) const MAX_UNCONFIRMED: usize = 20_000;

impl Dispatcher {
    /// Keeps a target until a listing has shown what came of its attempts.
    pub(super) fn hold_for_lookup(
        &mut self,
        pending: PendingTarget,
        end: Option<AttemptEnd>,
        now: Moment,
    ) {
        if let Some(why) = self.listings.forbidden.clone() {
            self.give_up_lookup(pending, end, now, &why);
            return;
        }
        debug!(
            line = pending.target.line,
            "in doubt until the list has told"
        );
        self.changed(&pending, end);
        self.unconfirmed.insert(pending.target.n, pending);
    }

    /// Ends a target that cannot be looked up. If listing is forbidden and the operator takes the risk of a
    /// second scan, it is sent instead. If the list merely cannot be read now, it can be read later, and no
    /// risk is taken.
    pub(super) fn give_up_lookup(
        &mut self,
        mut pending: PendingTarget,
        end: Option<AttemptEnd>,
        now: Moment,
        why: &str,
    ) {
        let is_forbidden = self.listings.forbidden.is_some();
        let is_wanted = !pending.target.progress.left_out;
        if is_forbidden
            && is_wanted
            && pending
                .unconfirmed
                .is_some_and(|unconfirmed| unconfirmed.risk_taken)
        {
            pending.unconfirmed = None;
            self.running.places.reserve(pending.target.n);
            self.queue.put_later(pending, now, now);
        } else {
            self.end_unsure(pending, end, why);
        }
    }

    pub(super) fn give_up_lookups(&mut self, now: Moment) {
        let why = self
            .listings
            .forbidden
            .clone()
            .unwrap_or_else(|| "the list of scans could not be read".into());
        for pending in std::mem::take(&mut self.unconfirmed).into_values() {
            self.give_up_lookup(pending, None, now, &why);
        }
    }

    pub(super) fn settle_unconfirmed(
        &mut self,
        listing: &mut Listing,
        now: Moment,
        wall: Timestamp,
    ) {
        for (n, mut pending) in std::mem::take(&mut self.unconfirmed) {
            let Some(finding) = listing.findings.remove(&n) else {
                self.unconfirmed.insert(n, pending);
                continue;
            };
            trail::lookup(&pending, &finding);
            let Some(unconfirmed) = &mut pending.unconfirmed else {
                // It has no unconfirmed attempt, so nothing keeps it from its turn.
                self.running.places.release(n);
                self.queue.put_later(pending, now, now);
                continue;
            };
            match finding {
                Finding::Found(scan) => {
                    self.seen.looked_up(false);
                    pending.unconfirmed = None;
                    pending.target.progress.message =
                        "its answer was lost; found in the list of scans by its tag".into();
                    self.end_with_scan(pending, None, Outcome::Accepted, Some(scan));
                }
                _ if unconfirmed.gave_up + SHOWS_WITHIN > listing.began => {
                    self.unconfirmed.insert(n, pending);
                }
                // Its row is gone from the input, and no scan of ours is listed.
                Finding::Busy(_) | Finding::Absent if pending.target.progress.left_out => {
                    self.end(pending, None, Outcome::NotAttempted);
                }
                Finding::Busy(scan) => {
                    unconfirmed.absent = Some(listing.began);
                    self.still_busy(pending, scan, now, wall);
                }
                Finding::Absent => {
                    let was_pending = std::mem::replace(&mut unconfirmed.found_busy, false);
                    unconfirmed.absent = Some(listing.began);
                    unconfirmed.slow_listings += u8::from(listing.began + FINDING < now);
                    if unconfirmed.slow_listings >= SLOW_LISTINGS {
                        let why = "reading the list takes longer than its answer stays valid";
                        self.end_unsure(pending, None, why);
                    } else if was_pending {
                        self.busy_with_another(pending, None, None, now, wall);
                    } else {
                        self.surely_not_started(pending, now);
                    }
                }
            }
        }
    }

    /// The list shows that the attempts started no scan. It costs a try that the list was answered and the
    /// attempt was not.
    fn surely_not_started(&mut self, mut pending: PendingTarget, now: Moment) {
        let Some(unconfirmed) = &mut pending.unconfirmed else {
            return;
        };
        // A target that was looked up before keeps its place, and has paid its try.
        let is_first = unconfirmed.turn.is_none();
        let tries = &mut pending.target.progress.tries;
        *tries += u32::from(is_first && !unconfirmed.is_blameless);
        if *tries >= self.settings.policy.max_attempts {
            pending.unconfirmed = None;
            self.end(pending, None, Outcome::Failed);
            return;
        }
        let turn = match unconfirmed.turn {
            Some(turn) => turn,
            None if unconfirmed.is_blameless => now,
            None => unconfirmed.gave_up + self.settings.policy.spread(*tries, &mut self.rng),
        };
        if is_first && !unconfirmed.is_blameless {
            self.seen.looked_up(true);
            self.seen
                .will_repeat(true, turn.max(now).since(unconfirmed.gave_up));
        }
        unconfirmed.turn = Some(turn);
        if is_first {
            self.running.places.release(pending.target.n);
        }
        if pending.front {
            self.queue.put_back(pending);
        } else {
            self.queue.put_later(pending, turn.max(now), now);
        }
    }

    /// When an attempt was sent, by the server's clock if that is known. `wall` is this computer's time at
    /// `ended`.
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

    /// Takes in a target that an earlier run left open. If a scan may have been started, it is looked up
    /// before anything is sent. Otherwise it is tried when its delay is over.
    pub fn left(&mut self, left: Left, now: Moment, wall: Timestamp) {
        if left.in_doubt {
            self.running.places.take(left.n);
            self.left_unconfirmed.push_back(left.n);
            self.brakes.begun(left.n, false);
            return;
        }
        if !left.is_begun && !self.brakes.admits_new() {
            return;
        }
        // The wall clock may have been set meanwhile: no delay lasts longer than it can.
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

    /// The targets to read now that an earlier run left unconfirmed. One listing serves all that are in
    /// memory, so they are read many at a time.
    pub(super) fn unconfirmed_to_read(&self) -> Vec<u64> {
        if self.unconfirmed.len() > MAX_UNCONFIRMED / 2 {
            return Vec::new();
        }
        let next = self.left_unconfirmed.iter().take(MAX_UNCONFIRMED / 2);
        next.copied().collect()
    }

    /// Takes in targets that an earlier run left unconfirmed.
    pub(super) fn unconfirmed_read(&mut self, numbers: usize, left: Vec<Unfinished>, now: Moment) {
        self.left_unconfirmed.drain(..numbers);
        for Unfinished {
            target,
            unsure,
            span,
        } in left
        {
            let mut pending = PendingTarget::new(target);
            let Some(sent) = unsure else {
                // It is not unconfirmed any more.
                if pending.target.progress.left_out {
                    self.end(pending, None, Outcome::NotAttempted);
                } else {
                    self.running.places.release(pending.target.n);
                    self.queue.put_later(pending, now, now);
                }
                continue;
            };
            pending.target.progress.unsure_since = Some(sent);
            pending.unconfirmed = Some(Unconfirmed {
                risk_taken: self.settings.risk_taken,
                ..Unconfirmed::new(sent, span + LONGEST_CALL, now)
            });
            if let Some(why) = self.listings.forbidden.clone() {
                self.give_up_lookup(pending, None, now, &why);
            } else {
                self.unconfirmed.insert(pending.target.n, pending);
            }
        }
    }
}

//! Machines that somebody else is scanning. The list of scans shows when that is over, so that no call is
//! spent on a machine that is known to be busy.
//!
//! A target whose call was answered with "already pending" waits for its delay, and then here for one check
//! of the list. If a scan is still under way, the check costs one of `--pending-tries`, and the target waits
//! again or ends. If none is, the target is sent. A wrong finding costs a call and nothing else: the answer
//! to the call decides.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::{Dispatcher, skip::Skip, unconfirmed::MAX_UNCONFIRMED};
use crate::{
    campaign::{
        engine::{
            lookup::{Finding, Listing, Sought},
            pending::{FINDING, PendingTarget},
            trail,
            verdict::Scan,
        },
        follow::watch::OLDEST_FOREIGN,
        forecast::experience::ON_TIME,
        outcome::Outcome,
    },
    client::margins::{BLIND_MARGIN, before},
    quota::Moment,
};

/// A finding is valid for a minute, and the permit may take longer to come, time and again. After this many
/// checks without a scan, a target is sent all the same.
const LOOKS: u8 = 3;

/// Filters have whole seconds, while creation times have seven digits.
const WHOLE_SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What is known of busy machines.
#[derive(Debug, Default)]
pub(super) struct Busy {
    /// Targets that wait for a check, and the earliest creation time of a scan that may keep the machine
    /// busy.
    waiting: BTreeMap<u64, (PendingTarget, Timestamp)>,
    /// When the check is due.
    look: Option<Moment>,
    /// Targets whose machines were found free, and have not been reported busy since.
    free: HashMap<u64, Free>,
    pub(super) skip: Skip,
    /// Whether it was noted that the list cannot be read.
    is_blind_said: bool,
}

/// A check that found no scan under way.
#[derive(Debug, Clone, Copy)]
struct Free {
    began: Moment,
    /// How many checks in a row found none.
    busy_checks: u8,
}

impl Busy {
    /// How many targets wait for a check.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no target waits for a check.
    pub(super) fn nobody_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether more targets may wait, and the listing of `--skip-busy`, if there is one, is done.
    pub(super) fn has_room(&self) -> bool {
        !self.skip.is_asking() && self.waiting.len() < MAX_UNCONFIRMED
    }

    /// When the list has to be read, if it has to be.
    pub(super) fn next_probe(&self) -> Option<Moment> {
        if self.skip.is_asking() {
            Some(Moment::ZERO)
        } else {
            self.look
        }
    }

    /// Discards what was found about a target.
    pub(super) fn forget(&mut self, n: u64) {
        self.free.remove(&n);
    }

    /// Whether this target's machine is known to be free, or was checked often enough.
    fn is_free(&self, n: u64, now: Moment) -> bool {
        let by_look = self
            .free
            .get(&n)
            .is_some_and(|free| free.busy_checks >= LOOKS || free.began + FINDING >= now);
        by_look || self.skip.is_news(now)
    }
}

impl Dispatcher {
    /// Returns a target that is about to be sent, unless its machine is known to be busy or has to be checked
    /// first.
    pub(super) fn unless_busy(
        &mut self,
        pending: PendingTarget,
        now: Moment,
        wall: Timestamp,
    ) -> Option<PendingTarget> {
        // An unconfirmed attempt has been looked up already.
        if pending.unconfirmed.is_some() {
            return Some(pending);
        }
        if let Some((scan, began, then)) = self.busy.skip.take(&pending.target, now) {
            self.was_busy(pending, scan, began, then);
            return None;
        }
        let (n, progress) = (pending.target.n, &pending.target.progress);
        let is_known = progress.pending_tries == 0 || self.busy.is_free(n, now);
        if is_known || self.listings.forbidden.is_some() {
            return Some(pending);
        }
        let gather = self.settings.policy.on_pending.gather();
        self.busy.look.get_or_insert(now + gather);
        let since = self.running_since(&pending, now, wall);
        self.busy.waiting.insert(n, (pending, since));
        None
    }

    /// The earliest creation time, by the server's clock, of a scan that may keep this machine busy.
    fn running_since(&self, pending: &PendingTarget, now: Moment, wall: Timestamp) -> Timestamp {
        // No other scan can be under way there that is older than the one that was.
        if let Some(created) = known_creation(pending) {
            return created;
        }
        let asked = pending.target.progress.last_answer.unwrap_or(wall);
        let ago = wall.duration_since(asked).max(SignedDuration::ZERO);
        self.server.at(now).map_or_else(
            || before(asked, OLDEST_FOREIGN + BLIND_MARGIN),
            |at| before(at, OLDEST_FOREIGN + ago),
        )
    }

    /// The same for a target with unconfirmed attempts, if its look-up also has to tell whether its machine
    /// is busy.
    pub(super) fn busy_since_if_unconfirmed(pending: &PendingTarget) -> Option<Timestamp> {
        let unconfirmed = pending
            .unconfirmed
            .filter(|unconfirmed| !unconfirmed.found_busy)?;
        if pending.target.progress.pending_tries == 0 {
            return None;
        }
        let blind = if unconfirmed.sent.by_server {
            SignedDuration::ZERO
        } else {
            BLIND_MARGIN
        };
        Some(
            known_creation(pending)
                .unwrap_or_else(|| before(unconfirmed.sent.at, OLDEST_FOREIGN + blind)),
        )
    }

    /// When the next check is due, and how often the machine of each waiting target was found busy.
    pub(super) fn waiting_busy_checks(&self) -> (Option<Moment>, impl Iterator<Item = u32> + '_) {
        let waiting = self.busy.waiting.values();
        (
            self.busy.look,
            waiting.map(|(pending, _)| pending.target.progress.pending_tries),
        )
    }

    /// What to look for about the waiting targets.
    pub(super) fn busy_checks(&self) -> impl Iterator<Item = Sought> + '_ {
        self.busy.waiting.values().map(|(pending, since)| Sought {
            n: pending.target.n,
            machine: pending.target.machine_id.to_lowercase(),
            comment: self.comment(&pending.target),
            unconfirmed: None,
            busy_since: Some(*since),
        })
    }

    /// Applies what a listing has shown about the waiting targets.
    pub(super) fn settle_busy_checks(
        &mut self,
        listing: &mut Listing,
        now: Moment,
        wall: Timestamp,
    ) {
        self.busy.look = None;
        for (n, (mut pending, since)) in std::mem::take(&mut self.busy.waiting) {
            let finding = listing.findings.remove(&n);
            if let Some(finding) = &finding {
                trail::lookup(&pending, finding);
            }
            match finding {
                None => {
                    // It began to wait while the list was being read.
                    self.busy.look.get_or_insert(now);
                    self.busy.waiting.insert(n, (pending, since));
                }
                Some(Finding::Found(scan)) => {
                    pending.target.progress.message =
                        "found in the list of scans by its tag, although the service had said that another scan \
                         was pending"
                            .into();
                    self.end_with_scan(pending, None, Outcome::Accepted, Some(scan));
                }
                Some(Finding::Busy(scan)) => self.still_busy(pending, scan, now, wall),
                Some(Finding::Absent) => {
                    pending
                        .target
                        .progress
                        .set_action(String::new(), String::new(), String::new());
                    let busy_checks = self.busy.free.get(&n).map_or(0, |free| free.busy_checks);
                    if busy_checks == 0 {
                        self.learn_from_check(&pending, false, wall);
                    }
                    let free = Free {
                        began: listing.began,
                        busy_checks: busy_checks.saturating_add(1),
                    };
                    self.busy.free.insert(n, free);
                    // Its turn had come before the check.
                    self.queue.put_back(pending);
                }
            }
        }
    }

    /// Records for the forecast whether a machine was still busy. Only checks at the end of the delay count:
    /// a target that also had to wait for the quota says nothing about one that did not.
    fn learn_from_check(&mut self, pending: &PendingTarget, busy: bool, wall: Timestamp) {
        let progress = &pending.target.progress;
        let late = progress.not_before.map(|then| wall.duration_since(then));
        if progress.pending_tries > 0 && late.is_some_and(|late| late.unsigned_abs() < ON_TIME) {
            self.seen.asked(progress.pending_tries, busy);
        }
    }

    /// The list shows that a scan is still under way, which costs one of the tries.
    pub(super) fn still_busy(
        &mut self,
        pending: PendingTarget,
        scan: Scan,
        now: Moment,
        wall: Timestamp,
    ) {
        let told = "a scan is still under way, as the list of scans shows: no call was spent";
        self.found_busy(pending, scan, told, now, wall);
    }

    /// The list shows that a scan is under way; `message` says so for people.
    pub(super) fn found_busy(
        &mut self,
        mut pending: PendingTarget,
        scan: Scan,
        told: &str,
        now: Moment,
        wall: Timestamp,
    ) {
        self.busy.forget(pending.target.n);
        self.learn_from_check(&pending, true, wall);
        pending.target.progress.pending_tries += 1;
        told.clone_into(&mut pending.target.progress.message);
        self.busy_with_another(pending, None, Some(scan), now, wall);
    }

    /// The list cannot be read, now or at all: the calls themselves find out.
    pub(super) fn give_up_busy_checks(&mut self, now: Moment) {
        self.busy.look = None;
        let waiting = std::mem::take(&mut self.busy.waiting);
        if !waiting.is_empty() && !std::mem::replace(&mut self.busy.is_blind_said, true) {
            self.notes.push(
                "without the list of scans, each busy machine is tried again by a call of its own"
                    .into(),
            );
        }
        for (n, (pending, _)) in waiting {
            let free = Free {
                began: now,
                busy_checks: LOOKS,
            };
            self.busy.free.insert(n, free);
            self.queue.put_back(pending);
        }
    }
}

/// The creation time of the scan that was under way on this machine, if it is known.
fn known_creation(pending: &PendingTarget) -> Option<Timestamp> {
    let progress = &pending.target.progress;
    if progress.action_id.is_empty() {
        return None;
    }
    let created: Timestamp = progress.action_created.parse().ok()?;
    Some(before(created, WHOLE_SECOND))
}

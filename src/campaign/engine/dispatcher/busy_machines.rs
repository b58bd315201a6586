//! Machines that somebody else is scanning: the list of scans tells when that is over, so that no call is spent on a
//! machine that is known to be busy.
//!
//! A target that was told "already pending" and whose delay is over waits here for one look into the list. If a scan is
//! still under way, that look costs one of `--pending-tries`, and the target waits for another delay or ends; if none is,
//! the target goes out. Nothing depends on the finding but a call: the answer to that decides.

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

/// A finding is void in a minute, and the permit may take longer to come, again and again: after so many looks that found
/// no scan a target goes out all the same.
const LOOKS: u8 = 3;

/// Filters are written in whole seconds, and clocks are read to the seventh digit.
const WHOLE_SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What is known of busy machines.
#[derive(Debug, Default)]
pub(super) struct Busy {
    /// Those that wait for a look, and from when on their scan may have been created.
    waiting: BTreeMap<u64, (PendingTarget, Timestamp)>,
    /// When the look begins.
    look: Option<Moment>,
    /// Those that were found free and have not been told otherwise since.
    free: HashMap<u64, Free>,
    pub(super) skip: Skip,
    /// It has been said that the list cannot be asked.
    is_blind_said: bool,
}

/// A look that found no scan under way.
#[derive(Debug, Clone, Copy)]
struct Free {
    began: Moment,
    /// So many in a row.
    busy_checks: u8,
}

impl Busy {
    /// Whether nobody waits for a look.
    pub(super) fn nobody_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether more may come to wait, and the list has been asked about all if it is to be.
    pub(super) fn has_room(&self) -> bool {
        !self.skip.is_asking() && self.waiting.len() < MAX_UNCONFIRMED
    }

    /// When the list is to be asked, if it is.
    pub(super) fn next_probe(&self) -> Option<Moment> {
        if self.skip.is_asking() {
            Some(Moment::ZERO)
        } else {
            self.look
        }
    }

    /// What was found of a target counts no more.
    pub(super) fn forget(&mut self, n: u64) {
        self.free.remove(&n);
    }

    /// Whether this target is known to be free, or has waited long enough to know.
    fn is_free(&self, n: u64, now: Moment) -> bool {
        let by_look = self
            .free
            .get(&n)
            .is_some_and(|free| free.busy_checks >= LOOKS || free.began + FINDING >= now);
        by_look || self.skip.is_news(now)
    }
}

impl Dispatcher {
    /// A target that is about to be sent: it, unless its machine is known to be busy or must be looked at first.
    pub(super) fn unless_busy(
        &mut self,
        pending: PendingTarget,
        now: Moment,
        wall: Timestamp,
    ) -> Option<PendingTarget> {
        // What is in doubt has a listing of its own behind it.
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

    /// From which time of the server's clock on a scan that keeps this machine busy may have been created.
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

    /// The same for a target that is in doubt too, if the listing of its doubt is to tell whether its machine is busy.
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

    /// Those that wait for a look, and when it begins: how many times each was found busy.
    pub(super) fn waiting_busy_checks(&self) -> (Option<Moment>, impl Iterator<Item = u32> + '_) {
        let waiting = self.busy.waiting.values();
        (
            self.busy.look,
            waiting.map(|(pending, _)| pending.target.progress.pending_tries),
        )
    }

    /// What is to be asked about those that wait.
    pub(super) fn busy_checks(&self) -> impl Iterator<Item = Sought> + '_ {
        self.busy.waiting.values().map(|(pending, since)| Sought {
            n: pending.target.n,
            machine: pending.target.machine_id.to_lowercase(),
            comment: self.comment(&pending.target),
            unconfirmed: None,
            busy_since: Some(*since),
        })
    }

    /// A listing has told who is still busy.
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
                    // It came while the listing was on its way.
                    self.busy.look.get_or_insert(now);
                    self.busy.waiting.insert(n, (pending, since));
                }
                Some(Finding::Found(scan)) => {
                    pending.target.progress.message =
                        "found in the list of scans by its tag, although the service had said that another scan was pending"
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
                    // Its turn had come before it was looked at.
                    self.queue.put_back(pending);
                }
            }
        }
    }

    /// The list has told whether a machine that was busy is so still. For the forecast that counts where it was asked when its
    /// delay was over: who waited for the quota besides says nothing about those who will not.
    fn learn_from_check(&mut self, pending: &PendingTarget, busy: bool, wall: Timestamp) {
        let progress = &pending.target.progress;
        let late = progress.not_before.map(|then| wall.duration_since(then));
        if progress.pending_tries > 0 && late.is_some_and(|late| late.unsigned_abs() < ON_TIME) {
            self.seen.asked(progress.pending_tries, busy);
        }
    }

    /// The list has shown that a scan is still under way, which costs one of the tries.
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

    /// The list has told, in these words, that a scan is under way.
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

    /// The list cannot be asked, for ever or for now: a call asks too.
    pub(super) fn give_up_busy_checks(&mut self, now: Moment) {
        self.busy.look = None;
        let waiting = std::mem::take(&mut self.busy.waiting);
        if !waiting.is_empty() && !std::mem::replace(&mut self.busy.is_blind_said, true) {
            self.notes.push(
                "without the list of scans, busy machines are asked again by a call each".into(),
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

/// When the scan that was under way on this machine was created, if that is known.
fn known_creation(pending: &PendingTarget) -> Option<Timestamp> {
    let progress = &pending.target.progress;
    if progress.action_id.is_empty() {
        return None;
    }
    let created: Timestamp = progress.action_created.parse().ok()?;
    Some(before(created, WHOLE_SECOND))
}

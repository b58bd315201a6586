//! `--max-running`: no more of this campaign's scans are under way than that.
//!
//! A place is free again when the list of scans shows that its scan has ended, when an attempt has surely started
//! nothing, or when a scan has not begun for `--running-timeout`. The list is read for that only while somebody
//! waits for a place. One listing frees many.

use std::{collections::HashSet, time::Duration};

use jiff::Timestamp;

use super::{
    Dispatcher,
    parked::Parked,
    places::{HeldScan, Holder, Places},
};
use crate::{
    campaign::{
        brakes::Admitted,
        engine::{
            lookup::ListingError,
            pending::{PendingTarget, Unconfirmed},
            verdict::{Scan, Verdict},
        },
        outcome::Outcome,
        running::{Aside, AtStart, RunningLimits},
        shared_store::listed_from,
        stop::StopReason,
    },
    client::margins::list_from,
    quota::Moment,
    store::{OpenAction, SentAt, Target, Unfinished, is_final},
};

/// How far apart two listings are that are read back to the oldest overdue scan.
const FAR_APART: Duration = Duration::from_mins(10);

/// How far apart the list is read, as a part of the time that a scan usually takes: so long a place may stay
/// empty.
const PART_OF_A_SCAN: u32 = 10;

/// The least, the first and the longest time between two listings.
const LEAST: Duration = Duration::from_secs(20);
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_mins(2);

/// Why the last call cannot be forecast.
pub(super) const UNFORESEEN: &str = "it depends on how long the scans take (--max-running)";

/// The state of `--max-running`.
#[derive(Debug, Default)]
pub(super) struct Running {
    pub(super) places: Places,
    pub(super) parked: Parked,
    /// Whether the list has yet to be read before the first call.
    pub(super) asks_first: bool,
    /// Whether somebody waits for a place.
    waits: bool,
    /// Whether somebody ever did.
    pub(super) has_waited: bool,
    /// When the latest listing began that told of the scans.
    pub(super) looked: Moment,
    /// The targets whose scans the listing looks for that is under way; `None` if it looks for none.
    pub(super) asked: Option<HashSet<u64>>,
    /// When the list was last read back to the oldest overdue scan.
    looked_far: Option<Moment>,
    /// How long a scan usually takes.
    usual: Option<Duration>,
    /// How many scans were overdue.
    pub(super) overdue: u64,
    /// The time, as it was last told.
    now: Moment,
    pub(super) wall: Timestamp,
}

impl Running {
    /// When the list is read next, if that is wanted.
    pub(super) fn next_look(&self) -> Option<Moment> {
        if self.asks_first {
            return Some(Moment::ZERO);
        }
        let apart = self.usual.map_or(FIRST, |usual| {
            (usual / PART_OF_A_SCAN).clamp(LEAST, LONGEST)
        });
        self.waits.then(|| self.looked + apart)
    }

    /// Whether the scans are looked for in the list now.
    pub(super) fn looks(&self) -> bool {
        self.asks_first || self.waits
    }

    /// Whether this listing is read back to the oldest overdue scan.
    pub(super) fn looks_far(&mut self, now: Moment) -> bool {
        let is_due = self.looked_far.is_none_or(|last| now >= last + FAR_APART);
        if is_due {
            self.looked_far = Some(now);
        }
        is_due
    }

    /// Some scans weigh more the longer ago they ended, so that one that was cut short changes little.
    pub(super) fn learn(&mut self, took: Duration) {
        self.usual = Some(self.usual.map_or(took, |usual| (usual * 7 + took) / 8));
    }
}

impl Dispatcher {
    /// Limits how many scans are under way. Call it before [`left`](Self::left).
    #[must_use]
    pub fn with_running(
        mut self,
        limits: &RunningLimits,
        start: AtStart,
        now: Moment,
        wall: Timestamp,
    ) -> Self {
        *self.running = Running {
            places: Places::new(limits.clone(), start.groups),
            asks_first: limits.is_any(),
            now,
            wall,
            ..Running::default()
        };
        for column in self.running.places.blank_columns() {
            self.notes.push(format!(
                "--max-running-per {column}: machines without a value there count together, as one value"
            ));
        }
        for scan in start.scans {
            self.runs_already(scan);
        }
        for unsure in start.unsure {
            self.is_unsure_already(unsure);
        }
        self
    }

    /// A scan of an earlier run that may still be under way.
    fn runs_already(&mut self, open: OpenAction) {
        let scan = HeldScan {
            id: open.action_id.to_ascii_lowercase(),
            created: open.created_at(),
            listed_from: listed_from(&open),
            machine: open.machine_id,
            status: open.status,
            known_since: self.running.now,
            ran_at: None,
            is_accepted: true,
        };
        self.running.places.hold_for(open.n, Holder::Scan(scan));
    }

    /// A target of an earlier run that ended as unsure.
    fn is_unsure_already(&mut self, unfinished: Unfinished) {
        let mut pending = PendingTarget::new(unfinished.target);
        let sent = unfinished.unsure.unwrap_or(SentAt {
            at: pending
                .target
                .progress
                .first_sent
                .unwrap_or(self.running.wall),
            by_server: false,
        });
        pending.unconfirmed = Some(Unconfirmed::new(
            sent,
            unfinished.span + super::unconfirmed::LONGEST_CALL,
            self.running.now,
        ));
        let n = pending.target.n;
        let holder = Holder::Unsure(Box::new(pending));
        self.running.places.hold_for(n, holder);
    }

    /// How many scans counted no longer because they did not begin in time.
    #[must_use]
    pub fn overdue(&self) -> u64 {
        self.running.overdue
    }

    /// The time is this.
    pub(super) fn keep_places(&mut self, now: Moment, wall: Timestamp) {
        self.running.now = now;
        self.running.wall = wall;
    }

    /// Finds out whether somebody waits for a place.
    pub(super) fn refresh_waits(&mut self, now: Moment) {
        if !self.running.places.is_on() {
            return;
        }
        let may_start = !self.is_stopping() && self.may_start(now);
        let is_full = self.running.places.is_full();
        let places = &self.running.places;
        let room = |group| places.room_in(group);
        let waits = may_start
            && self.brakes.admitted() != Admitted::Nobody
            && (self.running.parked.waits(room)
                || (is_full
                    && (!self.running.parked.has_only_away() || self.has_due_anywhere(now))));
        self.running.waits = waits;
        self.running.has_waited |= waits;
    }

    /// For how long the next call waits for a free place at least, if that is what it waits for.
    #[must_use]
    pub(crate) fn waits_for_place(&self, now: Moment) -> Option<Duration> {
        let look = || {
            self.next_listing()
                .map_or(Duration::ZERO, |at| at.since(now))
        };
        self.running.waits.then(look)
    }

    /// An answer says what came of an attempt. A place is kept only if a scan may have been started.
    pub(super) fn weigh_place(&mut self, pending: &PendingTarget, verdict: &Verdict) {
        let may_run = match verdict {
            Verdict::Accepted(_) | Verdict::Unsure(_) => true,
            // The scan that is under way may be the one that an unconfirmed attempt started.
            Verdict::AlreadyPending(_) => pending.unconfirmed.is_some(),
            Verdict::NotFound
            | Verdict::Unsupported
            | Verdict::Refused
            | Verdict::Throttled(_)
            | Verdict::Unauthorized
            | Verdict::Forbidden(_)
            | Verdict::Stop(_)
            | Verdict::NotSent(_) => false,
        };
        if !may_run {
            self.running.places.release(pending.target.n);
        }
    }

    /// A target has ended: its place is kept for its scan, if it has one or may have one.
    pub(super) fn place_at_end(&mut self, pending: PendingTarget, outcome: Outcome) {
        let n = pending.target.n;
        match outcome {
            Outcome::Accepted => {
                let progress = &pending.target.progress;
                let scan = Scan {
                    id: progress.action_id.clone(),
                    status: progress.action_status.clone(),
                    created: progress.action_created.clone(),
                };
                self.hold_for_scan(n, pending.target.machine_id, scan, true);
            }
            Outcome::Unsure => {
                let holder = Holder::Unsure(Box::new(pending));
                self.running.places.hold_for(n, holder);
            }
            Outcome::AlreadyPending
            | Outcome::NotFound
            | Outcome::Unsupported
            | Outcome::Refused
            | Outcome::Failed
            | Outcome::Invalid
            | Outcome::Duplicate
            | Outcome::NotAttempted => drop(self.running.places.release(n)),
        }
    }

    pub(super) fn hold_for_scan(&mut self, n: u64, machine: String, scan: Scan, is_accepted: bool) {
        if !self.running.places.is_on() {
            return;
        }
        if is_final(&scan.status) {
            self.running.places.release(n);
            return;
        }
        let created: Option<Timestamp> = scan.created.parse().ok();
        let (now, wall) = (self.running.now, self.running.wall);
        let known = || {
            let by_server = self.server.at(now);
            list_from(SentAt {
                at: by_server.unwrap_or(wall),
                by_server: by_server.is_some(),
            })
        };
        let held = HeldScan {
            id: scan.id.to_ascii_lowercase(),
            machine,
            status: scan.status,
            created,
            listed_from: created.unwrap_or_else(known),
            known_since: now,
            ran_at: None,
            is_accepted,
        };
        self.running.places.hold_for(n, Holder::Scan(held));
    }

    /// Stops the campaign if the list cannot be read and a place depends on it: the limit is never ignored.
    /// Returns whether it does.
    pub(super) fn stop_without_list(&mut self, why: &ListingError) -> bool {
        if !self.running.places.is_on() {
            return false;
        }
        let sent = if self.attempts == 0 && self.in_flight.is_empty() {
            "; nothing was sent in this run"
        } else {
            ""
        };
        let cure = match why {
            ListingError::Forbidden(_) => {
                "grant the application the role Machine.Read.All, then the same command goes on with the campaign"
            }
            _ => "the same command goes on with the campaign once the list can be read",
        };
        self.stop(StopReason::Tenant(format!(
            "the list of scans cannot be read ({why}), so --max-running cannot tell which scans have ended: \
             {cure}{sent}"
        )));
        true
    }

    /// What has to be read of the targets that were set aside.
    pub(super) fn parked_to_read(&self) -> Vec<Aside> {
        let places = &self.running.places;
        if places.is_full() {
            return Vec::new();
        }
        self.running.parked.wanted(|group| places.room_in(group))
    }

    /// Takes in targets that were set aside.
    pub(crate) fn parked_read(&mut self, wanted: &[Aside], targets: Vec<Target>) {
        if !wanted.is_empty() {
            // Those whose machines were away have not been compared with the list of busy ones yet.
            let targets = self.without_busy(targets);
            self.running.parked.came(wanted, targets);
        }
    }
}

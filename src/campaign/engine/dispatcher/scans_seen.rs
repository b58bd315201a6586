//! What the list of scans tells of the scans that hold a place: which have ended, which run, and which have not
//! begun in time.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Dispatcher,
    places::{HeldScan, Holder},
};
use crate::{
    campaign::engine::{
        lookup::{Finding, Listing, SeenScan, Sought, Wanted},
        trail,
    },
    client::margins::SHOWS_WITHIN,
    monitor::{count, span},
    quota::Moment,
    store::{ActionUpdate, Record, is_final},
};

impl Dispatcher {
    /// What the places add to what a listing looks for: targets that ended as unsure.
    pub(super) fn unsure_places(&self) -> Vec<Sought> {
        if !self.running.looks() {
            return Vec::new();
        }
        let sought = self.running.places.unsure().map(|pending| Sought {
            n: pending.target.n,
            machine: pending.target.machine_id.to_lowercase(),
            comment: self.comment(&pending.target),
            unconfirmed: pending.unconfirmed,
            busy_since: None,
        });
        sought.collect()
    }

    /// The same: the scans that hold a place.
    pub(super) fn with_places(&mut self, wanted: Wanted, now: Moment) -> Wanted {
        self.running.asked = None;
        if !self.running.looks() {
            return wanted;
        }
        self.running.looked = now;
        let places = &self.running.places;
        let asked = places.scans().chain(places.overdue()).map(|(n, _)| n);
        self.running.asked = Some(asked.collect());
        // They may be hours older than all others, so the list is read back to them now and then only.
        let looks_far = self.running.looks_far(now);
        let places = &self.running.places;
        let overdue = places.overdue().map(|(_, scan)| {
            let since = looks_far.then_some(scan.listed_from);
            (scan.id.clone(), since)
        });
        let held = self
            .running
            .places
            .scans()
            .map(|(_, scan)| (scan.id.clone(), Some(scan.listed_from)));
        let scans = overdue.chain(held);
        let since = self.server.at(now).unwrap_or(self.running.wall);
        wanted
            .and_scans(scans)
            .at_least_since(self.running.asks_first.then_some(since))
    }

    /// Takes in how the scans stand.
    pub(super) fn settle_places(&mut self, listing: &mut Listing, now: Moment, wall: Timestamp) {
        // What was not asked for, or holds a place only since then, is not in the listing for that reason.
        let Some(asked) = self.running.asked.take() else {
            return;
        };
        self.keep_places(now, wall);
        self.running.looked = listing.began;
        self.settle_unsure_places(listing);
        self.settle_overdue(listing, now);
        let held = self.running.places.scans();
        let held = held.filter(|(n, _)| asked.contains(n));
        let held: Vec<_> = held.map(|(n, scan)| (n, scan.clone())).collect();
        let timeout = self.running.places.limits().timeout;
        let server = self.server.at(now).unwrap_or(wall);
        let mut overdue = 0;
        for (n, held) in held {
            let seen = listing.scans.get(&held.id);
            match seen.map(|seen| seen.scan.status.as_str()) {
                Some(status) if is_final(status) => {
                    self.running.places.release(n);
                    self.scan_ended(n, &held, seen);
                }
                Some("InProgress") => self.running.places.runs(n, now),
                shown if held.is_overdue(timeout, now, shown.map(|_| server)) => {
                    trail::overdue(&held.machine, &held.id, &held.status, timeout);
                    self.running.places.is_overdue(n);
                    overdue += 1;
                }
                _ => {}
            }
        }
        self.note_overdue(overdue, timeout);
        self.note_first_look();
    }

    /// Notes how many places are taken before the first call.
    fn note_first_look(&mut self) {
        let taken = self.running.places.taken();
        if std::mem::take(&mut self.running.asks_first) && taken > 0 {
            self.notes.push(format!(
                "{} of this campaign may still be under way and {} towards --max-running",
                count::of(taken, "scan"),
                count::word(taken, "counts", "count")
            ));
        }
    }

    /// Scans that counted no longer have ended, or have begun after all and count again.
    fn settle_overdue(&mut self, listing: &Listing, now: Moment) {
        let overdue: Vec<_> = self.running.places.overdue().map(|(n, _)| n).collect();
        for n in overdue {
            let Some(mut scan) = self.running.places.no_longer_overdue(n) else {
                continue;
            };
            let seen = listing.scans.get(&scan.id);
            match seen.map(|seen| seen.scan.status.as_str()) {
                Some(status) if is_final(status) => self.scan_ended(n, &scan, seen),
                Some("InProgress") => {
                    scan.ran_at = Some(now);
                    self.running.places.hold_for(n, Holder::Scan(scan));
                }
                _ => self.running.places.still_overdue(n, scan),
            }
        }
    }

    /// Targets that ended as unsure: the list shows their scans, or that there is none.
    fn settle_unsure_places(&mut self, listing: &mut Listing) {
        let unsure: Vec<_> = self.running.places.unsure().cloned().collect();
        for pending in unsure {
            let n = pending.target.n;
            let is_conclusive = pending
                .unconfirmed
                .is_none_or(|unconfirmed| unconfirmed.gave_up + SHOWS_WITHIN <= listing.began);
            match listing.findings.remove(&n) {
                Some(Finding::Found(scan)) => {
                    self.hold_for_scan(n, pending.target.machine_id, scan, false);
                }
                Some(Finding::Absent) if is_conclusive => {
                    self.running.places.release(n);
                }
                Some(Finding::Absent | Finding::Busy(_)) | None => {}
            }
        }
    }

    /// The list shows that a scan has ended.
    fn scan_ended(&mut self, n: u64, held: &HeldScan, seen: Option<&SeenScan>) {
        let Some(SeenScan { scan, took }) = seen else {
            return;
        };
        if scan.status == "Succeeded"
            && let Some(took) = took
        {
            self.running.learn(*took);
        }
        if held.is_accepted {
            self.records.push(Record::Scan(ActionUpdate {
                n,
                action_id: scan.id.clone(),
                status: scan.status.clone(),
                created: scan.created.clone(),
            }));
        }
    }

    fn note_overdue(&mut self, overdue: u64, timeout: Duration) {
        if overdue == 0 {
            return;
        }
        self.running.overdue += overdue;
        self.notes.push(format!(
            "{} did not begin within {} and no longer {} towards --max-running: {} may be switched off, and {} begin \
             when {} on again",
            count::of(overdue, "scan"),
            span::in_words(timeout),
            count::word(overdue, "counts", "count"),
            count::word(overdue, "its machine", "their machines"),
            count::word(overdue, "it may", "they may"),
            count::word(overdue, "that is", "those are"),
        ));
    }
}

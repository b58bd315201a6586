//! The places of `--max-running`: one for each scan of this campaign that is under way, or may be.
//!
//! A target takes its place before its attempt is written. It keeps it while it is not known what came of the
//! attempt, and after that for as long as its scan is not known to have ended.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::parked::{AWAY, BACK, BACK_AT_HAND};
use crate::{
    campaign::{
        engine::pending::PendingTarget,
        running::{Group, Groups, RunningLimits},
    },
    quota::Moment,
};

/// Who holds which place.
#[derive(Debug, Default)]
pub(super) struct Places {
    limits: RunningLimits,
    groups: Groups,
    all: u64,
    by_group: HashMap<Group, u64>,
    /// In the order of the targets, so that a simulation is the same each time.
    holders: BTreeMap<u64, Holder>,
    /// Targets that have a place and wait in the queue: nothing was sent to them yet, or surely in vain.
    reserved: HashSet<u64>,
    /// Scans that count no longer, because they did not begin in time.
    overdue: BTreeMap<u64, HeldScan>,
}

/// What a place is held for.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    /// An attempt that is about to be sent, is on its way, or may have started a scan.
    Attempt,
    /// A target that has ended as unsure.
    Unsure(Box<PendingTarget>),
    /// A scan.
    Scan(HeldScan),
}

/// A scan that is not known to have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeldScan {
    /// Its id, in lower case.
    pub(super) id: String,
    /// The machine.
    pub(super) machine: String,
    /// Its last known status.
    pub(super) status: String,
    /// When it was created, by the server's clock, if the service said so.
    pub(super) created: Option<Timestamp>,
    /// From which time of the server's clock on the list has to be read to show it.
    pub(super) listed_from: Timestamp,
    /// Since when this run knows of it.
    pub(super) known_since: Moment,
    /// When the list last showed it as `InProgress`.
    pub(super) ran_at: Option<Moment>,
    /// Whether the state has it as this target's scan.
    pub(super) is_accepted: bool,
}

impl HeldScan {
    /// Whether for the whole `timeout` it has not been seen to run. `listed` is the server's time, if the list shows
    /// it: what one listing does not show is not old for that reason.
    pub(super) fn is_overdue(
        &self,
        timeout: std::time::Duration,
        now: Moment,
        listed: Option<Timestamp>,
    ) -> bool {
        let limit = SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX);
        let is_old = match self.created.zip(listed) {
            Some((created, server)) => server.duration_since(created) >= limit,
            None => now.since(self.known_since) >= timeout,
        };
        is_old && self.ran_at.is_none_or(|ran| now.since(ran) >= timeout)
    }
}

impl Places {
    pub(super) fn new(limits: RunningLimits, groups: Groups) -> Self {
        Self {
            limits,
            groups,
            ..Self::default()
        }
    }

    /// Whether there is any limit.
    pub(super) fn is_on(&self) -> bool {
        self.limits.is_any()
    }

    pub(super) fn limits(&self) -> &RunningLimits {
        &self.limits
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> u64 {
        self.all
    }

    /// Whether all places are taken.
    pub(super) fn is_full(&self) -> bool {
        self.limits.most.is_some_and(|most| self.all >= most)
    }

    /// How many places a group has left.
    pub(super) fn room_in(&self, group: Group) -> u64 {
        match group {
            AWAY => return 0,
            BACK => return BACK_AT_HAND,
            _ => {}
        }
        let taken = self.by_group.get(&group).copied().unwrap_or(0);
        let limit = self.limits.per.get(group.0);
        limit.map_or(u64::MAX, |limit| limit.most.saturating_sub(taken))
    }

    /// How often places that are taken have to become free, all at once, before each of these targets has had one, in
    /// whatever order they take them. One waits while all places are taken, or all of one of its groups.
    pub(super) fn rounds(&self, targets: impl Iterator<Item = u64>) -> u64 {
        let mut all = self.all;
        let mut by_group = self.by_group.clone();
        for n in targets {
            all += 1;
            for group in self.groups.of(n) {
                *by_group.entry(group).or_default() += 1;
            }
        }
        let beyond = |wanted: u64, most: u64| wanted.div_ceil(most.max(1)).saturating_sub(1);
        let in_all = self.limits.most.map_or(0, |most| beyond(all, most));
        let by_column = (0..).zip(&self.limits.per).map(|(column, limit)| {
            let of_column = by_group.iter().filter(|(group, _)| group.0 == column);
            let wanted = of_column.map(|(_, wanted)| *wanted).max();
            wanted.map_or(0, |wanted| beyond(wanted, limit.most))
        });
        by_column.fold(in_all, u64::saturating_add)
    }

    /// The group that has no place left for this target, if there is one.
    pub(super) fn blocked_by(&self, n: u64) -> Option<Group> {
        if self.limits.per.is_empty() || self.holders.contains_key(&n) {
            return None;
        }
        self.groups.of(n).find(|&group| self.room_in(group) == 0)
    }

    /// Gives this target a place, unless it has one.
    pub(super) fn take(&mut self, n: u64) {
        if !self.is_on() {
            return;
        }
        self.reserved.remove(&n);
        if self.holders.insert(n, Holder::Attempt).is_none() {
            self.all += 1;
            for group in self.groups.of(n) {
                *self.by_group.entry(group).or_default() += 1;
            }
        }
    }

    /// Gives a target a place that waits in the queue.
    pub(super) fn reserve(&mut self, n: u64) {
        if self.is_on() {
            self.take(n);
            self.reserved.insert(n);
        }
    }

    /// The targets that have a place and wait in the queue.
    pub(super) fn reserved(&self) -> &HashSet<u64> {
        &self.reserved
    }

    /// Takes this target's place back, if it has one.
    pub(super) fn release(&mut self, n: u64) -> Option<Holder> {
        self.reserved.remove(&n);
        let holder = self.holders.remove(&n)?;
        self.all -= 1;
        for group in self.groups.of(n) {
            if let Some(taken) = self.by_group.get_mut(&group) {
                *taken -= 1;
            }
        }
        Some(holder)
    }

    /// Says what this target's place is held for.
    pub(super) fn hold_for(&mut self, n: u64, holder: Holder) {
        if self.is_on() {
            self.take(n);
            self.holders.insert(n, holder);
        }
    }

    /// The scan of this target no longer counts, although it is not known to have ended.
    pub(super) fn is_overdue(&mut self, n: u64) {
        if let Some(Holder::Scan(scan)) = self.release(n) {
            self.overdue.insert(n, scan);
        }
    }

    /// An overdue scan has ended, or has begun after all.
    pub(super) fn no_longer_overdue(&mut self, n: u64) -> Option<HeldScan> {
        self.overdue.remove(&n)
    }

    /// An overdue scan is overdue still.
    pub(super) fn still_overdue(&mut self, n: u64, scan: HeldScan) {
        self.overdue.insert(n, scan);
    }

    /// The scans that count.
    pub(super) fn scans(&self) -> impl Iterator<Item = (u64, &HeldScan)> {
        self.holders.iter().filter_map(|(n, holder)| match holder {
            Holder::Scan(scan) => Some((*n, scan)),
            Holder::Attempt | Holder::Unsure(_) => None,
        })
    }

    /// The scans that count no longer.
    pub(super) fn overdue(&self) -> impl Iterator<Item = (u64, &HeldScan)> {
        self.overdue.iter().map(|(n, scan)| (*n, scan))
    }

    /// The targets that ended as unsure.
    pub(super) fn unsure(&self) -> impl Iterator<Item = &PendingTarget> {
        self.holders.values().filter_map(|holder| match holder {
            Holder::Unsure(pending) => Some(&**pending),
            Holder::Attempt | Holder::Scan(_) => None,
        })
    }

    /// The list shows this scan as `InProgress`.
    pub(super) fn runs(&mut self, n: u64, now: Moment) {
        if let Some(Holder::Scan(scan)) = self.holders.get_mut(&n) {
            scan.ran_at = Some(now);
        }
    }

    /// Whether some machines have no value in a limited column, and in which.
    pub(super) fn blank_columns(&self) -> Vec<&str> {
        let columns = self.limits.per.iter().zip(self.groups.blank());
        let blank = columns.filter(|(_, is_blank)| *is_blank);
        blank.map(|(per, _)| per.column.as_str()).collect()
    }
}

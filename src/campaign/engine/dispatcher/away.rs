//! `--when-offline defer`: targets whose machines were not seen lately go behind all others.
//!
//! They are set aside before the first call. While somebody is, the inventory is listed every quarter of an hour, and
//! whoever it shows again goes next. When nobody else is left to be sent, or shortly before `--not-after` where that is
//! later, the rest goes all the same, so nobody is forgotten (`away_end`). Of all this the state has only how many are
//! set aside, for `status`: a resume asks anew.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Dispatcher,
    parked::{AWAY, BACK, Key},
};
use crate::{
    campaign::{
        away::AtStart,
        engine::sightings::{Seen, SightingError},
        stop::StopReason,
    },
    monitor::count,
    quota::Moment,
    store::{Record, Target},
};

/// Listings of the inventory begin at least this far apart. In large tenants one takes dozens of calls.
const LOOKS_APART: Duration = Duration::from_mins(15);

/// Why the last call cannot be forecast.
pub(super) const UNFORESEEN: &str =
    "it depends on when the machines that are away come back (--when-offline defer)";

/// The targets whose machines are away.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    /// After how long a machine that was not seen counts as away.
    after: SignedDuration,
    /// Those that are set aside, by their machines.
    pub(super) aside: HashMap<String, Key>,
    /// All that ever were in this run, which pages of fresh targets repeat.
    ever: HashSet<u64>,
    next_look: Moment,
    is_looking: bool,
    /// Whether the inventory may not be listed.
    is_forbidden: bool,
    /// Whether it was said that the last listing failed.
    is_failure_told: bool,
    /// When it was last computed when they have to go.
    pub(super) reckoned: Option<Moment>,
    /// How many are set aside, as the state has it.
    noted: u64,
}

impl Deferred {
    /// How many targets are set aside.
    pub(super) fn waiting(&self) -> u64 {
        self.aside.len() as u64
    }

    /// None of them is sent to in this run.
    pub(super) fn forget_all(&mut self) {
        self.aside.clear();
    }
}

impl Dispatcher {
    /// Sets targets aside whose machines are away; the inventory was read at `now`. Call it after
    /// [`with_running`](Self::with_running).
    #[must_use]
    pub fn with_away(mut self, start: AtStart, now: Moment) -> Self {
        self.away.after = start.after;
        self.away.next_look = now + LOOKS_APART;
        for away in start.targets {
            // Each machine has one target; another one would go as others do.
            if self.away.aside.contains_key(&away.machine) {
                continue;
            }
            let key = (away.priority.unwrap_or(i64::MAX), away.n);
            self.running.parked.put_stored(AWAY, key);
            self.away.ever.insert(away.n);
            self.away.aside.insert(away.machine, key);
        }
        let waiting = self.away.waiting();
        if waiting > 0 {
            self.notes.push(format!(
                "--when-offline defer: {} {} away and {} behind all others",
                count::of(waiting, "machine"),
                count::word(waiting, "is", "are"),
                count::word(waiting, "goes", "go"),
            ));
        }
        self.drop_the_rest();
        self
    }

    /// Records in the state how many are set aside, for `status`.
    pub(crate) fn note_away(&mut self, wall: Timestamp) {
        let machines = self.away.waiting();
        if std::mem::replace(&mut self.away.noted, machines) != machines {
            self.records.push(Record::Away { machines, at: wall });
        }
    }

    /// The targets of a page without those that were set aside before.
    pub(super) fn without_away(&self, mut page: Vec<Target>) -> Vec<Target> {
        if !self.away.ever.is_empty() {
            page.retain(|target| !self.away.ever.contains(&target.n));
        }
        page
    }

    /// Whether no target is left that could be sent to, apart from those whose 403 is in question, those in flight, and
    /// those whose machines are away.
    pub(super) fn has_only_away(&self) -> bool {
        self.queue.is_empty()
            && self.unconfirmed.is_empty()
            && self.left_unconfirmed.is_empty()
            && self.running.parked.has_only_away()
            && self.busy.nobody_waits()
            && self.cursor.is_none()
    }

    /// From which time of the server's clock on a machine must have been seen to be back, if it is time to list the
    /// inventory. The listing counts as under way until [`sighted`](Self::sighted).
    pub(crate) fn wants_sightings(&mut self, now: Moment, wall: Timestamp) -> Option<Timestamp> {
        let away = &self.away;
        let may_look = !away.aside.is_empty() && !away.is_looking && !away.is_forbidden;
        // While no call may go out, nobody could be started.
        if !may_look
            || away.next_look > now
            || self.is_stopping()
            // While starts alone fail, one that is back is the other machine that shows their end.
            || self.reach.list_is_out()
            || !self.times().allow(wall)
        {
            return None;
        }
        self.away.is_looking = true;
        self.away.next_look = now + LOOKS_APART;
        let server = self.server.at(now).unwrap_or(wall);
        Some(
            server
                .saturating_sub(self.away.after)
                .unwrap_or(Timestamp::MIN),
        )
    }

    /// Takes in which machines were seen lately.
    pub(crate) fn sighted(&mut self, result: Result<Seen, SightingError>) {
        self.away.is_looking = false;
        match result {
            Ok(seen) => {
                self.away.is_failure_told = false;
                self.are_back(&seen);
            }
            Err(SightingError::Ledger(e)) => self.stop(StopReason::Disk(e.to_string())),
            Err(SightingError::Forbidden(why)) => {
                self.away.is_forbidden = true;
                self.notes.push(format!(
                    "the inventory cannot be listed ({why}), so nobody can tell which machines come back: those that \
                     are away are sent to at the end"
                ));
            }
            Err(SightingError::Failed(why, seen)) => {
                self.are_back(&seen);
                if !std::mem::replace(&mut self.away.is_failure_told, true) {
                    self.notes.push(format!(
                        "the inventory could not be listed: {why}; it is tried again every 15 minutes, and machines \
                         that are away are sent to at the end in any case"
                    ));
                }
            }
        }
    }

    fn are_back(&mut self, seen: &Seen) {
        let parked = &mut self.running.parked;
        let mut back = 0;
        self.away.aside.retain(|machine, key| {
            let is_back = seen.has(machine);
            if is_back {
                parked.move_over(*key, AWAY, BACK);
                back += 1;
            }
            !is_back
        });
        let away = self.away.waiting();
        if back > 0 {
            self.notes.push(format!(
                "{} {} back and {} next; {away} {} still away",
                count::of(back, "machine"),
                count::word(back, "is", "are"),
                count::word(back, "goes", "go"),
                count::word(away, "is", "are"),
            ));
        }
    }

    /// Whether the run waits for nothing but machines that are away.
    #[must_use]
    pub(crate) fn waits_for_machines(&self) -> bool {
        !self.away.aside.is_empty() && !self.is_stopping() && self.has_only_away()
    }

    /// In how long the inventory is listed next, if it may be listed.
    #[must_use]
    pub(crate) fn next_sightings(&self, now: Moment) -> Option<Duration> {
        (!self.away.is_forbidden).then(|| self.away.next_look.since(now))
    }

    /// Whether the last call depends on when machines come back.
    pub(super) fn depends_on_away(&self) -> bool {
        !self.away.aside.is_empty() && self.times().not_after.is_some()
    }
}

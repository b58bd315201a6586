//! The only owner of a run's state. It decides synchronously, on named events. The engine asks it what to do
//! next, and does it. It does not wait, send or write, so a test can feed it events.
//!
//! - this file: the state, what the engine reads and what it is asked for. `assignment`: which target a
//!   permit is spent on.
//! - `replies`: what a reply changes. `tokens`: what a 401 changes. `suspicion`: whether a 403 is meant for
//!   one machine or for all. `outcomes`: how targets end. `brakes`: what the brakes change.
//! - `listings`: when the list of scans is read. `unconfirmed`: attempts that may have started a scan.
//!   `busy_machines`: machines that are checked before a call is spent. `skip`: machines that are skipped
//!   from the start.
//! - `running`: how many scans may be under way (`--max-running`). `places`: who holds a place; `scans_seen`: what the
//!   list tells of them. `parked`: targets that are set aside until their site has a place.
//! - `away`: targets that are set aside until their machine is back (`--when-offline defer`); `away_end`: when the
//!   others of them go.
//! - `outage`: what changes while the API cannot be reached; `reachability`: what is known about that;
//!   `suspects`: who is tried then. `prospect`: the basis of the forecast of the last call. `standing`: where
//!   the targets are that have not ended.

mod assignment;
mod away;
mod away_end;
mod brakes;
mod busy_machines;
mod listings;
mod outage;
mod outcomes;
mod parked;
mod places;
mod prospect;
mod reachability;
mod replies;
mod running;
mod scans_seen;
mod skip;
mod standing;
mod suspects;
mod suspicion;
mod tokens;
mod unconfirmed;

use std::collections::{BTreeMap, HashMap, VecDeque};

pub use super::attempt::{Attempt, Report, Sending};
use super::{pending::PendingTarget, queue::Queue, trail, troubles::Troubles};
use crate::{
    campaign::{
        brakes::{Admitted, Brakes},
        forecast::experience::Experience,
        journal::{PAGE, Reading},
        outcome::Tally,
        retry::Policy,
        stop::StopReason,
        tag::CampaignId,
    },
    client::server_clock::ServerClock,
    quota::Moment,
    store::{Cursor, Record, Target, Unfinished},
};
use busy_machines::Busy;
use listings::Listings;
use reachability::Reachability;
use running::Running;
use suspicion::Suspicion;
use tokens::Tokens;

/// Another page of fresh targets is read when fewer than this are in memory.
const LOW_WATER: usize = PAGE / 2;

/// What does not change while a campaign runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The campaign's id, for the tag.
    pub campaign: CampaignId,
    /// `Quick` or `Full`, for rows without a scan type of their own.
    pub scan_type: &'static str,
    /// The comment's text, for rows without a comment of their own.
    pub comment: String,
    /// When targets are tried again, and how often.
    pub policy: Policy,
    /// How many calls may be in flight, from the write of their attempt to their verdict.
    pub capacity: usize,
    /// Whether targets that an earlier run left unconfirmed are sent again if they cannot be looked up: the
    /// operator prefers the risk of a second scan to none.
    pub risk_taken: bool,
    /// The seed of the jitter.
    pub seed: u64,
}

/// Whether targets are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The first call of a run goes alone, so that a missing role costs one call and not a hundred.
    Alone,
    /// As the quota allows.
    Open,
    /// No new calls. Those in flight are awaited.
    Stopping(StopReason),
}

/// The owner of the run's state.
#[derive(Debug)]
pub struct Dispatcher {
    settings: Settings,
    phase: Phase,
    rng: fastrand::Rng,
    queue: Queue,
    cursor: Option<Cursor>,
    in_flight: HashMap<u64, PendingTarget>,
    unconfirmed: BTreeMap<u64, PendingTarget>,
    /// Left unconfirmed by an earlier run, and not yet read from the store.
    left_unconfirmed: VecDeque<u64>,
    busy: Busy,
    records: Vec<Record>,
    server: ServerClock,
    tally: Tally,
    targets: u64,
    brakes: Brakes,
    /// Whether the campaign was stopped because of how targets ended.
    is_braked: bool,
    /// Whether somebody has decided that the other machines must not start.
    said_no: bool,
    attempts: u64,
    throttled: u64,
    /// When the last 429 came.
    last_throttled: Option<Moment>,
    seen: Experience,
    /// Why the last call cannot be forecast, as the state has it.
    unforeseen: Option<&'static str>,
    tokens: Tokens,
    listings: Listings,
    notes: Vec<String>,
    comment_lost: bool,
    reach: Reachability,
    suspicion: Suspicion,
    troubles: Troubles,
    running: Box<Running>,
    away: Box<away::Deferred>,
}

impl Dispatcher {
    /// A dispatcher for `targets` rows, some of which have ended already, as `tally` counts.
    #[must_use]
    pub fn new(settings: Settings, targets: u64, tally: Tally) -> Self {
        let rng = fastrand::Rng::with_seed(settings.seed);
        Self {
            settings,
            phase: Phase::Alone,
            rng,
            queue: Queue::default(),
            cursor: Some(Cursor::START),
            in_flight: HashMap::new(),
            unconfirmed: BTreeMap::new(),
            left_unconfirmed: VecDeque::new(),
            busy: Busy::default(),
            records: Vec::new(),
            server: ServerClock::default(),
            tally,
            targets,
            brakes: Brakes::default(),
            is_braked: false,
            said_no: false,
            attempts: 0,
            throttled: 0,
            last_throttled: None,
            seen: Experience::default(),
            unforeseen: None,
            tokens: Tokens::default(),
            listings: Listings::default(),
            notes: Vec::new(),
            comment_lost: false,
            reach: Reachability::default(),
            suspicion: Suspicion::default(),
            troubles: Troubles::default(),
            running: Box::default(),
            away: Box::default(),
        }
    }

    /// What to read from the store.
    pub(crate) fn wants_reading(&mut self, now: Moment) -> Reading {
        if self.is_stopping() {
            return Reading::default();
        }
        let is_low = self.queue.fresh() < LOW_WATER && !self.busy.skip.is_asking();
        Reading {
            fresh: self.cursor.filter(|_| is_low),
            retries: match self.brakes.admitted() {
                Admitted::Only(these) => self.queue.recall_of(these, now),
                Admitted::Anybody | Admitted::Nobody => self.queue.recall(now),
            },
            unconfirmed: self.unconfirmed_to_read(),
            parked: self.parked_to_read(),
        }
    }

    /// When to wake up if nothing happens before: always after `now`. What is due already waits for a permit
    /// or an answer, so a timer for it would fire without end.
    #[must_use]
    pub(crate) fn next_wake(&self, now: Moment) -> Option<Moment> {
        if self.is_stopping() {
            return None;
        }
        let busy_checks = [self.next_listing(), self.reach.next_probe()];
        [self.queue.next_later()]
            .into_iter()
            .chain(busy_checks)
            .flatten()
            .filter(|wake| *wake > now)
            .min()
    }

    /// Whether there are records to write.
    #[must_use]
    pub(crate) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// Takes the records to write.
    pub(crate) fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// Takes the notes for the terminal, one line each.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Whether nothing is left to do, or nothing more may be done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let idle = self.in_flight.is_empty() && self.records.is_empty();
        idle && (self.is_drained() || self.is_stopping())
    }

    /// Why the campaign is stopping before its end, if it is.
    #[must_use]
    pub(crate) fn stop_reason(&self) -> Option<&StopReason> {
        match &self.phase {
            Phase::Stopping(reason) => Some(reason),
            Phase::Alone | Phase::Open => None,
        }
    }

    /// How many targets have ended how.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The number of calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The number of targets that were sent to and may or may not have a scan.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        let all = self.in_flight.len() + self.unconfirmed.len() + self.left_unconfirmed.len();
        all as u64
    }

    /// The number of targets.
    #[must_use]
    pub fn targets(&self) -> u64 {
        self.targets
    }

    /// The number of POSTs of this run.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// The number of 429s of this run.
    #[must_use]
    pub fn throttled(&self) -> u64 {
        self.throttled
    }

    /// Takes in a page of fresh targets. An empty page is the last one.
    pub(crate) fn page_came(&mut self, page: Vec<Target>, next: Cursor) {
        self.cursor = (!page.is_empty()).then_some(next);
        let page = self.without_busy(self.without_away(page));
        self.queue.add_fresh(page);
        self.drop_the_rest();
        self.conclude_suspicion();
    }

    /// Takes in everything that was [wanted](Self::wants_reading) besides the page.
    pub(crate) fn recalled(
        &mut self,
        reading: &Reading,
        retries: Vec<Unfinished>,
        unconfirmed: Vec<Unfinished>,
        now: Moment,
    ) {
        let retries = retries.into_iter().map(|left| left.target).collect();
        self.queue.recalled(&reading.retries, retries);
        self.unconfirmed_read(reading.unconfirmed.len(), unconfirmed, now);
    }

    /// Stops the campaign: no new calls, and those in flight are awaited. A graver reason replaces the
    /// earlier one.
    pub fn stop(&mut self, reason: StopReason) {
        let is_graver = |before: &StopReason| before.gravity() < reason.gravity();
        if self.stop_reason().is_none_or(is_graver) {
            trail::stop(&reason);
            self.phase = Phase::Stopping(reason);
        }
    }

    fn is_drained(&self) -> bool {
        !self.suspicion.is_on() && self.has_only_suspects()
    }

    /// Whether no target is left that could be sent to, apart from those whose 403 is in question and those in flight.
    fn has_only_suspects(&self) -> bool {
        self.running.parked.is_empty() && self.has_only_away()
    }

    fn is_stopping(&self) -> bool {
        self.stop_reason().is_some()
    }
}

#[cfg(test)]
mod away_tests;
#[cfg(test)]
mod brakes_tests;
#[cfg(test)]
mod busy_machines_tests;
#[cfg(test)]
mod outage_tests;
#[cfg(test)]
mod parked_tests;
#[cfg(test)]
mod places_tests;
#[cfg(test)]
mod running_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unconfirmed_tests;

//! `--when-offline defer`: when those go that are still away, so that nobody is forgotten.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    Dispatcher,
    parked::{AWAY, BACK, Key},
};
use crate::{
    campaign::forecast::{Bounds, Prospect},
    monitor::count,
    quota::{self, Moment},
};

/// So long before `--not-after` the last call for a machine that is away goes out, if all goes well.
const MARGIN: Duration = Duration::from_mins(5);

/// So much earlier canaries go where fewer machines are there than canaries are wanted: somebody may be asked about
/// them before the rest goes, or their scans followed.
const JUDGED_WITHIN: Duration = Duration::from_hours(1);

/// How often it is computed when they have to go. The margin leaves room for that.
const RECKONED_EVERY: Duration = Duration::from_secs(30);

impl Dispatcher {
    /// Lets those that are still away go once nobody else is left to be sent to, or shortly before `--not-after` where
    /// that is later. `forecast` is the quota's.
    pub(crate) fn end_deferral(
        &mut self,
        now: Moment,
        wall: Timestamp,
        forecast: impl FnOnce() -> quota::Forecast,
    ) {
        if self.away.aside.is_empty() || self.is_stopping() {
            return;
        }
        let Some(end) = self.times().not_after.as_ref().map(|end| end.at) else {
            if self.has_only_away() {
                self.send_the_rest("nobody else is left");
            }
            return;
        };
        if self.is_anybody_there(now) {
            return;
        }
        let reckoned = self.away.reckoned;
        if reckoned.is_some_and(|last| now.since(last) < RECKONED_EVERY) {
            return;
        }
        self.away.reckoned = Some(now);
        let forecast = forecast();
        let missing = self.missing_canaries();
        if missing > 0 && self.would_end_after(end, wall, JUDGED_WITHIN, forecast.clone()) {
            self.send_canaries(missing);
        } else if self.would_end_after(end, wall, Duration::ZERO, forecast) {
            self.send_the_rest("--not-after is near");
        }
    }

    /// Whether somebody is left who is there and could go, also if brakes hold them for now. Others may wait for longer
    /// than there is time: a busy machine for its scan, a site for a place.
    fn is_anybody_there(&mut self, now: Moment) -> bool {
        let (parked, places) = (&self.running.parked, &self.running.places);
        let room = |group| places.room_in(group);
        self.cursor.is_some() || parked.first(room).is_some() || self.queue.has_due(now)
    }

    /// How many canaries are missing that nobody is at hand for.
    fn missing_canaries(&self) -> u64 {
        let missing = self.brakes.missing_canaries();
        missing.saturating_sub(self.running.parked.back())
    }

    /// Whether the last of them would go out too late if they began so much later than now, and a little.
    fn would_end_after(
        &self,
        end: Timestamp,
        wall: Timestamp,
        later: Duration,
        quota: quota::Forecast,
    ) -> bool {
        let Some(begin) = self.last_round(wall, later, end) else {
            return true;
        };
        let bounds = Bounds {
            hours: self.times().hours.clone(),
            ..Bounds::default()
        };
        let last = Prospect::new(quota, self.away.waiting(), bounds, begin).last_call();
        let after = last.and_then(|last| SignedDuration::try_from(last.likely).ok());
        let last = after.and_then(|after| begin.checked_add(after).ok());
        last.is_none_or(|last| last >= end)
    }

    /// When the last round of them would begin, if that is before `end`. The scan of a machine that is away keeps its
    /// place of `--max-running` until it is overdue, so with fewer places than machines they go in rounds.
    fn last_round(&self, wall: Timestamp, later: Duration, end: Timestamp) -> Option<Timestamp> {
        let places = &self.running.places;
        let aside = self.away.aside.values().map(|(_, n)| *n);
        let rounds = if places.is_on() {
            places.rounds(aside)
        } else {
            0
        };
        let hours = self.times().hours.as_ref();
        let open = |at: Timestamp| hours.map_or(at, |hours| hours.next_opening(at));
        let add = |at: Timestamp, time: Duration| {
            let time = SignedDuration::try_from(time).ok()?;
            at.checked_add(time).ok().filter(|at| *at < end)
        };
        // What is judged goes out first, when calls may go.
        let mut begin = add(open(add(wall, MARGIN)?), later)?;
        for _ in 0..rounds {
            begin = add(open(begin), places.limits().timeout.saturating_add(MARGIN))?;
        }
        Some(begin)
    }

    /// Lets so many of them go although they are away, to find out what a 403 is meant for. Whether there are any.
    pub(super) fn try_some_away(&mut self, many: u32) -> bool {
        let tried = self.let_go(u64::from(many));
        if tried > 0 {
            self.notes.push(format!(
                "a start was forbidden, and nobody else is there: {} that {} away {} sent to all the same, to find out \
                 whether all are forbidden",
                count::of(tried, "machine"),
                count::word(tried, "is", "are"),
                count::word(tried, "is", "are"),
            ));
        }
        tried > 0
    }

    fn send_canaries(&mut self, missing: u64) {
        let tried = self.let_go(missing);
        self.notes.push(format!(
            "--not-after is near, and fewer machines are there than --canary asks for: {} that {} away {} sent to as \
             canaries, and the rest when they are judged",
            count::of(tried, "machine"),
            count::word(tried, "is", "are"),
            count::word(tried, "is", "are"),
        ));
    }

    fn send_the_rest(&mut self, why: &str) {
        let waiting = self.let_go(u64::MAX);
        self.notes.push(format!(
            "{why}: {} that {} away {} sent to all the same; how long the service keeps a scan for such a machine is \
             not documented",
            count::of(waiting, "machine"),
            count::word(waiting, "is", "are"),
            count::word(waiting, "is", "are"),
        ));
    }

    /// Lets the first of them go, so many at most. Returns how many these are.
    fn let_go(&mut self, most: u64) -> u64 {
        let mut keys: Vec<Key> = self.away.aside.values().copied().collect();
        keys.sort_unstable();
        keys.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        for key in &keys {
            self.running.parked.move_over(*key, AWAY, BACK);
        }
        let aside = &mut self.away.aside;
        aside.retain(|_, key| keys.binary_search(key).is_err());
        keys.len() as u64
    }
}

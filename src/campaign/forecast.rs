//! When the calls that are left go out: the one forecast of `plan`, the bar and `status`. Pure arithmetic over the quota's own
//! schedule, the hours in which calls may go, and the delays of those that wait; what will come back as busy or to be
//! repeated is taken from what the campaign has seen so far.
//!
//! - `gate`: the hours in which calls may go, and the instant from which on none may.

mod gate;

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use gate::Gate;

use super::{
    dispatcher::SHOWS_WITHIN,
    experience::Experience,
    hours::Hours,
    retry::{OnPending, Policy},
};
use crate::{
    quota,
    store::{Store, StoreError},
};

/// So long a listing takes, and the turn of what it finds to be sent once more.
pub(super) const LISTED_WITHIN: Duration = Duration::from_secs(10);

/// So long after a run has begun the calls are looked up that an earlier one left without an answer.
pub(super) const LOOKED_UP_WITHIN: Duration = SHOWS_WITHIN.saturating_add(LISTED_WITHIN);

/// What bounds the calls besides the quota.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// Calls go out in these hours only.
    pub hours: Option<Hours>,
    /// No call goes out at this instant or after it.
    pub not_after: Option<Timestamp>,
    /// No more machines than these are sent to.
    pub most: Option<u64>,
}

/// What stops the calls before the last one has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// The instant from which on none goes out.
    NotAfter,
    /// The greatest number of machines.
    MaxMachines,
    /// The hours never open again, as far as a calendar reaches.
    Window,
}

/// Why a target waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its call is to be made once more.
    Again,
    /// It is not known whether its call started a scan, which is looked up.
    Lookup,
    /// Its machine was found busy so many times.
    Busy(u32),
}

/// Open targets to which something was sent, and what was seen of calls so far.
#[derive(Debug, Clone, Default)]
pub struct Begun {
    /// Those that wait: how much longer, and why; in any order.
    pub waiting: Vec<(Duration, Why)>,
    /// Calls on their way.
    pub on_its_way: u64,
    /// What is known of how calls go.
    pub seen: Experience,
}

impl Begun {
    /// As a state tells it at `now`; a process that `runs` waits for the calls without an answer, else they are looked up.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of(
        store: &Store,
        now: Timestamp,
        runs: bool,
        policy: &Policy,
    ) -> Result<Self, StoreError> {
        let mut begun = Self {
            seen: Experience::of_earlier_runs(&store.seen()?),
            ..Self::default()
        };
        store.each_left(|left| {
            if left.in_doubt && runs && !left.is_unsure {
                begun.on_its_way += 1;
            } else if left.in_doubt {
                begun.waiting.push((LOOKED_UP_WITHIN, Why::Lookup));
            } else {
                let delay = left.not_before.map(|t| t.duration_since(now));
                let delay = Duration::try_from(delay.unwrap_or_default()).unwrap_or_default();
                let delay = delay.min(policy.longest_delay());
                begun.waiting.push(match left.pending_tries {
                    0 => (delay, Why::Again),
                    times => (delay + policy.on_pending.gather(), Why::Busy(times)),
                });
            }
        })?;
        Ok(begun)
    }

    /// How many targets these are.
    #[must_use]
    pub fn targets(&self) -> u64 {
        self.waiting.len() as u64 + self.on_its_way
    }
}

/// All that the time of the last call depends on, as it stands at one moment.
#[derive(Debug, Clone)]
pub struct Prospect {
    /// The quota's lanes and holds.
    pub quota: quota::Forecast,
    /// That moment, on the clock on the wall.
    pub now: Timestamp,
    /// What bounds the calls besides.
    pub bounds: Bounds,
    /// Targets that were never sent to.
    pub fresh: u64,
    /// The others that are open.
    pub begun: Begun,
    /// What becomes of busy machines.
    pub on_pending: OnPending,
    /// A list of scans that cannot be asked: a call asks whether a machine is still busy.
    pub is_blind: bool,
}

impl Prospect {
    /// That of targets of which nothing is known but how many they are.
    #[must_use]
    pub fn new(quota: quota::Forecast, fresh: u64, bounds: Bounds, now: Timestamp) -> Self {
        Self {
            quota,
            now,
            bounds,
            fresh,
            begun: Begun::default(),
            on_pending: OnPending::Skip,
            is_blind: false,
        }
    }

    /// How long until the last call goes out; `None` if none does.
    #[must_use]
    pub fn last_call(&self) -> Option<Duration> {
        self.comes_to().0
    }

    /// The same, and how many targets are left over by then.
    #[must_use]
    pub fn comes_to(&self) -> (Option<Duration>, u64) {
        let mut outlook = Outlook::new(self);
        let last = outlook.calls(&self.quota).last();
        (last, outlook.left_over().1)
    }
}

/// The calls of a prospect, while they are gone through.
pub(super) struct Outlook<'a> {
    prospect: &'a Prospect,
    gate: Gate<'a>,
    /// Targets that were never sent to, and may be.
    fresh: u64,
    /// Targets whose time has come, by how many times their machine was found busy if a call is to ask that.
    due: Vec<Option<u32>>,
    later: BinaryHeap<Reverse<(Duration, Why)>>,
    again: [(Whole, Duration); 2],
    absent: Whole,
    busy: Vec<Whole>,
    /// Machines beyond the greatest number.
    beyond: u64,
}

impl<'a> Outlook<'a> {
    pub(super) fn new(prospect: &'a Prospect) -> Self {
        let fresh = prospect.bounds.most.unwrap_or(u64::MAX).min(prospect.fresh);
        let seen = &prospect.begun.seen;
        let tries = match prospect.on_pending {
            OnPending::Skip => 0,
            OnPending::Retry { tries, .. } => tries,
        };
        let mut outlook = Self {
            gate: Gate::new(&prospect.bounds, prospect.now),
            fresh,
            due: Vec::new(),
            later: prospect
                .begun
                .waiting
                .iter()
                .copied()
                .map(Reverse)
                .collect(),
            again: seen.again().map(|(share, after)| (Whole::of(share), after)),
            absent: Whole::of(seen.absent()),
            busy: (0..tries)
                .map(|times| Whole::of(seen.busy(times)))
                .collect(),
            beyond: prospect.fresh - fresh,
            prospect,
        };
        for _ in 0..prospect.begun.on_its_way {
            outlook.goes(Some(0), Duration::ZERO, seen.latency());
        }
        outlook
    }

    /// When each call goes out, from the prospect's moment on.
    pub(super) fn calls(&mut self, quota: &quota::Forecast) -> impl Iterator<Item = Duration> {
        let latency = self.prospect.begun.seen.latency();
        let quota = quota.clone().with_latency(latency);
        quota.schedule(move |room| self.next(room, latency))
    }

    /// Why not all go, once all were gone through, and how many targets are left over.
    pub(super) fn left_over(&self) -> (Option<StoppedBy>, u64) {
        let rest = self.fresh + (self.due.len() + self.later.len()) as u64;
        match self.gate.closed {
            Some(why) => (Some(why), rest + self.beyond),
            None if self.beyond > 0 => (Some(StoppedBy::MaxMachines), self.beyond),
            None => (None, 0),
        }
    }

    /// How many times the calls wait for the hours to open.
    pub(super) fn openings(&self) -> u64 {
        self.gate.openings
    }

    /// When the call goes for which the quota has room from `room` on.
    fn next(&mut self, room: Duration, latency: Duration) -> Option<Duration> {
        let mut at = room;
        loop {
            while self
                .later
                .peek()
                .is_some_and(|Reverse((then, _))| *then <= at)
            {
                if let Some(Reverse((then, why))) = self.later.pop() {
                    self.ripen(then, why);
                }
            }
            if self.fresh > 0 || !self.due.is_empty() {
                break;
            }
            let Reverse((then, _)) = self.later.peek()?;
            at = at.max(*then);
        }
        let at = self.gate.pass(at)?;
        let asks = if self.fresh > 0 {
            self.fresh -= 1;
            Some(0)
        } else {
            self.due.pop().flatten()
        };
        self.goes(asks, at, latency);
        Some(at)
    }

    /// A call goes that is answered so much later; what comes back of it waits.
    fn goes(&mut self, asks: Option<u32>, at: Duration, latency: Duration) {
        if let Some(times) = asks
            && self.is_busy(times)
        {
            self.wait(at + latency, times + 1);
            return;
        }
        for (again, after) in &mut self.again {
            if again.is_whole() {
                let at = at + latency + *after;
                self.later.push(Reverse((at, Why::Again)));
                return;
            }
        }
    }

    /// The time of one that waits has come.
    fn ripen(&mut self, then: Duration, why: Why) {
        match why {
            Why::Lookup if !self.absent.is_whole() => {}
            Why::Busy(times) if self.prospect.is_blind => self.due.push(Some(times)),
            // The list tells, and no call is spent.
            Why::Busy(times) if self.is_busy(times) => self.wait(then, times + 1),
            Why::Again | Why::Lookup | Why::Busy(_) => self.due.push(None),
        }
    }

    fn is_busy(&mut self, times: u32) -> bool {
        let busy = self.busy.get_mut(times as usize);
        busy.is_some_and(Whole::is_whole)
    }

    /// A machine was found busy so many times by now.
    fn wait(&mut self, at: Duration, times: u32) {
        if let OnPending::Retry { tries, .. } = self.prospect.on_pending
            && times < tries
        {
            let after = self.prospect.on_pending.asked_after();
            self.later.push(Reverse((at + after, Why::Busy(times))));
        }
    }
}

/// A share of many, as whole ones: of a share of a fifth every fifth is one.
struct Whole {
    share: f64,
    sum: f64,
}

impl Whole {
    fn of(share: f64) -> Self {
        // Half a one to begin with, so that the sum is rounded and not cut off.
        Self { share, sum: 0.5 }
    }

    fn is_whole(&mut self) -> bool {
        self.sum += self.share;
        let is_whole = self.sum >= 1.0;
        self.sum -= f64::from(u8::from(is_whole));
        is_whole
    }
}

/// The instant so long after `now`.
pub(super) fn later(now: Timestamp, after: Duration) -> Timestamp {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
    now.saturating_add(after).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;

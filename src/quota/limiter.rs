//! Decides whether a call may go: the windows, the pace, the holds and the ramps. It has no clock; callers pass the
//! time.

use std::time::Duration;

use smallvec::SmallVec;

use super::{
    clock::Moment,
    forecast::{Forecast, WindowForecast},
    hold::{Holds, Throttle, believed},
    kind::Kind,
    lanes::Lanes,
    quota::Quota,
    ramp::Ramp,
    waiting::{Cause, Waiting},
    window::Window,
};
use crate::audit::audit;

/// The state of a quota.
#[derive(Debug)]
pub(super) struct Limiter {
    /// The windows of the limits that every kind has.
    windows: Vec<Window>,
    /// The windows of the limits that only one kind has, by the kind's index. They stay its own when kinds are joined.
    own: [Vec<Window>; KINDS],
    even: Option<Even>,
    holds: Holds,
    ramps: [Ramp; KINDS],
    /// Whether a call of the kind was ever refused.
    refused: [bool; KINDS],
    joined: bool,
}

const KINDS: usize = Kind::ALL.len();

/// The index of the only pool of a window that one kind has.
const OWN: usize = 0;

/// The even pace: a lane for each kind, which is ready again one period after its call was permitted.
#[derive(Debug)]
struct Even {
    lanes: Lanes,
    period: Duration,
}

/// A call that has taken its lanes. It must be given back to the limiter that made it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) kind: Kind,
    /// When it was permitted.
    pub(super) at: Moment,
    /// Its lane in each window. Nothing is allocated for the two documented limits; further ones cost an allocation.
    lanes: SmallVec<[usize; 2]>,
}

/// How far one window is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// The window's length.
    pub window: Duration,
    /// Calls that count against it now: those in flight, and those answered less than a window ago.
    pub in_use: usize,
    /// How many calls it may hold.
    pub limit: u32,
    /// How many calls it may hold after the cuts that refusals by the service have caused.
    pub usable: u32,
}

impl Limiter {
    pub(super) fn new(quota: &Quota) -> Self {
        Self {
            windows: quota
                .whole_limits()
                .zip(quota.limits())
                .map(|(whole, kept)| Window::new(whole, kept, KINDS))
                .collect(),
            own: Kind::ALL.map(|kind| {
                let limits = quota.whole_limits_of(kind).zip(quota.limits_of(kind));
                let windows = limits.map(|(whole, kept)| Window::new(whole, kept, 1));
                windows.collect()
            }),
            even: quota.even_period().map(|period| Even {
                lanes: Lanes::new(KINDS, period),
                period,
            }),
            holds: Holds::default(),
            ramps: [Ramp::default(); KINDS],
            refused: [false; KINDS],
            joined: false,
        }
    }

    /// Takes a lane of every window for a call that goes now. If it has to wait, takes none and says why.
    pub(super) fn take(&mut self, kind: Kind, now: Moment) -> Result<Call, Waiting> {
        if let Some(waiting) = self.waiting(kind, now) {
            return Err(waiting);
        }
        let pool = self.pool(kind);
        if let Some(even) = &mut self.even {
            even.lanes.spend(pool, now);
        }
        self.ramps[pool].sent();
        Ok(self.observe(kind, now))
    }

    /// Why no call of the kind may go now. Checks every window, the pace, the hold and the ramp, and spends nothing.
    pub(super) fn waiting(&self, kind: Kind, now: Moment) -> Option<Waiting> {
        let pool = self.pool(kind);
        let mut longest = None;
        let mut wait = |cause, until| {
            let waiting = Waiting { cause, until };
            longest = Some(longest.map_or(waiting, |longest: Waiting| longest.longer(waiting)));
        };
        for (window, pool) in self.windows_of(kind) {
            if let Err(until) = window.check(pool, now) {
                let cause = until.map_or(Cause::Answers, |_| Cause::Window(window.length()));
                wait(cause, until);
            }
        }
        if let Some(even) = &self.even
            && let Err(until) = even.lanes.check(pool, now)
        {
            wait(Cause::Pace, Some(until));
        }
        let hold = self.holds.until(kind);
        if hold > now {
            wait(Cause::Hold, Some(hold));
        }
        if self.ramps[pool].is_full() {
            wait(Cause::Answers, None);
        }
        longest
    }

    /// Counts a call that has been made already, by another process or before a restart, even if it exceeds the quota.
    pub(super) fn observe(&mut self, kind: Kind, now: Moment) -> Call {
        let pool = self.pool(kind);
        let mut lanes = SmallVec::new();
        // One by one, because collecting them takes more instructions.
        for window in &mut self.windows {
            lanes.push(window.take(pool, now));
        }
        for window in &mut self.own[kind.index()] {
            lanes.push(window.take(OWN, now));
        }
        Call {
            kind,
            at: now,
            lanes,
        }
    }

    /// Gives back the lanes of a call that was taken and not made. Its turn in an even pace stays spent, because
    /// another call may have had the next turn since.
    pub(super) fn put_back(&mut self, call: &Call) {
        self.ramps[self.pool(call.kind)].ended();
        self.withdraw(call);
    }

    /// Gives back the lanes of a call that was observed and then not made.
    pub(super) fn withdraw(&mut self, call: &Call) {
        for ((window, pool), &lane) in self.windows_of_mut(call.kind).zip(&call.lanes) {
            window.put_back(pool, lane);
        }
    }

    /// Ends a call that was taken; its windows start at `at`.
    pub(super) fn finish(&mut self, call: &Call, at: Moment) {
        let ramp = &mut self.ramps[self.pool(call.kind)];
        ramp.ended();
        ramp.answered(call.at);
        self.restart_windows(call, at);
    }

    /// Ends a call that was observed; its windows start at `at`.
    pub(super) fn restart_windows(&mut self, call: &Call, at: Moment) {
        for ((window, pool), &lane) in self.windows_of_mut(call.kind).zip(&call.lanes) {
            window.restart(pool, lane, at);
        }
    }

    /// Notes that the service refused a call at `now`. The call must have been finished before.
    pub(super) fn throttled(&mut self, call: &Call, throttle: &Throttle, now: Moment) {
        self.note_refused(call.kind, now);
        let pool = self.pool(call.kind);
        let named = |window: &Window| Some(window.length()) == throttle.window;
        let all = !self.windows_of(call.kind).any(|(window, _)| named(window));
        for (window, pool) in self.windows_of_mut(call.kind) {
            if all || named(window) {
                window.cut(pool, call.kind, call.at, now);
            }
        }
        self.ramps[pool].refused(now);
        let held = believed(throttle.retry_after);
        audit!(
            "hold",
            kind = call.kind.as_str(),
            for_s = held.as_secs_f64()
        );
        self.hold(call.kind, now + held);
    }

    /// Holds calls of the kind until `until`. A hold is never shortened.
    pub(super) fn hold(&mut self, kind: Kind, until: Moment) {
        self.holds.hold(kind, until);
    }

    /// Notes that a user ended the kind's hold at `at`. If it would still hold at `now`, one call goes alone next.
    pub(super) fn lift(&mut self, kind: Kind, at: Moment, now: Moment) {
        if self.holds.lift(kind, now) {
            self.ramps[self.pool(kind)].refused(at);
        }
    }

    /// When the kind's hold ends; a moment in the past if there is none.
    pub(super) fn held_until(&self, kind: Kind) -> Moment {
        self.holds.until(kind)
    }

    /// Whether calls of the kind are held at `now`.
    pub(super) fn is_held(&self, kind: Kind, now: Moment) -> bool {
        self.holds.until(kind) > now
    }

    /// Whether all kinds are counted together.
    pub(super) fn joined(&self) -> bool {
        self.joined
    }

    /// How far each window is spent for the kind, the shortest first. Where the kind has a limit of its own of the same
    /// length, the lower of both.
    pub(super) fn usage(&self, kind: Kind, now: Moment) -> Vec<Usage> {
        let usage = self.windows_of(kind).map(|(window, pool)| Usage {
            window: window.length(),
            in_use: window.in_use(pool, now),
            limit: window.full(pool),
            usable: window.usable(pool, now),
        });
        let mut usage: Vec<_> = usage.collect();
        if !self.own[kind.index()].is_empty() {
            usage.sort_by_key(|usage| (usage.window, usage.limit));
            usage.dedup_by_key(|usage| usage.window);
        }
        usage
    }

    /// When calls of the kind can go from `now` on.
    pub(super) fn forecast(&self, kind: Kind, now: Moment) -> Forecast {
        let pool = self.pool(kind);
        let pace = self.even.as_ref().map(|even| even.lanes.ready_at(pool));
        Forecast {
            now,
            not_before: self.holds.until(kind).max(pace.unwrap_or_default()),
            even: self
                .even
                .as_ref()
                .map_or(Duration::ZERO, |even| even.period),
            latency: Duration::ZERO,
            windows: self
                .windows_of(kind)
                .map(|(window, pool)| WindowForecast {
                    ready: window.forecast(pool, now),
                    length: window.length(),
                })
                .collect(),
        }
    }

    /// Notes a refusal and, if it shows that the service counts all kinds together, joins them. It does if the kind's
    /// own windows have room, and either another kind was refused before, or the windows would be full if all kinds
    /// counted together.
    fn note_refused(&mut self, kind: Kind, now: Moment) {
        let others = Kind::ALL.map(|other| other != kind && self.refused[other.index()]);
        self.refused[kind.index()] = true;
        if self.joined || !self.has_room(kind, now) {
            return;
        }
        if others.contains(&true) || self.would_be_full(now) {
            self.join(now);
        }
    }

    fn has_room(&self, kind: Kind, now: Moment) -> bool {
        self.windows_of(kind).all(|(window, pool)| {
            // This includes the refused call itself.
            window.in_use(pool, now) <= usize::try_from(window.usable(pool, now)).unwrap_or(0)
        })
    }

    fn would_be_full(&self, now: Moment) -> bool {
        self.windows.iter().any(|window| {
            let in_use: usize = (0..KINDS).map(|pool| window.in_use(pool, now)).sum();
            in_use > usize::try_from(window.full(0)).unwrap_or(usize::MAX)
        })
    }

    /// Counts all kinds together from now on.
    pub(super) fn join(&mut self, now: Moment) {
        if std::mem::replace(&mut self.joined, true) {
            return;
        }
        for window in &mut self.windows {
            window.join(now);
        }
        self.holds.join();
        let mut all = Ramp::default();
        for ramp in self.ramps {
            all.join(ramp);
        }
        self.ramps[0] = all;
        if let Some(even) = &mut self.even {
            let latest = (0..KINDS).map(|pool| even.lanes.ready_at(pool)).max();
            even.lanes
                .restart(0, latest.unwrap_or_default() - even.period);
        }
    }

    /// The windows that a call of the kind counts in, each with the index of its pool there. The order is that of the
    /// lanes of a [`Call`].
    fn windows_of(&self, kind: Kind) -> impl Iterator<Item = (&Window, usize)> {
        let pool = self.pool(kind);
        let common = self.windows.iter().map(move |window| (window, pool));
        common.chain(self.own[kind.index()].iter().map(|window| (window, OWN)))
    }

    /// The same windows, to be changed.
    fn windows_of_mut(&mut self, kind: Kind) -> impl Iterator<Item = (&mut Window, usize)> {
        let pool = self.pool(kind);
        let common = self.windows.iter_mut().map(move |window| (window, pool));
        let own = self.own[kind.index()].iter_mut();
        common.chain(own.map(|window| (window, OWN)))
    }

    /// The index of the kind's pool, ramp and pace lane.
    fn pool(&self, kind: Kind) -> usize {
        if self.joined { 0 } else { kind.index() }
    }
}

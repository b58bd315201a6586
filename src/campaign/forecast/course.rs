//! One course that the calls of a campaign may take: a simulation without randomness, in which every share is
//! spread evenly.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use super::{Prospect, StoppedBy, Why, gate::Gate};
use crate::{
    campaign::{
        forecast::experience::{Lean, ON_TIME},
        retry::OnPending,
    },
    quota,
};

/// What happens less often than once in twenty campaigns is not expected.
const RARE: f64 = 0.05;

/// How many calls go out at once.
const BURST: f64 = 100.0;

/// The calls of a prospect, during the simulation.
pub(in crate::campaign) struct Course<'a> {
    prospect: &'a Prospect,
    gate: Gate<'a>,
    latency: Duration,
    /// Targets that were never sent to and may be.
    fresh: u64,
    /// Targets whose time has come.
    due: Vec<Due>,
    later: BinaryHeap<Reverse<(Duration, Why)>>,
    again: [(Whole, Duration); 2],
    /// How often the last call may have to be repeated.
    encores: u32,
    absent: Whole,
    levels: Vec<Level>,
    /// Machines beyond `--max-machines`.
    beyond: u64,
    /// Targets whose call may not go out any more.
    left: u64,
    lean: Lean,
}

/// What happens to the machines that were found busy this many times when they are tried the next time.
struct Level {
    busy: Whole,
    /// The share of the others that cost a call.
    free: Whole,
}

/// What a target does when it is due.
enum Due {
    /// A call goes out and shows whether the machine is busy, which it was this many times.
    Asks(u32),
    /// A call goes out to a machine that is free.
    Goes,
    /// The list is checked for a machine that was busy this many times, and that has been due since then.
    Looks(u32, Duration),
}

/// What a check of the list finds.
enum Look {
    Busy,
    Free,
    /// The machine needs no call.
    Over,
}

impl<'a> Course<'a> {
    pub(in crate::campaign) fn new(prospect: &'a Prospect, lean: Lean) -> Self {
        let fresh = prospect.bounds.most.unwrap_or(u64::MAX).min(prospect.fresh);
        let seen = &prospect.begun.seen;
        let tries = match prospect.on_pending {
            OnPending::Skip => 0,
            OnPending::Retry { tries, .. } => tries,
        };
        let latency = seen.latency(lean);
        let again = seen.again(lean);
        let unknown = if lean == Lean::Early { 0.0 } else { 1.0 };
        let mut course = Self {
            gate: Gate::new(&prospect.bounds, prospect.now),
            latency,
            fresh,
            due: Vec::new(),
            later: prospect
                .begun
                .waiting
                .iter()
                .copied()
                .map(Reverse)
                .collect(),
            again: again.map(|(share, after)| (Whole::of(share, lean), after)),
            encores: match lean {
                Lean::Late if fresh + prospect.begun.targets() > 0 => {
                    encores(again[0].0 + again[1].0)
                }
                Lean::Early | Lean::Likely | Lean::Late => 0,
            },
            absent: Whole::of(seen.absent(lean).unwrap_or(unknown), lean),
            levels: (0..tries)
                .map(|times| Level::new(prospect, times, times + 1 == tries, lean))
                .collect(),
            beyond: prospect.fresh - fresh,
            left: 0,
            lean,
            prospect,
        };
        for _ in 0..prospect.begun.on_its_way {
            course.goes(Some(0), Duration::ZERO);
        }
        course
    }

    /// When each call goes out, counted from the prospect's moment.
    pub(in crate::campaign) fn calls(
        &mut self,
        quota: &quota::Forecast,
    ) -> impl Iterator<Item = Duration> {
        let quota = quota.clone().with_latency(self.latency);
        let mut last = Duration::ZERO;
        quota.schedule(move |room| {
            last = self.next(room, last)?;
            Some(last)
        })
    }

    /// Why not all calls go out, and how many targets are left. Call it after [`calls`](Self::calls) has
    /// ended.
    pub(in crate::campaign) fn left_over(&self) -> (Option<StoppedBy>, u64) {
        let rest = self.left + self.fresh + (self.due.len() + self.later.len()) as u64;
        match self.gate.closed {
            Some(why) => (Some(why), rest + self.beyond),
            None if self.beyond > 0 => (Some(StoppedBy::MaxMachines), self.beyond),
            None => (None, 0),
        }
    }

    /// How often the calls wait for the window to open.
    pub(in crate::campaign) fn openings(&self) -> u64 {
        self.gate.openings
    }

    /// When the call goes out that the quota has room for from `room` on. The one before went out at `last`.
    fn next(&mut self, room: Duration, last: Duration) -> Option<Duration> {
        let mut at = room;
        let asks = loop {
            while self
                .later
                .peek()
                .is_some_and(|Reverse((then, _))| *then <= at)
            {
                if let Some(Reverse((then, why))) = self.later.pop() {
                    self.ripen(then, why);
                }
            }
            if self.fresh > 0 {
                self.fresh -= 1;
                break Some(0);
            }
            match self.due.pop() {
                Some(Due::Asks(times)) => break Some(times),
                Some(Due::Goes) => break None,
                Some(Due::Looks(times, since)) => match self.look(times, since, at) {
                    // The list shows it, and no call is spent.
                    Look::Busy => self.wait(at, times + 1),
                    Look::Over => {}
                    Look::Free => break None,
                },
                None => {
                    if self.later.is_empty() && self.encores > 0 {
                        self.encores -= 1;
                        let after = self.latency + self.prospect.begun.seen.longest_again();
                        self.later.push(Reverse((last + after, Why::Free)));
                    }
                    let Reverse((then, _)) = self.later.peek()?;
                    at = at.max(*then);
                }
            }
        };
        let Some(at) = self.gate.pass(at) else {
            self.left += 1;
            return None;
        };
        self.goes(asks, at);
        Some(at)
    }

    /// A call goes out. What comes back of it waits.
    fn goes(&mut self, asks: Option<u32>, at: Duration) {
        let answered = at + self.latency;
        if let Some(times) = asks
            && let Some(level) = self.levels.get_mut(times as usize)
            && level.busy.is_whole()
        {
            self.wait(answered, times + 1);
            return;
        }
        for (again, after) in &mut self.again {
            if again.is_whole() {
                self.later.push(Reverse((answered + *after, Why::Again)));
                return;
            }
        }
    }

    /// A target that waits has become due.
    fn ripen(&mut self, then: Duration, why: Why) {
        self.due.push(match why {
            Why::Busy(times) if self.prospect.is_blind => Due::Asks(times),
            Why::Busy(times) => Due::Looks(times, then),
            Why::Lookup if !self.absent.is_whole() => return,
            Why::Again | Why::Lookup => Due::Asks(0),
            Why::Free => Due::Goes,
        });
    }

    /// What was seen of such checks applies only to those that are on time. Nothing is known about a machine
    /// that also had to wait for its turn.
    fn look(&mut self, times: u32, since: Duration, at: Duration) -> Look {
        let is_last = self.levels.len() <= times as usize + 1;
        match self.levels.get_mut(times as usize) {
            Some(level) if at <= since + ON_TIME => level.look(),
            None => Look::Free,
            Some(_) => match self.lean {
                Lean::Early => Look::Over,
                Lean::Late if !is_last => Look::Busy,
                Lean::Likely | Lean::Late => Look::Free,
            },
        }
    }

    /// A machine has been found busy this many times by now.
    fn wait(&mut self, at: Duration, times: u32) {
        if let OnPending::Retry { tries, .. } = self.prospect.on_pending
            && times < tries
        {
            let after = self.prospect.on_pending.asked_after();
            self.later.push(Reverse((at + after, Why::Busy(times))));
        }
    }
}

impl Level {
    fn new(prospect: &Prospect, times: u32, is_last: bool, lean: Lean) -> Self {
        let seen = &prospect.begun.seen;
        // A machine that is found busy the last time ends without a call.
        let busy_lean = match lean {
            Lean::Late if is_last => Lean::Early,
            lean => lean,
        };
        let busy = seen.busy(times, busy_lean);
        let busy = busy.unwrap_or(match lean {
            Lean::Late if !is_last && times > 0 => 1.0,
            Lean::Early | Lean::Likely | Lean::Late => 0.0,
        });
        let free = match lean {
            Lean::Likely | Lean::Late => 1.0,
            Lean::Early => seen
                .busy(times, Lean::Late)
                .map_or(0.0, |most| ((1.0 - most) / (1.0 - busy)).clamp(0.0, 1.0)),
        };
        Self {
            busy: Whole::of(busy, busy_lean),
            free: Whole::of(free, lean),
        }
    }

    fn look(&mut self) -> Look {
        if self.busy.is_whole() {
            Look::Busy
        } else if self.free.is_whole() {
            Look::Free
        } else {
            Look::Over
        }
    }
}

/// How often in a row the last call may have to be repeated, if this share of calls is.
fn encores(share: f64) -> u32 {
    let mut times = 0;
    let mut expected = BURST * share;
    while expected >= RARE {
        expected *= share;
        times += 1;
    }
    times
}

/// Spreads a share over whole calls: of a fifth, every fifth call is one.
struct Whole {
    share: f64,
    sum: f64,
}

impl Whole {
    fn of(share: f64, lean: Lean) -> Self {
        // The initial sum decides whether the result is rounded down, to the nearest, or up.
        let sum = match lean {
            Lean::Early => 0.0,
            Lean::Likely => 0.5,
            Lean::Late => 1.0 - RARE,
        };
        Self { share, sum }
    }

    fn is_whole(&mut self) -> bool {
        self.sum += self.share;
        let is_whole = self.sum >= 1.0;
        self.sum -= f64::from(u8::from(is_whole));
        is_whole
    }
}

//! How many calls the tenant takes. This shares no code with the client's quota.

use std::{collections::VecDeque, time::Duration};

use super::{
    config::{Kinds, Limit, Model, QuotaConfig},
    machine::stable,
    request::Kind,
};

/// The windows of every kind.
#[derive(Debug)]
pub(super) struct Quota {
    shares: Vec<Share>,
    /// The windows of [`Kind::Health`] alone.
    health: Share,
    together: bool,
    count_refused: bool,
}

/// The windows of one kind, or of all, and whoever else calls in them.
#[derive(Debug, Clone)]
struct Share {
    windows: Windows,
    other: Option<OtherCaller>,
}

/// Another client of the same application, which calls at random times, at the same rate all the time.
#[derive(Debug, Clone)]
struct OtherCaller {
    /// Its calls a second, on average.
    rate: f64,
    /// When it calls next.
    next: Duration,
    dice: fastrand::Rng,
    /// What the windows would be without it.
    without: Windows,
}

/// The windows of all limits.
#[derive(Debug, Clone)]
struct Windows(Vec<Window>);

/// A call that was one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The limit that was exceeded; if there are several, the one with the longest wait. `None` is no limit of calls,
    /// but the time that they took.
    pub(super) limit: Option<Limit>,
    /// How long until there is room again, if nobody else calls.
    pub(super) wait: Duration,
    /// Whether the client's own calls have left no room, whatever others did.
    pub(super) is_deserved: bool,
}

impl Quota {
    pub(super) fn new(config: &QuotaConfig, seed: u64) -> Self {
        let together = config.kinds == Kinds::Together;
        let kinds = if together { 1 } else { Kind::ALL.len() };
        let share = |number: usize, limits: &[Limit]| {
            let dice = stable(seed, &format!("other caller {number}"));
            let windows = Windows::new(limits, config.model);
            Share {
                other: OtherCaller::new(config.other_caller, dice, &windows),
                windows,
            }
        };
        Self {
            shares: (0..kinds).map(|kind| share(kind, &config.limits)).collect(),
            health: share(Kind::Health.index(), config.limits_of(Kind::Health)),
            together,
            count_refused: config.count_refused,
        }
    }

    /// Counts a call in all windows or in none: a call that one window refuses does not count in the others, unless
    /// refused calls are counted. `now` must not decrease from call to call.
    pub(super) fn count(&mut self, kind: Kind, now: Duration) -> Result<(), Refusal> {
        if kind == Kind::Token {
            return Ok(());
        }
        if kind == Kind::Health {
            let counted = self.health.count(now, self.count_refused);
            if counted.is_err() || !self.together {
                return counted;
            }
        }
        let index = if self.together { 0 } else { kind.index() };
        match self.shares.get_mut(index) {
            Some(share) => share.count(now, self.count_refused),
            None => Ok(()),
        }
    }
}

impl Share {
    fn count(&mut self, now: Duration, count_refused: bool) -> Result<(), Refusal> {
        let Some(other) = &mut self.other else {
            return self.windows.count(now, count_refused);
        };
        while let Some(at) = other.call_before(now) {
            // What the other caller makes of a refusal is not known here.
            let _ = self.windows.count(at, count_refused);
        }
        let alone = other.without.refusal(now);
        let counted = self.windows.count(now, count_refused);
        if counted.is_ok() || count_refused {
            other.without.spend(now);
        }
        counted.map_err(|refusal| Refusal {
            is_deserved: alone.is_some(),
            ..refusal
        })
    }
}

impl Windows {
    fn new(limits: &[Limit], model: Model) -> Self {
        let limits = limits.iter().filter(|limit| !limit.window.is_zero());
        Self(limits.map(|limit| Window::new(*limit, model)).collect())
    }

    /// Why a call would be refused now, if it would be.
    fn refusal(&mut self, now: Duration) -> Option<Refusal> {
        let mut refusal: Option<Refusal> = None;
        for window in &mut self.0 {
            let Some(wait) = window.wait(now) else {
                continue;
            };
            if refusal.is_none_or(|longest| wait > longest.wait) {
                refusal = Some(Refusal {
                    limit: Some(window.limit),
                    wait,
                    is_deserved: true,
                });
            }
        }
        refusal
    }

    /// Counts a call. [`Self::refusal`] must have been called at the same moment.
    fn spend(&mut self, now: Duration) {
        for window in &mut self.0 {
            window.spend(now);
        }
    }

    fn count(&mut self, now: Duration, count_refused: bool) -> Result<(), Refusal> {
        let refusal = self.refusal(now);
        if refusal.is_none() || count_refused {
            self.spend(now);
        }
        refusal.map_or(Ok(()), Err)
    }
}

impl OtherCaller {
    /// One that takes the configured share of the limit that allows least in the long run.
    fn new(share: f64, dice: fastrand::Rng, windows: &Windows) -> Option<Self> {
        let limits = windows.0.iter().map(|window| window.limit);
        let rates = limits.map(|limit| f64::from(limit.calls) / limit.window.as_secs_f64());
        let rate = rates.min_by(f64::total_cmp)? * share;
        (rate > 0.0).then(|| {
            let mut other = Self {
                rate,
                next: Duration::ZERO,
                dice,
                without: windows.clone(),
            };
            other.next = other.pause();
            other
        })
    }

    /// When it calls next, if that is not after `now`. The call after that is drawn.
    fn call_before(&mut self, now: Duration) -> Option<Duration> {
        (self.next <= now).then(|| {
            let at = self.next;
            self.next = at.saturating_add(self.pause());
            at
        })
    }

    /// The time between two of its calls, which come independently of each other.
    fn pause(&mut self) -> Duration {
        let seconds = -(1.0 - self.dice.f64()).ln() / self.rate;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl Refusal {
    /// The refusal of a call that there was room for, because calls took too much of the service's time.
    pub(super) fn by_cpu(wait: Duration) -> Self {
        Self {
            limit: None,
            wait,
            is_deserved: false,
        }
    }
}

#[derive(Debug, Clone)]
struct Window {
    limit: Limit,
    counter: Counter,
}

#[derive(Debug, Clone)]
enum Counter {
    /// When the last calls were counted. Only as many as the limit allows matter, so no more are kept.
    Sliding(VecDeque<Duration>),
    /// The window that the last call fell into, and the calls in it.
    Fixed {
        phase: Duration,
        number: u128,
        used: u32,
    },
    /// The level of the bucket. A call costs the window's length in nanoseconds, and each nanosecond adds the limit's
    /// number of calls, so everything is an integer and nothing is rounded.
    Bucket {
        full: u128,
        level: u128,
        at: Duration,
    },
}

impl Window {
    fn new(limit: Limit, model: Model) -> Self {
        let counter = match model {
            Model::Sliding => Counter::Sliding(VecDeque::new()),
            Model::Fixed { phase } => Counter::Fixed {
                phase,
                number: 0,
                used: 0,
            },
            Model::Bucket { size } => {
                let full = u128::from(size.unwrap_or(limit.calls)) * limit.window.as_nanos();
                Counter::Bucket {
                    full,
                    level: full,
                    at: Duration::ZERO,
                }
            }
        };
        Self { limit, counter }
    }

    /// How long until a call would be admitted; `None` if it would be now.
    fn wait(&mut self, now: Duration) -> Option<Duration> {
        let Limit { calls, window } = self.limit;
        if calls == 0 {
            return Some(window);
        }
        match &mut self.counter {
            Counter::Sliding(times) => {
                let oldest = *times.front()?;
                let full = times.len() >= calls as usize && now.saturating_sub(oldest) <= window;
                // A nanosecond more, because the window includes its end.
                full.then(|| (oldest + window + Duration::from_nanos(1)).saturating_sub(now))
            }
            Counter::Fixed {
                phase,
                number,
                used,
            } => {
                let (length, shift) = (window.as_nanos(), phase.as_nanos() % window.as_nanos());
                let since = now.as_nanos() + length - shift;
                if *number != since / length {
                    (*number, *used) = (since / length, 0);
                }
                (*used >= calls).then(|| from_nanos(length - since % length))
            }
            Counter::Bucket { full, level, at } => {
                *level =
                    (*level + now.saturating_sub(*at).as_nanos() * u128::from(calls)).min(*full);
                *at = now;
                let missing = window.as_nanos().saturating_sub(*level);
                (missing > 0).then(|| from_nanos(missing.div_ceil(u128::from(calls))))
            }
        }
    }

    /// Counts a call. [`Self::wait`] must have been called at the same moment.
    fn spend(&mut self, now: Duration) {
        match &mut self.counter {
            Counter::Sliding(times) => {
                if times.len() >= self.limit.calls as usize {
                    times.pop_front();
                }
                times.push_back(now);
            }
            Counter::Fixed { used, .. } => *used = used.saturating_add(1),
            Counter::Bucket { level, .. } => {
                *level = level.saturating_sub(self.limit.window.as_nanos());
            }
        }
    }
}

fn from_nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;

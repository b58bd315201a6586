//! How many calls the tenant takes. This shares no code with the client's quota.

use std::{collections::VecDeque, time::Duration};

use super::{
    config::{Kinds, Limit, Model, QuotaConfig},
    request::Kind,
};

/// The windows of every kind.
#[derive(Debug)]
pub(super) struct Quota {
    windows: Vec<Vec<Window>>,
    together: bool,
    count_refused: bool,
}

/// A call that was one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The limit that was exceeded; if there are several, the one with the longest wait.
    pub(super) limit: Limit,
    /// How long until there is room again, if nobody else calls.
    pub(super) wait: Duration,
}

impl Quota {
    pub(super) fn new(config: &QuotaConfig) -> Self {
        let limits = config.limits.iter().filter(|limit| !limit.window.is_zero());
        let of_a_kind: Vec<_> = limits
            .map(|limit| Window::new(*limit, config.model))
            .collect();
        let together = config.kinds == Kinds::Together;
        let kinds = if together { 1 } else { Kind::ALL.len() };
        Self {
            windows: vec![of_a_kind; kinds],
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
        let index = if self.together { 0 } else { kind.index() };
        let Some(windows) = self.windows.get_mut(index) else {
            return Ok(());
        };
        let mut refusal: Option<Refusal> = None;
        for window in windows.iter_mut() {
            let Some(wait) = window.wait(now) else {
                continue;
            };
            if refusal.is_none_or(|longest| wait > longest.wait) {
                let limit = window.limit;
                refusal = Some(Refusal { limit, wait });
            }
        }
        if refusal.is_none() || self.count_refused {
            for window in windows {
                window.spend(now);
            }
        }
        refusal.map_or(Ok(()), Err)
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quota(limits: &[(u32, u64)], model: Model, count_refused: bool) -> Quota {
        let limits = limits.iter().map(|&(calls, seconds)| Limit {
            calls,
            window: Duration::from_secs(seconds),
        });
        Quota::new(&QuotaConfig {
            limits: limits.collect(),
            model,
            count_refused,
            kinds: Kinds::Apart,
        })
    }

    /// Whether there is room at `now` by a model's definition, computed from all calls that were counted before.
    fn has_room(
        model: Model,
        calls: u32,
        window: Duration,
        counted: &[Duration],
        now: Duration,
    ) -> bool {
        let used = |from: Duration| counted.iter().filter(|t| **t >= from).count() as u128;
        let (calls, length) = (u128::from(calls), window.as_nanos());
        match model {
            Model::Sliding => {
                let inside = counted
                    .iter()
                    .filter(|t| now.saturating_sub(**t) <= window)
                    .count();
                (inside as u128) < calls
            }
            Model::Fixed { phase } => {
                let number =
                    |t: Duration| (t.as_nanos() + length - phase.as_nanos() % length) / length;
                let inside = counted
                    .iter()
                    .filter(|t| number(**t) == number(now))
                    .count();
                (inside as u128) < calls
            }
            // Since any earlier call, at most the bucket's size and what has flowed in since were spent.
            Model::Bucket { size } => counted.iter().all(|from| {
                let size = size.map_or(calls, u128::from);
                (used(*from) + 1) * length
                    <= size * length + now.saturating_sub(*from).as_nanos() * calls
            }),
        }
    }

    fn models() -> impl Strategy<Value = Model> {
        prop_oneof![
            Just(Model::Sliding),
            (0u64..20_000).prop_map(|ms| Model::Fixed {
                phase: Duration::from_millis(ms)
            }),
            proptest::option::of(1u32..12).prop_map(|size| Model::Bucket { size }),
        ]
    }

    proptest! {
        #[test]
        fn every_model_admits_exactly_what_its_definition_says(
            model in models(),
            calls in 1u32..8,
            seconds in 1u64..6,
            gaps in proptest::collection::vec(0u64..2_500, 1..80),
        ) {
            let window = Duration::from_secs(seconds);
            let mut quota = quota(&[(calls, seconds)], model, false);
            let (mut now, mut counted) = (Duration::ZERO, Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                let room = has_room(model, calls, window, &counted, now);
                prop_assert_eq!(quota.count(Kind::Start, now).is_ok(), room, "{:?} at {:?}", model, now);
                if room {
                    counted.push(now);
                }
            }
        }

        #[test]
        fn a_refusal_names_the_first_moment_that_has_room(model in models(), calls in 1u32..8, gap in 0u64..400) {
            let mut quota = quota(&[(calls, 3), (calls + 3, 7)], model, false);
            let mut now = Duration::ZERO;
            for _ in 0..60 {
                if let Err(refusal) = quota.count(Kind::Start, now) {
                    let just_before = now + refusal.wait.saturating_sub(Duration::from_nanos(1));
                    prop_assert!(quota.count(Kind::Start, just_before).is_err());
                    now += refusal.wait;
                    prop_assert!(quota.count(Kind::Start, now).is_ok());
                }
                now += Duration::from_millis(gap);
            }
        }
    }

    #[test]
    fn kinds_apart_do_not_disturb_each_other_and_kinds_together_do() {
        for (kinds, second) in [(Kinds::Apart, true), (Kinds::Together, false)] {
            let mut quota = Quota::new(&QuotaConfig {
                limits: vec![Limit {
                    calls: 1,
                    window: Duration::from_mins(1),
                }],
                kinds,
                ..QuotaConfig::default()
            });
            assert!(quota.count(Kind::Start, Duration::ZERO).is_ok());
            assert_eq!(quota.count(Kind::List, Duration::ZERO).is_ok(), second);
            assert!(quota.count(Kind::Token, Duration::ZERO).is_ok());
        }
    }

    #[test]
    fn refused_calls_prolong_the_wait_only_where_they_are_counted() {
        for (count_refused, room) in [(false, true), (true, false)] {
            let mut quota = quota(&[(1, 60)], Model::Sliding, count_refused);
            for seconds in [0, 30, 61] {
                let admitted = quota
                    .count(Kind::Start, Duration::from_secs(seconds))
                    .is_ok();
                let expected = seconds == 0 || (seconds == 61 && room);
                assert_eq!(
                    admitted, expected,
                    "at {seconds} s, refused calls counted: {count_refused}"
                );
            }
        }
    }

    #[test]
    fn a_limit_of_no_calls_refuses_and_no_limit_admits() {
        assert!(
            quota(&[(0, 60)], Model::Sliding, false)
                .count(Kind::Start, Duration::ZERO)
                .is_err()
        );
        assert!(
            quota(&[], Model::Sliding, false)
                .count(Kind::Start, Duration::ZERO)
                .is_ok()
        );
    }
}

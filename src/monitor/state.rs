//! What is reported to a monitor.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use super::span;

/// A run has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Began<'a> {
    /// The campaign's id.
    pub campaign: &'a str,
    /// The number of rows.
    pub targets: u64,
    /// How many had ended before the first call: in an earlier run, or as `invalid` or `duplicate`.
    pub already_ended: u64,
}

/// A target has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended<'a> {
    /// Its line in the input.
    pub line: u64,
    /// Its machine.
    pub machine_id: &'a str,
    /// The outcome.
    pub outcome: &'a str,
    /// The reason, as text; may be empty.
    pub message: &'a str,
}

/// The state of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The time since the run began, on the run's clock.
    pub elapsed: Duration,
    /// The wall clock's time, for people.
    pub wall: Timestamp,
    /// Counts by outcome, always in the same order.
    pub tally: Vec<(&'static str, u64)>,
    /// The number of rows.
    pub targets: u64,
    /// How many have ended, in any run.
    pub ended: u64,
    /// How many calls have no answer yet.
    pub in_flight: u32,
    /// What the next call is waiting for.
    pub waiting: Option<Waiting>,
    /// When the last call will be sent.
    pub last_call: LastCall,
    /// How many calls were refused with 429.
    pub throttled: u64,
}

/// When the last call of a campaign will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastCall {
    /// It has been sent.
    Gone,
    /// This cannot be known yet: during an outage, or while others spend the quota.
    NotKnown,
    /// In this time from now.
    In(Expected),
}

/// How long it takes until something happens, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// At the earliest.
    pub from: Duration,
    /// If everything goes on as so far.
    pub likely: Duration,
    /// At the latest; `None` if there is too little data to say.
    pub to: Option<Duration>,
}

/// If the bounds are this close to the likely time, or closer than this share of it, one time is shown.
const NEAR: Duration = Duration::from_secs(30);
const NEAR_SHARE: f64 = 0.05;

impl Expected {
    /// Whether it is shown as one time.
    #[must_use]
    pub fn is_near(&self) -> bool {
        let near = NEAR.max(self.likely.mul_f64(NEAR_SHARE));
        self.from + near >= self.likely && self.to.is_some_and(|to| to <= self.likely + near)
    }

    /// Whether it should have happened by now.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.to.unwrap_or(self.likely).is_zero()
    }

    /// The same expectation when `passed` has gone by.
    #[must_use]
    pub fn after(self, passed: Duration) -> Self {
        Self {
            from: self.from.saturating_sub(passed),
            likely: self.likely.saturating_sub(passed),
            to: self.to.map(|to| to.saturating_sub(passed)),
        }
    }

    /// "about 14:32, in 3 h 12 min", "between 14:32 and 15:10", "by 15:10" or "no earlier than 14:32, in 3 h 12 min",
    /// with times of day in `zone`.
    #[must_use]
    pub fn in_words(&self, now: Timestamp, zone: &TimeZone) -> String {
        let at = |after| span::arrival(now, after, zone);
        let (likely, left) = (at(self.likely), span::in_words(self.likely));
        match self.to {
            None => format!("no earlier than {likely}, in {left}"),
            Some(_) if self.is_near() => format!("about {likely}, in {left}"),
            Some(to) if self.from < NEAR => format!("by {}", at(to)),
            Some(to) => format!("between {} and {}", at(self.from), at(to)),
        }
    }
}

/// What a call is waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Such as "minute window".
    pub what: String,
    /// How much longer; `None` if that depends on an answer. If none of this run's calls is in flight, that is an
    /// answer to another process's call.
    pub left: Option<Duration>,
}

impl LastCall {
    /// "last call about 14:32, in 3 h 12 min", with times of day in `zone`. `None` if the call has been sent or is
    /// sent at once.
    #[must_use]
    pub fn in_words(self, now: Timestamp, zone: &TimeZone) -> Option<String> {
        match self {
            Self::Gone => None,
            Self::In(expected) if expected.is_over() => None,
            Self::NotKnown => Some("last call: not known yet".to_owned()),
            Self::In(expected) => Some(format!("last call {}", expected.in_words(now, zone))),
        }
    }
}

impl Began<'_> {
    /// "campaign abc123defg: 60 targets, 4 of them ended already".
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self {
            campaign,
            targets,
            already_ended,
        } = self;
        let noun = if *targets == 1 { "target" } else { "targets" };
        match already_ended {
            0 => format!("campaign {campaign}: {targets} {noun}"),
            n => format!("campaign {campaign}: {targets} {noun}, {n} of them ended already"),
        }
    }
}

impl State {
    /// "accepted 312 · already pending 4 · failed 1 · 3 calls refused with 429 · minute window, 41 s".
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut parts: Vec<String> = self
            .tally
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| format!("{} {count}", outcome.replace('_', " ")))
            .collect();
        match self.throttled {
            0 => {}
            1 => parts.push("1 call refused with 429".to_owned()),
            n => parts.push(format!("{n} calls refused with 429")),
        }
        match &self.waiting {
            Some(Waiting {
                what,
                left: Some(left),
            }) => parts.push(format!("{what}, {}", span::in_words(*left))),
            _ if self.in_flight > 0 => parts.push(format!("{} in flight", self.in_flight)),
            Some(Waiting { what, left: None }) => {
                parts.push(format!("waiting for {what} to other processes' calls"));
            }
            None => {}
        }
        parts.join(" · ")
    }

    /// "last call about 14:32, in 3 h 12 min", or "last call: soon" if it is late. `None` once it has been sent.
    #[must_use]
    pub fn arrival(&self, zone: &TimeZone) -> Option<String> {
        if self.ended >= self.targets {
            return None;
        }
        match self.last_call {
            LastCall::In(expected) if expected.is_over() => Some("last call: soon".to_owned()),
            last_call => last_call.in_words(self.wall, zone),
        }
    }
}

/// An expectation without uncertainty.
#[cfg(test)]
fn about(minutes: u64) -> Expected {
    let likely = Duration::from_mins(minutes);
    Expected {
        from: likely,
        likely,
        to: Some(likely),
    }
}

#[cfg(test)]
impl State {
    /// An example for this module's tests.
    pub(super) fn example() -> Self {
        Self {
            elapsed: Duration::from_secs(20),
            wall: "2024-10-21T11:20:00Z".parse().unwrap(),
            tally: vec![
                ("accepted", 312),
                ("already_pending", 4),
                ("not_found", 0),
                ("failed", 1),
            ],
            targets: 1000,
            ended: 317,
            in_flight: 3,
            waiting: Some(Waiting {
                what: "minute window".to_owned(),
                left: Some(Duration::from_millis(40_300)),
            }),
            last_call: LastCall::In(about(192)),
            throttled: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_one_short_line() {
        let mut state = State::example();
        assert_eq!(
            state.in_words(),
            "accepted 312 · already pending 4 · failed 1 · minute window, 41 s"
        );
        assert_eq!(
            state.arrival(&TimeZone::UTC).unwrap(),
            "last call about 14:32, in 3 h 12 min"
        );
        state.waiting = None;
        state.throttled = 2;
        assert_eq!(
            state.in_words(),
            "accepted 312 · already pending 4 · failed 1 · 2 calls refused with 429 · 3 in flight"
        );
        state.waiting = Some(Waiting {
            what: "answers".to_owned(),
            left: None,
        });
        assert!(state.in_words().ends_with(" · 3 in flight"));
        state.in_flight = 0;
        assert!(
            state
                .in_words()
                .ends_with(" · waiting for answers to other processes' calls")
        );
        state.ended = state.targets;
        assert_eq!(state.arrival(&TimeZone::UTC), None);
        state.ended = 317;
        state.last_call = LastCall::In(about(0));
        let arrival = state.arrival(&TimeZone::UTC);
        assert_eq!(arrival.as_deref(), Some("last call: soon"));
        state.last_call = LastCall::Gone;
        assert_eq!(state.arrival(&TimeZone::UTC), None);
        state.last_call = LastCall::NotKnown;
        assert_eq!(
            state.arrival(&TimeZone::UTC).unwrap(),
            "last call: not known yet"
        );
    }

    #[test]
    fn a_time_is_shown_as_exactly_as_it_is_known() {
        let now = "2024-10-21T11:20:00Z".parse().unwrap();
        let told = |from, to: Option<u64>| {
            let expected = Expected {
                from: Duration::from_mins(from),
                to: to.map(Duration::from_mins),
                ..about(100)
            };
            expected.in_words(now, &TimeZone::UTC)
        };
        assert_eq!(told(95, Some(105)), "about 13:00, in 1 h 40 min");
        assert_eq!(told(94, Some(105)), "between 12:54 and 13:05");
        assert_eq!(told(95, Some(106)), "between 12:55 and 13:06");
        assert_eq!(told(0, Some(100)), "by 13:00");
        assert_eq!(told(100, None), "no earlier than 13:00, in 1 h 40 min");
    }

    #[test]
    fn the_beginning_tells_what_had_ended_before() {
        let mut began = Began {
            campaign: "abc",
            targets: 1,
            already_ended: 0,
        };
        assert_eq!(began.in_words(), "campaign abc: 1 target");
        began.targets = 60;
        began.already_ended = 4;
        assert_eq!(
            began.in_words(),
            "campaign abc: 60 targets, 4 of them ended already"
        );
    }
}

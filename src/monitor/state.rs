//! What a monitor is told.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use super::span;

/// A run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Began<'a> {
    /// The campaign's id.
    pub campaign: &'a str,
    /// All rows.
    pub targets: u64,
    /// Those that had ended before the first call: in an earlier run, or as `invalid` and `duplicate`.
    pub already_ended: u64,
}

/// A target has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended<'a> {
    /// Its line in the input.
    pub line: u64,
    /// Its machine.
    pub machine_id: &'a str,
    /// The outcome's name.
    pub outcome: &'a str,
    /// Why, in words; may be empty.
    pub message: &'a str,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Since the run began, on the run's clock.
    pub elapsed: Duration,
    /// The wall clock, for people's eyes.
    pub wall: Timestamp,
    /// Counts by outcome, in an order that stays the same.
    pub tally: Vec<(&'static str, u64)>,
    /// All rows.
    pub targets: u64,
    /// Those that have ended, in whichever run.
    pub ended: u64,
    /// Calls without an answer yet.
    pub in_flight: u32,
    /// What the next call waits for.
    pub waiting: Option<Waiting>,
    /// When the last call goes out.
    pub last_call: LastCall,
    /// How many calls were refused with 429.
    pub throttled: u64,
}

/// When the last call of a campaign goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastCall {
    /// None goes out any more.
    Gone,
    /// Nobody can know yet: during an outage, or while others spend the quota.
    NotKnown,
    /// In so long.
    In(Duration),
}

/// What a call waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// As in "minute window".
    pub what: String,
    /// For how long still; `None` where only an answer can tell: one to a call of another process, if none of this run's
    /// is in flight.
    pub left: Option<Duration>,
}

impl LastCall {
    /// "last call about 14:32, in 3 h 12 min" on the clock of `zone`, where that of the wall shows `now`; nothing of one that is
    /// out or goes at once.
    #[must_use]
    pub fn in_words(self, now: Timestamp, zone: &TimeZone) -> Option<String> {
        match self {
            Self::Gone | Self::In(Duration::ZERO) => None,
            Self::NotKnown => Some("last call: not known yet".to_owned()),
            Self::In(after) => {
                let at = span::arrival(now, after, zone);
                Some(format!(
                    "last call about {at}, in {}",
                    span::in_words(after)
                ))
            }
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

    /// "last call about 14:32, in 3 h 12 min", or "soon" where it is late; nothing once it is out.
    #[must_use]
    pub fn arrival(&self, zone: &TimeZone) -> Option<String> {
        if self.ended >= self.targets {
            return None;
        }
        match self.last_call {
            LastCall::In(Duration::ZERO) => Some("last call: soon".to_owned()),
            last_call => last_call.in_words(self.wall, zone),
        }
    }
}

#[cfg(test)]
impl State {
    /// The one that this module's tests look at.
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
            last_call: LastCall::In(Duration::from_mins(192)),
            throttled: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_said_in_one_short_line() {
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
        state.last_call = LastCall::In(Duration::ZERO);
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

//! What is reported to a monitor.

use std::{borrow::Cow, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

#[cfg(test)]
use super::expected::about;
use super::{Held, LastCall, Standing, Trouble, Window, count::grouped, span};

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
    /// Where the others are.
    pub standing: Standing,
    /// How far the quota's windows are spent for scan starts, the shortest first. Calls of other processes count too.
    pub windows: Vec<Window>,
    /// What the next call is waiting for.
    pub waiting: Option<Waiting>,
    /// Whether calls are held back, and for how much longer.
    pub held: Option<Held>,
    /// When the last call will be sent.
    pub last_call: LastCall,
    /// How many calls of this run were refused with 429.
    pub throttled: u64,
    /// What went wrong with calls of this run, the latest first.
    pub troubles: Vec<Trouble>,
}

/// How many kinds of trouble are told.
const TROUBLES: usize = 3;

/// What a call is waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Such as "minute window full", or a sentence.
    pub what: String,
    /// The same in few words, by which waits are added up.
    pub cause: Cow<'static, str>,
    /// How much longer; `None` if that depends on an answer. If none of this run's calls is in flight, that is an
    /// answer to another process's call.
    pub left: Option<Duration>,
}

impl Began<'_> {
    /// The campaign's id alone: that of a rehearsal is followed by a word about that.
    #[must_use]
    pub fn id(&self) -> &str {
        self.campaign.split(' ').next().unwrap_or_default()
    }

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
    /// Where all targets are: "accepted 312", "failed 1", "in flight 3", "to go 684". What is nowhere is left out.
    #[must_use]
    pub fn counts(&self) -> Vec<String> {
        let ended = self
            .tally
            .iter()
            .map(|(outcome, count)| (outcome.replace('_', " "), *count));
        let standing = self
            .standing
            .in_words()
            .map(|(word, count)| (word.to_owned(), count));
        let all = ended.chain(standing).filter(|(_, count)| *count > 0);
        all.map(|(word, count)| format!("{word} {}", grouped(count)))
            .collect()
    }

    /// How far the windows are spent, and what the next call waits for: "minute 73/100", "hour 1,212/1,500",
    /// "next call in 4 s: minute window full". Nothing once all targets have ended.
    #[must_use]
    pub fn gauge(&self) -> Vec<String> {
        if self.ended >= self.targets {
            return Vec::new();
        }
        let mut parts: Vec<String> = self.windows.iter().map(Window::in_words).collect();
        match &self.waiting {
            Some(Waiting {
                what,
                left: Some(left),
                ..
            }) => parts.push(format!("next call in {}: {what}", span::in_words(*left))),
            Some(Waiting { left: None, .. }) if self.standing.in_flight > 0 => {
                parts.push("next call after an answer".to_owned());
            }
            Some(Waiting {
                what, left: None, ..
            }) => {
                parts.push(format!("waiting for {what} to other processes' calls"));
            }
            None => {}
        }
        parts
    }

    /// What went wrong last, and how often: "timed out × 12". At most three, and how many more there are.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let told = self.troubles.iter().take(TROUBLES);
        let told = told.map(|trouble| format!("{} × {}", trouble.what, grouped(trouble.count)));
        let mut told: Vec<String> = told.collect();
        if self.troubles.len() > TROUBLES {
            told.push(format!("and {} more kinds", self.troubles.len() - TROUBLES));
        }
        told
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
            standing: Standing {
                in_flight: 3,
                busy: 20,
                to_go: 660,
                ..Standing::default()
            },
            windows: vec![
                Window {
                    length: Duration::from_mins(1),
                    used: 100,
                    limit: 100,
                    usable: 100,
                },
                Window {
                    length: Duration::from_hours(1),
                    used: 320,
                    limit: 1_500,
                    usable: 1_500,
                },
            ],
            waiting: Some(Waiting {
                what: "minute window full".to_owned(),
                cause: "minute window full".into(),
                left: Some(Duration::from_millis(40_300)),
            }),
            held: None,
            last_call: LastCall::In(about(192)),
            throttled: 0,
            troubles: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_add_up_to_the_targets() {
        let state = State::example();
        assert_eq!(
            state.counts().join(" · "),
            "accepted 312 · already pending 4 · failed 1 · in flight 3 · busy 20 · to go 660"
        );
        let words = state.counts();
        let counts = words.iter().map(|part| part.rsplit(' ').next().unwrap());
        let sum: u64 = counts.map(|count| count.parse::<u64>().unwrap()).sum();
        assert_eq!(sum, state.targets);
    }

    #[test]
    fn the_gauge_tells_the_windows_and_what_the_next_call_waits_for() {
        let mut state = State::example();
        let gauge = |state: &State| state.gauge().join(" · ");
        assert_eq!(
            gauge(&state),
            "minute 100/100 · hour 320/1,500 · next call in 41 s: minute window full"
        );
        state.windows[1].usable = 750;
        state.waiting = None;
        assert_eq!(
            gauge(&state),
            "minute 100/100 · hour 320/750, cut from 1,500"
        );
        state.waiting = Some(Waiting {
            what: "answers".to_owned(),
            cause: "answers".into(),
            left: None,
        });
        assert!(gauge(&state).ends_with(" · next call after an answer"));
        state.standing.in_flight = 0;
        assert!(gauge(&state).ends_with(" · waiting for answers to other processes' calls"));
        state.ended = state.targets;
        assert_eq!(gauge(&state), "");
    }

    #[test]
    fn of_what_went_wrong_the_latest_three_are_told() {
        let trouble = |what: &str, count| Trouble {
            what: what.to_owned(),
            count,
        };
        let mut state = State::example();
        assert!(state.troubles().is_empty());
        state.troubles = vec![
            trouble("403 DisallowedOperation", 1_200),
            trouble("timed out", 2),
            trouble("503", 1),
            trouble("429", 1),
            trouble("404", 1),
        ];
        assert_eq!(
            state.troubles().join(" · "),
            "403 DisallowedOperation × 1,200 · timed out × 2 · 503 × 1 · and 2 more kinds"
        );
    }

    #[test]
    fn the_last_call_is_told_until_it_has_gone() {
        let mut state = State::example();
        assert_eq!(
            state.arrival(&TimeZone::UTC).unwrap(),
            "last call about 14:32, in 3 h 12 min"
        );
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
        state.ended = state.targets;
        assert_eq!(state.arrival(&TimeZone::UTC), None);
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

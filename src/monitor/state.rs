//! What is reported to a monitor.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use super::{Held, count::grouped, span};

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

/// Where the targets are that have not ended. With those that have, the numbers add up to all targets at any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// A call is on its way, or its answer is being written to the disk.
    pub in_flight: u64,
    /// A scan may have been started; they are looked up before anything else is sent to them.
    pub unconfirmed: u64,
    /// Somebody else is scanning the machine; they wait until that is over.
    pub busy: u64,
    /// Sent to, and to be sent to once more.
    pub retrying: u64,
    /// Never sent to.
    pub to_go: u64,
}

impl Standing {
    /// Each number with its word.
    #[must_use]
    pub fn in_words(&self) -> [(&'static str, u64); 5] {
        [
            ("in flight", self.in_flight),
            ("to look up", self.unconfirmed),
            ("busy", self.busy),
            ("retrying", self.retrying),
            ("to go", self.to_go),
        ]
    }
}

/// A window of the quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its length.
    pub length: Duration,
    /// How many calls count against it.
    pub used: u64,
    /// How many it may hold.
    pub limit: u64,
    /// How many it may hold at the moment: fewer than its limit after refusals by the service.
    pub usable: u64,
}

impl Window {
    /// "minute", "hour", "10 s".
    #[must_use]
    pub fn name(&self) -> String {
        match self.length.as_millis() {
            1_000 => "second".to_owned(),
            60_000 => "minute".to_owned(),
            3_600_000 => "hour".to_owned(),
            86_400_000 => "day".to_owned(),
            _ => span::in_words(self.length),
        }
    }

    /// "minute 73/100", or "minute 40/50, cut from 100".
    #[must_use]
    pub fn in_words(&self) -> String {
        let (name, used, usable) = (self.name(), grouped(self.used), grouped(self.usable));
        if self.usable < self.limit {
            format!("{name} {used}/{usable}, cut from {}", grouped(self.limit))
        } else {
            format!("{name} {used}/{}", grouped(self.limit))
        }
    }
}

/// Something that went wrong with calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Such as "403 `DisallowedOperation`" or "timed out".
    pub what: String,
    /// How often.
    pub count: u64,
}

/// The scans of a campaign, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scans {
    /// How many have which status, in the service's words; no word for those that the list has not shown yet.
    pub by_status: Vec<(String, u64)>,
    /// How many are over.
    pub over: u64,
}

impl Scans {
    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_status.iter().map(|(_, count)| count).sum()
    }

    /// Each status with its count, for people.
    pub fn in_words(&self) -> impl Iterator<Item = String> + '_ {
        self.by_status.iter().map(|(status, count)| {
            let status = if status.is_empty() {
                "not found yet"
            } else {
                status
            };
            format!("{} {status}", grouped(*count))
        })
    }
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

/// How many kinds of trouble are told.
const TROUBLES: usize = 3;

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
            }) => parts.push(format!("next call in {}: {what}", span::in_words(*left))),
            Some(Waiting { left: None, .. }) if self.standing.in_flight > 0 => {
                parts.push("next call after an answer".to_owned());
            }
            Some(Waiting { what, left: None }) => {
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

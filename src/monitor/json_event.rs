//! The events of [`Json`](super::Json), and their form. `docs/MONITORING.md` documents them.
//!
//! The form has a version, which grows when a field loses its meaning. New events and new fields may come at any time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{LastCall, State};
use crate::plain_text;

/// The version of the events' form.
const VERSION: u32 = 1;

/// An event.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum JsonEvent<'a> {
    /// The first call is next.
    Began {
        /// The campaign's id.
        campaign: &'a str,
        /// The number of rows.
        targets: u64,
        /// How many had ended before.
        already_ended: u64,
    },
    /// A target has ended, and its line is in the results.
    Target {
        /// Its line in the input.
        line: u64,
        /// Its machine.
        machine_id: &'a str,
        /// The outcome.
        outcome: &'a str,
        /// Why; may be empty.
        message: &'a str,
    },
    /// The run's state.
    State(JsonState<'a>),
    /// The scans of the campaign, after a look at them.
    Scans {
        /// How many there are.
        total: u64,
        /// How many are over.
        over: u64,
        /// How many have which status; without a status are those that were not found yet.
        by_status: BTreeMap<&'a str, u64>,
    },
    /// A line for people.
    Note {
        /// The line.
        text: &'a str,
    },
    /// The run's summary, as `--summary` writes it.
    Summary {
        /// The summary.
        summary: serde_json::Value,
    },
    /// The last event.
    End {
        /// The exit code.
        exit_code: u8,
        /// Why the command failed, if it did.
        why: Option<&'a str>,
    },
}

/// The state of a run.
#[derive(Debug, Serialize)]
pub struct JsonState<'a> {
    time_utc: Timestamp,
    elapsed_s: f64,
    targets: u64,
    ended: u64,
    outcomes: BTreeMap<&'a str, u64>,
    in_flight: u64,
    to_look_up: u64,
    busy: u64,
    retrying: u64,
    to_go: u64,
    away: u64,
    windows: Vec<JsonWindow>,
    waiting: Option<JsonWaiting<'a>>,
    held: Option<JsonHeld>,
    last_call: JsonLastCall,
    throttled: u64,
    troubles: Vec<JsonTrouble<'a>>,
}

#[derive(Debug, Serialize)]
struct JsonWindow {
    length_s: f64,
    used: u64,
    limit: u64,
    usable: u64,
}

#[derive(Debug, Serialize)]
struct JsonWaiting<'a> {
    what: &'a str,
    left_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct JsonHeld {
    by: &'static str,
    left_s: f64,
}

#[derive(Debug, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum JsonLastCall {
    Gone,
    NotKnown,
    Expected {
        from_s: f64,
        likely_s: f64,
        to_s: Option<f64>,
    },
}

#[derive(Debug, Serialize)]
struct JsonTrouble<'a> {
    what: &'a str,
    count: u64,
}

impl<'a> From<&'a State> for JsonState<'a> {
    fn from(state: &'a State) -> Self {
        let windows = state.windows.iter().map(|window| JsonWindow {
            length_s: window.length.as_secs_f64(),
            used: window.used,
            limit: window.limit,
            usable: window.usable,
        });
        let troubles = state.troubles.iter().map(|trouble| JsonTrouble {
            what: &trouble.what,
            count: trouble.count,
        });
        Self {
            time_utc: state.wall,
            elapsed_s: state.elapsed.as_secs_f64(),
            targets: state.targets,
            ended: state.ended,
            outcomes: state.tally.iter().copied().collect(),
            in_flight: state.standing.in_flight,
            to_look_up: state.standing.unconfirmed,
            busy: state.standing.busy,
            retrying: state.standing.retrying,
            to_go: state.standing.to_go,
            away: state.standing.away,
            windows: windows.collect(),
            waiting: state.waiting.as_ref().map(|waiting| JsonWaiting {
                what: &waiting.what,
                left_s: waiting.left.map(|left| left.as_secs_f64()),
            }),
            held: state.held.map(|held| JsonHeld {
                by: held.by.as_str(),
                left_s: held.left.as_secs_f64(),
            }),
            last_call: match state.last_call {
                LastCall::Gone => JsonLastCall::Gone,
                LastCall::NotKnown => JsonLastCall::NotKnown,
                LastCall::In(expected) => JsonLastCall::Expected {
                    from_s: expected.from.as_secs_f64(),
                    likely_s: expected.likely.as_secs_f64(),
                    to_s: expected.to.map(|to| to.as_secs_f64()),
                },
            },
            throttled: state.throttled,
            troubles: troubles.collect(),
        }
    }
}

impl JsonEvent<'_> {
    /// The event as one line, without characters that a terminal would act on.
    #[must_use]
    pub fn line(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            v: u32,
            #[serde(flatten)]
            event: &'a JsonEvent<'a>,
        }
        let line = Line {
            v: VERSION,
            event: self,
        };
        // All of these are plain structs, whose keys are strings.
        let line = serde_json::to_string(&line).unwrap_or_default();
        plain_text::json(&line).into_owned()
    }
}

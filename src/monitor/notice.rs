//! What `--notify` posts and `--on-end` reads: one form for both. `docs/MONITORING.md` documents it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::plain_text;

/// The version of the form. It grows when a field loses its meaning; new fields and events may come at any time.
const VERSION: u32 = 1;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The run has ended, or was refused.
    End,
    /// A brake stops the run.
    Brake,
    /// Calls have been held back, or will be, for more than an hour.
    Hold,
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// The version of the form.
    pub v: u32,
    /// What it is about.
    pub event: Occasion,
    /// When that was.
    pub time_utc: Timestamp,
    /// The campaign's id; `None` if the run was refused before there was a campaign.
    pub campaign: Option<String>,
    /// One line for people.
    pub text: String,
    /// The number of rows.
    pub targets: u64,
    /// How many have ended.
    pub ended: u64,
    /// How many have ended with which outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Why the run stops, has stopped or was refused.
    pub stopped: Option<String>,
    /// The exit code, at the end.
    pub exit_code: Option<u8>,
    /// The summary as `--summary` writes it, at the end of a run that had begun.
    pub summary: Option<serde_json::Value>,
}

impl Notice {
    /// A notice that knows nothing but this.
    #[must_use]
    pub fn new(event: Occasion, time_utc: Timestamp, text: String) -> Self {
        Self {
            v: VERSION,
            event,
            time_utc,
            campaign: None,
            text,
            targets: 0,
            ended: 0,
            outcomes: BTreeMap::new(),
            stopped: None,
            exit_code: None,
            summary: None,
        }
    }

    /// The notice as one line of JSON, without characters that a terminal would act on.
    #[must_use]
    pub fn line(&self) -> String {
        // All of these are plain structs, whose keys are strings.
        let line = serde_json::to_string(self).unwrap_or_default();
        plain_text::json(&line).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_notice_has_every_field_and_is_one_plain_line() {
        let time = "2024-10-21T11:20:00Z".parse().unwrap();
        let text = "stopped:\n\u{1b}[2J".to_owned();
        let notice = Notice::new(Occasion::Brake, time, text.clone());
        let line = notice.line();
        assert_eq!(line.lines().count(), 1);
        assert!(!line.contains('\u{1b}'), "{line}");
        let expected = json!({
            "v": 1, "event": "brake", "time_utc": "2024-10-21T11:20:00Z", "campaign": null, "text": text,
            "targets": 0, "ended": 0, "outcomes": {}, "stopped": null, "exit_code": null, "summary": null,
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }
}

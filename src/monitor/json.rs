//! Progress for programs: one event a line, as JSON. [`json_event`](super::json_event) has their form.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Began, Ended, JsonEvent, Monitor, Scans, State};

/// The least time between two events of the run's state, on the run's clock.
const APART: Duration = Duration::from_secs(1);

/// Writes events.
pub struct Json(Mutex<Writer>);

struct Writer {
    out: Box<dyn Write + Send>,
    /// When the state was written last.
    last: Option<Duration>,
    /// The last state, if it has not been written.
    unwritten: Option<State>,
}

impl Json {
    /// Writes to `out`.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self(Mutex::new(Writer {
            out,
            last: None,
            unwritten: None,
        }))
    }

    fn writer(&self) -> std::sync::MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Writes an event. An error, such as a closed pipe, is no reason to stop a campaign.
    fn write(&mut self, event: &JsonEvent<'_>) {
        let _ = writeln!(self.out, "{}", event.line()).and_then(|()| self.out.flush());
    }
}

impl Monitor for Json {
    fn began(&self, began: &Began<'_>) {
        self.writer().write(&JsonEvent::Began {
            campaign: began.campaign,
            targets: began.targets,
            already_ended: began.already_ended,
        });
    }

    fn target_ended(&self, ended: &Ended<'_>) {
        self.writer().write(&JsonEvent::Target {
            line: ended.line,
            machine_id: ended.machine_id,
            outcome: ended.outcome,
            message: ended.message,
        });
    }

    fn state(&self, state: &State) {
        let mut writer = self.writer();
        // The end of the last target may be followed by hours of watching scans.
        let is_due = state.ended >= state.targets
            || writer.last.is_none_or(|last| state.elapsed >= last + APART);
        if is_due {
            writer.last = Some(state.elapsed);
            writer.unwritten = None;
            writer.write(&JsonEvent::State(state.into()));
        } else {
            writer.unwritten = Some(state.clone());
        }
    }

    fn scans(&self, scans: &Scans) {
        let by_status = scans.by_status.iter();
        self.writer().write(&JsonEvent::Scans {
            total: scans.total(),
            over: scans.over,
            by_status: by_status.map(|(s, count)| (s.as_str(), *count)).collect(),
        });
    }

    fn note(&self, text: &str) {
        self.writer().write(&JsonEvent::Note { text });
    }

    fn ended(&self) {
        let mut writer = self.writer();
        if let Some(state) = writer.unwritten.take() {
            writer.write(&JsonEvent::State((&state).into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use serde_json::{Value, json};

    use super::*;
    use crate::monitor::Trouble;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(tell: impl FnOnce(&Json)) -> Vec<Value> {
        let out = Shared::default();
        tell(&Json::new(Box::new(out.clone())));
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_state_has_every_number() {
        let mut state = State::example();
        state.troubles.push(Trouble {
            what: "503".to_owned(),
            count: 2,
        });
        let events = told(|json| json.state(&state));
        let expected = json!({
            "v": 1, "event": "state", "time_utc": "2024-10-21T11:20:00Z", "elapsed_s": 20.0,
            "targets": 1000, "ended": 317,
            "outcomes": {"accepted": 312, "already_pending": 4, "failed": 1, "not_found": 0},
            "in_flight": 3, "to_look_up": 0, "busy": 20, "retrying": 0, "to_go": 660, "away": 0,
            "windows": [
                {"length_s": 60.0, "used": 100, "limit": 100, "usable": 100},
                {"length_s": 3600.0, "used": 320, "limit": 1500, "usable": 1500},
            ],
            "waiting": {"what": "minute window full", "left_s": 40.3},
            "held": null,
            "last_call": {"is": "expected", "from_s": 11520.0, "likely_s": 11520.0, "to_s": 11520.0},
            "throttled": 0,
            "troubles": [{"what": "503", "count": 2}],
        });
        assert_eq!(events, [expected]);
    }

    #[test]
    fn states_come_once_a_second_and_the_last_one_always() {
        let at = |millis, ended| State {
            elapsed: Duration::from_millis(millis),
            ended,
            ..State::example()
        };
        let events = told(|json| {
            for (millis, ended) in [(0, 1), (999, 2), (1_000, 3), (1_500, 4)] {
                json.state(&at(millis, ended));
            }
            json.ended();
        });
        let ended: Vec<_> = events.iter().map(|event| &event["ended"]).collect();
        assert_eq!(ended, [&json!(1), &json!(3), &json!(4)]);
    }

    #[test]
    fn an_event_is_one_line_whatever_others_wrote() {
        let text = "stopped:\n\u{1b}[2J\u{202e}";
        let line = JsonEvent::Note { text }.line();
        assert_eq!(line.lines().count(), 1);
        assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line}");
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event, json!({"v": 1, "event": "note", "text": text}));
    }
}

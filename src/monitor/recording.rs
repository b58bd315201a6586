//! A monitor for tests, which remembers everything.

use std::sync::{Mutex, PoisonError};

use super::{Began, Ended, Monitor, Scans, State};

/// What was reported to a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// [`Monitor::began`]
    Began {
        /// The campaign's id.
        campaign: String,
        /// All rows.
        targets: u64,
        /// Those that had ended before.
        already_ended: u64,
    },
    /// [`Monitor::target_ended`]
    TargetEnded {
        /// Its line in the input.
        line: u64,
        /// Its machine.
        machine_id: String,
        /// The outcome's name.
        outcome: String,
        /// Why.
        message: String,
    },
    /// [`Monitor::state`]
    State(Box<State>),
    /// [`Monitor::scans`]
    Scans(Scans),
    /// [`Monitor::braked`]
    Braked(String),
    /// [`Monitor::note`]
    Note(String),
    /// [`Monitor::ended`]
    Ended,
}

/// Keeps every event, in order.
#[derive(Debug, Default)]
pub struct Recording {
    events: Mutex<Vec<Event>>,
}

impl Recording {
    /// Everything so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// The notes so far.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let events = self.lock();
        let notes = events.iter().filter_map(|event| match event {
            Event::Note(text) => Some(text.clone()),
            _ => None,
        });
        notes.collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Event>> {
        // Even after a panic elsewhere, a test may want to see the events.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, event: Event) {
        self.lock().push(event);
    }
}

impl Monitor for Recording {
    fn began(&self, began: &Began<'_>) {
        self.keep(Event::Began {
            campaign: began.campaign.to_owned(),
            targets: began.targets,
            already_ended: began.already_ended,
        });
    }

    fn target_ended(&self, ended: &Ended<'_>) {
        self.keep(Event::TargetEnded {
            line: ended.line,
            machine_id: ended.machine_id.to_owned(),
            outcome: ended.outcome.to_owned(),
            message: ended.message.to_owned(),
        });
    }

    fn state(&self, state: &State) {
        self.keep(Event::State(Box::new(state.clone())));
    }

    fn scans(&self, scans: &Scans) {
        self.keep(Event::Scans(scans.clone()));
    }

    fn braked(&self, why: &str) {
        self.keep(Event::Braked(why.to_owned()));
    }

    fn note(&self, text: &str) {
        self.keep(Event::Note(text.to_owned()));
    }

    fn ended(&self) {
        self.keep(Event::Ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_kept_in_order() {
        let monitor = Recording::default();
        monitor.note("hello");
        monitor.state(&State::example());
        monitor.ended();
        assert_eq!(
            monitor.events(),
            [
                Event::Note("hello".to_owned()),
                Event::State(Box::new(State::example())),
                Event::Ended
            ]
        );
        assert_eq!(monitor.notes(), ["hello"]);
    }
}

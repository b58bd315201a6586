//! Progress, for people and for tests.
//!
//! - this file: the port, [`Monitor`]. The campaign reports to it, and gets nothing back.
//! - [`state`], [`called`]: what is reported.
//! - [`bar`], [`lines`], [`json`] (with [`json_event`]), [`silent`]: shows it on a terminal, elsewhere, to programs, or
//!   not at all.
//! - [`metrics`]: numbers for Prometheus. [`pulse`]: whether the run is alive.
//! - [`occasions`]: what somebody is notified of, as a [`notice`]. [`several`]: all of these at once.
//! - `page`: the lines below the bar. `canvas`: draws them. `keys`: what is typed meanwhile.
//! - [`recording`]: a test double that remembers everything.
//! - [`span`]: durations as text. [`count`]: counts as text.
//! - [`logs`]: `tracing` events on stderr, above the bar, or in a file.

pub mod bar;
pub mod called;
mod canvas;
pub mod count;
pub mod expected;
pub mod json;
pub mod json_event;
pub(crate) mod keys;
pub mod lines;
pub mod logs;
pub mod metrics;
pub mod notice;
pub mod occasions;
mod page;
pub mod pulse;
pub mod recording;
pub mod several;
pub mod silent;
pub mod span;
pub mod standing;
pub mod state;

use std::time::Duration;

pub use bar::Bar;
pub use called::{Called, Held, Holder};
pub use expected::{Expected, LastCall};
pub use json::Json;
pub use json_event::JsonEvent;
pub use lines::Lines;
pub use metrics::Metrics;
pub use notice::Notice;
pub use occasions::Occasions;
pub use pulse::Pulse;
pub use recording::{Event, Recording};
pub use several::Several;
pub use silent::{NotesOnly, Silent};
pub use standing::{Scans, Standing, Trouble, Window};
pub use state::{Began, Ended, State, Waiting};

/// Receives reports of a run's progress. Every method must return quickly, because the dispatcher waits for it.
pub trait Monitor: Send + Sync {
    /// The roster has been read and stored, and the first call is next.
    fn began(&self, began: &Began<'_>) {
        let _ = began;
    }

    /// A target has ended. Its outcome is stored, and its line is in the results file.
    fn target_ended(&self, ended: &Ended<'_>) {
        let _ = ended;
    }

    /// The run's state, after every change, and about once a second while nothing changes.
    fn state(&self, state: &State) {
        let _ = state;
    }

    /// How the scans of the campaign stand, after each look at them.
    fn scans(&self, scans: &Scans) {
        let _ = scans;
    }

    /// A start was answered, or given up, this long after the quota had room for it.
    fn answered(&self, since_due: Duration) {
        let _ = since_due;
    }

    /// A call of any kind was answered, or given up.
    fn called(&self, call: &Called<'_>) {
        let _ = call;
    }

    /// A brake stops the run, for this reason. Calls that are in flight are still waited for.
    fn braked(&self, why: &str) {
        let _ = why;
    }

    /// No more calls go out, and this was the last state. The scans may still be followed.
    fn sent_all(&self) {}

    /// One line for the user.
    fn note(&self, text: &str) {
        let _ = text;
    }

    /// One line that is shown even if progress and notes are not: the result of the run, and where it is.
    fn say(&self, text: &str) {
        self.note(text);
    }

    /// Stops drawing, or resumes it, because the user is being asked something at the terminal.
    fn hush(&self, hushed: bool) {
        let _ = hushed;
    }

    /// The run is over. This is the last report.
    fn ended(&self) {}
}

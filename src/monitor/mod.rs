//! Progress, for people and for tests.
//!
//! - this file: the port, [`Monitor`]: the campaign tells it what happened, and it never answers back.
//! - [`state`]: what it is told.
//! - [`bar`], [`lines`], [`silent`]: on a terminal, elsewhere, not at all.
//! - [`recording`]: a double that remembers everything.
//! - [`span`]: lengths of time in words. [`count`]: counts.
//! - [`logs`]: `tracing` on stderr, above the bar, or in a file.

pub mod bar;
pub mod count;
pub mod lines;
pub mod logs;
pub mod recording;
pub mod silent;
pub mod span;
pub mod state;

pub use bar::Bar;
pub use lines::Lines;
pub use recording::{Event, Recording};
pub use silent::{NotesOnly, Silent};
pub use state::{Began, Ended, Expected, LastCall, State, Waiting};

/// Is told how a run goes. Every method returns soon: the dispatcher waits for it.
pub trait Monitor: Send + Sync {
    /// The roster is read and stored; the first call is next.
    fn began(&self, began: &Began<'_>);

    /// A target has ended: its outcome is stored, and its line is in the results file.
    fn target_ended(&self, ended: &Ended<'_>);

    /// How things stand; told after whatever changes it, and about once a second while nothing does.
    fn state(&self, state: &State);

    /// One line for the person at the terminal.
    fn note(&self, text: &str);

    /// One line that is said whatever is hidden: what came of it all, and where it went.
    fn say(&self, text: &str) {
        self.note(text);
    }

    /// Somebody is asked something at the terminal from now on, or no more: meanwhile nothing is drawn.
    fn hush(&self, hushed: bool) {
        let _ = hushed;
    }

    /// The run is over; nothing comes after this.
    fn ended(&self);
}

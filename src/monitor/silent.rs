//! No progress at all.

use std::io::{self, Write as _};

use super::{Began, Ended, Monitor, State};
use crate::plain_text::one_line;

/// Shows no progress, and says what a person should know: `--progress none`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotesOnly;

impl Monitor for NotesOnly {
    fn began(&self, _: &Began<'_>) {}
    fn target_ended(&self, _: &Ended<'_>) {}
    fn state(&self, _: &State) {}

    fn note(&self, text: &str) {
        to_stderr(text);
    }

    fn ended(&self) {}
}

/// Shows no progress and no notes: `-q`. What is to be said whatever is hidden is a line on stderr.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn began(&self, _: &Began<'_>) {}
    fn target_ended(&self, _: &Ended<'_>) {}
    fn state(&self, _: &State) {}
    fn note(&self, _: &str) {}

    fn say(&self, text: &str) {
        to_stderr(text);
    }

    fn ended(&self) {}
}

/// Nobody is left to tell if stderr is gone.
fn to_stderr(text: &str) {
    let _ = writeln!(io::stderr(), "{}", one_line(text).trim_end());
}

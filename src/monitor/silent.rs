//! Monitors that show no progress.

use std::io::{self, Write as _};

use super::Monitor;
use crate::plain_text::one_line;

/// Shows no progress, but notes: `--progress none`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotesOnly;

impl Monitor for NotesOnly {
    fn note(&self, text: &str) {
        to_stderr(text);
    }
}

/// Shows neither progress nor notes, but what is said in any case: `-q`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn say(&self, text: &str) {
        to_stderr(text);
    }
}

/// Writes a line. If stderr is gone, there is nobody to report the error to.
fn to_stderr(text: &str) {
    let _ = writeln!(io::stderr(), "{}", one_line(text).trim_end());
}

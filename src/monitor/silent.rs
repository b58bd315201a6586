//! No progress at all.

use super::{Began, Ended, Monitor, State};

/// Says nothing, notes included: `--progress none`. What matters is in the summary and in the exit code.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn began(&self, _: &Began<'_>) {}
    fn target_ended(&self, _: &Ended<'_>) {}
    fn state(&self, _: &State) {}
    fn note(&self, _: &str) {}
    fn ended(&self) {}
}

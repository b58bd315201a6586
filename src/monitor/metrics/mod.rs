//! The numbers of a run for Prometheus, as OpenMetrics text. `docs/MONITORING.md` documents them.
//!
//! - this file: the monitor. `families`: the metrics themselves.

mod families;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::text::encode;

use families::Families;

use super::{Began, Called, Monitor, Scans, State};

/// What [`Metrics::text`] is, for the header of an HTTP answer.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Keeps the numbers that were reported last.
///
/// One lock holds all of them, so that a text never has some of one state and some of the next.
#[derive(Default)]
pub struct Metrics(Mutex<Families>);

impl Metrics {
    /// All metrics as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.families().registry);
        text
    }

    fn families(&self) -> std::sync::MutexGuard<'_, Families> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for Metrics {
    fn began(&self, began: &Began<'_>) {
        self.families().about(began.id());
    }

    fn state(&self, state: &State) {
        self.families().set_state(state);
    }

    fn scans(&self, scans: &Scans) {
        self.families().set_scans(scans);
    }

    fn called(&self, call: &Called<'_>) {
        self.families().count(call);
    }
}

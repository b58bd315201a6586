//! Times from the moment at which a call was due to its answer.

use std::{sync::Mutex, time::Duration};

use hdrhistogram::Histogram;

use crate::monitor::Monitor;

/// Times in microseconds, each with how often it was measured, within a hundredth.
pub(super) type Counts = Vec<(u64, u64)>;

/// Collects the times of one round.
pub(super) struct Latencies(Mutex<Histogram<u64>>);

impl Latencies {
    pub(super) fn new() -> Self {
        Self(Mutex::new(empty()))
    }

    pub(super) fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Ok(mut times) = self.0.lock() {
            // It grows as it must, so this cannot fail below 600,000 years.
            let _ = times.record(micros);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let Ok(times) = self.0.lock() else {
            return Vec::new();
        };
        let recorded = times.iter_recorded();
        recorded
            .map(|value| (value.value_iterated_to(), value.count_at_value()))
            .collect()
    }
}

/// No times yet, with a resolution of a hundredth.
pub(super) fn empty() -> Histogram<u64> {
    let made = Histogram::new(2);
    #[expect(
        clippy::expect_used,
        reason = "two digits are a precision that a histogram can have"
    )]
    made.expect("a histogram of two digits")
}

impl Monitor for Latencies {
    fn answered(&self, since_due: Duration) {
        self.add(since_due);
    }
}

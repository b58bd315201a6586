//! How many machines were started in each hour of a simulation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    campaign::outcome::Outcome,
    cli::screen,
    monitor::{Began, Ended, Monitor},
    quota::{Clock, Moment},
};

/// Counts the machines that are accepted, by hour.
pub(super) struct Hours {
    clock: Arc<dyn Clock>,
    began: Moment,
    /// Whether notes are shown.
    speaks: bool,
    accepted: Mutex<Vec<u64>>,
}

impl Hours {
    pub(super) fn new(clock: Arc<dyn Clock>, speaks: bool) -> Self {
        Self {
            began: clock.now(),
            clock,
            speaks,
            accepted: Mutex::default(),
        }
    }

    /// How many machines had been accepted at the end of each hour, from the first to the last in which one was.
    pub(super) fn cumulative(&self) -> Vec<u64> {
        let mut in_all = 0;
        let by_hour = self.by_hour();
        let sums = by_hour.iter().map(|accepted| {
            in_all += accepted;
            in_all
        });
        sums.collect()
    }

    fn by_hour(&self) -> MutexGuard<'_, Vec<u64>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for Hours {
    fn began(&self, began: &Began<'_>) {
        if self.speaks {
            screen::say(&began.in_words());
        }
    }

    fn target_ended(&self, ended: &Ended<'_>) {
        if ended.outcome != Outcome::Accepted.as_str() {
            return;
        }
        let hour = self.clock.now().since(self.began).as_secs() / 3600;
        let mut by_hour = self.by_hour();
        if let Ok(hour) = usize::try_from(hour) {
            if by_hour.len() <= hour {
                by_hour.resize(hour + 1, 0);
            }
            by_hour[hour] += 1;
        }
    }

    fn note(&self, text: &str) {
        if self.speaks {
            screen::say(text);
        }
    }
}

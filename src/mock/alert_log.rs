//! Which alerts there are besides those of the scans that are remembered.

use std::time::Duration;

use super::{
    alert::Alert,
    clock::ServerClock,
    config::{MockConfig, within},
    machine::{Machine, stable},
};

/// No two alerts of others are closer than this, so that making them ends.
const CLOSEST: Duration = Duration::from_secs(1);

/// The alerts that do not follow from the scans that are remembered.
#[derive(Debug)]
pub(super) struct Alerts {
    /// Those of before and of others so far, and those of scans that are forgotten.
    pub(super) made: Vec<Alert>,
    /// When others create the next one.
    next: Option<Duration>,
    dice: fastrand::Rng,
}

impl Alerts {
    pub(super) fn new(config: &MockConfig, inventory: &[Machine], clock: &ServerClock) -> Self {
        let numbers = 0..config.alerts.existing;
        let existing = numbers.map(|n| Alert::existing(n, inventory, config, clock));
        let mut alerts = Self {
            made: existing.collect(),
            next: None,
            dice: stable(config.seed, "alerts of others"),
        };
        alerts.next = alerts.next_after(Duration::ZERO, config);
        alerts
    }

    fn next_after(&mut self, at: Duration, config: &MockConfig) -> Option<Duration> {
        let pause = within(&mut self.dice, config.alerts.ongoing.as_ref()?);
        at.checked_add(pause.max(CLOSEST))
    }

    /// Makes the alerts that others create until now.
    pub(super) fn go_on(
        &mut self,
        now: Duration,
        config: &MockConfig,
        inventory: &[Machine],
        clock: &ServerClock,
    ) {
        while let Some(at) = self.next.filter(|at| *at <= now) {
            let alert = Alert::ongoing(at, &mut self.dice, inventory, config, clock);
            self.made.push(alert);
            self.next = self.next_after(at, config);
        }
    }

    /// Keeps the alert of a scan that is about to be forgotten.
    pub(super) fn keep(&mut self, alert: Option<Alert>) {
        self.made.extend(alert);
    }
}

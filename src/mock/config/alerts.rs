//! The tenant's alerts.

use std::{ops::RangeInclusive, time::Duration};

/// The list of alerts. By default there are none. They depend on the seed, on the machines and on the scans.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertsConfig {
    /// The share of machines, from 0 to 1, on which every scan finds something. A scan that fails or times out finds
    /// nothing, and neither does one that is cancelled before.
    pub finding_chance: f64,
    /// The time from the beginning of such a scan, which is the end of `Pending`, to its alert.
    pub found_after: RangeInclusive<Duration>,
    /// How long after its creation the list shows an alert.
    pub lag: RangeInclusive<Duration>,
    /// The share of alerts, from 0 to 1, that are resolved later.
    pub resolved: f64,
    /// How long after their creation.
    pub resolved_after: RangeInclusive<Duration>,
    /// How many alerts were created before the tenant's start, by the antivirus and by others.
    pub existing: usize,
    /// How long before the start they were created at most.
    pub existing_within: Duration,
    /// The time between two alerts that others than the antivirus create after the start. `None` means that they create
    /// none. It is never less than a second.
    pub ongoing: Option<RangeInclusive<Duration>>,
    /// The share of those of before and of others, from 0 to 1, whose machine is not in the inventory.
    pub strangers: f64,
    /// The share of alerts, from 0 to 1, whose machine's id is in upper case.
    pub other_case: f64,
    /// The share of the antivirus's alerts, from 0 to 1, that name no family of threats.
    pub without_family: f64,
    /// Whether the tenant's cloud does not have the list: each call is answered with 404.
    pub missing: bool,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            finding_chance: 0.0,
            found_after: Duration::from_secs(10)..=Duration::from_mins(1),
            lag: Duration::ZERO..=Duration::ZERO,
            resolved: 0.0,
            resolved_after: Duration::from_mins(10)..=Duration::from_hours(4),
            existing: 0,
            existing_within: Duration::from_hours(30 * 24),
            ongoing: None,
            strangers: 0.2,
            other_case: 0.0,
            without_family: 0.0,
            missing: false,
        }
    }
}

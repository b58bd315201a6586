//! What the machines report of their own antivirus.

use std::{ops::RangeInclusive, time::Duration};

use serde::Deserialize;

/// The list of what machines report of their antivirus (`deviceavinfo`). What a machine reports depends on the seed and
/// on its id.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthConfig {
    /// The share of machines, from 0 to 1, that have no report.
    pub never: f64,
    /// The share of machines, from 0 to 1, that have several rows. Only the newest is true of the machine.
    pub repeated: f64,
    /// How many rows such a machine has.
    pub rows: u32,
    /// How old the newest row of a machine is. A scan that ended later is not in it.
    pub lag: RangeInclusive<Duration>,
    /// The share of machines, from 0 to 1, whose antivirus is in passive mode.
    pub passive: f64,
    /// The share of those where it is disabled.
    pub disabled: f64,
    /// The share of those where it is in EDR block mode.
    pub edr_block: f64,
    /// The share of machines, from 0 to 1, whose signatures are out of date.
    pub old_signatures: f64,
    /// Whether scans on machines where it is disabled end as `Failed`, and do not run. They are not in the report then.
    pub disabled_fails: bool,
    /// The share of scans, from 0 to 1, that are never in the report although they ran.
    pub silent: f64,
    /// How often machines begin quick scans by themselves, except where the antivirus is passive or disabled: each at
    /// an interval of its own. `None` means never.
    pub scheduled: Option<RangeInclusive<Duration>>,
    /// Which time of a scan the report has. Microsoft has not said which it is (MDE-API.md, section 9).
    pub time: ReportedTime,
    /// Whether the tenant's cloud does not have the list: each call is answered with 404.
    pub missing: bool,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            never: 0.05,
            repeated: 0.1,
            rows: 2,
            lag: Duration::ZERO..=Duration::ZERO,
            passive: 0.1,
            disabled: 0.02,
            edr_block: 0.03,
            old_signatures: 0.1,
            disabled_fails: false,
            silent: 0.0,
            scheduled: None,
            time: ReportedTime::End,
            missing: false,
        }
    }
}

/// Which time of a scan a report has. In either case it has the scan when that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportedTime {
    /// When it began to run.
    Start,
    /// When it ended.
    End,
}

//! `[alerts]`: which alerts the tenant has, and how they are listed.

use serde::Deserialize;

use super::{
    set,
    text::{Range, Share, Span},
};
use crate::mock::config::MockConfig;

/// The keys of `[alerts]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AlertsSection {
    finding_chance: Option<Share>,
    found_after: Option<Range>,
    lag: Option<Range>,
    resolved: Option<Share>,
    resolved_after: Option<Range>,
    existing: Option<usize>,
    existing_within: Option<Span>,
    ongoing: Option<Range>,
    strangers: Option<Share>,
    other_case: Option<Share>,
    without_family: Option<Share>,
    missing: Option<bool>,
}

impl AlertsSection {
    pub(super) fn apply_to(self, config: &mut MockConfig) {
        let alerts = &mut config.alerts;
        set(&mut alerts.finding_chance, self.finding_chance);
        set(&mut alerts.found_after, self.found_after);
        set(&mut alerts.lag, self.lag);
        set(&mut alerts.resolved, self.resolved);
        set(&mut alerts.resolved_after, self.resolved_after);
        set(&mut alerts.existing, self.existing);
        set(&mut alerts.existing_within, self.existing_within);
        if let Some(ongoing) = self.ongoing {
            alerts.ongoing = Some(ongoing.0);
        }
        set(&mut alerts.strangers, self.strangers);
        set(&mut alerts.other_case, self.other_case);
        set(&mut alerts.without_family, self.without_family);
        set(&mut alerts.missing, self.missing);
    }
}

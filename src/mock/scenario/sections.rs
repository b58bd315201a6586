//! The tables of a scenario file.

use serde::Deserialize;

use super::{
    ScenarioError, set,
    text::{LatencyText, LimitText, Range, Share, Span},
};
use crate::mock::config::{
    BusyShape, CancelOfFinal, Coming, Comments, Endless, Fleet, ForbidWords, Kinds, ListOption,
    MockConfig, Model, ReportedTime, RetryAfter, Tokens, Vanish,
};

/// `[fleet]`: which machines there are, and what they are like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FleetSection {
    machines: Option<usize>,
    ids: Option<Ids>,
    domain: Option<String>,
    groups: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    inactive: Option<Share>,
    repeated_names: Option<Share>,
    departed_every: Option<usize>,
    unknown: Option<Share>,
    unsupported: Option<Share>,
    offline: Option<Share>,
    away_for: Option<Range>,
    here_for: Option<Range>,
    poison: Vec<String>,
    restricted: Vec<String>,
}

/// Which ids can be scanned besides those of the inventory.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ids {
    Any,
    Hex40,
    Hex,
}

impl FleetSection {
    pub(super) fn apply_to(self, config: &mut MockConfig) -> Result<(), ScenarioError> {
        config.coming = match (self.away_for, self.here_for) {
            (Some(away), here) => Some(Coming {
                away_for: away.0,
                here_for: here.map(|here| here.0),
            }),
            (None, None) => config.coming.take(),
            (None, Some(_)) => {
                return Err(ScenarioError::Contradiction(
                    "fleet.here-for goes with fleet.away-for",
                ));
            }
        };
        set(&mut config.machines, self.machines);
        set(
            &mut config.fleet,
            self.ids.map(|ids| match ids {
                Ids::Any => Fleet::Any,
                Ids::Hex40 => Fleet::Hex40,
                Ids::Hex => Fleet::Hex,
            }),
        );
        let make_up = &mut config.make_up;
        set(&mut make_up.domain, self.domain.map(dotted));
        set(&mut make_up.groups, self.groups);
        set(&mut make_up.tags, self.tags);
        set(&mut make_up.inactive, self.inactive);
        set(&mut make_up.repeated_names, self.repeated_names);
        set(&mut config.departed_every, self.departed_every);
        let chances = &mut config.chances;
        set(&mut chances.unknown, self.unknown);
        set(&mut chances.unsupported, self.unsupported);
        set(&mut chances.offline, self.offline);
        config.poison.extend(self.poison);
        config.restricted.extend(self.restricted);
        Ok(())
    }
}

/// A domain as it follows a host.
fn dotted(domain: String) -> String {
    if domain.is_empty() {
        domain
    } else {
        format!(".{domain}")
    }
}

/// `[quota]`: how many calls the tenant takes, and what it says to the others.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct QuotaSection {
    limits: Option<Vec<LimitText>>,
    health_limits: Option<Vec<LimitText>>,
    model: Option<ModelName>,
    phase: Option<Span>,
    bucket_size: Option<u32>,
    count_refused: Option<bool>,
    kinds: Option<Kinds>,
    other_caller: Option<Share>,
    cpu_429: Option<Share>,
    retry_after: Option<RetryAfter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ModelName {
    Sliding,
    Fixed,
    Bucket,
}

impl QuotaSection {
    pub(super) fn apply_to(self, config: &mut MockConfig) -> Result<(), ScenarioError> {
        let quota = &mut config.quota;
        if let Some(limits) = self.limits {
            quota.limits = limits.into_iter().map(|limit| limit.0).collect();
        }
        if let Some(limits) = self.health_limits {
            quota.health_limits = limits.into_iter().map(|limit| limit.0).collect();
        }
        let model = match (self.model, self.phase, self.bucket_size) {
            (None, None, None) => None,
            (Some(ModelName::Sliding), None, None) => Some(Model::Sliding),
            (Some(ModelName::Fixed), phase, None) => Some(Model::Fixed {
                phase: phase.map(|phase| phase.0).unwrap_or_default(),
            }),
            (Some(ModelName::Bucket), None, size) => Some(Model::Bucket { size }),
            _ => {
                return Err(ScenarioError::Contradiction(
                    "quota.phase goes with model = \"fixed\", and quota.bucket-size with model = \"bucket\"",
                ));
            }
        };
        set(&mut quota.model, model);
        set(&mut quota.count_refused, self.count_refused);
        set(&mut quota.kinds, self.kinds);
        set(&mut quota.other_caller, self.other_caller);
        set(&mut quota.retry_after, self.retry_after);
        set(&mut config.chances.cpu_429, self.cpu_429);
        Ok(())
    }
}

/// `[network]`: how long answers take, and what becomes of calls on their way.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct NetworkSection {
    latency: Option<LatencyText>,
    error_before: Option<Share>,
    error_after: Option<Share>,
    early: Option<Share>,
    reset_before: Option<Share>,
    reset_after: Option<Share>,
    truncated: Option<Share>,
    not_json: Option<Share>,
    html: Option<Share>,
    spurious_404: Option<Share>,
}

impl NetworkSection {
    pub(super) fn apply_to(self, config: &mut MockConfig) {
        set(&mut config.latency, self.latency);
        let chances = &mut config.chances;
        set(&mut chances.error_before, self.error_before);
        set(&mut chances.error_after, self.error_after);
        set(&mut chances.early, self.early);
        set(&mut chances.reset_before, self.reset_before);
        set(&mut chances.reset_after, self.reset_after);
        set(&mut chances.truncated, self.truncated);
        set(&mut chances.not_json, self.not_json);
        set(&mut chances.html, self.html);
        set(&mut chances.spurious_404, self.spurious_404);
    }
}

/// `[scans]`: how scans go, and what the tenant says about those that run already.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ScansSection {
    time: Option<Range>,
    busy: Option<Share>,
    busy_for: Option<Range>,
    busy_shape: Option<BusyShape>,
    failed: Option<Share>,
    timed_out: Option<Share>,
    cancelled: Option<Share>,
    offline_time_out: Option<Span>,
    cancel_of_final: Option<CancelOfFinal>,
}

impl ScansSection {
    pub(super) fn apply_to(self, config: &mut MockConfig) {
        set(&mut config.scan_time, self.time);
        if let Some(busy_for) = self.busy_for {
            config.foreign_scan_time = Some(busy_for.0);
        }
        set(&mut config.chances.busy, self.busy);
        set(&mut config.busy_shape, self.busy_shape);
        set(&mut config.ends.failed, self.failed);
        set(&mut config.ends.timed_out, self.timed_out);
        set(&mut config.ends.cancelled, self.cancelled);
        set(&mut config.offline_time_out, self.offline_time_out);
        set(&mut config.cancel_of_final, self.cancel_of_final);
    }
}

/// `[lists]`: how the lists of scans and machines are shown.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ListsSection {
    lag: Option<Range>,
    page_limit: Option<u32>,
    rows_arriving: Option<u32>,
    rows_vanishing: Option<u32>,
    vanish: Option<Vanish>,
    endless: Option<Endless>,
    refuse: Vec<ListOption>,
    empty_is_404: Option<bool>,
    comments: Option<CommentsShown>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CommentsShown {
    Whole,
    Truncated,
    Missing,
}

/// Where comments are cut off.
const COMMENT_LENGTH: usize = 20;

impl ListsSection {
    pub(super) fn apply_to(self, config: &mut MockConfig) {
        set(&mut config.listing_lag, self.lag);
        config.page_limit = self.page_limit.or(config.page_limit);
        set(&mut config.moving.arriving, self.rows_arriving);
        set(&mut config.moving.vanishing, self.rows_vanishing);
        set(&mut config.moving.vanish, self.vanish);
        config.endless = self.endless.or(config.endless);
        config.refuses.extend(self.refuse);
        set(&mut config.empty_inventory_is_404, self.empty_is_404);
        set(
            &mut config.comments,
            self.comments.map(|shown| match shown {
                CommentsShown::Whole => Comments::Whole,
                CommentsShown::Truncated => Comments::Truncated(COMMENT_LENGTH),
                CommentsShown::Missing => Comments::Null,
            }),
        );
    }
}

/// `[health]`: what machines report of their antivirus.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HealthSection {
    never: Option<Share>,
    repeated: Option<Share>,
    rows: Option<u32>,
    lag: Option<Range>,
    passive: Option<Share>,
    disabled: Option<Share>,
    edr_block: Option<Share>,
    old_signatures: Option<Share>,
    disabled_fails: Option<bool>,
    silent: Option<Share>,
    scheduled: Option<Range>,
    time: Option<ReportedTime>,
    missing: Option<bool>,
}

impl HealthSection {
    pub(super) fn apply_to(self, config: &mut MockConfig) {
        let health = &mut config.health;
        set(&mut health.never, self.never);
        set(&mut health.repeated, self.repeated);
        set(&mut health.rows, self.rows);
        set(&mut health.lag, self.lag);
        set(&mut health.passive, self.passive);
        set(&mut health.disabled, self.disabled);
        set(&mut health.edr_block, self.edr_block);
        set(&mut health.old_signatures, self.old_signatures);
        set(&mut health.disabled_fails, self.disabled_fails);
        set(&mut health.silent, self.silent);
        if let Some(scheduled) = self.scheduled {
            health.scheduled = Some(scheduled.0);
        }
        set(&mut health.time, self.time);
        set(&mut health.missing, self.missing);
    }
}

/// `[sign-in]`: tokens and roles.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SignInSection {
    token_life: Option<Span>,
    roles: Option<Vec<String>>,
    revoke_after: Option<Span>,
    revoke_words: Option<ForbidWords>,
}

impl SignInSection {
    pub(super) fn apply_to(self, config: &mut MockConfig) {
        if let Some(life) = self.token_life {
            config.sign_in.expires_in = life.0;
            config.sign_in.tokens = Tokens::Issued;
        }
        set(&mut config.sign_in.roles, self.roles);
        if let Some(after) = self.revoke_after {
            config.forbid_starts_from = Some(after.0);
        }
        set(&mut config.forbid_words, self.revoke_words);
    }
}

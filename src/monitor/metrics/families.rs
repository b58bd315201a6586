//! The metrics: names, types, units and labels. Counts of targets are gauges, because targets are reopened and added.

use std::{borrow::Cow, sync::atomic::AtomicU64, time::Duration};

use jiff::SignedDuration;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use crate::monitor::{Called, LastCall, Scans, State};

/// From a call that a proxy on this computer refuses to one that is given up; most take 0.1 s to 1 s.
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0,
];

/// Names of labels with their values.
type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];

type Count = Gauge<u64, AtomicU64>;
type Number = Gauge<f64, AtomicU64>;

/// A number that may not be known.
type Maybe = Family<Labels<0>, Number>;

/// All metrics of a run.
pub(super) struct Families {
    pub(super) registry: Registry,
    calls: Family<Labels<2>, Counter>,
    call_duration: Family<Labels<1>, Histogram, fn() -> Histogram>,
    targets: Family<Labels<1>, Count>,
    targets_open: Family<Labels<1>, Count>,
    quota_used: Family<Labels<1>, Number>,
    quota_limit: Family<Labels<1>, Count>,
    quota_usable: Family<Labels<1>, Count>,
    hold: Number,
    last_call: Maybe,
    last_success: Maybe,
    scans: Family<Labels<1>, Count>,
    /// The starts that had been accepted by the last state.
    accepted: Option<u64>,
}

impl Default for Families {
    fn default() -> Self {
        let families = Self {
            registry: Registry::default(),
            calls: Family::default(),
            call_duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            targets: Family::default(),
            targets_open: Family::default(),
            quota_used: Family::default(),
            quota_limit: Family::default(),
            quota_usable: Family::default(),
            hold: Number::default(),
            last_call: Family::default(),
            last_success: Family::default(),
            scans: Family::default(),
            accepted: None,
        };
        families.registered()
    }
}

impl Families {
    fn registered(mut self) -> Self {
        let all = &mut self.registry;
        all.register(
            "fleetsweep_calls",
            "Calls of this run, by kind and by the HTTP status or what came in its place",
            self.calls.clone(),
        );
        all.register_with_unit(
            "fleetsweep_call_duration",
            "How long calls took, from the request to the last byte of the answer",
            Unit::Seconds,
            self.call_duration.clone(),
        );
        all.register(
            "fleetsweep_targets",
            "Targets that have ended in any run, by outcome",
            self.targets.clone(),
        );
        all.register(
            "fleetsweep_targets_open",
            "Targets that have not ended, by where they stand",
            self.targets_open.clone(),
        );
        all.register_with_unit(
            "fleetsweep_quota_used",
            "The share of the limit on scan starts that is used, other processes' calls included",
            Unit::Other("ratio".to_owned()),
            self.quota_used.clone(),
        );
        all.register(
            "fleetsweep_quota_limit",
            "How many scan starts a window may hold",
            self.quota_limit.clone(),
        );
        all.register(
            "fleetsweep_quota_usable",
            "How many it may hold at the moment: fewer after refusals by the service",
            self.quota_usable.clone(),
        );
        all.register_with_unit(
            "fleetsweep_hold",
            "For how much longer calls are held at the service's request or by an outage",
            Unit::Seconds,
            self.hold.clone(),
        );
        all.register_with_unit(
            "fleetsweep_last_call_timestamp",
            "When the last call is expected to go out, while that is known",
            Unit::Seconds,
            self.last_call.clone(),
        );
        all.register_with_unit(
            "fleetsweep_last_success_timestamp",
            "When this run saw a scan start accepted last",
            Unit::Seconds,
            self.last_success.clone(),
        );
        all.register(
            "fleetsweep_scans",
            "The campaign's scans by the service's status, after the last look at them",
            self.scans.clone(),
        );
        self
    }

    /// Says which program this is, and which campaign.
    pub(super) fn about(&mut self, campaign: &str) {
        let labels = vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("campaign", campaign.to_owned()),
        ];
        // This type of metric gets the suffix `_info`.
        let help = "The program's version and the campaign";
        self.registry
            .register("fleetsweep", help, Info::new(labels));
    }

    pub(super) fn count(&self, call: &Called<'_>) {
        let kind = ("kind", Cow::Borrowed(call.kind));
        let code = ("code", Cow::Owned(call.code.to_owned()));
        self.calls.get_or_create(&[kind.clone(), code]).inc();
        let durations = self.call_duration.get_or_create(&[kind]);
        durations.observe(call.took.as_secs_f64());
    }

    pub(super) fn set_state(&mut self, state: &State) {
        for (outcome, count) in &state.tally {
            set(&self.targets, "outcome", Cow::Borrowed(outcome), *count);
        }
        let standing = &state.standing;
        for (name, count) in [
            ("in_flight", standing.in_flight),
            ("to_look_up", standing.unconfirmed),
            ("busy", standing.busy),
            ("retrying", standing.retrying),
            ("to_go", standing.to_go),
            ("away", standing.away),
        ] {
            set(&self.targets_open, "standing", Cow::Borrowed(name), count);
        }
        for window in &state.windows {
            let name = length(window.length);
            set(&self.quota_limit, "window", name.clone(), window.limit);
            set(&self.quota_usable, "window", name.clone(), window.usable);
            #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
            let used = window.used as f64 / window.limit.max(1) as f64;
            self.quota_used.get_or_create(&[("window", name)]).set(used);
        }
        let held = state.held.map_or(Duration::ZERO, |held| held.left);
        self.hold.set(held.as_secs_f64());
        let now = state.wall.as_duration().as_secs_f64();
        if let LastCall::In(expected) = state.last_call {
            let at = now + expected.likely.as_secs_f64();
            self.last_call.get_or_create(&[]).set(at);
        } else {
            self.last_call.clear();
        }
        let accepted = state.tally.iter().find(|(name, _)| *name == "accepted");
        let accepted = accepted.map_or(0, |(_, count)| *count);
        // What the first state has was accepted by earlier runs.
        if self.accepted.is_some_and(|before| accepted > before) {
            self.last_success.get_or_create(&[]).set(now);
        }
        self.accepted = Some(accepted);
    }

    pub(super) fn set_scans(&self, scans: &Scans) {
        // A status that no scan has any more goes.
        self.scans.clear();
        for (status, count) in &scans.by_status {
            set(&self.scans, "status", Cow::Owned(status.clone()), *count);
        }
    }
}

fn set(family: &Family<Labels<1>, Count>, label: &'static str, value: Cow<'static, str>, n: u64) {
    family.get_or_create(&[(label, value)]).set(n);
}

/// A window's length as `--limit` takes it: `1m`, `1h`.
fn length(length: Duration) -> Cow<'static, str> {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    Cow::Owned(format!("{length:#}").replace(' ', ""))
}

//! What a machine's antivirus does: its mode, the scans that it begins by itself, and which scans it runs and reports.

use std::{collections::BTreeMap, time::Duration};

use super::{
    config::{HealthConfig, MockConfig, within},
    machine::stable,
    scans::{Action, Status},
    tenant::Tenant,
};

/// How long ago a machine's own quick and full scans were at most, before its first report.
const QUICK_AGO: i64 = 14 * 86_400;
const FULL_AGO: i64 = 90 * 86_400;

/// Scans that a machine begins by itself are no closer than this.
const CLOSEST: Duration = Duration::from_secs(1);

/// What is drawn of a row of the report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn {
    /// How many seconds ago the machine's own quick scan was.
    pub(super) quick: Option<i64>,
    /// The same of its full scan.
    pub(super) full: Option<i64>,
    pub(super) id: u128,
    /// `avMode`. An old row has another one than the newest.
    pub(super) mode: &'static str,
    pub(super) old_signatures: bool,
}

impl Drawn {
    /// Row 0 is the newest.
    pub(super) fn of(machine: &str, row: u32, config: &MockConfig) -> Self {
        let health = &config.health;
        let mut dice = stable(config.seed, &format!("row {row} {machine}"));
        let mut own = |chance: f64, ago: i64| {
            let is_there = dice.f64() < chance;
            let ago = dice.i64(0..ago);
            is_there.then_some(ago)
        };
        let (quick, full) = (own(0.9, QUICK_AGO), own(0.3, FULL_AGO));
        let id = dice.u128(..);
        let is_old = row > 0;
        Self {
            quick,
            full,
            id,
            mode: if is_old { "3" } else { mode(health, &mut dice) },
            old_signatures: is_old || dice.f64() < health.old_signatures,
        }
    }
}

/// `avMode` of a machine.
fn mode(config: &HealthConfig, dice: &mut fastrand::Rng) -> &'static str {
    let mut left = dice.f64();
    let mut falls = |share: f64| {
        left -= share;
        left < 0.0
    };
    if falls(config.passive) {
        "1"
    } else if falls(config.disabled) {
        "2"
    } else if falls(config.edr_block) {
        "4"
    } else {
        "0"
    }
}

/// The quick scans that a machine begins by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    first: Duration,
    every: Duration,
    takes: Duration,
}

impl Schedule {
    /// Machines in passive mode have none, and those where the antivirus is disabled.
    fn of(machine: &str, config: &MockConfig) -> Option<Self> {
        let scheduled = config.health.scheduled.as_ref()?;
        if matches!(Drawn::of(machine, 0, config).mode, "1" | "2") {
            return None;
        }
        let mut rng = stable(config.seed, &format!("scheduled {machine}"));
        let every = within(&mut rng, scheduled).max(CLOSEST);
        Some(Self {
            first: every.mul_f64(rng.f64()),
            every,
            takes: within(&mut rng, &config.scan_time),
        })
    }

    /// When they begin and end, without end.
    fn runs(self) -> impl Iterator<Item = (Duration, Duration)> {
        let runs = std::iter::successors(Some(self.first), move |at| at.checked_add(self.every));
        runs.map(move |at| (at, at.saturating_add(self.takes)))
    }

    /// The last that has ended by then.
    fn last_by(self, then: Duration) -> Option<(Duration, Duration)> {
        let since_first = then.checked_sub(self.first.saturating_add(self.takes))?;
        let before = since_first.as_nanos() / self.every.as_nanos();
        let began = self.first + self.every * u32::try_from(before).ok()?;
        Some((began, began.saturating_add(self.takes)))
    }
}

/// Who began a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginner {
    /// A call.
    Call,
    /// Somebody else, as from the portal.
    Elsewhere,
    /// The machine, by its schedule.
    Machine,
}

/// A scan that ran, in time since the tenant's start. For tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrueScan {
    /// When it began to run.
    pub began: Duration,
    /// When it ended, or will end.
    pub ended: Duration,
    /// Whether it is a full scan.
    pub full: bool,
    /// Who began it.
    pub by: Beginner,
    /// Whether the machine's report has it, if the machine has one, once that is new enough.
    pub is_reported: bool,
}

impl Tenant {
    /// Whether scans on this machine fail because its antivirus is disabled.
    pub(super) fn fails_on(&self, machine: &str) -> bool {
        let config = &self.config;
        config.health.disabled_fails && Drawn::of(machine, 0, config).mode == "2"
    }

    /// Whether the machine's report will have this scan once it has ended.
    pub(super) fn is_reported(&self, action: &Action) -> bool {
        let silent = self.config.health.silent;
        let is_silent = silent > 0.0
            && stable(self.config.seed, &format!("silent {:x}", action.id)).f64() < silent;
        !is_silent && !self.fails_on(&action.machine)
    }

    /// The last scan that the machine began by itself and that has ended by then: its beginning and its end.
    pub(super) fn last_scheduled(
        &self,
        machine: &str,
        then: Duration,
    ) -> Option<(Duration, Duration)> {
        Schedule::of(machine, &self.config)?.last_by(then)
    }

    /// The scans that have begun to run by now on each machine, by its id in lower case and in the order of their
    /// beginnings, without those that are forgotten. One that ends as `TimeOut` counts as one that never ran, and so
    /// does one that fails because the antivirus is disabled. For tests.
    #[must_use]
    pub fn true_scans(&self) -> BTreeMap<String, Vec<TrueScan>> {
        let state = self.lock();
        let now = self.clock.now();
        let mut all = BTreeMap::<String, Vec<TrueScan>>::new();
        let ran = state.scans.all().filter(|scan| self.ran(scan, now));
        for action in ran {
            let scan = TrueScan {
                began: action.begins,
                ended: action.span().ends,
                full: action.full,
                by: if action.foreign {
                    Beginner::Elsewhere
                } else {
                    Beginner::Call
                },
                is_reported: self.is_reported(action),
            };
            all.entry(action.machine.to_string())
                .or_default()
                .push(scan);
        }
        for machine in &state.inventory {
            let schedule = Schedule::of(&machine.id, &self.config);
            let runs = schedule.into_iter().flat_map(Schedule::runs);
            for (began, ended) in runs.take_while(|(began, _)| *began <= now) {
                all.entry(machine.id.clone()).or_default().push(TrueScan {
                    began,
                    ended,
                    full: false,
                    by: Beginner::Machine,
                    is_reported: true,
                });
            }
        }
        drop(state);
        for scans in all.values_mut() {
            scans.sort_by_key(|scan| scan.began);
        }
        all
    }

    fn ran(&self, scan: &Action, now: Duration) -> bool {
        let cancelled = scan.cancelled.as_ref();
        let in_time = cancelled.is_none_or(|(at, _)| scan.begins < *at);
        scan.begins <= now
            && in_time
            && scan.end != Status::TimeOut
            && !self.fails_on(&scan.machine)
    }
}

//! One alert: how it comes about, how it is filtered by, and how it is sent (MDE-API.md, section 8).

use std::{borrow::Cow, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    clock::{ServerClock, stamp},
    config::{AlertsConfig, MockConfig, within},
    filter::{Row, Type, Value},
    machine::{Machine, dns_name, random_id, stable},
    scans::{Action, Status},
};

/// The antivirus, as alerts name it.
pub(super) const ANTIVIRUS: &str = "WindowsDefenderAv";

/// An alert. Its status is what changes with time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) id: String,
    incident: i64,
    /// The machine's id, as the alert writes it.
    pub(super) machine: String,
    computer: String,
    pub(super) created: Timestamp,
    first_event: Timestamp,
    /// From when on the list shows it, in time since the tenant's start.
    pub(super) seen_from: Duration,
    resolved: Option<Timestamp>,
    pub(super) source: &'static str,
    severity: &'static str,
    category: &'static str,
    family: Option<&'static str>,
    threat: Option<&'static str>,
    title: String,
    /// Whether a scan has found it.
    pub(super) by_scan: bool,
}

/// Families of threats, with one of each.
const THREATS: [(&str, &str); 6] = [
    ("Wacatac", "Trojan:Win32/Wacatac.B!ml"),
    ("Emotet", "Trojan:Win64/Emotet.PB!MTB"),
    ("Mimikatz", "HackTool:Win32/Mimikatz.D"),
    ("AutoKMS", "HackTool:Win32/AutoKMS"),
    ("Qakbot", "Backdoor:Win32/Qakbot.G"),
    ("EICAR_Test_File", "Virus:DOS/EICAR_Test_File"),
];

const SEVERITIES: [&str; 5] = ["Informational", "Low", "Medium", "High", "UnSpecified"];

/// Alerts of others than the antivirus: their source, category and title.
const OTHERS: [(&str, &str, &str); 6] = [
    (
        "WindowsDefenderAtp",
        "Execution",
        "Suspicious PowerShell command line",
    ),
    (
        "WindowsDefenderAtp",
        "CredentialAccess",
        "Sensitive credential memory read",
    ),
    (
        "WindowsDefenderSmartScreen",
        "InitialAccess",
        "SmartScreen warning was ignored",
    ),
    (
        "CustomTI",
        "SuspiciousActivity",
        "An indicator of the organization was met",
    ),
    (
        "CustomDetection",
        "LateralMovement",
        "A custom detection rule has matched",
    ),
    // Malware of which others tell is no finding of a scan.
    (
        "WindowsDefenderAtp",
        "Malware",
        "Malware was seen by endpoint detection",
    ),
];

impl Alert {
    /// The alert of a scan, if the scan finds something, whether or not that time has come.
    pub(super) fn of_scan(
        action: &Action,
        config: &MockConfig,
        clock: &ServerClock,
    ) -> Option<Self> {
        let alerts = &config.alerts;
        let chance = stable(config.seed, &format!("finding {}", action.machine)).f64();
        if chance >= alerts.finding_chance {
            return None;
        }
        let mut rng = stable(config.seed, &format!("finding of {:x}", action.id));
        let at = action
            .begins
            .saturating_add(within(&mut rng, &alerts.found_after));
        let finds = match &action.cancelled {
            Some((cancelled, _)) => at < *cancelled,
            None => !matches!(action.end, Status::Failed | Status::TimeOut),
        };
        finds.then(|| {
            let machine = action.machine.to_string();
            let alert = Self::drawn(machine, clock.wall(at), true, &mut rng, config);
            Self {
                seen_from: at.saturating_add(within(&mut rng, &alerts.lag)),
                by_scan: true,
                ..alert
            }
        })
    }

    /// The alert with this number of those that were there before the start.
    pub(super) fn existing(
        number: usize,
        inventory: &[Machine],
        config: &MockConfig,
        clock: &ServerClock,
    ) -> Self {
        let alerts = &config.alerts;
        let mut rng = stable(config.seed, &format!("alert {number}"));
        let machine = any_machine(inventory, alerts, &mut rng);
        // At least a moment ago.
        let ago = alerts.existing_within.mul_f64(1.0 - rng.f64());
        let by_antivirus = rng.bool();
        let created = earlier(clock.wall(Duration::ZERO), ago);
        let alert = Self::drawn(machine, created, by_antivirus, &mut rng, config);
        Self {
            seen_from: within(&mut rng, &alerts.lag).saturating_sub(ago),
            ..alert
        }
    }

    /// An alert that others than the antivirus create at this time.
    pub(super) fn ongoing(
        at: Duration,
        rng: &mut fastrand::Rng,
        inventory: &[Machine],
        config: &MockConfig,
        clock: &ServerClock,
    ) -> Self {
        let machine = any_machine(inventory, &config.alerts, rng);
        let alert = Self::drawn(machine, clock.wall(at), false, rng, config);
        Self {
            seen_from: at.saturating_add(within(rng, &config.alerts.lag)),
            ..alert
        }
    }

    fn drawn(
        machine: String,
        created: Timestamp,
        by_antivirus: bool,
        rng: &mut fastrand::Rng,
        config: &MockConfig,
    ) -> Self {
        let alerts = &config.alerts;
        let computer = dns_name(&machine, &config.make_up.domain);
        let is_upper = rng.f64() < alerts.other_case;
        let (family, threat) = THREATS[rng.usize(..THREATS.len())];
        let names_family = by_antivirus && rng.f64() >= alerts.without_family;
        let (source, category, title) = OTHERS[rng.usize(..OTHERS.len())];
        let resolved = rng.f64() < alerts.resolved;
        let after = SignedDuration::try_from(within(rng, &alerts.resolved_after)).ok();
        Self {
            id: format!("da{}_{}", rng.u64(ID_NUMBERS), rng.i32(..)),
            incident: rng.i64(1..2_000_000),
            machine: if is_upper {
                machine.to_uppercase()
            } else {
                machine
            },
            computer,
            created,
            first_event: earlier(created, Duration::from_millis(rng.u64(..5_000))),
            seen_from: Duration::ZERO,
            resolved: after
                .and_then(|after| created.checked_add(after).ok())
                .filter(|_| resolved),
            source: if by_antivirus { ANTIVIRUS } else { source },
            severity: SEVERITIES[rng.usize(..SEVERITIES.len())],
            category: if by_antivirus { "Malware" } else { category },
            family: names_family.then_some(family),
            threat: names_family.then_some(threat),
            title: match (by_antivirus, names_family) {
                (true, true) => format!("'{family}' malware was detected"),
                (true, false) => "Malware was detected".to_owned(),
                (false, _) => title.to_owned(),
            },
            by_scan: false,
        }
    }

    /// The alert as it is at this time of the wall clock.
    pub(super) const fn at(&self, now: Timestamp) -> Shown<'_> {
        Shown { alert: self, now }
    }
}

/// Numbers of as many digits as those in the service's ids.
const ID_NUMBERS: std::ops::Range<u64> = 100_000_000_000_000_000..1_000_000_000_000_000_000;

/// A machine of the inventory, or one that is not in it.
fn any_machine(inventory: &[Machine], alerts: &AlertsConfig, rng: &mut fastrand::Rng) -> String {
    let is_stranger = rng.f64() < alerts.strangers;
    let known = rng.choice(inventory).filter(|_| !is_stranger);
    known.map_or_else(|| random_id(rng), |machine| machine.id.clone())
}

/// So long before, in the precision that answers show.
fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    let by = Duration::from_micros(u64::try_from(by.as_micros()).unwrap_or(u64::MAX));
    let by = SignedDuration::try_from(by).ok();
    by.and_then(|by| time.checked_sub(by).ok()).unwrap_or(time)
}

/// An alert at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    alert: &'a Alert,
    now: Timestamp,
}

impl<'a> Shown<'a> {
    fn resolved(self) -> Option<Timestamp> {
        self.alert.resolved.filter(|at| *at <= self.now)
    }

    fn status(self) -> &'static str {
        self.resolved().map_or("New", |_| "Resolved")
    }

    fn updated(self) -> Timestamp {
        self.resolved().unwrap_or(self.alert.created)
    }

    /// The alert as it is sent.
    pub(super) fn item(self) -> Item<'a> {
        let alert = self.alert;
        Item {
            id: &alert.id,
            incident_id: alert.incident,
            investigation_id: None,
            assigned_to: None,
            severity: alert.severity,
            status: self.status(),
            classification: None,
            determination: None,
            investigation_state: "UnsupportedAlertType",
            detection_source: alert.source,
            category: alert.category,
            threat_family_name: alert.family,
            title: &alert.title,
            description: "An alert of the mock tenant.",
            alert_creation_time: stamp(alert.created),
            first_event_time: stamp(alert.first_event),
            last_event_time: stamp(alert.created),
            last_update_time: stamp(self.updated()),
            resolved_time: self.resolved().map(stamp),
            machine_id: &alert.machine,
            computer_dns_name: &alert.computer,
            threat_name: alert.threat,
            mitre_techniques: [],
            comments: [],
            evidence: [],
        }
    }
}

/// An alert as it is sent: those of the documented fields that say nothing about people, in their order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item<'a> {
    id: &'a str,
    incident_id: i64,
    investigation_id: Option<()>,
    assigned_to: Option<()>,
    severity: &'static str,
    status: &'static str,
    classification: Option<()>,
    determination: Option<()>,
    investigation_state: &'static str,
    detection_source: &'static str,
    category: &'static str,
    threat_family_name: Option<&'static str>,
    title: &'a str,
    description: &'static str,
    alert_creation_time: String,
    first_event_time: String,
    last_event_time: String,
    last_update_time: String,
    resolved_time: Option<String>,
    machine_id: &'a str,
    computer_dns_name: &'a str,
    threat_name: Option<&'static str>,
    mitre_techniques: [(); 0],
    comments: [(); 0],
    evidence: [(); 0],
}

impl Row for Shown<'_> {
    /// The documented ones; the machine is not among them.
    const FIELDS: &'static [(&'static str, Type)] = &[
        ("alertCreationTime", Type::Time),
        ("lastUpdateTime", Type::Time),
        ("lastEventTime", Type::Time),
        ("incidentId", Type::Number),
        ("investigationId", Type::Number),
        ("id", Type::Text),
        ("assignedTo", Type::Text),
        ("detectionSource", Type::Text),
        ("status", Type::Text),
        ("severity", Type::Text),
        ("category", Type::Text),
    ];

    fn value(&self, field: &str) -> Value<'_> {
        let text = |text| Value::Text(Cow::Borrowed(text));
        let alert = self.alert;
        match field {
            "alertCreationTime" | "lastEventTime" => Value::Time(alert.created),
            "lastUpdateTime" => Value::Time(self.updated()),
            "incidentId" => Value::Number(alert.incident),
            "id" => text(&alert.id),
            "detectionSource" => text(alert.source),
            "status" => text(self.status()),
            "severity" => text(alert.severity),
            "category" => text(alert.category),
            // Nobody is assigned, and nothing is investigated.
            _ => Value::Null,
        }
    }
}

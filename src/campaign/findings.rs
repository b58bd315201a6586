//! Which alerts are on the campaign's machines since their scans began. Whether the scan or something else found what
//! an alert tells of is not known.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    fmt,
};

use jiff::Timestamp;

use crate::{
    client::{
        alerts::{Alerts, AlertsError, key},
        wire_time::time,
    },
    defender::wire::Alert,
    store::{Finding, Store, StoreError},
};

/// The severities of alerts (MDE-API.md, section 8), the least one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// `UnSpecified`, or nothing.
    Unspecified,
    /// `Informational`
    Informational,
    /// `Low`
    Low,
    /// `Medium`
    Medium,
    /// `High`
    High,
    /// A word that is not documented, which may mean something graver.
    Unknown,
}

impl Severity {
    /// All of them, the gravest one first.
    pub const ALL: [Self; 6] = [
        Self::Unknown,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Informational,
        Self::Unspecified,
    ];

    /// The severity that the service means by this word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        let is = |severity: &Self| severity.as_str().eq_ignore_ascii_case(word.trim());
        match Self::ALL.into_iter().find(is) {
            Some(severity) => severity,
            None if word.trim().is_empty() => Self::Unspecified,
            None => Self::Unknown,
        }
    }

    /// The word in messages and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The family of what was found, as far as the service names it.
#[must_use]
pub fn family(finding: &Finding) -> &str {
    let mut names = [&finding.family, &finding.threat].into_iter();
    names
        .find(|name| !name.is_empty())
        .map_or("not named", String::as_str)
}

/// The machine's name, or else its id.
#[must_use]
pub fn computer(finding: &Finding) -> &str {
    if finding.computer.is_empty() {
        &finding.machine_id
    } else {
        &finding.computer
    }
}

/// Which alerts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those that were created at or after this time, in place of the beginning of each machine's scan.
    pub since: Option<Timestamp>,
    /// Those that were created at or before this time.
    pub until: Option<Timestamp>,
    /// Those of the antivirus alone.
    pub only_antivirus: bool,
    /// Those of at least this severity.
    pub least: Option<Severity>,
}

/// The campaign's machines, and since when each of them is asked about.
#[derive(Debug, Default)]
pub struct Machines {
    /// By id, in lower case. About 100 bytes a machine.
    scanned: HashMap<Box<str>, Scanned>,
    earliest: Option<Timestamp>,
}

#[derive(Debug)]
struct Scanned {
    n: u64,
    machine_id: Box<str>,
    began: Option<Timestamp>,
}

impl Scanned {
    /// Whether its scan began, and earlier than that of the other.
    fn is_earlier_than(&self, other: &Self) -> bool {
        self.began
            .is_some_and(|began| other.began.is_none_or(|other| began < other))
    }
}

impl Machines {
    /// Reads them from the state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of(store: &Store) -> Result<Self, StoreError> {
        let mut machines = Self::default();
        store.each_scanned_machine(|machine| {
            if let Some(began) = machine.began {
                let earliest = machines.earliest.map_or(began, |known| known.min(began));
                machines.earliest = Some(earliest);
            }
            let scanned = Scanned {
                n: machine.n,
                machine_id: machine.machine_id.as_str().into(),
                began: machine.began,
            };
            let id = machine.machine_id.to_ascii_lowercase().into();
            match machines.scanned.entry(id) {
                Entry::Vacant(entry) => drop(entry.insert(scanned)),
                // A machine may stand in several rows, of which all but one were left out.
                Entry::Occupied(mut entry) if scanned.is_earlier_than(entry.get()) => {
                    entry.insert(scanned);
                }
                Entry::Occupied(_) => {}
            }
        })?;
        Ok(machines)
    }

    /// How many machines are asked about.
    #[must_use]
    pub fn asked_about(&self, wanted: &Wanted) -> u64 {
        let is_asked = |scanned: &&Scanned| wanted.since.or(scanned.began).is_some();
        self.scanned.values().filter(is_asked).count() as u64
    }
}

/// The findings so far. Every look at the alerts adds to them.
#[derive(Debug, Default)]
pub struct Findings {
    /// By the alert's id, in lower case, with when it was last changed.
    by_alert: HashMap<Box<str>, (String, Finding)>,
    told: HashSet<Box<str>>,
    /// Whether the list changed each time that it was read, so that an alert may be missing.
    pub moved: bool,
}

impl Findings {
    /// Looks at the alerts. Returns `false` without a call if there is no machine to ask about.
    ///
    /// # Errors
    /// The alerts cannot be read.
    pub async fn look(
        &mut self,
        alerts: &impl Alerts,
        machines: &Machines,
        wanted: &Wanted,
    ) -> Result<bool, AlertsError> {
        let Some(since) = wanted.since.or(machines.earliest) else {
            return Ok(false);
        };
        self.moved = alerts
            .since(since, |alert| self.take(alert, machines, wanted))
            .await?;
        Ok(true)
    }

    /// Takes over an alert if it is wanted, and newer than what is known of it.
    fn take(&mut self, alert: &Alert, machines: &Machines, wanted: &Wanted) {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let machine = text(&alert.machine_id).trim().to_ascii_lowercase();
        let Some(scanned) = machines.scanned.get(machine.as_str()) else {
            return;
        };
        let Some(since) = wanted.since.or(scanned.began) else {
            return;
        };
        // A time that cannot be read leaves nothing out.
        let created = time(alert.alert_creation_time.as_deref());
        let is_early = created.is_some_and(|at| at < since);
        let is_late = created
            .zip(wanted.until)
            .is_some_and(|(at, until)| at > until);
        let severity = Severity::of(alert.severity.as_deref().unwrap_or_default());
        let is_light = wanted.least.is_some_and(|least| severity < least);
        let is_others = wanted.only_antivirus && !is_of_antivirus(alert);
        if is_early || is_late || is_light || is_others {
            return;
        }
        let changed = text(&alert.last_update_time);
        let key: Box<str> = key(alert).to_ascii_lowercase().into();
        if let Some((known, _)) = self.by_alert.get(&*key)
            && time(Some(&changed))
                .zip(time(Some(known)))
                .is_some_and(|(changed, known)| changed <= known)
        {
            return;
        }
        let finding = Finding {
            key: key.to_string(),
            n: scanned.n,
            machine_id: scanned.machine_id.to_string(),
            created: text(&alert.alert_creation_time),
            alert: text(&alert.id),
            computer: text(&alert.computer_dns_name),
            severity: text(&alert.severity),
            family: text(&alert.threat_family_name),
            threat: text(&alert.threat_name),
            title: text(&alert.title),
            category: text(&alert.category),
            status: text(&alert.status),
            incident: text(&alert.incident_id),
            source: text(&alert.detection_source),
            last_event: text(&alert.last_event_time),
            began: scanned.began,
        };
        self.by_alert.insert(key, (changed, finding));
    }

    /// All findings, by the time of their creation.
    #[must_use]
    pub fn all(&self) -> Vec<&Finding> {
        let mut all: Vec<_> = self.by_alert.values().map(|(_, finding)| finding).collect();
        all.sort_unstable_by(|a, b| (&a.created, &a.key).cmp(&(&b.created, &b.key)));
        all
    }

    /// The findings that this has not returned before.
    pub fn new_ones(&mut self) -> Vec<Finding> {
        let mut new: Vec<_> = self
            .by_alert
            .iter()
            .filter(|(key, _)| !self.told.contains(*key))
            .map(|(key, (_, finding))| (key.clone(), finding.clone()))
            .collect();
        new.sort_unstable_by(|(_, a), (_, b)| (&a.created, &a.alert).cmp(&(&b.created, &b.alert)));
        let told = new.iter().map(|(key, _)| key.clone());
        self.told.extend(told);
        new.into_iter().map(|(_, finding)| finding).collect()
    }
}

/// Whether the antivirus has detected it. The service also writes the source without the `WindowsDefender` in front.
fn is_of_antivirus(alert: &Alert) -> bool {
    let source = alert.detection_source.as_deref().unwrap_or_default();
    ["WindowsDefenderAv", "Antivirus"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(source))
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;

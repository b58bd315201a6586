//! Which machines need no scan, or cannot have one, and why.

use jiff::{SignedDuration, Timestamp};

use super::Questions;
use crate::{
    client::health::{AvMode, DeviceHealth, HealthReport, ScanChoice},
    defender::wire::Machine,
    roster::{Skip, Skips},
};

/// The tag by which the service shows that response actions on a machine are restricted (MDE-API.md, section 9).
const RESTRICTED: &str = "Restricted security operations";

/// Adds a machine that its entry in the inventory says cannot be scanned.
pub(super) fn by_inventory(machine: &Machine, skips: &mut Skips) {
    let merged_into = machine.merged_into_machine_id.as_deref().map(str::trim);
    let why = if let Some(into) = merged_into.filter(|into| !into.is_empty()) {
        format!("the inventory has it as merged into {into}")
    } else if machine.is_excluded == Some(true) {
        let reason = machine.exclusion_reason.as_deref();
        let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        format!("the inventory has it as excluded{reason}")
    } else if is_restricted(machine) {
        format!("the service restricts actions on it (its tag is `{RESTRICTED}`)")
    } else {
        return;
    };
    skips.add(&machine.id, for_any_scan(&why));
}

fn is_restricted(machine: &Machine) -> bool {
    let mut tags = machine.machine_tags.iter().flatten();
    tags.any(|tag| tag.trim().eq_ignore_ascii_case(RESTRICTED))
}

/// Adds the machines whose own report says that they need no scan or cannot have one.
pub(super) fn by_report(
    report: &HealthReport,
    questions: Questions,
    now: Timestamp,
    skips: &mut Skips,
) {
    for (id, health) in report.each() {
        if questions.unscannable && health.mode == AvMode::Disabled {
            skips.add(
                id,
                for_any_scan("its antivirus is disabled, by its own report"),
            );
        }
        if let Some(span) = questions.scanned_within {
            skips.add(id, scanned(health, span, now));
        }
    }
}

/// A full scan is worth a quick one, and not the other way round.
fn scanned(health: &DeviceHealth, span: SignedDuration, now: Timestamp) -> Skip {
    let why = |which: ScanChoice, what: &str| {
        let at = health.last_completed(which)?;
        let is_within = health.scanned_within(which, span, now);
        let at = at.strftime("%Y-%m-%dT%H:%MZ");
        is_within.then(|| format!("{what} scan at {at}, by its own report").into())
    };
    let full: Option<Box<str>> = why(ScanChoice::Full, "full");
    Skip {
        quick: why(ScanChoice::Quick, "quick").or_else(|| full.clone()),
        full,
    }
}

fn for_any_scan(why: &str) -> Skip {
    Skip {
        quick: Some(why.into()),
        full: Some(why.into()),
    }
}

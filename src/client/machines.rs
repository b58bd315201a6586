//! The tenant's machine inventory, read page by page.

use std::{borrow::Cow, collections::HashSet};

use jiff::{SignedDuration, Timestamp};

pub(crate) use super::list::TOP;
use super::{
    caller::{CallError, Caller},
    list::{self, Broken, Listed, Progress},
};
use crate::defender::{Call, Defender, Order, wire::Machine};

/// Which machines to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// An `OData` filter, sent as it is.
    pub filter: Option<String>,
    /// Any of these `osPlatform`s.
    pub os: Vec<String>,
    /// All of these tags.
    pub tags: Vec<String>,
    /// Any of these `healthStatus`es.
    pub health: Vec<String>,
    /// Any of these `riskScore`s.
    pub risk: Vec<String>,
    /// Any of these device groups. Compared on this side: the service filters by a group's number, not by its
    /// name.
    pub groups: Vec<String>,
    /// Seen within this time.
    pub seen_within: Option<SignedDuration>,
    /// Only machines that are onboarded, and neither merged into another one nor excluded. The latter is
    /// checked on this side: the service cannot filter by it.
    pub onboarded: bool,
}

impl Wanted {
    /// The filter to send, if there is one.
    #[must_use]
    pub fn odata(&self, now: Timestamp) -> Option<String> {
        let mut parts: Vec<String> = self.filter.iter().map(|text| format!("({text})")).collect();
        let mut any = |field: &str, values: &[String]| {
            let tests: Vec<_> = values
                .iter()
                .map(|value| format!("{field} eq {}", quoted(value)))
                .collect();
            match tests.as_slice() {
                [] => {}
                [one] => parts.push(one.clone()),
                _ => parts.push(format!("({})", tests.join(" or "))),
            }
        };
        any("osPlatform", &self.os);
        any("healthStatus", &self.health);
        any("riskScore", &self.risk);
        parts.extend(
            self.tags
                .iter()
                .map(|tag| format!("machineTags/any(tag: tag eq {})", quoted(tag))),
        );
        parts.extend(self.seen_within.map(|span| {
            let since = now.saturating_sub(span).unwrap_or(Timestamp::MIN);
            format!("lastSeen ge {}", since.strftime("%Y-%m-%dT%H:%M:%SZ"))
        }));
        if self.onboarded {
            parts.push("onboardingStatus eq 'Onboarded'".to_owned());
        }
        if let ([only], Some(text)) = (parts.as_slice(), &self.filter) {
            debug_assert!(only.contains(text.as_str()));
            return Some(text.clone());
        }
        (!parts.is_empty()).then(|| parts.join(" and "))
    }

    /// Whether this selects every machine.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    fn admits(&self, machine: &Machine) -> bool {
        let has_departed = machine.is_excluded == Some(true)
            || machine
                .merged_into_machine_id
                .as_deref()
                .is_some_and(|into| !into.trim().is_empty());
        if self.onboarded && has_departed {
            return false;
        }
        let group = machine.rbac_group_name.as_deref().unwrap_or_default();
        self.groups.is_empty()
            || self
                .groups
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(group))
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The result of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListResult {
    /// The number of machines passed on.
    pub machines: u64,
    /// Rows moved every time the list was read, so a machine may be missing.
    pub moved: bool,
    /// The number of calls it took.
    pub calls: u64,
}

/// The inventory, by a filter.
struct Inventory(Option<String>);

impl Listed for Inventory {
    type Row = Machine;
    // "No match may be an empty list or 404."
    const EMPTY_IS_404: bool = true;

    fn call(&self, skip: u32, order: Order) -> Call {
        Call::Machines {
            filter: self.0.clone(),
            skip,
            top: TOP,
            order,
        }
    }

    fn key(machine: &Machine) -> Cow<'_, str> {
        Cow::Borrowed(&machine.id)
    }
}

/// Reads the list to its end and passes each machine to `take` once. `progress` is called after each page.
///
/// # Errors
/// A page was refused or lost, the list has no end, or `take` failed ([`ListError::Take`]).
pub async fn list<D: Defender, E>(
    caller: &Caller<D>,
    wanted: &Wanted,
    now: Timestamp,
    mut take: impl FnMut(&Machine) -> Result<(), E>,
    mut progress: impl FnMut(&ListResult),
) -> Result<ListResult, ListError<E>> {
    let mut seen = HashSet::new();
    let mut listed = ListResult::default();
    let inventory = Inventory(wanted.odata(now));
    let read = list::read(caller, &inventory, |came| {
        let Progress::Page { rows, .. } = came else {
            return Ok(());
        };
        for machine in rows {
            let is_first = seen.insert(machine.id.to_ascii_lowercase());
            if is_first && wanted.admits(machine) {
                listed.machines += 1;
                take(machine)?;
            }
        }
        listed.calls = caller.calls();
        progress(&listed);
        Ok(())
    });
    match read.await {
        Ok(moved) => Ok(ListResult { moved, ..listed }),
        Err(Broken::Call(e)) => Err(ListError::Call(e)),
        Err(Broken::Taker(e)) => Err(ListError::Take(e)),
        Err(Broken::NotFound) => Err(ListError::Call(CallError::Refused(list::not_found()))),
        Err(Broken::Endless) => Err(ListError::Endless(listed.machines)),
    }
}

/// Why a listing stopped early.
#[derive(Debug, thiserror::Error)]
pub enum ListError<E> {
    /// A call failed.
    #[error("{0}")]
    Call(CallError),
    /// The list has no end; this many machines had come.
    #[error(
        "the list of machines has no end: after {0} machines the service shows the same or ever more"
    )]
    Endless(u64),
    /// `take` failed.
    #[error("{0}")]
    Take(E),
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

    #[test]
    fn shortcuts_become_one_filter() {
        assert_eq!(Wanted::default().odata(NOW), None);
        let own = Wanted {
            filter: Some("a eq 'b' or c eq 'd'".into()),
            ..Wanted::default()
        };
        assert_eq!(own.odata(NOW).unwrap(), "a eq 'b' or c eq 'd'");
        let all = Wanted {
            filter: Some("a eq 'b' or c eq 'd'".into()),
            os: vec!["Windows11".into(), "Windows10".into()],
            tags: vec!["it's".into()],
            health: vec!["Active".into()],
            risk: vec!["High".into()],
            groups: vec!["Servers".into()],
            seen_within: Some(SignedDuration::from_hours(168)),
            onboarded: true,
        };
        assert_eq!(
            all.odata(NOW).unwrap(),
            "(a eq 'b' or c eq 'd') and (osPlatform eq 'Windows11' or osPlatform eq 'Windows10') and \
             healthStatus eq 'Active' and riskScore eq 'High' and machineTags/any(tag: tag eq 'it''s') and \
             lastSeen ge 2025-12-25T00:00:00Z and onboardingStatus eq 'Onboarded'"
        );
        let group = Wanted {
            groups: vec!["Servers".into()],
            ..Wanted::default()
        };
        assert_eq!(group.odata(NOW), None, "judged here");
        assert!(!group.is_everything());
    }
}

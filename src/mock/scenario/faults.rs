//! `[[faults]]`: a script of faults, each for certain calls.

use serde::Deserialize;

use super::{
    ScenarioError,
    text::{During, Span},
};
use crate::mock::{
    fault_rule::{Fault, Garbling, Rule},
    request::Kind,
};

/// One rule: which calls it is for, and what happens to them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FaultSection {
    fault: FaultName,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(default)]
    machine: Option<String>,
    #[serde(default)]
    nth: Option<u64>,
    #[serde(default)]
    during: Option<During>,
    /// For `status` and `status-after`.
    #[serde(default)]
    status: Option<u16>,
    /// For `status` and `status-after`.
    #[serde(default)]
    body: Option<String>,
    /// For `early` and `delay`.
    #[serde(default)]
    by: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FaultName {
    Status,
    StatusAfter,
    Early,
    CutBefore,
    CutAfter,
    Delay,
    Truncated,
    NotJson,
    Html,
}

impl FaultSection {
    pub(super) fn rule(self) -> Result<Rule, ScenarioError> {
        let mut rule = Rule::new(self.fault()?);
        if let Some(kind) = self.kind {
            rule = rule.kind(kind);
        }
        if let Some(machine) = &self.machine {
            rule = rule.machine(machine);
        }
        if let Some(nth) = self.nth {
            rule = rule.nth(nth);
        }
        if let Some(During((from, until))) = self.during {
            rule = rule.during(from..until);
        }
        Ok(rule)
    }

    fn fault(&self) -> Result<Fault, ScenarioError> {
        use FaultName as Name;
        let wrong = |text| Err(ScenarioError::Contradiction(text));
        let status = self.status.filter(|status| (200..600).contains(status));
        let body = || self.body.clone().unwrap_or_default();
        Ok(match (self.fault, status, &self.by) {
            (Name::Status, Some(status), None) => Fault::Status(status, body()),
            (Name::StatusAfter, Some(status), None) => Fault::StatusAfter(status, body()),
            (Name::Status | Name::StatusAfter, ..) => {
                return wrong(
                    "the faults status and status-after have a status from 200 to 599, and perhaps a body",
                );
            }
            _ if self.status.is_some() || self.body.is_some() => {
                return wrong("only the faults status and status-after have a status and a body");
            }
            (Name::Early, _, Some(by)) => Fault::Early(by.0),
            (Name::Delay, _, Some(by)) => Fault::Delay(by.0),
            (Name::Early | Name::Delay, ..) | (_, _, Some(_)) => {
                return wrong("the faults early and delay, and no others, have a duration `by`");
            }
            (Name::CutBefore, ..) => Fault::CutBefore,
            (Name::CutAfter, ..) => Fault::CutAfter,
            (Name::Truncated, ..) => Fault::Garbled(Garbling::Truncated),
            (Name::NotJson, ..) => Fault::Garbled(Garbling::NotJson),
            (Name::Html, ..) => Fault::Garbled(Garbling::Html),
        })
    }
}

//! The machines that the report lists: all of them, or in a large campaign those that something is to be said about.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    campaign::{
        journal,
        outcome::{Outcome, is_left_out},
    },
    plain_text::one_line,
    roster::{name_column, split_extra},
    store::{Selection, Store, StoreError, StoredRow},
};

/// One row of the input, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "as in the results")]
pub(super) struct Machine {
    pub(super) line: u64,
    pub(super) machine_id: String,
    /// What the input calls the machine, if it has a column for that.
    pub(super) name: String,
    pub(super) outcome: &'static str,
    /// The scan's state, in the service's words.
    pub(super) scan: String,
    /// Whether its device has confirmed the scan.
    pub(super) verified: String,
    /// How many alerts there are on it.
    pub(super) findings: u64,
    pub(super) message: String,
}

/// The machines that are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Machines {
    /// Whether all machines of the campaign are wanted; otherwise those with something to be said about.
    pub(super) all: bool,
    /// How many are left out, because there are too many of them.
    pub(super) left_out: u64,
    pub(super) rows: Vec<Machine>,
}

/// As many characters of a cell are kept. Somebody may have put a page of text into one.
const LONGEST_CELL: usize = 200;

/// As many machines are listed at most: a page with more of them is slow to open.
pub(super) const LISTED: usize = 10_000;

impl Machines {
    /// The machines of a campaign of so many `targets`.
    pub(super) fn of(
        store: &Store,
        targets: u64,
        findings: &BTreeMap<u64, u64>,
    ) -> Result<Self, StoreError> {
        let all = targets <= LISTED as u64;
        let selection = if all {
            Selection::All
        } else {
            Selection::Notable
        };
        let name = name_column(&store.identity().columns);
        let mut machines = Self {
            all,
            left_out: 0,
            rows: Vec::new(),
        };
        store.each_row(selection, |row| {
            if machines.rows.len() < LISTED {
                machines.rows.push(Machine::of(row, name, findings));
            } else {
                machines.left_out += 1;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(machines)
    }
}

impl Machine {
    fn of(row: &StoredRow, name: Option<usize>, findings: &BTreeMap<u64, u64>) -> Self {
        let plain = |text: &str| cut(&one_line(text), LONGEST_CELL);
        let name = name.and_then(|at| split_extra(&row.extra).into_iter().nth(at));
        let outcome = journal::outcome(row);
        Self {
            line: row.line,
            machine_id: plain(&row.machine_id),
            name: plain(&name.unwrap_or_default()),
            outcome: outcome.as_str(),
            scan: plain(&row.action_status),
            verified: plain(row.device.as_ref().map_or("", |device| &device.verified)),
            findings: findings.get(&row.n).copied().unwrap_or_default(),
            message: plain(journal::message(row, outcome)),
        }
    }

    /// Whether somebody has to look at it.
    pub(super) fn is_notable(&self) -> bool {
        let is_well = match self.outcome.parse() {
            Ok(Outcome::Accepted | Outcome::AlreadyPending | Outcome::Duplicate) => {
                !matches!(self.scan.as_str(), "Failed" | "TimeOut" | "Cancelled")
            }
            Ok(Outcome::NotAttempted) => is_left_out(&self.message),
            _ => false,
        };
        !is_well || self.findings > 0
    }
}

/// The beginning of a text, and a mark if that is not all of it.
pub(super) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

//! What the cells of an input with names stand for (`--resolve`): by the inventory, and by what a campaign has found
//! out before.

use std::collections::HashMap;

use super::{
    bare::identify,
    id_rule::IdRule,
    inventory::{Candidate, Inventory, plain_name, words},
    row_error::{AMBIGUOUS, RowError, excerpt},
};

/// What is done if several machines fit a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ambiguous {
    /// The row is invalid.
    #[default]
    Refuse,
    /// The one that was seen last is taken.
    Newest,
}

/// What a cell stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// This machine.
    Machine {
        /// Its id.
        id: String,
        /// How it was found, for the results.
        how: String,
    },
    /// No machine, or several.
    Flaw(RowError),
}

/// What cells stand for. What a campaign has found out once is not looked up again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// By the cell in lower case.
    known: HashMap<Box<str>, Resolved>,
    inventory: Option<Inventory>,
    ambiguous: Ambiguous,
}

impl Names {
    /// Names that are looked up in this inventory.
    #[must_use]
    pub fn of(inventory: Inventory, ambiguous: Ambiguous) -> Self {
        Self {
            known: HashMap::new(),
            inventory: Some(inventory),
            ambiguous,
        }
    }

    /// Adds what a campaign has found out about a cell of its input.
    pub fn know(&mut self, cell: &str, resolved: Resolved) {
        let (typed, ..) = identify(cell, IdRule::Named);
        self.known.insert(key(typed), resolved);
    }

    /// What a campaign has found out about a cell of its input, if it has met that.
    #[must_use]
    pub fn known(&self, cell: &str) -> Option<&Resolved> {
        let (typed, ..) = identify(cell, IdRule::Named);
        self.known.get(&key(typed))
    }

    /// How many names the campaign has found to fit several machines.
    #[must_use]
    pub fn ambiguous(&self) -> usize {
        let is_ambiguous =
            |known: &&Resolved| matches!(known, Resolved::Flaw(flaw) if flaw.code() == AMBIGUOUS);
        self.known.values().filter(is_ambiguous).count()
    }

    /// What a trimmed cell stands for. `is_id` says that it is a machine id.
    pub(super) fn look_up(&self, cell: &str, is_id: bool) -> Resolved {
        if let Some(known) = self.known.get(&key(cell)) {
            return known.clone();
        }
        match &self.inventory {
            Some(inventory) if is_id => by_id(inventory, cell),
            Some(inventory) => self.by_text(inventory, cell),
            None => Resolved::Flaw(RowError::NotLookedUp(excerpt(cell))),
        }
    }

    fn by_text(&self, inventory: &Inventory, cell: &str) -> Resolved {
        let what = if super::machine_id::is_guid(cell) {
            "Entra device id"
        } else {
            "name"
        };
        // An id of 32 digits is one only if it is listed.
        let found = match inventory.by_id(cell) {
            Some(one) => return machine(&one, "id"),
            None => inventory.by_text(cell),
        };
        match &found[..] {
            [] => Resolved::Flaw(RowError::UnknownName {
                name: excerpt(cell),
                similar: inventory.similar(cell).map(excerpt),
            }),
            [one] => machine(one, what),
            // Two that were seen at the same time are both the newest.
            [newest, next, ..]
                if self.ambiguous == Ambiguous::Newest && newest.last_seen > next.last_seen =>
            {
                machine(newest, &format!("{what}; the newest of {}", found.len()))
            }
            several => Resolved::Flaw(RowError::AmbiguousName {
                name: excerpt(cell),
                machines: several.len(),
                candidates: words(several),
            }),
        }
    }

    /// The ids of all machines that a cell of an exclusion list may mean, merged ones and those that they were merged
    /// into alike. Empty if no machine fits.
    #[must_use]
    pub fn all_of(&self, cell: &str) -> Vec<String> {
        self.inventory
            .as_ref()
            .map_or_else(Vec::new, |inventory| inventory.every_id(cell))
    }
}

/// An id that is not listed is taken as it is, since the inventory proves no absence.
fn by_id(inventory: &Inventory, id: &str) -> Resolved {
    match inventory.by_id(id) {
        Some(one) if one.merged_from.is_some() => machine(&one, "id"),
        _ => Resolved::Machine {
            id: id.to_owned(),
            how: "id".to_owned(),
        },
    }
}

fn machine(one: &Candidate<'_>, how: &str) -> Resolved {
    let merged = one.merged_from.map(|from| format!("; merged from {from}"));
    Resolved::Machine {
        id: one.id.to_owned(),
        how: format!("{how}{}", merged.unwrap_or_default()),
    }
}

fn key(cell: &str) -> Box<str> {
    plain_name(cell).into()
}

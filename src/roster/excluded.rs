//! The machines that are never sent to.

use std::collections::HashSet;

/// The machines that are never sent to (`--exclude`), by their ids, which are compared in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excluded(HashSet<String>);

impl Excluded {
    /// Whether this machine is one of them.
    #[must_use]
    pub fn contains(&self, machine_id: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&machine_id.to_ascii_lowercase())
    }

    /// Whether a cell names one of them, whatever stands around its id.
    #[must_use]
    pub fn is_named_in(&self, cell: &str) -> bool {
        let mut words = cell.split(|c: char| !c.is_ascii_alphanumeric());
        !self.0.is_empty() && (self.contains(cell) || words.any(|word| self.contains(word)))
    }

    /// Adds a machine. Returns whether it was not there.
    pub fn add(&mut self, machine_id: &str) -> bool {
        self.0.insert(machine_id.to_ascii_lowercase())
    }

    /// Their ids in lower case, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.0.iter().cloned().collect();
        ids.sort_unstable();
        ids
    }

    /// Removes a machine. Returns whether it was there.
    pub fn lift(&mut self, machine_id: &str) -> bool {
        self.0.remove(&machine_id.to_ascii_lowercase())
    }
}

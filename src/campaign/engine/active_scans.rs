//! The machines that are being scanned right now, by the list of scans.

use std::collections::HashMap;

use super::verdict::Scan;
use crate::{defender::wire::MachineAction, store::is_final};

/// The most machines that are remembered, at some 300 bytes each. No known tenant has as many scans under way
/// at once. Every machine beyond this costs a call, and nothing else.
const MOST: usize = 200_000;

/// By machine, its newest scan that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveScans {
    by_machine: HashMap<String, Scan>,
    most: usize,
    is_cut: bool,
}

impl Default for ActiveScans {
    fn default() -> Self {
        Self {
            by_machine: HashMap::new(),
            most: MOST,
            is_cut: false,
        }
    }
}

impl ActiveScans {
    /// Adds an action of the list, which comes newest first. An action of unknown status counts as not over.
    pub fn see(&mut self, action: &MachineAction) {
        let Some(machine) = &action.machine_id else {
            return;
        };
        if is_final(action.status.as_deref().unwrap_or_default()) {
            return;
        }
        let machine = machine.to_lowercase();
        if self.by_machine.len() < self.most {
            let scan = self.by_machine.entry(machine);
            scan.or_insert_with(|| action.into());
        } else if !self.by_machine.contains_key(&machine) {
            self.is_cut = true;
        }
    }

    /// Removes and returns the scan on this machine, whose id is in lower case.
    pub fn take(&mut self, machine: &str) -> Option<Scan> {
        self.by_machine.remove(machine)
    }

    /// How many machines are being scanned.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_machine.len()
    }

    /// Whether no machine is being scanned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_machine.is_empty()
    }

    /// Whether there were more machines than are remembered.
    #[must_use]
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(id: &str, machine: &str, status: Option<&str>) -> MachineAction {
        serde_json::from_value(serde_json::json!({
            "id": id, "machineId": machine, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_machine_is_busy_by_its_newest_scan_that_is_not_over() {
        let mut running = ActiveScans::default();
        running.see(&action("over", "M1", Some("Succeeded")));
        running.see(&action("newest", "M1", Some("InProgress")));
        running.see(&action("older", "m1", Some("Pending")));
        running.see(&action("done", "m2", Some("TimeOut")));
        running.see(&action("odd", "m3", Some("Dreaming")));
        running.see(&action("untold", "m4", None));
        assert_eq!(running.len(), 3);
        assert_eq!(
            running.take("m1").map(|scan| scan.id).as_deref(),
            Some("newest")
        );
        assert_eq!(running.take("m1"), None, "taken once");
        assert_eq!(running.take("m2"), None);
        assert!(running.take("m3").is_some() && running.take("m4").is_some());
    }

    #[test]
    fn what_is_beyond_the_bound_is_told_and_not_remembered() {
        let mut running = ActiveScans {
            most: 2,
            ..ActiveScans::default()
        };
        for machine in ["a", "b", "a"] {
            running.see(&action(machine, machine, Some("Pending")));
        }
        assert!(!running.is_cut());
        running.see(&action("c", "c", Some("Pending")));
        assert!(running.is_cut());
        assert_eq!(running.len(), 2);
        assert_eq!(running.take("c"), None);
    }
}

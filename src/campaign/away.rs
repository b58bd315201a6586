//! `--when-offline defer`: which machines the inventory has not seen lately. The dispatcher sets their targets aside.

use std::collections::HashSet;

use jiff::SignedDuration;

use crate::store::{Store, StoreError};

/// After how long a machine that was not seen counts as away.
pub const OFFLINE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The machines that were away when the inventory was read. A machine that it does not list is not among them: the
/// inventory proves no absence (MDE-API.md, section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    machines: HashSet<String>,
    after: SignedDuration,
}

/// What a run has to know before its first call.
#[derive(Debug, Clone)]
pub struct AtStart {
    /// After how long a machine that was not seen counts as away.
    pub after: SignedDuration,
    /// The targets that nothing was sent to and whose machines are away.
    pub targets: Vec<AwayTarget>,
}

/// A target whose machine is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwayTarget {
    /// Its number.
    pub n: u64,
    /// A lower number goes first, `None` goes last.
    pub priority: Option<i64>,
    /// The machine, in lower case.
    pub machine: String,
}

impl Away {
    /// No machines yet. One that was not seen for `after` is away.
    #[must_use]
    pub fn new(after: SignedDuration) -> Self {
        Self {
            machines: HashSet::new(),
            after,
        }
    }

    /// Adds a machine that is away, in any case.
    pub fn add(&mut self, machine: &str) {
        self.machines.insert(machine.trim().to_lowercase());
    }

    /// Whether this machine is away.
    #[must_use]
    pub fn contains(&self, machine: &str) -> bool {
        !self.machines.is_empty() && self.machines.contains(&machine.to_lowercase())
    }

    /// After how long a machine that was not seen counts as away.
    #[must_use]
    pub fn after(&self) -> SignedDuration {
        self.after
    }

    /// How many targets that nothing was sent to have a machine that is away.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn count(&self, store: &Store) -> Result<u64, StoreError> {
        let mut count = 0;
        store.each_fresh(|_, _, machine| count += u64::from(self.contains(machine)))?;
        Ok(count)
    }

    /// What a run has to know before its first call.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn at_start(&self, store: &Store) -> Result<AtStart, StoreError> {
        let mut targets = Vec::new();
        store.each_fresh(|n, priority, machine| {
            if self.contains(machine) {
                targets.push(AwayTarget {
                    n,
                    priority,
                    machine: machine.to_lowercase(),
                });
            }
        })?;
        Ok(AtStart {
            after: self.after,
            targets,
        })
    }
}

//! Machines that need no scan now, or cannot have one, by what is known of them before the start
//! (`--skip-scanned-within`, `--skip-unscannable`).

use std::collections::HashMap;

use super::scan_type::ScanType;

/// The machines that are skipped, each with the reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skips {
    /// By the id in lower case.
    machines: HashMap<Box<str>, Skip>,
    scan_type: Option<ScanType>,
}

/// Why a machine is skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skip {
    /// Why it needs no quick scan.
    pub quick: Option<Box<str>>,
    /// Why it needs no full scan.
    pub full: Option<Box<str>>,
}

impl Skips {
    /// No machine so far. `scan_type` is that of rows without their own.
    #[must_use]
    pub fn for_scans_of(scan_type: ScanType) -> Self {
        Self {
            machines: HashMap::new(),
            scan_type: Some(scan_type),
        }
    }

    /// Adds reasons for a machine. Those that it has stay.
    pub fn add(&mut self, machine_id: &str, skip: Skip) {
        if skip == Skip::default() {
            return;
        }
        let id = machine_id.to_ascii_lowercase().into();
        let known = self.machines.entry(id).or_default();
        known.quick = known.quick.take().or(skip.quick);
        known.full = known.full.take().or(skip.full);
    }

    /// Why a row is skipped, by its machine and its own scan type; `None` if it is not.
    pub(super) fn reason(&self, machine_id: &str, own: Option<ScanType>) -> Option<&str> {
        if self.machines.is_empty() {
            return None;
        }
        let skip = self.machines.get(&*machine_id.to_ascii_lowercase())?;
        match own.or(self.scan_type)? {
            ScanType::Quick => skip.quick.as_deref(),
            ScanType::Full => skip.full.as_deref(),
        }
    }
}

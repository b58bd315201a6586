//! What is kept of the report: one entry for each machine, from its newest row.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{client::wire_time::time, defender::wire::DeviceAvInfo};

/// A scan later than this from now is a mistake of the device's clock and proves nothing.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_hours(24);

/// The reports of all machines. About 200 bytes a machine.
#[derive(Debug, Clone, Default)]
pub struct HealthReport {
    /// By id, in lower case.
    machines: HashMap<Box<str>, DeviceHealth>,
    /// Texts that many machines share.
    texts: HashSet<Arc<str>>,
    /// How many different rows were read. A machine may have several.
    pub rows: u64,
    /// How many pages were read.
    pub calls: u64,
    /// Rows moved every time the list was read, so a machine's report may be missing.
    pub moved: bool,
}

/// What one machine reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceHealth {
    /// The mode of the antivirus.
    pub mode: AvMode,
    /// Whether its signatures are up to date.
    pub signatures: UpToDate,
    /// Whether its engine is up to date.
    pub engine: UpToDate,
    /// The last quick scan.
    pub quick: LastScan,
    /// The last full scan.
    pub full: LastScan,
    /// When the report was made. `None` if that cannot be read.
    pub reported: Option<Timestamp>,
}

/// The mode of a machine's antivirus (MDE-API.md, section 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AvMode {
    /// `0`
    Active,
    /// `1`: another product protects the machine. Scans that are asked for run all the same.
    Passive,
    /// `2`
    Disabled,
    /// `3` or nothing.
    Other,
    /// `4`
    EdrBlock,
    /// `5`
    PassiveAudit,
    /// A mode that is not documented, as it was written.
    Unknown(Arc<str>),
}

impl AvMode {
    /// The words of the documented modes, which [`as_str`](Self::as_str) returns.
    pub const WORDS: [&'static str; 6] = [
        "active",
        "passive",
        "disabled",
        "other",
        "EDR in block mode",
        "passive audit",
    ];

    /// The mode in words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => Self::WORDS[0],
            Self::Passive => Self::WORDS[1],
            Self::Disabled => Self::WORDS[2],
            Self::Other => Self::WORDS[3],
            Self::EdrBlock => Self::WORDS[4],
            Self::PassiveAudit => Self::WORDS[5],
            Self::Unknown(text) => text,
        }
    }
}

impl fmt::Display for AvMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether something is up to date, as far as the report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpToDate {
    /// `True`
    Yes,
    /// `False`
    No,
    /// `Unknown`, or anything else.
    Unknown,
}

impl UpToDate {
    fn of(text: Option<&str>) -> Self {
        match text.map(str::to_ascii_lowercase).as_deref() {
            Some("true") => Self::Yes,
            Some("false") => Self::No,
            _ => Self::Unknown,
        }
    }

    /// `yes`, `no` or `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// The last scan of one type on a machine, by its own report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastScan {
    /// When it was. Whether this is its start or its end is not documented. `None` if there was none, or if the time
    /// cannot be read.
    pub at: Option<Timestamp>,
    /// How it ended, as the report says; `None` if it says nothing.
    pub result: Option<Arc<str>>,
}

impl LastScan {
    /// When it was, if it was completed. A scan without a result counts as completed; one with a result that is not
    /// known does not, because a machine that is scanned once more is better than one that is left out.
    fn completed(&self) -> Option<Timestamp> {
        let ended_well = self.result.as_deref().is_none_or(|result| {
            ["completed", "succeeded", "success"].contains(&&*result.to_ascii_lowercase())
        });
        self.at.filter(|_| ended_well)
    }
}

/// Which scans count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScanChoice {
    /// Quick scans.
    Quick,
    /// Full scans.
    Full,
    /// Both.
    #[default]
    Any,
}

impl DeviceHealth {
    /// When the last of these scans was completed, by the machine's own report.
    #[must_use]
    pub fn last_completed(&self, which: ScanChoice) -> Option<Timestamp> {
        let (quick, full) = (self.quick.completed(), self.full.completed());
        match which {
            ScanChoice::Quick => quick,
            ScanChoice::Full => full,
            ScanChoice::Any => quick.max(full),
        }
    }

    /// Whether one of these scans is known to have been completed within `span` before `now`. What is not known counts
    /// as no: a failed scan, a time that cannot be read, or one more than a day ahead.
    #[must_use]
    pub fn scanned_within(&self, which: ScanChoice, span: SignedDuration, now: Timestamp) -> bool {
        let since = now.saturating_sub(span).unwrap_or(Timestamp::MIN);
        let until = now.saturating_add(CLOCKS_DIFFER).unwrap_or(Timestamp::MAX);
        let is_within = |scan: &LastScan| {
            let at = scan.completed();
            at.is_some_and(|at| (since..=until).contains(&at))
        };
        match which {
            ScanChoice::Quick => is_within(&self.quick),
            ScanChoice::Full => is_within(&self.full),
            ScanChoice::Any => is_within(&self.quick) || is_within(&self.full),
        }
    }
}

impl HealthReport {
    /// What the machine with this id reports, in any case. `None` if there is no report of it.
    #[must_use]
    pub fn of(&self, machine: &str) -> Option<&DeviceHealth> {
        match self.machines.get(machine) {
            None if machine.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                self.machines.get(machine.to_ascii_lowercase().as_str())
            }
            found => found,
        }
    }

    /// The reports, each with the id of its machine in lower case.
    pub fn each(&self) -> impl Iterator<Item = (&str, &DeviceHealth)> {
        self.machines.iter().map(|(id, health)| (&**id, health))
    }

    /// How many machines have a report.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.machines.len()
    }

    /// Takes over a row, unless there is one of its machine that is as new. A row that names no machine tells nothing.
    pub(super) fn add(&mut self, row: &DeviceAvInfo) {
        let machine = row.machine_id.as_deref().unwrap_or_default();
        let machine = machine.trim().to_ascii_lowercase();
        if machine.is_empty() {
            return;
        }
        let reported = time(row.data_refresh_timestamp.as_deref());
        let known = self.machines.get(machine.as_str());
        if known.is_some_and(|known| known.reported >= reported) {
            return;
        }
        let health = DeviceHealth {
            mode: self.mode(row.av_mode.as_deref()),
            signatures: UpToDate::of(row.av_is_signature_up_to_date.as_deref()),
            engine: UpToDate::of(row.av_is_engine_up_to_date.as_deref()),
            quick: self.scan(
                row.quick_scan_time.as_deref(),
                row.quick_scan_result.as_deref(),
            ),
            full: self.scan(
                row.full_scan_time.as_deref(),
                row.full_scan_result.as_deref(),
            ),
            reported,
        };
        self.machines.insert(machine.into_boxed_str(), health);
    }

    fn mode(&mut self, text: Option<&str>) -> AvMode {
        match text.unwrap_or_default() {
            "0" => AvMode::Active,
            "1" => AvMode::Passive,
            "2" => AvMode::Disabled,
            "3" | "" => AvMode::Other,
            "4" => AvMode::EdrBlock,
            "5" => AvMode::PassiveAudit,
            other => AvMode::Unknown(self.text(other)),
        }
    }

    fn scan(&mut self, at: Option<&str>, result: Option<&str>) -> LastScan {
        let result = result.filter(|result| !result.is_empty());
        LastScan {
            at: time(at),
            result: result.map(|result| self.text(result)),
        }
    }

    /// The text, which is kept once for all machines.
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests;

//! `--max-running`: how many of a campaign's scans may be under way at once, in whole and for each value of a
//! column. The dispatcher counts them; this file says what is counted together.

use std::{collections::HashMap, str::FromStr, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::follow::watch::OLDEST_FOREIGN;
use crate::{
    client::margins::{BLIND_MARGIN, before},
    monitor::{count, span},
    roster::{ScanType, split_extra},
    store::{OpenAction, Store, StoreError, Unfinished},
};

/// How long a scan may be `Pending` before it no longer counts. How long the service keeps a scan for a machine
/// that is switched off is not documented (MDE-API.md, section 3).
pub const TIMEOUT: Duration = Duration::from_hours(2);

/// How many scans may be under way at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningLimits {
    /// In whole.
    pub most: Option<u64>,
    /// For each value of a column.
    pub per: Vec<PerColumn>,
    /// A scan that the list has not shown as `InProgress` for so long counts no longer.
    pub timeout: Duration,
}

/// The value of `--max-running-per`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerColumn {
    /// The column of the input, as typed.
    pub column: String,
    /// How many scans may be under way for each of its values; at least 1.
    pub most: u64,
}

/// A column that cannot be counted by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// The input does not have it.
    #[error(
        "--max-running-per {column}: the campaign has no such column (those of the input that it began with, besides \
         the machine ids: {})",
        in_words(columns)
    )]
    Unknown {
        /// The column as typed.
        column: String,
        /// Those that it has.
        columns: Vec<String>,
    },
    /// It is named twice.
    #[error("--max-running-per {0}: this column is given twice; keep one of them")]
    Twice(String),
}

/// Where a column is: first by its exact name, then ignoring case, as for `--where`.
fn position(columns: &[String], wanted: &str) -> Option<usize> {
    let exact = columns.iter().position(|name| name.trim() == wanted.trim());
    exact.or_else(|| {
        let mut names = columns.iter().map(|name| as_read(name));
        names.position(|name| name == as_read(wanted))
    })
}

fn in_words(columns: &[String]) -> String {
    let quoted: Vec<_> = columns.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() {
        "none".to_owned()
    } else {
        quoted.join(", ")
    }
}

impl Default for RunningLimits {
    fn default() -> Self {
        Self {
            most: None,
            per: Vec::new(),
            timeout: TIMEOUT,
        }
    }
}

impl FromStr for PerColumn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a column and a number from 1 on, as in Site=20";
        let (column, most) = text.rsplit_once('=').ok_or(EXPECTED)?;
        let column = column.trim().to_owned();
        match most.trim().parse() {
            Ok(most) if most > 0 && !column.is_empty() => Ok(Self { column, most }),
            _ => Err(EXPECTED),
        }
    }
}

/// Names and values are compared in any case, and space around them does not count, as with `--where`.
fn as_read(text: &str) -> String {
    text.trim().to_lowercase()
}

impl RunningLimits {
    /// Whether there is any limit.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.most.is_some() || !self.per.is_empty()
    }

    /// Where the limited columns are among `columns`.
    ///
    /// # Errors
    /// One of them is not there, or is named twice.
    pub fn find(&self, columns: &[String]) -> Result<Vec<usize>, ColumnError> {
        let mut found = Vec::new();
        for PerColumn { column, .. } in &self.per {
            match position(columns, column) {
                Some(at) if found.contains(&at) => return Err(ColumnError::Twice(column.clone())),
                Some(at) => found.push(at),
                None => {
                    return Err(ColumnError::Unknown {
                        column: column.clone(),
                        columns: columns.to_vec(),
                    });
                }
            }
        }
        Ok(found)
    }

    /// Notes on how long a campaign takes at least because of these limits, where they may decide it. `machines` are
    /// to be sent, and `largest` of them have the most frequent value of each limited column.
    #[must_use]
    pub fn lengths(&self, scan_type: ScanType, machines: u64, largest: &[u64]) -> Vec<String> {
        let whole = self
            .most
            .map(|most| (format!("--max-running {most}"), machines, most));
        let per = self.per.iter().zip(largest).map(|(per, machines)| {
            let PerColumn { column, most } = per;
            (
                format!("--max-running-per {column}={most}"),
                *machines,
                *most,
            )
        });
        let all = whole.into_iter().chain(per);
        all.filter(|(_, machines, most)| machines > most)
            .map(|(option, machines, most)| {
                let who = count::of(machines, "machine");
                let times = times_of(scan_type).map(|time| {
                    let all = time.saturating_mul(u32::try_from(machines.div_ceil(most)).unwrap_or(u32::MAX));
                    (span::in_words(all), span::in_words(time))
                });
                let [(short, quick), (long, slow)] = times;
                format!(
                    "{option} may decide the length: {who} take about {short} if each scan takes {quick}, and {long} \
                     if it takes {slow}; the times above do not include that"
                )
            })
            .collect()
    }

    /// What a run has to know before its first call: which targets are counted together, and which scans of
    /// earlier runs may still be under way. `wall` is this computer's time.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn at_start(&self, store: &Store, wall: Timestamp) -> Result<AtStart, StoreError> {
        if !self.is_any() {
            return Ok(AtStart::default());
        }
        let mut groups = Groups::new(self, &store.identity().columns);
        if !self.per.is_empty() {
            store.each_extra(|n, extra| groups.add(n, extra))?;
        }
        // Nothing that is older is under way, and a campaign of a month has many scans whose end nobody saw.
        let timeout = SignedDuration::try_from(self.timeout).unwrap_or(SignedDuration::MAX);
        let oldest = before(
            wall,
            OLDEST_FOREIGN.max(timeout).saturating_add(BLIND_MARGIN),
        );
        let may_run = |open: &OpenAction| {
            let since = open.created_at().or(open.asked.map(|asked| asked.at));
            open.ours && since.is_none_or(|since| since >= oldest)
        };
        Ok(AtStart {
            groups,
            scans: store.open_actions()?.into_iter().filter(may_run).collect(),
            unsure: store.ended_unsure()?,
        })
    }
}

/// Two examples of how long a scan may take. Nobody documents it (MDE-API.md, section 3: a full scan takes hours).
fn times_of(scan_type: ScanType) -> [Duration; 2] {
    match scan_type {
        ScanType::Quick => [5, 30].map(Duration::from_mins),
        ScanType::Full => [2, 8].map(Duration::from_hours),
    }
}

/// What a run has to know before its first call.
#[derive(Debug, Clone, Default)]
pub struct AtStart {
    /// Which targets are counted together.
    pub groups: Groups,
    /// The campaign's scans that are not known to have ended.
    pub scans: Vec<OpenAction>,
    /// Targets that ended without anybody knowing whether a scan was started.
    pub unsure: Vec<Unfinished>,
}

/// Machines that are counted together: the number of the limit in [`RunningLimits::per`], and that of the value
/// in its column.
pub type Group = (usize, u32);

/// The place of a target that is set aside: the group that it waits for, its priority and its number.
pub type Aside = (Group, (i64, u64));

/// Which machines have the same value in a limited column. A blank cell is a value too: what is not known of
/// some machines must not let them all start at once.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    columns: Vec<GroupColumn>,
}

#[derive(Debug, Clone)]
struct GroupColumn {
    /// Its place among the input's other columns.
    at: usize,
    /// The number of each value.
    values: HashMap<String, u32>,
    /// The value of each target, by its number.
    of: Vec<u32>,
    /// How many targets have each value.
    sizes: Vec<u64>,
}

impl Groups {
    /// No targets yet. A column that is not among `columns` is blank everywhere.
    #[must_use]
    pub fn new(limits: &RunningLimits, columns: &[String]) -> Self {
        let column = |per: &PerColumn| GroupColumn {
            at: position(columns, &per.column).unwrap_or(usize::MAX),
            values: HashMap::new(),
            of: Vec::new(),
            sizes: Vec::new(),
        };
        Self {
            columns: limits.per.iter().map(column).collect(),
        }
    }

    /// Adds target `n`, whose other cells are `extra`, as one CSV record.
    pub fn add(&mut self, n: u64, extra: &str) {
        if self.columns.is_empty() {
            return;
        }
        let cells = split_extra(extra);
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        for column in &mut self.columns {
            let value = as_read(cells.get(column.at).map_or("", String::as_str));
            let next = u32::try_from(column.sizes.len()).unwrap_or(u32::MAX);
            let value = *column.values.entry(value).or_insert(next);
            if value == next {
                column.sizes.push(0);
            }
            column.sizes[value as usize] += 1;
            if column.of.len() <= n {
                column.of.resize(n + 1, 0);
            }
            column.of[n] = value;
        }
    }

    /// The groups of target `n`, one for each limited column.
    pub(crate) fn of(&self, n: u64) -> impl Iterator<Item = Group> + '_ {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let columns = self.columns.iter().enumerate();
        columns.map(move |(limit, column)| (limit, column.of.get(n).copied().unwrap_or(0)))
    }

    /// For each limited column whether some of the targets have no value in it.
    pub(crate) fn blank(&self) -> impl Iterator<Item = bool> + '_ {
        self.columns
            .iter()
            .map(|column| column.values.contains_key(""))
    }

    /// For each limited column how many targets have its most frequent value.
    #[must_use]
    pub fn largest(&self) -> Vec<u64> {
        let columns = self.columns.iter();
        let largest = columns.map(|column| column.sizes.iter().copied().max().unwrap_or(0));
        largest.collect()
    }
}

#[cfg(test)]
mod tests;

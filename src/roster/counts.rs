//! Counts of rows, and of ids that are GUIDs.

use super::{error::RosterError, machine_id::is_guid, row::RowKind};

/// If this many ids are all GUIDs, the input is refused without reading the rest.
const ALL_GUIDS: u64 = 100;

/// How many rows there were of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that are to be sent.
    pub due: u64,
    /// Rows that a `--where` does not admit, or whose machine is excluded or skipped.
    pub left_out: u64,
    /// Those of them whose machine is skipped.
    pub skipped: u64,
    /// Rows that cannot be sent.
    pub invalid: u64,
    /// Rows whose machine an earlier row has.
    pub duplicate: u64,
}

impl Counts {
    /// All rows.
    #[must_use]
    pub const fn rows(self) -> u64 {
        self.due + self.left_out + self.invalid + self.duplicate
    }

    pub(super) const fn add(&mut self, kind: &RowKind) {
        match kind {
            RowKind::Due => self.due += 1,
            RowKind::LeftOut | RowKind::Excluded => self.left_out += 1,
            RowKind::Skipped(_) => {
                self.left_out += 1;
                self.skipped += 1;
            }
            RowKind::Invalid(_) => self.invalid += 1,
            RowKind::Duplicate { .. } => self.duplicate += 1,
        }
    }
}

/// How many ids are GUIDs, which Defender's ids are not.
#[derive(Debug, Default)]
pub(super) struct Guids {
    ids: u64,
    count: u64,
    first_line: u64,
}

impl Guids {
    /// Counts an id, unless it is empty.
    pub(super) fn add(&mut self, id: &str, line: u64) {
        self.ids += u64::from(!id.is_empty());
        if is_guid(id) {
            if self.count == 0 {
                self.first_line = line;
            }
            self.count += 1;
        }
    }

    /// Whether there were enough ids for a decision, and all of them are GUIDs.
    pub(super) const fn are_all(&self) -> bool {
        self.ids >= ALL_GUIDS && self.count == self.ids
    }

    /// Whether more than half of all ids are GUIDs.
    pub(super) const fn are_most(&self) -> bool {
        self.count * 2 > self.ids
    }

    pub(super) fn refusal(&self, file: &str) -> RosterError {
        RosterError::Guids {
            file: file.to_owned(),
            guids: self.count,
            ids: self.ids,
            line: self.first_line,
        }
    }
}

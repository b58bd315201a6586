//! What was counted on the way.

use super::{error::RosterError, machine_id::is_guid, row::RowKind};

/// After this many ids that are GUIDs without exception nobody waits for the rest.
const ALL_GUIDS: u64 = 100;

/// How many rows there were, by fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that are to be sent.
    pub due: u64,
    /// Rows that a `--where` does not admit.
    pub left_out: u64,
    /// Rows that cannot be sent.
    pub invalid: u64,
    /// Rows whose machine is due already.
    pub duplicate: u64,
}

impl Counts {
    /// All rows.
    #[must_use]
    pub const fn rows(self) -> u64 {
        self.due + self.left_out + self.invalid + self.duplicate
    }

    pub(super) const fn add(&mut self, fate: &RowKind) {
        match fate {
            RowKind::Due => self.due += 1,
            RowKind::LeftOut => self.left_out += 1,
            RowKind::Invalid(_) => self.invalid += 1,
            RowKind::Duplicate { .. } => self.duplicate += 1,
        }
    }
}

/// How many ids are GUIDs, which Defender's are not.
#[derive(Debug, Default)]
pub(super) struct Guids {
    ids: u64,
    count: u64,
    first_line: u64,
}

impl Guids {
    /// Counts an id; an empty one is none.
    pub(super) fn add(&mut self, id: &str, line: u64) {
        self.ids += u64::from(!id.is_empty());
        if is_guid(id) {
            if self.count == 0 {
                self.first_line = line;
            }
            self.count += 1;
        }
    }

    /// There were enough ids to judge by, and nothing but GUIDs.
    pub(super) const fn are_all(&self) -> bool {
        self.ids >= ALL_GUIDS && self.count == self.ids
    }

    /// More than half of all ids.
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

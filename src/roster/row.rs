//! A row of the input, judged.

use std::borrow::Cow;

use super::{row_error::RowError, scan_type::ScanType};

/// A row of the input: a non-blank line, or several where a quoted cell goes over their ends.
///
/// It borrows from the [`Roster`](super::Roster), which keeps one row at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its number among the rows, from 1.
    pub n: u64,
    /// The line of the file that it begins on, from 1.
    pub line: u64,
    /// The id as it was typed, without surrounding space; compared and sent in lower case.
    pub machine_id: &'a str,
    /// A scan type of its own.
    pub scan_type: Option<ScanType>,
    /// A comment of its own: not empty, without control characters, at most 200 characters long.
    pub comment: Option<Cow<'a, str>>,
    /// A lower number goes first; none goes last.
    pub priority: Option<i64>,
    /// What becomes of it.
    pub fate: RowKind,
    /// The input's other columns as one CSV record without a line end; [`split_extra`](super::split_extra) reads it.
    pub extra: &'a str,
}

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKind {
    /// It is to be sent.
    Due,
    /// A `--where` does not admit it. Its id does not count as met.
    LeftOut,
    /// It cannot be sent. Its id does not count as met: a later, sound row of the same machine is due.
    Invalid(RowError),
    /// Its machine is due already.
    Duplicate {
        /// The line of that machine's row.
        first_line: u64,
    },
}

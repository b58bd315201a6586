//! A row of the input, and whether it is sent.

use std::borrow::Cow;

use super::{row_error::RowError, scan_type::ScanType};

/// A row of the input: a line that is not blank, or several lines if a quoted cell spans them.
///
/// It borrows from the [`Roster`](super::Roster), which holds one row at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its number among the rows, from 1.
    pub n: u64,
    /// The line of the file that it begins on, from 1.
    pub line: u64,
    /// The id as typed, without surrounding space. It is compared and sent in lower case.
    pub machine_id: &'a str,
    /// The row's own scan type.
    pub scan_type: Option<ScanType>,
    /// The row's own comment: not empty, without control characters, at most 200 characters.
    pub comment: Option<Cow<'a, str>>,
    /// Lower goes first; `None` goes last.
    pub priority: Option<i64>,
    /// Whether it is sent.
    pub kind: RowKind,
    /// Why its name stands for no machine (`unknown_name`, `ambiguous_name`), whether that decides its kind or not.
    pub error_code: Cow<'a, str>,
    /// Whether its machine is named in a way that the campaign has not met.
    pub is_new_name: bool,
    /// The input's other columns as one CSV record without a line end; [`split_extra`](super::split_extra) reads it.
    pub extra: &'a str,
}

/// Whether a row is sent, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKind {
    /// It is to be sent.
    Due,
    /// A `--where` does not admit it. A later row with the same machine is not a duplicate.
    LeftOut,
    /// Its machine needs no scan, or cannot have one; the text says why. A later row with the same machine is not a
    /// duplicate.
    Skipped(Box<str>),
    /// Its machine is excluded, as all rows with it are.
    Excluded,
    /// It cannot be sent. A later row with the same machine is not a duplicate.
    Invalid(RowError),
    /// An earlier row has the same machine.
    Duplicate {
        /// The line of that machine's row.
        first_line: u64,
    },
}

//! What is to be said once about an input that was accepted.

use std::fmt;

use csv::StringRecord;

use super::{around::Passed, machine_id::hides_ids};

/// Something that the person should know, said once however many rows it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is.
    pub kind: NoteKind,
    /// How many rows it concerns.
    pub rows: u64,
    /// The line of the first of them.
    pub first_line: u64,
}

/// What there is to note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteKind {
    /// Not UTF-8, so read as Windows-1252.
    Windows1252,
    /// The ids stand in this column, known by its values alone.
    GuessedColumn(String),
    /// The ids stand in this column, known by its name, though not all of its values are ids.
    NamedColumn {
        /// Its name.
        name: String,
        /// How many of the values that were looked at are ids.
        ids: u64,
        /// How many were looked at.
        values: u64,
    },
    /// Each line is one quoted cell that holds the line's cells.
    LinesInCells,
    /// A line that is surely no row.
    PassedOver(Passed),
    /// Something was taken off around the id.
    Unwrapped,
    /// Ids other than 40 hex digits.
    UnusualId,
    /// A priority that is no integer; the first one.
    Priority(String),
    /// A quoted cell whose later lines hold machine ids: rows, probably, that a missing quote has made part of it.
    HiddenIds,
    /// More cells than columns; the surplus was dropped.
    SurplusCells,
    /// Rows of this tenant, where nobody knows which one they go to.
    UntoldTenant(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            rows,
            first_line,
        } = self;
        match kind {
            NoteKind::GuessedColumn(column) => {
                return write!(
                    f,
                    "the machine ids are taken from column `{column}` because its values look like ids (line {first_line} is the header)"
                );
            }
            NoteKind::NamedColumn { name, ids, values } => {
                return write!(
                    f,
                    "the machine ids are taken from column `{name}` for its name; machine ids among its first {values} values: {ids}"
                );
            }
            NoteKind::LinesInCells => {
                return write!(
                    f,
                    "each line is one quoted cell, as Excel saves a CSV that it has opened as one column; the cells within it are read"
                );
            }
            NoteKind::PassedOver(what) => write!(f, "{what} is no row and is passed over")?,
            NoteKind::Unwrapped => {
                write!(
                    f,
                    "quotes, brackets or a link around the machine id are taken off"
                )?;
            }
            NoteKind::Windows1252 => write!(f, "not UTF-8, read as Windows-1252")?,
            NoteKind::UnusualId => {
                write!(f, "unusual machine ids (they normally have 40 hex digits)")?;
            }
            NoteKind::Priority(cell) => {
                write!(
                    f,
                    "priority is no whole number (`{cell}`), so these rows go last"
                )?;
            }
            NoteKind::HiddenIds => write!(
                f,
                "a quoted cell goes over several lines with machine ids in them, which are not rows (a `\"` may be missing)"
            )?,
            NoteKind::UntoldTenant(tenant) => write!(
                f,
                "tenant_id is `{tenant}`, and this token does not tell its tenant, so nothing was compared; make sure that they are \
                 the same"
            )?,
            NoteKind::SurplusCells => write!(
                f,
                "more cells than the header has columns, the surplus is dropped"
            )?,
        }
        match rows {
            1 => write!(f, ": line {first_line}"),
            _ => write!(f, ": {rows} rows, the first on line {first_line}"),
        }
    }
}

/// The notes of one input, as they gather.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Note>);

impl Notes {
    /// Notes one more row; the first one of a kind says what and where.
    pub(super) fn add(&mut self, kind: NoteKind, line: u64) {
        let same = |note: &&mut Note| match (&note.kind, &kind) {
            (NoteKind::PassedOver(one), NoteKind::PassedOver(other)) => one == other,
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        };
        match self.0.iter_mut().find(same) {
            Some(note) => note.rows += 1,
            None => self.0.push(Note {
                kind,
                rows: 1,
                first_line: line,
            }),
        }
    }

    /// Notes what is odd about the shape of a record.
    pub(super) fn look(&mut self, record: &StringRecord, width: usize, line: u64) {
        let surplus = |cell: &str| !cell.trim().is_empty();
        if record.len() > width && record.iter().skip(width).any(surplus) {
            self.add(NoteKind::SurplusCells, line);
        }
        if record.as_slice().contains('\n') && record.iter().any(hides_ids) {
            self.add(NoteKind::HiddenIds, line);
        }
    }

    pub(super) fn as_slice(&self) -> &[Note] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line_that_counts_its_rows() {
        let mut notes = Notes::default();
        notes.add(NoteKind::Priority("high".into()), 4);
        notes.add(NoteKind::UnusualId, 5);
        notes.add(NoteKind::Priority("low".into()), 6);
        let said: Vec<_> = notes.as_slice().iter().map(Note::to_string).collect();
        assert_eq!(
            said,
            [
                "priority is no whole number (`high`), so these rows go last: 2 rows, the first on line 4",
                "unusual machine ids (they normally have 40 hex digits): line 5",
            ]
        );
    }
}

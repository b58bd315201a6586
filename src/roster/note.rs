//! What is reported once about an input that was accepted.

use std::fmt;

use csv::StringRecord;

use super::{around::Passed, machine_id::hides_ids, row_error::excerpt};

/// Something that the user should know. It is reported once, however many rows it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is.
    pub kind: NoteKind,
    /// How many rows it concerns.
    pub rows: u64,
    /// The line of the first of them.
    pub first_line: u64,
}

/// What a note is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteKind {
    /// The row is not UTF-8, so it was read as Windows-1252.
    Windows1252,
    /// The id column was found by its values only.
    GuessedColumn(String),
    /// The id column was found by its name, although not all of its values are ids.
    NamedColumn {
        /// Its name.
        name: String,
        /// How many of the examined values are ids.
        ids: u64,
        /// How many values were examined.
        values: u64,
    },
    /// The names are in this column (`--resolve`).
    NamesColumn(String),
    /// This sheet of the workbook is read.
    Sheet(String),
    /// Each line is one quoted cell that holds the line's cells.
    LinesInCells,
    /// The line is certainly not a row.
    PassedOver(Passed),
    /// Something around the id was removed.
    Unwrapped,
    /// The id does not have 40 hex digits.
    UnusualId,
    /// The priority, of which this is the first, is not an integer.
    Priority(String),
    /// A quoted cell has machine ids in its later lines. A missing quote has probably made these rows part of the cell.
    HiddenIds,
    /// The row has more cells than there are columns. The others were dropped.
    SurplusCells,
    /// The row is of this tenant, and it is not known which tenant the token is for.
    UntoldTenant(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            rows,
            first_line,
        } = self;
        write!(f, "{kind}")?;
        match (kind, rows) {
            (NoteKind::GuessedColumn(_), _) => write!(f, " (line {first_line} is the header)"),
            (
                NoteKind::NamedColumn { .. }
                | NoteKind::NamesColumn(_)
                | NoteKind::Sheet(_)
                | NoteKind::LinesInCells,
                _,
            ) => Ok(()),
            (_, 1) => write!(f, ": line {first_line}"),
            _ => write!(f, ": {rows} rows, the first on line {first_line}"),
        }
    }
}

impl fmt::Display for NoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuessedColumn(column) => write!(
                f,
                "the machine ids are taken from column `{column}` because its values look like ids"
            ),
            Self::NamedColumn { name, ids, values } => write!(
                f,
                "the machine ids are taken from column `{name}` for its name; machine ids among its first {values} \
                 values: {ids}"
            ),
            Self::NamesColumn(column) => write!(
                f,
                "the machines are looked up by column `{column}`"
            ),
            Self::Sheet(name) => write!(f, "sheet `{}` is read", excerpt(name)),
            Self::LinesInCells => f.write_str(
                "each line is one quoted cell, as Excel saves a CSV that it has opened as one column; the cells within \
                 it are read",
            ),
            Self::PassedOver(what) => write!(f, "{what} is no row and is passed over"),
            Self::Unwrapped => {
                f.write_str("quotes, brackets or a link around the machine id are taken off")
            }
            Self::Windows1252 => f.write_str("not UTF-8, read as Windows-1252"),
            Self::UnusualId => {
                f.write_str("unusual machine ids (they normally have 40 hex digits)")
            }
            Self::Priority(cell) => write!(
                f,
                "priority is no whole number (`{cell}`), so these rows go last"
            ),
            Self::HiddenIds => f.write_str(
                "a quoted cell goes over several lines with machine ids in them, which are not rows (a `\"` may be \
                 missing)",
            ),
            Self::UntoldTenant(tenant) => write!(
                f,
                "tenant_id is `{tenant}`, and this token does not tell its tenant, so nothing was compared; make sure \
                 that they are the same"
            ),
            Self::SurplusCells => {
                f.write_str("more cells than the header has columns, the surplus is dropped")
            }
        }
    }
}

/// The notes about one input so far.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Note>);

impl Notes {
    /// Adds a row to the note of its kind. The first row decides the note's details.
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

    /// Adds notes about surplus cells and hidden ids of a record.
    pub(super) fn add_shape(&mut self, record: &StringRecord, width: usize, line: u64) {
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

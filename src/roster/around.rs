//! Lines around and within a table that are certainly not rows: a repeated header, an underline, a total.

use std::fmt;

use csv::StringRecord;

use super::bare::trim;

/// What a line is that was skipped because it is not a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// The header again, as in exports that were concatenated.
    Header,
    /// Dashes below a header, or a border, as in plain text tables.
    Rule,
    /// A total, or the number of rows.
    Total,
    /// Only invisible characters, such as NULs at the end of a file that was allocated too long.
    Blank,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "a repeated header",
            Self::Rule => "a line of dashes below the header",
            Self::Total => "a line with a total",
            Self::Blank => "a line of invisible characters",
        })
    }
}

/// Words that begin a line with a total.
const TOTALS: [&str; 8] = [
    "total",
    "totals",
    "grand total",
    "sum",
    "count",
    "gesamt",
    "summe",
    "anzahl",
];

/// Distinguishes such lines from rows. In doubt a line is a row, which is then reported as invalid.
#[derive(Debug)]
pub(super) struct Around {
    /// Whether any word may be an id.
    any_id: bool,
    header: Option<StringRecord>,
    id: usize,
    /// Whether the record before was the header, or a border around it.
    below_header: bool,
}

impl Around {
    /// `header` is the header, if there is one, and `id` the index of the id column.
    pub(super) fn new(header: Option<StringRecord>, id: usize, any_id: bool) -> Self {
        Self {
            any_id,
            below_header: header.is_some(),
            header,
            id,
        }
    }

    /// What the record is, if it is not a row. This must be called with every record in turn.
    pub(super) fn passes(&mut self, record: &StringRecord) -> Option<Passed> {
        let below_header = std::mem::take(&mut self.below_header);
        let id = trim(record.get(self.id).unwrap_or_default());
        // Lines that are not rows are short there, and nearly all rows are not, so this is the quick way out.
        if id.len() > 30 {
            return None;
        }
        if is_blank(record) {
            return Some(Passed::Blank);
        }
        if self.is_header(record) {
            self.below_header = true;
            return Some(Passed::Header);
        }
        if is_rule(record) && (below_header || record.as_slice().contains('+')) {
            return Some(Passed::Rule);
        }
        let is_total = is_total(record, id) && (id.is_empty() || !self.any_id);
        is_total.then_some(Passed::Total)
    }

    fn is_header(&self, record: &StringRecord) -> bool {
        let Some(header) = &self.header else {
            return false;
        };
        let filled =
            |record: &StringRecord| record.iter().filter(|cell| !cell.trim().is_empty()).count();
        filled(header) == filled(record)
            && header
                .iter()
                .zip(record)
                .all(|(name, cell)| trim(name).eq_ignore_ascii_case(trim(cell)))
    }
}

/// Whether the record has invisible characters and nothing else.
fn is_blank(record: &StringRecord) -> bool {
    record.iter().any(|cell| !cell.trim().is_empty())
        && record.iter().all(|cell| trim(cell).is_empty())
}

/// Whether the record has only dashes and the like, at least two of them in each cell that is not empty.
pub(super) fn is_rule(record: &StringRecord) -> bool {
    let mut some = false;
    for cell in record.iter().map(str::trim).filter(|cell| !cell.is_empty()) {
        some = true;
        if cell.len() < 2
            || !cell.bytes().all(|byte| b"-=+| ".contains(&byte))
            || !cell.contains(['-', '='])
        {
            return false;
        }
    }
    some
}

/// Whether the record has a word for a total where the id should be, or in another cell if it has no id, and only
/// numbers in the other cells.
fn is_total(record: &StringRecord, id: &str) -> bool {
    // A longer word such as `SUM01` may be a machine.
    let is_word = |cell: &str| {
        let (word, count) = cell.rsplit_once([':', ' ']).unwrap_or((cell, ""));
        let is_total = |word: &str| TOTALS.iter().any(|total| total.eq_ignore_ascii_case(word));
        is_total(cell) || (is_number(count) && is_total(word.trim_end_matches([':', ' '])))
    };
    let is_count_of_rows = |cell: &str| {
        let text = cell
            .strip_prefix('(')
            .and_then(|text| text.strip_suffix(')'));
        let count = text.and_then(|text| text.split_once(' '));
        count.is_some_and(|(count, what)| {
            is_number(count) && ["row", "rows", "row affected", "rows affected"].contains(&what)
        })
    };
    let mut words = 0;
    for cell in record.iter().map(trim) {
        if is_word(cell) || is_count_of_rows(cell) {
            words += 1;
        } else if !is_number(cell) {
            return false;
        }
    }
    // A record with a number in place of an id is a row.
    words > 0 && (id.is_empty() || !is_number(id))
}

/// Whether the cell is a number in any notation, or empty.
fn is_number(cell: &str) -> bool {
    cell.bytes()
        .all(|byte| byte.is_ascii_digit() || b" .,'%+-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(cells: &[&str]) -> StringRecord {
        StringRecord::from(cells.to_vec())
    }

    fn around() -> Around {
        Around::new(Some(record(&["Device ID", "Name"])), 0, false)
    }

    #[test]
    fn a_repeated_header_and_dashes_below_it_are_no_rows() {
        let mut around = around();
        assert_eq!(
            around.passes(&record(&["---------", "----"])),
            Some(Passed::Rule)
        );
        assert_eq!(around.passes(&record(&["---------", "----"])), None);
        assert_eq!(
            around.passes(&record(&["device id ", "NAME", ""])),
            Some(Passed::Header)
        );
        assert_eq!(around.passes(&record(&["--", "--"])), Some(Passed::Rule));
        assert_eq!(
            around.passes(&record(&["+------+-----+"])),
            Some(Passed::Rule)
        );
    }

    #[test]
    fn a_total_is_no_row() {
        for cells in [
            &["Total", "1,234"][..],
            &["", "Total: 7"],
            &["Gesamt", ""],
            &["(3 rows affected)"],
            &["Count: 3"],
        ] {
            assert_eq!(
                around().passes(&record(cells)),
                Some(Passed::Total),
                "{cells:?}"
            );
        }
    }

    #[test]
    fn the_padding_of_a_file_is_no_row() {
        assert_eq!(around().passes(&record(&["\0\0\0"])), Some(Passed::Blank));
        assert_eq!(around().passes(&record(&["\u{1a}"])), Some(Passed::Blank));
    }

    #[test]
    fn in_doubt_a_line_is_a_row() {
        for cells in [
            &["-", "pc-5"][..],
            &["Total", "pc-5"],
            &["17", "Total"],
            &["", ""],
            &["Device ID", "pc-1"],
            &["null", ""],
            &["", "SUM01"],
            &["(see below)"],
        ] {
            let mut around = around();
            around.below_header = false;
            assert_eq!(around.passes(&record(cells)), None, "{cells:?}");
        }
    }
}

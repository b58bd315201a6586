//! CSV records as text, each with the line that it begins on.

use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};
use encoding_rs::WINDOWS_1252;

use super::{lines::Lines, options::Delimiter};

/// The records of a CSV, one at a time. Blank lines are skipped.
pub(super) struct Records<R> {
    reader: Reader<Lines<R>>,
    /// The delimiter within a record's only cell, if each line is one quoted cell.
    inner: Option<u8>,
    record: StringRecord,
    line: u64,
    is_utf8: bool,
    width: usize,
    is_unfolded: bool,
}

/// Why there is no further record.
#[derive(Debug)]
pub(super) enum Broken {
    Read(io::Error),
    UnclosedQuote { line: u64 },
}

impl<R: Read> Records<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        let are_rows = delimiter == Delimiter::OF_SHEET.as_byte();
        Self {
            reader: ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(delimiter)
                .buffer_capacity(64 * 1024)
                .from_reader(Lines::new(input).counting_rows(are_rows)),
            inner: None,
            record: StringRecord::new(),
            line: 0,
            is_utf8: true,
            width: 0,
            is_unfolded: false,
        }
    }

    /// Splits a record that is a single cell into the cells within it, with this delimiter.
    pub(super) fn within(mut self, inner: Option<u8>) -> Self {
        self.inner = inner;
        self
    }

    /// Goes to the next record. Returns false if there is none.
    pub(super) fn advance(&mut self) -> Result<bool, Broken> {
        loop {
            let mut bytes = std::mem::take(&mut self.record).into_byte_record();
            let found = self.reader.read_byte_record(&mut bytes);
            if !found.map_err(|error| Broken::Read(error.into()))? {
                return Ok(false);
            }
            let after = self.reader.position().byte();
            let from = bytes.position().map_or(after, csv::Position::byte);
            let lines = self.reader.get_mut();
            let (start, line) = lines.line_from(from);
            if let Some(end) = lines.end() {
                if start >= end {
                    return Ok(false);
                }
                if after > end {
                    return Err(Broken::UnclosedQuote { line });
                }
            }
            self.line = line;
            (self.record, self.is_utf8) = decode(bytes);
            self.width = self.record.len();
            let unfolded = self.inner.and_then(|inner| unfold(&self.record, inner));
            self.is_unfolded = unfolded.is_some();
            if let Some(cells) = unfolded {
                self.record = cells;
            }
            if !is_blank(&self.record) {
                return Ok(true);
            }
        }
    }

    pub(super) const fn record(&self) -> &StringRecord {
        &self.record
    }

    /// The line that the record begins on, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// How many cells the record had, before its only cell was split.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// Whether the record was a single cell that was split.
    pub(super) const fn is_unfolded(&self) -> bool {
        self.is_unfolded
    }

    /// Whether the record was UTF-8 rather than Windows-1252.
    pub(super) const fn is_utf8(&self) -> bool {
        self.is_utf8
    }
}

/// The record as text, and whether it was UTF-8.
///
/// Whatever is not UTF-8 is read as Windows-1252. Windows-1252 text with letters beyond ASCII is hardly ever valid
/// UTF-8. This is decided for each record, so the file need not be read twice, and one odd row in a UTF-8 file does
/// not garble the others.
fn decode(bytes: ByteRecord) -> (StringRecord, bool) {
    match StringRecord::from_byte_record(bytes) {
        Ok(record) => (record, true),
        Err(error) => {
            let bytes = error.into_byte_record();
            let cells = bytes
                .iter()
                .map(|cell| WINDOWS_1252.decode_without_bom_handling(cell).0);
            (cells.collect(), false)
        }
    }
}

/// The cells within the first cell, if all other cells are empty and there are several.
fn unfold(record: &StringRecord, delimiter: u8) -> Option<StringRecord> {
    let line = record.get(0)?;
    if !record.iter().skip(1).all(str::is_empty) || !line.as_bytes().contains(&delimiter) {
        return None;
    }
    let mut lines = ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .from_reader(line.as_bytes())
        .into_records();
    let cells = lines.next()?.ok()?;
    // A cell that spans several lines is really a cell, not a line.
    lines.next().is_none().then_some(cells)
}

/// Whether there is only white space on the line. (`""` is a row without an id, and csv itself skips empty lines.)
fn is_blank(record: &StringRecord) -> bool {
    record.len() == 1 && !record.as_slice().is_empty() && record.as_slice().trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<(u64, Vec<String>)>, Broken> {
        let mut records = Records::new(text, b',');
        let mut found = Vec::new();
        while records.advance()? {
            found.push((
                records.line(),
                records.record().iter().map(str::to_owned).collect(),
            ));
        }
        Ok(found)
    }

    fn lines(text: &[u8]) -> Vec<u64> {
        read(text)
            .unwrap()
            .into_iter()
            .map(|(line, _)| line)
            .collect()
    }

    #[test]
    fn line_numbers_are_right_with_every_line_end() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("a{end}b{end}{end}\"c{end}c\",d{end}   {end}e");
            assert_eq!(lines(text.as_bytes()), [1, 2, 4, 7], "{end:?}");
            assert_eq!(
                lines(format!("{text}{end}").as_bytes()),
                [1, 2, 4, 7],
                "{end:?}"
            );
        }
    }

    #[test]
    fn an_unclosed_quote_is_told_and_a_closed_one_at_the_end_is_not() {
        for text in ["a\n\"b\nc\n", "a\n\"", "a\n\"b\"\"", "a\n\"b\r\n"] {
            let broken = read(text.as_bytes());
            assert!(
                matches!(broken, Err(Broken::UnclosedQuote { line: 2 })),
                "{text:?}: {broken:?}"
            );
        }
        for text in ["a\n\"b\"", "a\n\"b\nc\"\n", "a\nb\"", "a\n\"b\"\"\""] {
            assert_eq!(lines(text.as_bytes()), [1, 2], "{text:?}");
        }
    }

    #[test]
    fn a_single_dot_is_a_record_like_any_other() {
        assert_eq!(lines(b".\n.\n."), [1, 2, 3]);
    }

    #[test]
    fn what_is_no_utf8_is_windows_1252() {
        let cells = read(b"\x80,caf\xe9\n").unwrap();
        assert_eq!(cells[0].1, ["€", "café"]);
    }

    #[test]
    fn two_halves_of_a_letter_in_two_cells_are_no_utf8() {
        assert_eq!(read(b"\xc3,\xa9\n").unwrap()[0].1, ["Ã", "©"]);
    }

    #[test]
    fn an_empty_input_has_no_record() {
        for text in [&b""[..], b"\n\n", b"\r\n \r\n"] {
            assert_eq!(lines(text), [0; 0]);
        }
    }
}

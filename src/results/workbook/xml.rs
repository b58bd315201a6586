//! The rows of the results as a sheet has them.

use std::{borrow::Cow, fmt::Write as _, io};

use super::MOST_ROWS;
use crate::results::{
    Layout, Row,
    cells::{self, Cell},
};

/// The most UTF-16 units that a cell can hold.
const LONGEST: usize = 32_767;
/// How many of them are kept of a longer text, so that there is room to say so.
const KEPT: usize = 32_600;
/// Old versions of Excel show `####` in place of longer texts whose format is that of texts.
const LONGEST_STYLED: usize = 255;

/// Rows that have not been written yet.
pub(super) struct Rows {
    pub(super) xml: String,
    /// The number of the last row, from 1.
    number: u64,
    style: u32,
    text: String,
    /// The names of the columns: `A`, `B`, and so on.
    columns: Vec<String>,
}

impl Rows {
    /// Those that come below the header. `style` is the number of the format for texts.
    pub(super) fn below_header(style: u32) -> Self {
        Self {
            xml: String::new(),
            number: 1,
            style,
            text: String::new(),
            columns: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// The sheet is full.
    pub(super) fn add(&mut self, layout: &Layout, row: &Row<'_>) -> io::Result<()> {
        if self.number > MOST_ROWS {
            return Err(io::Error::other(format!(
                "a sheet has room for {MOST_ROWS} rows"
            )));
        }
        self.number += 1;
        let mut text = std::mem::take(&mut self.text);
        let mut column = 0;
        let begun = write!(self.xml, "<row r=\"{}\">", self.number);
        let written = begun.and_then(|()| {
            cells::each(layout, row, |cell| {
                column += 1;
                match cell {
                    Cell::Text(own) => self.text(column - 1, &own),
                    Cell::Number(number) => {
                        cells::write_number(number, &mut text);
                        self.number(column - 1, &text)
                    }
                    Cell::Time(time) => {
                        cells::write_time(time, &mut text);
                        self.text(column - 1, &text)
                    }
                }
            })
        });
        self.text = text;
        self.xml.push_str("</row>");
        written.map_err(io::Error::other)
    }

    fn number(&mut self, column: usize, digits: &str) -> std::fmt::Result {
        if digits.is_empty() {
            return Ok(());
        }
        self.name_columns(column);
        let (name, row) = (&self.columns[column], self.number);
        write!(self.xml, "<c r=\"{name}{row}\"><v>{digits}</v></c>")
    }

    fn text(&mut self, column: usize, text: &str) -> std::fmt::Result {
        if text.is_empty() {
            return Ok(());
        }
        self.name_columns(column);
        let (name, row) = (&self.columns[column], self.number);
        write!(self.xml, "<c r=\"{name}{row}\"")?;
        let (text, is_long) = fitting(text);
        if !is_long {
            write!(self.xml, " s=\"{}\"", self.style)?;
        }
        self.xml
            .push_str(" t=\"inlineStr\"><is><t xml:space=\"preserve\">");
        escape(&text, &mut self.xml);
        self.xml.push_str("</t></is></c>");
        Ok(())
    }

    fn name_columns(&mut self, column: usize) {
        while self.columns.len() <= column {
            let mut rest = self.columns.len() + 1;
            let mut name = Vec::new();
            while rest > 0 {
                rest -= 1;
                name.insert(
                    0,
                    char::from(b'A' + u8::try_from(rest % 26).unwrap_or_default()),
                );
                rest /= 26;
            }
            self.columns.push(name.into_iter().collect());
        }
    }
}

/// As much of the text as a cell can hold, with a word about the rest, and whether it is long.
pub(super) fn fitting(text: &str) -> (Cow<'_, str>, bool) {
    // There are never more units than bytes.
    if text.len() <= LONGEST_STYLED {
        return (Cow::Borrowed(text), false);
    }
    let units: usize = text.chars().map(char::len_utf16).sum();
    if units <= LONGEST {
        return (Cow::Borrowed(text), units > LONGEST_STYLED);
    }
    let mut kept = 0;
    let end = text.char_indices().find(|(_, c)| {
        kept += c.len_utf16();
        kept > KEPT
    });
    let end = end.map_or(text.len(), |(at, _)| at);
    let cut = format!(
        "{}… (cut off: a cell holds {LONGEST} characters, and this text has {units}; the CSV has all of it)",
        &text[..end]
    );
    (Cow::Owned(cut), true)
}

/// Adds the text as XML. What would be read as an escape (`_x0041_`) is escaped, and what XML cannot hold is replaced.
fn escape(text: &str, xml: &mut String) {
    let is_plain = |byte: u8| !matches!(byte, 0..b' ' | b'&' | b'<' | b'>' | b'_' | 0x80..);
    if text.bytes().all(is_plain) {
        return xml.push_str(text);
    }
    for (at, c) in text.char_indices() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\r' => xml.push_str("_x000D_"),
            '_' if is_escape(&text.as_bytes()[at..]) => xml.push_str("_x005F_"),
            '\t' | '\n' => xml.push(c),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            _ => xml.push(c),
        }
    }
}

/// Whether this begins with something like `_x0041_`.
fn is_escape(text: &[u8]) -> bool {
    matches!(text, [b'_', b'x' | b'X', digits @ .., ] if digits.len() >= 5
        && digits[..4].iter().all(u8::is_ascii_hexdigit)
        && digits[4] == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut xml = String::new();
        escape(text, &mut xml);
        xml
    }

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escaped("<a b='c'>&amp;"), "&lt;a b='c'&gt;&amp;amp;");
        assert_eq!(escaped("a_x0041_b_xz"), "a_x005F_x0041_b_xz");
        assert_eq!(escaped("_x004_ _x00411_ é"), "_x004_ _x00411_ é");
        assert_eq!(
            escaped("a\r\n\tb\u{1}\u{ffff}"),
            "a_x000D_\n\tb\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters_and_says_so() {
        let whole = "é".repeat(LONGEST);
        assert_eq!(fitting(&whole), (Cow::Borrowed(whole.as_str()), true));
        let long = "😀".repeat(LONGEST);
        let (cut, _) = fitting(&long);
        assert!(
            cut.ends_with("this text has 65534; the CSV has all of it)"),
            "{cut:?}"
        );
        assert!(cut.encode_utf16().count() <= LONGEST && cut.starts_with("😀"));
        assert!(fitting(&"a".repeat(256)).1 && !fitting("a").1);
    }

    #[test]
    fn columns_have_the_names_that_a_sheet_has() {
        let mut rows = Rows::below_header(1);
        rows.name_columns(703);
        for (column, name) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")] {
            assert_eq!(rows.columns[column], name);
        }
    }

    #[test]
    fn a_full_sheet_takes_no_further_row() {
        let mut rows = Rows::below_header(1);
        rows.number = MOST_ROWS;
        let (layout, row) = (Layout::new(&[], false), Row::default());
        rows.add(&layout, &row).unwrap();
        let full = rows.add(&layout, &row).unwrap_err().to_string();
        assert!(full.contains("1048575 rows"), "{full}");
    }
}

//! Tracks where lines begin, and detects an input that ends inside of a quoted cell.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

/// What is appended to the input. It is a record of its own, unless a quoted cell is still open.
const TAIL: &[u8] = b"\n.";

/// A reader that remembers where lines begin.
///
/// csv miscounts lines in CRLF files (rust-csv issue 395), but its byte positions are right. Since records begin where
/// lines do, the position is enough to find the line.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is what one byte leaves behind, or what is counted"
)]
pub(super) struct Lines<R> {
    input: R,
    /// How many bytes were read.
    bytes: u64,
    /// The line number of the next byte.
    line: u64,
    /// Whether the last byte was a CR. Then an LF does not end another line.
    after_cr: bool,
    /// Whether the next byte is the first of its line.
    at_start: bool,
    /// Position and number of each line that is not empty, from the last one asked for.
    starts: VecDeque<(u64, u64)>,
    /// Whether line ends between quotes are part of their line.
    are_rows: bool,
    /// Whether the next byte is between quotes, if they are.
    is_quoted: bool,
    tail: &'static [u8],
    /// Where the tail's record begins, once the input has ended.
    end: Option<u64>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            bytes: 0,
            line: 1,
            after_cr: false,
            at_start: true,
            starts: VecDeque::new(),
            are_rows: false,
            is_quoted: false,
            tail: TAIL,
            end: None,
        }
    }

    /// Counts rows in place of lines: line ends between quotes are not counted.
    pub(super) fn counting_rows(mut self, are_rows: bool) -> Self {
        self.are_rows = are_rows;
        self
    }

    /// Position and number of the first line that is not empty and begins at this byte or after it. Earlier lines are
    /// forgotten.
    pub(super) fn line_from(&mut self, byte: u64) -> (u64, u64) {
        while self.starts.front().is_some_and(|&(start, _)| start < byte) {
            self.starts.pop_front();
        }
        self.starts.front().copied().unwrap_or((byte, self.line))
    }

    /// Where the tail's record begins, once the input has ended. A record that begins there is not part of the input.
    /// One that extends beyond it includes the tail, so its last quoted cell is never closed.
    pub(super) const fn end(&self) -> Option<u64> {
        self.end
    }

    fn note(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            let is_end = |&byte: &u8| byte == b'\n' || byte == b'\r';
            if self.are_rows && (self.is_quoted || first == b'"') {
                bytes = self.note_quoted(bytes);
            } else if is_end(&first) {
                if !(self.after_cr && first == b'\n') {
                    self.line += 1;
                }
                self.after_cr = first == b'\r';
                self.at_start = true;
                self.bytes += 1;
                bytes = &bytes[1..];
            } else {
                if self.at_start {
                    self.starts.push_back((self.bytes, self.line));
                }
                let are_rows = self.are_rows;
                let is_stop = |byte: &u8| is_end(byte) || (are_rows && *byte == b'"');
                let length = bytes.iter().position(is_stop).unwrap_or(bytes.len());
                self.after_cr = false;
                self.at_start = false;
                self.bytes += length as u64;
                bytes = &bytes[length..];
            }
        }
    }
}

impl<R> Lines<R> {
    /// Notes a quoted cell, or as much of it as there is, and returns what comes after it.
    fn note_quoted<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.at_start {
            self.starts.push_back((self.bytes, self.line));
            self.at_start = false;
        }
        self.after_cr = false;
        let from = usize::from(!self.is_quoted);
        let end = bytes[from..].iter().position(|&byte| byte == b'"');
        self.is_quoted = end.is_none();
        let length = end.map_or(bytes.len(), |end| from + end + 1);
        self.bytes += length as u64;
        &bytes[length..]
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        if self.end.is_none() {
            read = self.input.read(buf)?;
            if read == 0 && !buf.is_empty() {
                self.end = Some(self.bytes + 1);
            }
        }
        if self.end.is_some() {
            read = self.tail.read(buf)?;
        }
        self.note(&buf[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_with_every_line_end_and_at_every_buffer_size() {
        let text = b"a\r\n\r\nbb\nc\rd\n\n\re";
        for size in 1..20 {
            let mut lines = Lines::new(&text[..]);
            let mut buf = vec![0; size];
            while lines.read(&mut buf).unwrap() > 0 {}
            let found: Vec<_> = [0, 1, 5, 6, 8, 10, 11]
                .map(|byte| lines.line_from(byte))
                .into();
            assert_eq!(
                found,
                [(0, 1), (5, 3), (5, 3), (8, 4), (8, 4), (10, 5), (14, 8)],
                "{size}"
            );
            assert_eq!(lines.end(), Some(text.len() as u64 + 1));
        }
    }

    #[test]
    fn rows_are_counted_past_the_line_ends_in_their_cells_at_every_buffer_size() {
        let text = b"\"a\"\n\n\"b\nb\"\x1f\"\"\"\r\n\"\n\"c\"\n";
        for size in 1..20 {
            let mut lines = Lines::new(&text[..]).counting_rows(true);
            let mut buf = vec![0; size];
            while lines.read(&mut buf).unwrap() > 0 {}
            let found: Vec<_> = [0, 4, 18].map(|byte| lines.line_from(byte)).into();
            assert_eq!(found, [(0, 1), (5, 3), (18, 4)], "{size}");
        }
    }
}

//! Formats rows as CSV.

use std::io::{self, Write};

use csv::{Terminator, Writer, WriterBuilder};

use super::{
    Layout, Row,
    cells::{self, Cell},
};

/// The byte order mark, by which Excel recognises UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Formats rows in one layout. Its buffers are reused for every row.
pub(super) struct RowWriter {
    layout: Layout,
    builder: WriterBuilder,
    cell: String,
}

impl RowWriter {
    pub(super) fn new(layout: &Layout) -> Self {
        let mut builder = WriterBuilder::new();
        // Usually a line fits. A longer one only costs a second copy.
        builder.flexible(true).buffer_capacity(1024);
        if layout.excel() {
            builder.delimiter(b';').terminator(Terminator::CRLF);
        } else {
            builder.terminator(Terminator::Any(b'\n'));
        }
        Self {
            layout: layout.clone(),
            builder,
            cell: String::new(),
        }
    }

    /// Adds the first line to `out`, with a byte order mark if the layout has one.
    pub(super) fn header(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.layout.excel() {
            out.write_all(MARK)?;
        }
        let mut writer = self.builder.from_writer(out);
        for name in cells::headings(&self.layout) {
            writer.write_field(name.as_bytes())?;
        }
        end(writer)
    }

    /// Adds the row's line to `out`.
    pub(super) fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let mut writer = self.builder.from_writer(out);
        let text = &mut self.cell;
        cells::each(&self.layout, row, |cell| match cell {
            Cell::Text(text) => writer.write_field(text.as_bytes()),
            Cell::Number(number) => {
                cells::write_number(number, text);
                writer.write_field(text.as_str())
            }
            Cell::Time(time) => {
                cells::write_time(time, text);
                writer.write_field(text.as_str())
            }
        })?;
        end(writer)
    }
}

fn end(mut writer: Writer<&mut Vec<u8>>) -> io::Result<()> {
    writer.write_record(None::<&[u8]>)?;
    // Dropping the writer would flush it too, but ignore errors.
    writer.flush()
}

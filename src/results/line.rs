//! Formats rows as CSV.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use csv::{Terminator, Writer, WriterBuilder};
use jiff::Timestamp;

use super::{
    Layout, Row,
    guard::{guarded, guarded_own},
    layout::{COLUMNS, DEVICE_COLUMNS},
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
        for name in COLUMNS {
            writer.write_field(name)?;
        }
        for name in self.layout.extra() {
            writer.write_field(guarded_own(name).as_bytes())?;
        }
        if self.layout.devices() {
            for name in DEVICE_COLUMNS {
                writer.write_field(name)?;
            }
        }
        end(writer)
    }

    /// Adds the row's line to `out`.
    pub(super) fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let mut writer = self.builder.from_writer(out);
        let w = &mut writer;
        let cell = &mut self.cell;
        w.write_field(guarded(row.machine_id).as_bytes())?;
        w.write_field(guarded(row.outcome).as_bytes())?;
        w.write_field(guarded(row.action_id).as_bytes())?;
        w.write_field(guarded(row.action_status).as_bytes())?;
        shown(w, cell, row.http_status)?;
        w.write_field(guarded(row.error_code).as_bytes())?;
        w.write_field(guarded(row.message).as_bytes())?;
        shown(w, cell, Some(row.attempts))?;
        time(w, cell, row.first_sent)?;
        time(w, cell, row.last_answer)?;
        w.write_field(guarded(row.scan_type).as_bytes())?;
        w.write_field(guarded(row.correlation_id).as_bytes())?;
        w.write_field(guarded(row.campaign).as_bytes())?;
        w.write_field(guarded(row.action_created).as_bytes())?;
        for at in 0..self.layout.extra().len() {
            let own = row.extra.get(at).map_or("", String::as_str);
            w.write_field(guarded_own(own).as_bytes())?;
        }
        if self.layout.devices() {
            time(w, cell, row.device.scanned)?;
            w.write_field(guarded(row.device.result).as_bytes())?;
            w.write_field(row.device.verified)?;
        }
        end(writer)
    }
}

fn shown(
    writer: &mut Writer<&mut Vec<u8>>,
    cell: &mut String,
    value: Option<impl fmt::Display>,
) -> io::Result<()> {
    cell.clear();
    if let Some(value) = value {
        write!(cell, "{value}").map_err(io::Error::other)?;
    }
    writer.write_field(cell.as_str())?;
    Ok(())
}

/// Writes a time with milliseconds, which show the order of calls and are still readable.
fn time(
    writer: &mut Writer<&mut Vec<u8>>,
    cell: &mut String,
    time: Option<Timestamp>,
) -> io::Result<()> {
    cell.clear();
    if let Some(time) = time {
        write!(cell, "{time:.3}").map_err(io::Error::other)?;
    }
    writer.write_field(cell.as_str())?;
    Ok(())
}

fn end(mut writer: Writer<&mut Vec<u8>>) -> io::Result<()> {
    writer.write_record(None::<&[u8]>)?;
    // Dropping the writer would flush it too, but ignore errors.
    writer.flush()
}

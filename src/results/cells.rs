//! The cells of a row, in the order of the columns, for the CSV and the workbook alike.

use std::{borrow::Cow, fmt::Write as _};

use jiff::Timestamp;

use super::{
    Layout, Row,
    guard::{guarded, guarded_own},
    layout::{COLUMNS, DEVICE_COLUMNS},
};

/// What a cell holds.
pub(super) enum Cell<'a> {
    /// A text that no spreadsheet runs. It may be empty.
    Text(Cow<'a, str>),
    Number(Option<u32>),
    Time(Option<Timestamp>),
}

/// The names of the columns.
pub(super) fn headings(layout: &Layout) -> impl Iterator<Item = Cow<'_, str>> {
    let extra = layout.extra().iter().map(|name| guarded_own(name));
    let more: &'static [&'static str] = if layout.devices() {
        &DEVICE_COLUMNS
    } else {
        &[]
    };
    let ours = |names: &'static [&'static str]| names.iter().copied().map(Cow::Borrowed);
    ours(&COLUMNS).chain(extra).chain(ours(more))
}

/// Calls `put` with each cell of the row.
///
/// # Errors
/// Those of `put`.
pub(super) fn each<E>(
    layout: &Layout,
    row: &Row<'_>,
    mut put: impl FnMut(Cell<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let text = |text| Cell::Text(guarded(text));
    put(text(row.machine_id))?;
    put(text(row.outcome))?;
    put(text(row.action_id))?;
    put(text(row.action_status))?;
    put(Cell::Number(row.http_status.map(u32::from)))?;
    put(text(row.error_code))?;
    put(text(row.message))?;
    put(Cell::Number(Some(row.attempts)))?;
    put(Cell::Time(row.first_sent))?;
    put(Cell::Time(row.last_answer))?;
    put(text(row.scan_type))?;
    put(text(row.correlation_id))?;
    put(text(row.campaign))?;
    put(text(row.action_created))?;
    for at in 0..layout.extra().len() {
        let own = row.extra.get(at).map_or("", String::as_str);
        put(Cell::Text(guarded_own(own)))?;
    }
    if layout.devices() {
        put(Cell::Time(row.device.scanned))?;
        put(text(row.device.result))?;
        put(text(row.device.verified))?;
    }
    Ok(())
}

/// Puts a number in the place of what `text` holds.
pub(super) fn write_number(number: Option<u32>, text: &mut String) {
    text.clear();
    if let Some(number) = number {
        // Writing to a String does not fail.
        let _ = write!(text, "{number}");
    }
}

/// Puts a time in the place of what `text` holds, with milliseconds, which show the order of calls and are still
/// readable.
pub(super) fn write_time(time: Option<Timestamp>, text: &mut String) {
    text.clear();
    if let Some(time) = time {
        let _ = write!(text, "{time:.3}");
    }
}

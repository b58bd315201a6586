//! A workbook with the header and nothing else.

use std::io::{self, Cursor};

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};
use zip::ZipArchive;

use super::{About, MOST_ROWS, owner::PROPERTY, part_of};
use crate::results::{Layout, cells};

/// The part that holds the sheet's rows.
pub(super) const SHEET: &str = "xl/worksheets/sheet1.xml";
/// The sheet's name.
const NAME: &str = "Results";
/// How wide a column of the input is, in characters.
const USUAL_WIDTH: f64 = 18.0;
/// How wide our own columns are, as far as they are not of the usual width.
const WIDTHS: [(&str, f64); 10] = [
    ("machine_id", 44.0),
    ("outcome", 15.0),
    ("action_id", 38.0),
    ("http_status", 12.0),
    ("message", 60.0),
    ("attempts", 10.0),
    ("first_sent_utc", 25.0),
    ("last_answer_utc", 25.0),
    ("correlation_id", 38.0),
    ("action_created_utc", 30.0),
];
/// More than the sheet's part of a template ever is.
const LONGEST: u64 = 64 * 1024 * 1024;

/// A workbook without rows.
pub(super) struct Template {
    /// The whole file.
    pub(super) file: Vec<u8>,
    /// The sheet's part up to its second row.
    pub(super) head: String,
    /// What comes below the rows.
    pub(super) foot: String,
    /// The number of the format that keeps what is typed into a cell a text.
    pub(super) text_style: u32,
}

impl Template {
    pub(super) fn new(layout: &Layout, about: About<'_>) -> io::Result<Self> {
        if about.rows > MOST_ROWS {
            return Err(io::Error::other(format!(
                "a sheet has room for {MOST_ROWS} rows, and there are {}",
                about.rows
            )));
        }
        let file = make(layout, about).map_err(io::Error::other)?;
        let mut archive = ZipArchive::new(Cursor::new(file.as_slice()))?;
        let sheet = part_of(&mut archive, SHEET, LONGEST);
        drop(archive);
        let parts = sheet.as_deref().and_then(cut);
        let (head, foot, text_style) =
            parts.ok_or_else(|| io::Error::other("the template has no rows"))?;
        Ok(Self {
            file,
            head,
            foot,
            text_style,
        })
    }
}

/// The workbook, with a second row that is a cell in the format for texts.
fn make(layout: &Layout, about: About<'_>) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let properties = DocProperties::new()
        .set_title(format!("Results of campaign {}", about.campaign))
        .set_author("fleetsweep")
        .set_creation_datetime(&ExcelDateTime::from_timestamp(about.created)?)
        .set_custom_property(PROPERTY, about.campaign);
    book.set_properties(&properties);
    let sheet = book.add_worksheet();
    sheet.set_name(NAME)?;
    let bold = Format::new().set_bold();
    let mut columns = 0;
    for (column, name) in (0_u16..).zip(cells::headings(layout)) {
        let width = WIDTHS.iter().find(|(ours, _)| *ours == name);
        sheet.set_column_width(column, width.map_or(USUAL_WIDTH, |(_, width)| *width))?;
        let (name, _) = super::xml::fitting(&name);
        sheet.write_string_with_format(0, column, name.as_ref(), &bold)?;
        columns = column;
    }
    let text = Format::new().set_num_format("@");
    sheet.write_string_with_format(1, 0, "x", &text)?;
    sheet.set_freeze_panes(1, 0)?;
    let last = u32::try_from(about.rows).unwrap_or(u32::MAX);
    sheet.autofilter(0, 0, last, columns)?;
    book.save_to_buffer()
}

/// The sheet's part without its second row, in two, and the number of that row's format.
fn cut(sheet: &str) -> Option<(String, String, u32)> {
    let (head, rest) = sheet.split_once("<row r=\"2\"")?;
    let (row, foot) = rest.split_once("</row>")?;
    let style = row.split_once(" s=\"")?.1.split_once('"')?.0.parse().ok()?;
    // It tells of a sheet with two rows, and readers do without it.
    let (before, after) = head.split_once("<dimension ")?;
    let (_, after) = after.split_once("/>")?;
    Some((format!("{before}{after}"), foot.to_owned(), style))
}

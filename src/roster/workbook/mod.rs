//! Workbooks: reads a sheet of an `.xlsx` as the text that the roster reads.
//!
//! - [`recognise`]: whether a file is a workbook, by its bytes.
//! - `measure`, `xml` and `tag`: refuse a workbook that could fill the memory, before anything of it is kept.
//! - `choice`: which sheet is read. `counted`: how much that has cost.
//! - `rows` and `cell`: the sheet as text. `text`: hands it over, from a thread of its own.
//! - [`WorkbookError`] (`error`): why a workbook cannot be read.
//!
//! ```text
//! .xlsx → measure (inflated once, into nothing) → calamine (shared strings and formats in memory, sheets streamed)
//!       → choice (the head of each sheet, by the roster's own rules) → rows → SheetText: Read → Roster, as for a CSV
//! ```

mod cell;
mod choice;
mod counted;
mod error;
mod measure;
mod rows;
mod tag;
mod text;
mod xml;

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
    sync::{Arc, atomic::AtomicU64},
};

use calamine::{Reader, SheetType, SheetVisible, Xlsx};
use zip::ZipArchive;

use super::foreign::Foreign;
use counted::{Book, Counted};
pub use error::WorkbookError;
use text::SheetText;

/// How an archive begins.
const ARCHIVE: &[u8] = b"PK\x03\x04";

/// How many bytes of text a sheet of any workbook may have.
const LEAST_TEXT: u64 = 64 * 1024 * 1024;
/// How many times more than its file that of a large one may have.
const TEXT_RATIO: u64 = 200;

/// What a file is.
pub(super) enum Found {
    /// A workbook.
    Workbook(Box<Workbook>),
    /// Something that no table can be read from.
    Foreign(Foreign),
    /// Something else, which is to be read from its beginning.
    Other(File),
}

/// A workbook that can be read in bounded memory.
pub(super) struct Workbook {
    book: Book,
    /// The size of its file, in bytes.
    size: u64,
    /// How much has been read of the file.
    read: Arc<AtomicU64>,
    /// Its worksheets, in the order of their tabs.
    sheets: Vec<Sheet>,
}

/// A worksheet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sheet {
    name: String,
    is_hidden: bool,
}

/// Finds out whether the file is a workbook. What cannot be read a second time is none: a pipe, a device.
///
/// # Errors
/// The file cannot be read, or is a workbook that cannot be.
pub(super) fn recognise(mut file: File) -> Result<Found, WorkbookError> {
    let about = file.metadata()?;
    if !about.is_file() {
        return Ok(Found::Other(file));
    }
    let mut head = Vec::new();
    file.by_ref()
        .take(ARCHIVE.len() as u64)
        .read_to_end(&mut head)?;
    file.rewind()?;
    if head != ARCHIVE {
        return Ok(Found::Other(file));
    }
    let mut archive = match ZipArchive::new(BufReader::new(file.try_clone()?)) {
        Ok(archive) => archive,
        Err(why) => return not_an_archive(file, why.to_string()),
    };
    let has = |end: &str| {
        let mut names = archive.file_names().flatten();
        names.any(|name| name.to_ascii_lowercase().ends_with(end))
    };
    if has("workbook.xml") {
        measure::measure(&mut archive, about.len())?;
        file.rewind()?;
        let book = Workbook::open(file, about.len())?;
        return Ok(Found::Workbook(Box::new(book)));
    }
    Ok(Found::Foreign(if has("workbook.bin") {
        Foreign::BinaryWorkbook
    } else if has("content.xml") {
        Foreign::OpenDocument
    } else {
        Foreign::Zip
    }))
}

/// A workbook that was cut off has lost its end, and with it the table of its parts.
fn not_an_archive(mut file: File, why: String) -> Result<Found, WorkbookError> {
    let mut head = Vec::new();
    file.rewind()?;
    file.by_ref().take(64 * 1024).read_to_end(&mut head)?;
    if Foreign::of(&head) == Some(Foreign::Workbook) {
        return Err(WorkbookError::Damaged(why));
    }
    file.rewind()?;
    Ok(Found::Other(file))
}

impl Workbook {
    fn open(file: File, size: u64) -> Result<Self, WorkbookError> {
        let (file, read) = Counted::new(file);
        let book = Xlsx::new(BufReader::new(file))?;
        let sheets = book.sheets_metadata().iter();
        let sheets: Vec<_> = sheets
            .filter(|sheet| sheet.typ == SheetType::WorkSheet)
            .map(|sheet| Sheet {
                name: sheet.name.clone(),
                is_hidden: sheet.visible != SheetVisible::Visible,
            })
            .collect();
        if sheets.is_empty() {
            return Err(WorkbookError::damaged("it has no worksheet"));
        }
        Ok(Self {
            book,
            size,
            read,
            sheets,
        })
    }

    /// How many bytes of text a sheet may have: a few times what the best compressed workbooks hold.
    fn most_text(&self) -> u64 {
        LEAST_TEXT.max(self.size.saturating_mul(TEXT_RATIO))
    }

    /// The text of this sheet.
    pub(super) fn read(self, sheet: String) -> impl Read + 'static {
        let most = self.most_text();
        SheetText::begin(self.book, sheet, most)
    }
}

impl From<WorkbookError> for io::Error {
    fn from(why: WorkbookError) -> Self {
        Self::other(why)
    }
}

#[cfg(test)]
mod tests;

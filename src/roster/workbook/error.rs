//! Why a workbook cannot be read.

use calamine::XlsxError;
use zip::result::ZipError;

use crate::roster::row_error::excerpt;

/// Why a workbook cannot be read. Nothing of it was used.
#[derive(Debug, thiserror::Error)]
pub enum WorkbookError {
    /// The archive cannot be read, or has no sheets where they should be.
    #[error(
        "this workbook is damaged or cut off ({0}); get it once more from where it came from, or open it and \
         save it anew"
    )]
    Damaged(String),
    /// It would take far more room than a workbook does.
    #[error(
        "this workbook is refused, because {0}, which no spreadsheet program writes: it may have been made to fill the \
         memory of whatever reads it. If you trust it, open it and save the sheet with the machine ids as CSV (UTF-8)"
    )]
    Bomb(String),
    /// It is more than is read of a workbook.
    #[error("this workbook is too large: {0}; save the sheet with the machine ids as CSV (UTF-8)")]
    TooLarge(String),
    /// A cell shows an error that is not known, so that nothing behind it can be read.
    #[error(
        "the sheet `{sheet}` has a cell with the error `{error}`, at which reading it ends; clear that cell and save \
         the workbook"
    )]
    CellError {
        /// The sheet.
        sheet: String,
        /// What the cell shows.
        error: String,
    },
    /// The parts are encrypted.
    #[error(
        "this workbook is protected by a password; open it, save it without one, and give that"
    )]
    Protected,
}

impl WorkbookError {
    /// Sheets without order, or outside of what a sheet can be.
    pub(super) fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged(why.into())
    }

    /// A sheet that cannot be read.
    pub(super) fn of_sheet(sheet: &str, why: XlsxError) -> Self {
        match why {
            XlsxError::CellError(error) => Self::CellError {
                sheet: sheet.to_owned(),
                error: excerpt(&error),
            },
            why => why.into(),
        }
    }
}

impl From<XlsxError> for WorkbookError {
    fn from(why: XlsxError) -> Self {
        match why {
            XlsxError::Password => Self::Protected,
            why => Self::Damaged(why.to_string()),
        }
    }
}

impl From<ZipError> for WorkbookError {
    fn from(why: ZipError) -> Self {
        Self::Damaged(why.to_string())
    }
}

impl From<std::io::Error> for WorkbookError {
    fn from(why: std::io::Error) -> Self {
        Self::Damaged(why.to_string())
    }
}

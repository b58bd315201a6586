//! The rows of a sheet as the text that the roster reads: a line for each row, with every cell between quotes.

use std::io::{Read, Seek};

use calamine::{DataRef, Xlsx, XlsxCellFormulaMetadataRecord as Cell, XlsxCellReader};

use super::{cell, error::WorkbookError};
use crate::roster::{options::Delimiter, slip::NOT_COMPUTED};

/// How many rows and columns a sheet can have.
const MOST_ROWS: u32 = 1_048_576;
const MOST_COLUMNS: u32 = 16_384;
/// How many bytes of text a row may have: 256 cells that are as long as cells can be.
const MOST_IN_ROW: usize = 8 * 1024 * 1024;
/// How many bytes of memory a column keeps for the next row's text.
const MOST_KEPT: usize = 4096;

/// Reads one sheet, row by row.
pub(super) struct Rows<'a, R: Read + Seek> {
    sheet: String,
    cells: XlsxCellReader<'a, R>,
    /// The texts of the row that is being read, by column. They are reused.
    row: Vec<String>,
    /// How many of them are of this row.
    width: usize,
    /// The number of this row, from 0.
    number: u32,
    /// The first cell of the next row, with its place.
    next: Option<(u32, u32, String)>,
    /// Whether the last cell has been read.
    is_over: bool,
    text: String,
    written: u64,
    /// How many bytes of text there may be. Cells share their strings, so that a small workbook can hold much text.
    most: u64,
}

impl<'a, R: Read + Seek> Rows<'a, R> {
    /// The rows of the sheet with this name, which may have up to `most` bytes of text.
    ///
    /// # Errors
    /// There is no such sheet, or it is damaged.
    pub(super) fn of(book: &'a mut Xlsx<R>, sheet: &str, most: u64) -> Result<Self, WorkbookError> {
        Ok(Self {
            sheet: sheet.to_owned(),
            cells: book.worksheet_cells_reader(sheet)?,
            row: Vec::new(),
            width: 0,
            number: 0,
            next: None,
            is_over: false,
            text: String::new(),
            written: 0,
            most,
        })
    }

    /// Adds the line of the next row that is not empty to `out`, after the empty lines of those before it. Returns
    /// false if there is no such row.
    ///
    /// # Errors
    /// The sheet is damaged, or has more text than it should.
    pub(super) fn next_row(&mut self, out: &mut Vec<u8>) -> Result<bool, WorkbookError> {
        let before = out.len();
        while let Some(row) = self.read_row()? {
            while self.number < row {
                out.push(b'\n');
                self.number += 1;
            }
            if self.write_row(out) {
                self.number += 1;
                self.written += (out.len() - before) as u64;
                if self.written > self.most {
                    let most = self.most >> 20;
                    let why = format!("the sheet has more than {most} MiB of text");
                    return Err(WorkbookError::TooLarge(why));
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the cells of the next row that has some. Returns its number.
    fn read_row(&mut self) -> Result<Option<u32>, WorkbookError> {
        for text in &mut self.row[..self.width] {
            text.clear();
            text.shrink_to(MOST_KEPT);
        }
        self.width = 0;
        let mut bytes = 0;
        let mut current = None;
        if let Some((row, column, text)) = self.next.take() {
            bytes += text.len();
            self.put(column, &text)?;
            current = Some(row);
        }
        while !self.is_over {
            let Some((row, column)) = self.read_cell()? else {
                self.is_over = true;
                break;
            };
            if self.text.is_empty() {
                continue;
            }
            if row >= MOST_ROWS || column >= MOST_COLUMNS {
                return Err(WorkbookError::damaged("a cell lies outside of the sheet"));
            }
            match current {
                Some(current) if row < current => {
                    return Err(WorkbookError::damaged("its rows are out of order"));
                }
                Some(current) if row > current => {
                    self.next = Some((row, column, std::mem::take(&mut self.text)));
                    break;
                }
                _ => current = Some(row),
            }
            bytes += self.text.len();
            if bytes > MOST_IN_ROW {
                let why = format!("row {} has more than 8 MiB of text", row + 1);
                return Err(WorkbookError::TooLarge(why));
            }
            let text = std::mem::take(&mut self.text);
            self.put(column, &text)?;
            self.text = text;
        }
        if current.is_some_and(|row| row < self.number) {
            return Err(WorkbookError::damaged("its rows are out of order"));
        }
        Ok(current)
    }

    /// Puts the text of the next cell into `text`. Returns its row and column.
    fn read_cell(&mut self) -> Result<Option<(u32, u32)>, WorkbookError> {
        let read = self.cells.next_cell_with_formula_metadata();
        let read = read.map_err(|why| WorkbookError::of_sheet(&self.sheet, why))?;
        let Some(Cell {
            pos,
            value,
            formula,
            ..
        }) = read
        else {
            return Ok(None);
        };
        cell::write(&value, &mut self.text);
        if value == DataRef::Empty && formula.is_some() {
            self.text.push_str(NOT_COMPUTED);
        }
        Ok(Some(pos))
    }

    fn put(&mut self, column: u32, text: &str) -> Result<(), WorkbookError> {
        let column = column as usize;
        if self.row.len() <= column {
            self.row.resize_with(column + 1, String::new);
        }
        self.width = self.width.max(column + 1);
        let place = &mut self.row[column];
        if !place.is_empty() {
            return Err(WorkbookError::damaged("a cell is there twice"));
        }
        place.push_str(text);
        Ok(())
    }

    /// Writes the row's line, unless there are only blanks in it.
    fn write_row(&self, out: &mut Vec<u8>) -> bool {
        let row = &self.row[..self.width];
        if row.iter().all(|text| text.trim().is_empty()) {
            return false;
        }
        for (at, text) in row.iter().enumerate() {
            if at > 0 {
                out.push(Delimiter::OF_SHEET.as_byte());
            }
            quote(text, out);
        }
        out.push(b'\n');
        true
    }
}

/// Every cell stands between quotes, so that its line ends are part of it.
fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut parts = text.split('"');
    if let Some(first) = parts.next() {
        out.extend_from_slice(first.as_bytes());
    }
    for part in parts {
        out.extend_from_slice(b"\"\"");
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}

//! The results as a workbook (`.xlsx`), for people: a CSV opens differently in every locale.
//!
//! - this file: [`Workbook`], which is written beside the old one and replaces it, as the results do.
//! - `template`: a workbook with the header and nothing else, made by `rust_xlsxwriter`, to put the rows into.
//! - `xml`: the rows. `output`: the file, which fails once.
//! - [`owner`](mod@owner): whose workbook is there already.
//!
//! `rust_xlsxwriter` could write the rows too, but its constant memory is a temporary file, and it panics where that
//! cannot be written: on a full disk, say. A panic ends the process, and a missing workbook must not. So it makes what
//! is hard to get right, and the rows are streamed into the place that it has for them.

mod output;
pub mod owner;
mod template;
mod xml;

use std::{
    fs::File,
    io::{self, BufWriter, Cursor, Read, Write},
    path::Path,
    time::Duration,
};

use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use self::{output::Output, template::Template, xml::Rows};
use super::{
    Layout, ResultsError, Row, cells,
    fresh::{Fresh, Installed, What},
};

/// The most rows that a sheet can have below its header.
pub const MOST_ROWS: u64 = 1_048_575;

/// How much is compressed: twice as fast as the usual 6, for a tenth more bytes.
const LEVEL: i64 = 3;

/// How many bytes of rows are compressed at once.
const BUFFER: usize = 256 * 1024;

/// How many bytes a cell of the sheet may have on average before the sheet could be too large for the plain form of an
/// archive, which ends at 4 GiB.
const LARGE_CELL: u64 = 1024;
/// From how many bytes on a sheet is in the form for large ones. Not all programs read that one as well.
const LARGE: u64 = 2 * 1024 * 1024 * 1024;

/// Writes a workbook. If it is dropped before it is placed, it leaves nothing behind.
pub struct Workbook {
    // Before the file, because it writes into that when it is dropped.
    parts: ZipWriter<Output<BufWriter<File>>>,
    fresh: Fresh,
    layout: Layout,
    rows: Rows,
    /// What comes below the rows in the sheet's part.
    foot: String,
}

/// A workbook that is complete and on disk, but still beside the old one.
pub struct Sealed(Fresh);

/// What a workbook says of itself.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The campaign's id.
    pub campaign: &'a str,
    /// When the campaign began, in seconds since 1970.
    pub created: i64,
    /// How many rows it will have, at most [`MOST_ROWS`].
    pub rows: u64,
}

impl Workbook {
    /// Starts a workbook that will replace the one at `path`.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn start(path: &Path, layout: &Layout, about: About<'_>) -> Result<Self, ResultsError> {
        let wrong = |why: &dyn ToString| {
            ResultsError::new(What::Workbook.writing(), path, &why.to_string())
        };
        let template = Template::new(layout, about).map_err(|why| wrong(&why))?;
        let fresh = Fresh::create(path, What::Workbook).map_err(|why| wrong(&why))?;
        let parts = fresh
            .file()
            .and_then(|file| begin(file, &template, may_be_large(layout, about.rows)))
            .map_err(|why| wrong(&why))?;
        Ok(Self {
            parts,
            fresh,
            layout: layout.clone(),
            rows: Rows::below_header(template.text_style),
            foot: template.foot,
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// The disk is full or gone, or there are more rows than a sheet can have. The old file is untouched.
    pub fn row(&mut self, row: &Row<'_>) -> Result<(), ResultsError> {
        let added = self.rows.add(&self.layout, row).and_then(|()| {
            if self.rows.xml.len() < BUFFER {
                return Ok(());
            }
            self.flush()
        });
        added.map_err(|why| self.fresh.failed(&why))
    }

    /// Completes the workbook, and waits until it is on disk.
    ///
    /// # Errors
    /// The disk is full or gone. The old file is untouched.
    pub fn seal(mut self) -> Result<Sealed, ResultsError> {
        let flushed = self.flush();
        let Self {
            mut parts,
            mut fresh,
            foot,
            ..
        } = self;
        let sealed = flushed
            .and_then(|()| parts.write_all(foot.as_bytes()))
            .and_then(|()| Ok(parts.finish()?))
            .and_then(|file| {
                file.into_inner()
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)
            })
            .and_then(|file| {
                drop(file);
                fresh.sync()
            });
        match sealed {
            Ok(()) => Ok(Sealed(fresh)),
            Err(why) => Err(fresh.failed(&why)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.parts.write_all(self.rows.xml.as_bytes())?;
        self.rows.xml.clear();
        Ok(())
    }
}

impl Sealed {
    /// Replaces the old workbook, or puts the new one beside it; see [`Finished::place`](super::Finished::place).
    /// `why_not` says why what is there by now may not be replaced.
    ///
    /// # Errors
    /// As there.
    pub async fn place<S, F>(
        self,
        why_not: impl FnOnce(&Path) -> Option<String>,
        sleep: S,
    ) -> Result<Installed, ResultsError>
    where
        S: FnMut(Duration) -> F,
        F: Future<Output = ()>,
    {
        match why_not(&self.0.target) {
            Some(why) => self.0.place_beside(why),
            None => self.0.place(sleep).await,
        }
    }
}

/// Whether the sheet with so many rows may be too large for the plain form of an archive.
fn may_be_large(layout: &Layout, rows: u64) -> bool {
    let columns = cells::headings(layout).count() as u64;
    let bytes = rows.saturating_mul(columns).saturating_mul(LARGE_CELL);
    bytes > LARGE
}

/// Copies the template up to the first row.
fn begin(
    file: File,
    template: &Template,
    is_large: bool,
) -> io::Result<ZipWriter<Output<BufWriter<File>>>> {
    let mut archive = ZipArchive::new(Cursor::new(template.file.as_slice()))?;
    let mut parts = ZipWriter::new(Output::new(BufWriter::with_capacity(64 * 1024, file)));
    for at in 0..archive.len() {
        let part = archive.by_index_raw(at)?;
        if part.name()? != template::SHEET {
            parts.raw_copy_file(part)?;
        }
    }
    // The sheet comes last, because it stays open for its rows.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .large_file(is_large)
        .last_modified_time(zip::DateTime::default());
    parts.start_file(template::SHEET, options)?;
    parts.write_all(template.head.as_bytes())?;
    Ok(parts)
}

/// The text of a part of an archive, if it is there and no longer than `most` bytes.
fn part_of<R: Read + io::Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    most: u64,
) -> Option<String> {
    let part = archive.by_name(name).ok()?;
    let mut text = String::new();
    part.take(most).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests;

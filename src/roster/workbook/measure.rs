//! Measures a workbook before it is read: every part is inflated once, into nothing, because what an archive declares
//! of its sizes may be wrong.

use std::io::{Read, Seek};

use zip::ZipArchive;

use super::{error::WorkbookError, xml::Xml};

const MIB: u64 = 1024 * 1024;

/// How much all parts may hold in all. A full sheet of 1,048,576 rows and 25 columns has about as much.
const MOST: u64 = 2048 * MIB;
/// How much a part may hold that is kept in memory as a whole: the table of shared strings.
const MOST_STRINGS: u64 = 256 * MIB;
/// How much memory the formats of cells may take. Spreadsheet programs know at most 65,490 of them.
const MOST_FORMATS: u64 = 256 * MIB;
/// How much an odd part may hold, such as a picture, and one with formats, names and relations. If it were read as a
/// sheet, it could be in memory as a whole.
const MOST_ODD: u64 = 64 * MIB;
/// How many tags an odd part may have. Within 64 MiB there could be 20 million, each of which a reader may keep.
const MOST_ODD_TAGS: u64 = 1_000_000;
/// How many sheets and names a workbook may list.
const MOST_LISTED: u64 = 10_000;
/// How much memory the shared strings may take, or the fonts, fills and borders.
const MOST_KEPT: u64 = 512 * MIB;
/// How many times more than its compressed bytes a part may hold. Deflate ends at 1,032; sheets in which nearly every
/// cell is the same come to some 40.
const MOST_RATIO: u64 = 200;
/// A part of up to this size may have any ratio.
const SMALL: u64 = MIB;
/// Workbooks have some dozens of parts, and a few more for each sheet and picture.
const MOST_PARTS: usize = 10_000;

/// Inflates every part once, and refuses the workbook if reading it could take more memory than it should.
///
/// # Errors
/// It could, or a part is damaged.
pub(super) fn measure<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    file_size: u64,
) -> Result<(), WorkbookError> {
    if archive.len() > MOST_PARTS {
        let parts = archive.len();
        return Err(WorkbookError::Bomb(format!("it has {parts} parts")));
    }
    let mut total = 0;
    let mut buffer = vec![0; 64 * 1024];
    for at in 0..archive.len() {
        let mut part = archive.by_index(at)?;
        if part.encrypted() {
            return Err(WorkbookError::Protected);
        }
        let name = part.name().unwrap_or_default().to_ascii_lowercase();
        let limits = Limits::of(&name, part.compressed_size());
        let mut xml = Xml::default();
        let mut size = 0;
        loop {
            let read = part.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            size += read as u64;
            total += read as u64;
            xml.look(&buffer[..read]);
            limits.check(size, &xml)?;
            if total > MOST {
                return Err(WorkbookError::TooLarge(
                    "its parts hold more than 2 GiB".to_owned(),
                ));
            }
            if total > SMALL.max(file_size.saturating_mul(MOST_RATIO)) {
                return Err(bomb_of(total, file_size));
            }
        }
        limits.check_whole(size, &xml)?;
    }
    Ok(())
}

/// What one part may be.
struct Limits {
    compressed: u64,
    most: u64,
    is_of_strings: bool,
    is_of_formats: bool,
}

impl Limits {
    fn of(name: &str, compressed: u64) -> Self {
        let is = |end: &str| name.ends_with(end);
        let (is_of_strings, is_of_formats) = (is("sharedstrings.xml"), is("styles.xml"));
        let most = if is_of_strings {
            MOST_STRINGS
        } else if is_of_formats || is("workbook.xml") || is(".rels") {
            MOST_ODD
        } else {
            MOST
        };
        Self {
            compressed,
            most,
            is_of_strings,
            is_of_formats,
        }
    }

    fn check(&self, size: u64, xml: &Xml) -> Result<(), WorkbookError> {
        if size > SMALL && size > self.compressed.saturating_mul(MOST_RATIO) {
            return Err(bomb_of(size, self.compressed));
        }
        if xml.is_odd() && (size > MOST_ODD || xml.tags() > MOST_ODD_TAGS) {
            return Err(WorkbookError::Bomb(
                "a large part is no plain XML with cells of up to 32,767 characters".to_owned(),
            ));
        }
        if xml.listed() > MOST_LISTED {
            let why = format!("it lists more than {MOST_LISTED} sheets and names of cells");
            return Err(WorkbookError::TooLarge(why));
        }
        if size > self.most {
            let most = self.most / MIB;
            return Err(WorkbookError::TooLarge(format!(
                "a part that is kept in memory holds more than {most} MiB"
            )));
        }
        Ok(())
    }

    /// Checks a part at its end. Who reads the shared strings makes room for as many as are declared.
    fn check_whole(&self, size: u64, xml: &Xml) -> Result<(), WorkbookError> {
        /// `<si/>`
        const SHORTEST: u64 = 5;
        /// What is kept of each string, font, fill or border besides its text, in bytes.
        const OF_EACH: u64 = 80;
        if (self.is_of_strings || self.is_of_formats) && size > 0 && xml.is_odd() {
            let why = "its table of strings or of formats is no plain XML";
            return Err(WorkbookError::Bomb(why.to_owned()));
        }
        if xml.format_bytes() > MOST_FORMATS {
            let why = "its formats of cells would take more than 256 MiB";
            return Err(WorkbookError::Bomb(why.to_owned()));
        }
        if xml.kept() > 0 && xml.kept().saturating_mul(OF_EACH) + size > MOST_KEPT {
            let why = "its strings or formats would take more than 512 MiB";
            return Err(WorkbookError::Bomb(why.to_owned()));
        }
        match xml.declared_strings() {
            Some(declared) if declared > size / SHORTEST => Err(WorkbookError::Bomb(format!(
                "it declares {declared} strings where there is room for {}",
                size / SHORTEST
            ))),
            _ => Ok(()),
        }
    }
}

fn bomb_of(size: u64, compressed: u64) -> WorkbookError {
    let mib = size.div_ceil(MIB);
    WorkbookError::Bomb(format!(
        "{compressed} compressed bytes hold more than {mib} MiB"
    ))
}

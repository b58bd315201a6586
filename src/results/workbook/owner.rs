//! Whose workbook is at a path. A workbook of ours names its campaign among its properties.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader},
    path::Path,
};

use zip::ZipArchive;

use super::part_of;
use crate::results::{
    Owner, ResultsError,
    fresh::What,
    owner::{directory, try_beside},
};

/// The property that holds the campaign's id.
pub(super) const PROPERTY: &str = "fleetsweep campaign";
/// The part that holds such properties, and more than is in it.
const PART: &str = "docProps/custom.xml";
const LONGEST: u64 = 64 * 1024;

/// Whose workbook is at `path`. It is never [`Owner::Empty`] unless it has no byte.
///
/// # Errors
/// It cannot be read.
pub fn owner(path: &Path) -> Result<Owner, ResultsError> {
    let wrong = |why: io::Error| ResultsError::new("read the workbook", path, &why);
    let file = match File::open(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Owner::Nobody),
        opened => opened.map_err(wrong)?,
    };
    let about = file.metadata().map_err(wrong)?;
    if about.is_dir() {
        return Err(wrong(io::ErrorKind::IsADirectory.into()));
    }
    if about.len() == 0 {
        return Ok(Owner::Empty);
    }
    let archive = ZipArchive::new(BufReader::new(file)).ok();
    let properties = archive.and_then(|mut archive| part_of(&mut archive, PART, LONGEST));
    let campaign = properties.as_deref().and_then(campaign);
    Ok(campaign.map_or(Owner::Foreign, |id| Owner::Campaign(id.to_owned())))
}

/// Checks whether a workbook can be written at `path`, without changing one that is there.
///
/// # Errors
/// It cannot.
pub fn probe(path: &Path) -> Result<(), ResultsError> {
    let folder = directory(path);
    let why = if !folder.is_dir() {
        format!("there is no directory {}; make it", folder.display())
    } else if path.exists() && !path.is_file() {
        "that is no regular file".to_owned()
    } else if let Some(why) = locked(path) {
        format!("{why}; mend its rights")
    } else if let Err(why) = try_beside(path) {
        format!(
            "nothing can be written to {}: {why}; mend its rights",
            folder.display()
        )
    } else {
        return Ok(());
    };
    let why = format!("{why}, or name another file with --xlsx");
    Err(ResultsError::new(What::Workbook.writing(), path, &why))
}

/// Why the workbook that is there cannot be changed, if its rights say so: a rename would replace it all the same. One
/// that another program has open is no trouble before the end of the run.
fn locked(path: &Path) -> Option<io::Error> {
    let opened = OpenOptions::new().append(true).open(path);
    opened.err().filter(|why| {
        why.kind() == io::ErrorKind::PermissionDenied
            && std::fs::metadata(path).is_ok_and(|about| about.permissions().readonly())
    })
}

/// The campaign that the properties name.
fn campaign(properties: &str) -> Option<&str> {
    let (_, ours) = properties.split_once(&format!("name=\"{PROPERTY}\""))?;
    let (_, value) = ours.split_once("<vt:lpwstr>")?;
    let (id, _) = value.split_once('<')?;
    let is_id = !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_id.then_some(id)
}

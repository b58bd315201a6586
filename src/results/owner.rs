//! Whose file is at the path of the results, and whether it can be written. Both are checked before the first call.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
};

use super::{ResultsError, layout::COLUMNS};

/// Whose file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// There is no file.
    Nobody,
    /// The file has no rows, so nothing could be lost.
    Empty,
    /// The file has results of this campaign.
    Campaign(String),
    /// The file is something else.
    Foreign,
}

/// How many bytes of a file are read to find its owner. The first two lines of a results file are shorter.
const HEAD: u64 = 1 << 20;

/// Whose file is at `path`. A results file begins with our columns, and its first row names the campaign.
///
/// # Errors
/// It cannot be read.
pub fn owner(path: &Path) -> Result<Owner, ResultsError> {
    let file = match File::open(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Owner::Nobody),
        opened => opened.and_then(|file| {
            // On unix a directory can be opened, and fails only when it is read.
            let about = file.metadata()?;
            if about.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok((file, about.len()))
        }),
    };
    let (file, length) =
        file.map_err(|why| ResultsError::new("read the results file", path, &why))?;
    if length == 0 {
        return Ok(Owner::Empty);
    }
    let mut head = Vec::new();
    let mut limited = io::Read::take(file, HEAD);
    io::Read::read_to_end(&mut limited, &mut head)
        .map_err(|why| ResultsError::new("read the results file", path, &why))?;
    Ok([b',', b';']
        .into_iter()
        .find_map(|delimiter| campaign(&head, delimiter))
        .unwrap_or(Owner::Foreign))
}

/// The owner of a file that begins with `head`; `None` if its header is not ours.
fn campaign(head: &[u8], delimiter: u8) -> Option<Owner> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(head);
    let ours = COLUMNS.iter().map(|name| name.as_bytes());
    let is_ours = {
        let header = reader.byte_headers().ok()?;
        header.len() >= COLUMNS.len() && header.iter().zip(ours).all(|(a, b)| a == b)
    };
    if !is_ours {
        return None;
    }
    let at = COLUMNS.iter().position(|name| *name == "campaign")?;
    Some(match reader.byte_records().next() {
        None => Owner::Empty,
        Some(row) => match row.ok()?.get(at).map(str::from_utf8) {
            Some(Ok(id)) if !id.is_empty() => Owner::Campaign(id.to_owned()),
            _ => Owner::Foreign,
        },
    })
}

/// Checks whether a results file can be written at `path`, as far as that shows without creating a file.
///
/// # Errors
/// The directory is missing, the path is not a regular file, or the file is read-only.
pub fn check_path(path: &Path) -> Result<(), ResultsError> {
    let wrong = |why: String| Err(ResultsError::new("write the results file", path, &why));
    if path.file_name().is_none() {
        return wrong("that is no file name; look at --results".to_owned());
    }
    let directory = directory(path);
    if !directory.is_dir() {
        return wrong(format!(
            "there is no directory {}; make it, or give a new campaign another path with --results",
            directory.display()
        ));
    }
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => {
            return wrong(
                "that is a directory; give a new campaign a file with --results".to_owned(),
            );
        }
        Ok(there) if !there.is_file() => {
            return wrong(
                "that is no regular file; give a new campaign another path with --results"
                    .to_owned(),
            );
        }
        // Opened only to see whether it is writable, since a rename would replace a read-only file too.
        Ok(_) => {
            if let Err(why) = OpenOptions::new().append(true).open(path) {
                return wrong(format!(
                    "{why}; mend its rights, or give a new campaign another path with --results"
                ));
            }
        }
        Err(_) => {}
    }
    Ok(())
}

/// Checks whether a results file can be written at `path`, by creating another one beside it and removing it again.
///
/// # Errors
/// The same as [`check_path`], or the directory is not writable.
pub fn probe(path: &Path) -> Result<(), ResultsError> {
    check_path(path)?;
    try_beside(path).map_err(|why| {
        let why = format!(
            "nothing can be written to {}: {why}; mend its rights, or give a new campaign another path with --results",
            directory(path).display()
        );
        ResultsError::new("write the results file", path, &why)
    })
}

/// Creates another file beside `path`, and removes it again.
pub(super) fn try_beside(path: &Path) -> io::Result<()> {
    // The name contains the process id, because another process may be probing the same path.
    let mut trial = std::ffi::OsString::from(".");
    trial.push(path.file_name().unwrap_or_default());
    trial.push(format!(".probe-{}", std::process::id()));
    let trial = path.with_file_name(trial);
    let made = File::create(&trial);
    let removed = fs::remove_file(&trial);
    made.and(removed)
}

/// The directory that holds `path`; `.` for a bare name.
pub(super) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Layout, Rewrite, Row};

    #[test]
    fn a_file_of_ours_names_its_campaign_in_both_dialects() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.csv");
        assert_eq!(owner(&path).unwrap(), Owner::Nobody);
        for excel in [false, true] {
            let layout = Layout::new(&["a,b;c".to_owned()], excel);
            let mut fresh = Rewrite::start(&path, &layout).unwrap();
            let row = Row {
                campaign: "abc123defg",
                message: "line\nend; and, \"more\"",
                ..Row::default()
            };
            fresh.row(&row).unwrap();
            fresh.install().unwrap();
            assert_eq!(
                owner(&path).unwrap(),
                Owner::Campaign("abc123defg".to_owned())
            );
            Rewrite::start(&path, &layout).unwrap().install().unwrap();
            assert_eq!(owner(&path).unwrap(), Owner::Empty);
        }
    }

    #[test]
    fn anything_else_is_foreign_unless_it_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.csv");
        fs::write(&path, "").unwrap();
        assert_eq!(owner(&path).unwrap(), Owner::Empty);
        let header = COLUMNS.join(",");
        for content in [
            "\n\n".to_owned(),
            "machine_id\nab\n".to_owned(),
            "machine_id,outcome\nab,accepted\n".to_owned(),
            format!("{header}\nab,accepted\n"),
            format!("x{header}\n"),
            "\u{0}\u{1}binary".repeat(100_000),
        ] {
            fs::write(&path, &content).unwrap();
            let told = owner(&path).unwrap();
            assert_eq!(
                told,
                Owner::Foreign,
                "{:?}",
                &content[..9.min(content.len())]
            );
        }
        owner(dir.path()).unwrap_err();
    }

    #[test]
    fn a_path_that_cannot_be_written_is_refused_in_words_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("no/such/r.csv");
        for (path, word) in [
            (missing.as_path(), "no directory"),
            (dir.path(), "is a directory"),
            (Path::new("/"), "no file name"),
            #[cfg(unix)]
            (Path::new("/dev/null"), "no regular file"),
        ] {
            let told = probe(path).unwrap_err().to_string();
            assert!(told.contains(word), "{told}");
            assert!(told.contains("--results"), "{told}");
        }
        let path = dir.path().join("r.csv");
        probe(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(&path, "kept").unwrap();
        probe(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        probe(Path::new("surely-not-there.csv")).unwrap();
    }
}

//! The file that a report is written to.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::about::report_of;
use crate::{
    campaign::open::STDIN,
    cli::{Failure, screen},
    report::{MARK, html},
    results::Partial,
    store::Store,
};

/// What the file is, for the log.
const WHAT: &str = "report";

/// Where a report is written: a file, or standard output.
#[derive(Debug)]
pub(in crate::cli) struct ReportFile(PathBuf);

impl ReportFile {
    /// Checks that a report can be written there, which an `option` has named, so that a mistake is seen before
    /// anything is done. What is there must be a report.
    ///
    /// # Errors
    /// It is another file, or cannot be written.
    pub(in crate::cli) fn check(path: &Path, option: &str) -> Result<Self, Failure> {
        if path.as_os_str() != STDIN {
            if !is_replaceable(path) {
                return Err(Failure::usage(format!(
                    "{} is not a report of fleetsweep, and is not overwritten; name another file with {option}",
                    path.display()
                )));
            }
            let probe = Partial::create(path, option);
            probe.map(drop).map_err(|e| unwritten(path, &e))?;
        }
        Ok(Self(path.to_owned()))
    }

    /// Writes the report of this campaign as of `now`. Returns what to say about it.
    ///
    /// # Errors
    /// The state cannot be read, or the file cannot be written.
    pub(in crate::cli) fn write(
        &self,
        store: &Store,
        now: Timestamp,
    ) -> Result<Option<String>, Failure> {
        let Self(path) = self;
        let to_stdout = path.as_os_str() == STDIN;
        let folder = path.parent().filter(|_| !to_stdout).map(|folder| {
            let is_here = folder.as_os_str().is_empty();
            if is_here { Path::new(".") } else { folder }
        });
        let report = report_of(store, now)?;
        let page = html(&report, folder)
            .map_err(|e| Failure::storage(format!("cannot make the report: {e}")))?;
        if to_stdout {
            screen::page(&page, "the report")?;
            return Ok(None);
        }
        put(path, &page).map_err(|e| unwritten(path, &e))?;
        Ok(Some(format!("report: {}", path.display())))
    }
}

fn put(path: &Path, page: &str) -> io::Result<()> {
    let (partial, mut file) = Partial::create(path, "-o")?;
    file.write_all(page.as_bytes())?;
    file.sync_all()?;
    // Closed first, because of Windows.
    drop(file);
    partial.put(WHAT)
}

fn unwritten(path: &Path, why: &io::Error) -> Failure {
    Failure::storage(format!("cannot write the report {}: {why}", path.display()))
}

/// Whether nothing is lost if the file is replaced: it is not there, or empty, or a report.
fn is_replaceable(path: &Path) -> bool {
    let mut head = Vec::new();
    match File::open(path) {
        Ok(file) => {
            let read = file.take(512).read_to_end(&mut head);
            // What is not a file is refused with its own words.
            read.is_err() || head.is_empty() || String::from_utf8_lossy(&head).contains(MARK)
        }
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_a_report_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.html");
        assert!(ReportFile::check(&path, "-o").is_ok());
        assert!(!path.exists());
        fs::write(&path, "<html>mine</html>").unwrap();
        let refused = ReportFile::check(&path, "--report").unwrap_err();
        assert!(refused.why.contains("--report"), "{}", refused.why);
        assert_eq!(fs::read_to_string(&path).unwrap(), "<html>mine</html>");
        fs::write(&path, format!("<!DOCTYPE html>\n<!-- {MARK} -->")).unwrap();
        assert!(ReportFile::check(&path, "-o").is_ok());
        assert!(ReportFile::check(folder.path(), "-o").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

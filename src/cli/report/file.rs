//! The file that a report is written to.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::about::report_of;
use crate::{
    campaign::{open::STDIN, tag::CampaignId},
    cli::{Failure, screen},
    report::{MARK, html},
    results::Partial,
    store::Store,
};

/// What the file is, for the log.
const WHAT: &str = "report";

/// Where a report is written: a file, or standard output.
#[derive(Debug)]
pub(in crate::cli) struct ReportFile {
    path: PathBuf,
    /// The option that names it.
    option: &'static str,
    /// Whether it may replace the report of an earlier campaign.
    replaces_earlier: bool,
}

impl ReportFile {
    /// Checks that a report can be written there, which an `option` has named, so that a mistake is seen before
    /// anything is done. What is there must be a report.
    ///
    /// # Errors
    /// It is something else, or cannot be written.
    pub(in crate::cli) fn check(
        path: &Path,
        option: &'static str,
        replaces_earlier: bool,
    ) -> Result<Self, Failure> {
        let file = Self {
            path: path.to_owned(),
            option,
            replaces_earlier,
        };
        if !file.is_stdout() {
            let probe = Partial::create(path, option);
            probe.map(drop).map_err(|e| unwritten(path, &e))?;
            file.owner()?;
        }
        Ok(file)
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it may replace the report of an earlier campaign.
    pub(in crate::cli) const fn replaces_earlier(&self) -> bool {
        self.replaces_earlier
    }

    fn is_stdout(&self) -> bool {
        self.path.as_os_str() == STDIN
    }

    /// The campaign whose report is there; `None` if nothing would be lost.
    ///
    /// # Errors
    /// It is not a report, or cannot be read.
    fn owner(&self) -> Result<Option<String>, Failure> {
        let mut head = Vec::new();
        let read = match File::open(&self.path) {
            Ok(file) => file.take(512).read_to_end(&mut head),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(e),
        };
        read.map_err(|e| unwritten(&self.path, &e))?;
        if head.is_empty() {
            return Ok(None);
        }
        let campaign = campaign_of(&String::from_utf8_lossy(&head));
        campaign.map(Some).ok_or_else(|| {
            Failure::usage(format!(
                "{} is not a report of fleetsweep, and is not overwritten; name another file with {}",
                self.path.display(),
                self.option
            ))
        })
    }

    /// Refuses to replace the report of another campaign, unless this one follows it. A rehearsal never replaces that
    /// of a real campaign.
    ///
    /// # Errors
    /// It would.
    pub(in crate::cli) fn may_replace(&self, campaign: &CampaignId) -> Result<(), Failure> {
        if self.is_stdout() {
            return Ok(());
        }
        let Some(owner) = self.owner()? else {
            return Ok(());
        };
        let is_rehearsal = |id: &str| CampaignId::known(id).is_rehearsal();
        let may = owner == campaign.as_str()
            || is_rehearsal(&owner)
            || (self.replaces_earlier && !campaign.is_rehearsal());
        if may {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "{} is the report of campaign {owner}, and is not overwritten; name another file with {}",
            self.path.display(),
            self.option
        )))
    }

    /// Writes the report of this campaign as of `now`. `lost` says that the state has lost its end, if it has. Returns
    /// what to say about it.
    ///
    /// # Errors
    /// The state cannot be read, or the file cannot be written, or is by now another campaign's.
    pub(in crate::cli) fn write(
        &self,
        store: &Store,
        now: Timestamp,
        lost: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        let path = &self.path;
        let folder = path.parent().filter(|_| !self.is_stdout()).map(|folder| {
            let is_here = folder.as_os_str().is_empty();
            if is_here { Path::new(".") } else { folder }
        });
        let report = report_of(store, now, lost)?;
        let page = html(&report, folder)
            .map_err(|e| Failure::storage(format!("cannot make the report: {e}")))?;
        if self.is_stdout() {
            screen::page(&page, "the report")?;
            return Ok(None);
        }
        self.may_replace(&CampaignId::known(store.identity().campaign.as_str()))?;
        put(path, &page).map_err(|e| unwritten(path, &e))?;
        Ok(Some(format!("report: {}", path.display())))
    }
}

/// The campaign whose report begins so; `None` if it is not the beginning of a report.
fn campaign_of(head: &str) -> Option<String> {
    let marked = head.strip_prefix("<!DOCTYPE html>\n<!-- ")?;
    let (campaign, _) = marked.strip_prefix(MARK)?.split_once(" -->")?;
    Some(campaign.trim().to_owned())
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn page_of(campaign: &str) -> String {
        format!("<!DOCTYPE html>\n<!-- {MARK} {campaign} -->\n<html>")
    }

    #[test]
    fn only_a_report_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.html");
        let check = |path: &Path| ReportFile::check(path, "-o", false);
        assert!(check(&path).is_ok());
        assert!(!path.exists());
        for other in [
            "<html>mine</html>".to_owned(),
            format!("about {MARK}"),
            format!("\n{}", page_of("ab12cd34ef")),
        ] {
            fs::write(&path, &other).unwrap();
            let refused = check(&path).unwrap_err();
            assert!(
                refused
                    .why
                    .contains("not overwritten; name another file with -o")
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
        fs::write(&path, page_of("ab12cd34ef")).unwrap();
        assert!(check(&path).is_ok());
        assert!(check(folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_report_is_replaced_by_that_of_its_campaign_or_of_the_one_that_follows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.html");
        let may = |there: &str, campaign: &str, replaces_earlier| {
            fs::write(&path, page_of(there)).unwrap();
            let file = ReportFile::check(&path, "--report", replaces_earlier).unwrap();
            file.may_replace(&CampaignId::known(campaign)).is_ok()
        };
        let (one, other, rehearsal) = ("ab12cd34ef", "zy98xw76vu", "mockab12cd");
        assert!(CampaignId::known(rehearsal).is_rehearsal());
        assert!(may(one, one, false));
        assert!(!may(one, other, false));
        assert!(may(one, other, true));
        assert!(may(rehearsal, one, false));
        assert!(!may(one, rehearsal, true));
    }
}

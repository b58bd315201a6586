//! `fleetsweep report`: what was asked, what was done, and what came of it, as a page for those who were not there.
//!
//! - this file: the command. `file`: where the page is written, also for `run --report`. `about`: what the state alone
//!   does not tell.

mod about;
mod file;

use std::path::{Path, PathBuf};

use clap::Args;

use self::about::report_of;
pub(super) use self::file::ReportFile;
use super::{
    ExitCode, Failure,
    existing_campaign::{check_whole, open_checked},
    named_state::state_of,
    paths::{self, FileUse},
    screen,
};
use crate::{
    quota::{Clock as _, SystemClock},
    store::{Lock, Store},
};

/// Make a report of a campaign: what was asked, what was done, and what came of it, as a page that a browser shows and
/// prints. Nobody is signed in, and nothing is sent.
#[derive(Debug, Args)]
pub struct ReportCommand {
    /// The campaign's state file, or the input whose state is in its default place.
    #[arg(value_name = "STATE")]
    state: PathBuf,

    /// The page to write; `-` is standard output. [default: the state's name with .report.html, beside it]
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Write the same facts as JSON to standard output, in place of the page.
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

/// Makes the report.
///
/// # Errors
/// There is no campaign, its state cannot be read, or the file is not a report or cannot be written.
pub async fn run(args: ReportCommand) -> Result<ExitCode, Failure> {
    let state = state_of(&args.state)?;
    let store = open_checked(&state).await?;
    let now = SystemClock.wall();
    // A run that is at work has checked this itself, and its files change meanwhile.
    let whole = if Lock::is_held(&state) {
        Ok(())
    } else {
        check_whole(&store)
    };
    let lost = whole.as_ref().err().map(|failure| failure.why.as_str());
    if args.json {
        screen::json(&report_of(&store, now, lost)?, "the report")?;
    } else {
        let file = args.file(&store, &state)?;
        let told = file.write(&store, now, lost)?;
        if let Some(told) = told {
            screen::say(&told);
        }
    }
    whole.map(|()| ExitCode::Clean)
}

impl ReportCommand {
    /// Where the page goes.
    fn file(&self, store: &Store, state: &Path) -> Result<ReportFile, Failure> {
        let results = store.last_results()?.map(|(path, _)| PathBuf::from(path));
        let path = self.output.clone().unwrap_or_else(|| default(state));
        let mut files = FileUse::state(state);
        files.extend(paths::input_beside(&self.state, state, results.as_deref()));
        files.extend(results.map(|path| FileUse::read("the campaign's results", path)));
        files.push(FileUse::written("the report (-o)", &path));
        paths::keep_apart(&files)?;
        ReportFile::check(&path, "-o", false)
    }
}

/// `fleet.campaign.db` → `fleet.report.html`, and `fleet.ab12cd34ef.campaign.db` → `fleet.ab12cd34ef.report.html`.
fn default(state: &Path) -> PathBuf {
    let stem = state.with_extension("");
    let stem = match stem.extension() {
        Some(end) if end == "campaign" => stem.with_extension(""),
        _ => stem,
    };
    let mut name = stem.file_name().unwrap_or_default().to_owned();
    name.push(".report.html");
    stem.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lies_beside_the_state_and_that_of_a_renamed_one_has_its_id() {
        for (beside, page) in [
            ("a/fleet.campaign.db", "a/fleet.report.html"),
            (
                "fleet.ab12cd34ef.campaign.db",
                "fleet.ab12cd34ef.report.html",
            ),
            ("fleet.db", "fleet.report.html"),
            ("a.b/fleet", "a.b/fleet.report.html"),
        ] {
            assert_eq!(default(Path::new(beside)), Path::new(page));
        }
    }
}

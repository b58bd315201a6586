//! `fleetsweep results`: the results, written anew from the state.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{
    ExitCode, Failure,
    existing_campaign::{check_whole, open_checked, put},
    ledger,
    named_state::state_of,
    paths::{self, FileUse},
    screen,
    workbook::{self, Replaces, Target},
};
use crate::{
    campaign::{open, tag::CampaignId},
    results::{self, Owner},
    store::{Lock, LockError, Store},
};

/// Write a campaign's results again from its state, if they were lost, moved or edited. It does not sign in, and sends
/// nothing.
#[derive(Debug, Args)]
pub struct ResultsArgs {
    /// The campaign's state file, its results, or the input, if the state is in its default place.
    #[arg(value_name = "STATE")]
    state: PathBuf,

    /// The results file. [default: that of the campaign's last run]
    #[arg(short = 'o', long, value_name = "FILE")]
    results: Option<PathBuf>,

    /// Overwrite a file that fleetsweep did not write.
    #[arg(long)]
    force: bool,

    /// Write them so that a double click opens them in Excel: with BOM, CRLF and `;`. [default: as the last run did]
    #[arg(long)]
    excel: bool,

    /// Write them as a workbook (.xlsx) too.
    #[arg(long, value_name = "FILE.xlsx")]
    xlsx: Option<PathBuf>,
}

/// Writes the results.
///
/// # Errors
/// There is no campaign, a run is at work on it, its state has lost its end, or the file is somebody else's or cannot
/// be written.
pub async fn run(args: ResultsArgs) -> Result<ExitCode, Failure> {
    args.xlsx.as_deref().map_or(Ok(()), workbook::check_name)?;
    let state = state_of(&args.state)?;
    let _lock = Lock::take(&state).map_err(|e| match e {
        LockError::Held(_) => Failure::usage(
            "another fleetsweep is at work on the campaign; a run writes the results itself. Nothing was written",
        ),
        e @ LockError::File { .. } => Failure::storage(e),
    })?;
    let store = open_checked(&state).await?;
    let campaign = CampaignId::known(store.identity().campaign.as_str());
    let _campaign = open::lock_campaign(&campaign, ledger::locks().as_deref())?;
    // The results may hold more than a state that has lost its end.
    check_whole(&store)?;
    let (path, was_excel) = args.place(&store)?;
    let mut files = FileUse::state(&state);
    let last = store.last_results()?.map(|(path, _)| PathBuf::from(path));
    files.extend(paths::input_beside(&args.state, &state, last.as_deref()));
    files.push(FileUse::written("the results (-o)", &path));
    let xlsx = args.xlsx.as_ref();
    let target = xlsx.map(|path| Target {
        path,
        replaces: if args.force {
            Replaces::Anything
        } else {
            Replaces::Nothing
        },
    });
    files.extend(xlsx.map(|file| FileUse::written("the workbook (--xlsx)", file)));
    paths::keep_apart(&files)?;
    args.may_replace(&path, &campaign)?;
    if let Some(target) = target {
        workbook::check_owner(target, &campaign)?;
    }
    let told = put(store, &path, args.excel || was_excel).await?;
    screen::say(&told);
    if let Some(target) = target {
        let written = workbook::write(&state, target).await;
        let written =
            written.map_err(|why| Failure::storage(format!("{why}; the CSV is whole")))?;
        screen::say(&workbook::place(&written, target.path));
    }
    Ok(ExitCode::Clean)
}

impl ResultsArgs {
    /// Where the results go, and whether those of the last run were for Excel.
    fn place(&self, store: &Store) -> Result<(PathBuf, bool), Failure> {
        let last = store.last_results()?;
        let was_excel = last.as_ref().is_some_and(|(_, excel)| *excel);
        let path = self.results.clone().or(last.map(|(path, _)| path.into()));
        if let Some(path) = path.as_ref().filter(|_| self.results.is_none())
            && !path.parent().is_some_and(Path::is_dir)
        {
            return Err(Failure::usage(format!(
                "the campaign's last run wrote its results to {}, where no folder is any more: name the file with -o",
                path.display()
            )));
        }
        path.map(|path| (path, was_excel)).ok_or_else(|| {
            Failure::usage("no run of this campaign has written results: name the file with -o")
        })
    }

    /// Refuses a file that is another campaign's, or nobody knows whose.
    fn may_replace(&self, path: &Path, campaign: &CampaignId) -> Result<(), Failure> {
        let why = match results::owner(path)? {
            Owner::Nobody | Owner::Empty => return Ok(()),
            Owner::Campaign(id) if id == campaign.as_str() => return Ok(()),
            Owner::Campaign(id) => format!("are those of campaign {id}; name another file with -o"),
            Owner::Foreign if self.force => return Ok(()),
            Owner::Foreign => "were not written by fleetsweep; name another file with -o, or overwrite it with --force"
                .to_owned(),
        };
        Err(Failure::usage(format!(
            "the results in {} {why}; nothing was written",
            path.display()
        )))
    }
}

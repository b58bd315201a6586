//! `fleetsweep status` without a campaign: the campaigns that the quota ledger remembers, where their files are, and
//! how far they are.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use crate::{
    campaign::counts::Counts,
    cli::{ExitCode, Failure, ledger, screen},
    monitor::count,
    plain_text::{line, one_line},
    quota::{self, MarkRow},
    store::{Lock, Store},
};

/// One campaign.
#[derive(Debug, Serialize)]
struct Campaign {
    #[serde(rename = "campaign")]
    id: String,
    state: PathBuf,
    results: PathBuf,
    input: PathBuf,
    tenant: String,
    targets: u64,
    /// Rows that have ended; `None` if the state is gone, or belongs to another campaign.
    ended: Option<u64>,
    running: bool,
    /// `running`, `finished`, `given up`, `not finished`, or `its state is gone`.
    how: &'static str,
    last_call: String,
}

/// Prints the campaigns, the most recently active one first.
pub(super) fn list(file: Option<PathBuf>, json: bool) -> Result<ExitCode, Failure> {
    let file = ledger::find(file)?;
    let marks = quota::marks(&file)?;
    let campaigns: Vec<_> = marks.into_iter().map(Campaign::from).collect();
    if json {
        screen::json(&campaigns, "the status")?;
    } else {
        let text = if campaigns.is_empty() {
            one_line(&format!("{} remembers no campaign", file.display())).into_owned()
        } else {
            campaigns.iter().map(ToString::to_string).collect()
        };
        screen::report(&text, "the status")?;
    }
    Ok(ExitCode::Clean)
}

impl From<MarkRow> for Campaign {
    fn from(mark: MarkRow) -> Self {
        let store = Store::open_unchecked_read_only(&mark.state).ok();
        let store = store.filter(|store| store.identity().campaign == mark.campaign);
        let ended = store.and_then(|store| Some(Counts::of(&store).ok()?.tally.total()));
        let running = mark.ended.is_none() && Lock::is_held(&mark.state);
        let how = match (mark.ended, ended) {
            (Some(_), _) if mark.abandoned => "given up",
            (Some(_), _) => "finished",
            _ if running => "running",
            (None, Some(_)) => "not finished",
            (None, None) => "its state is gone",
        };
        Self {
            ended,
            running,
            how,
            last_call: format!("{:.0}", mark.touched),
            id: mark.campaign,
            state: mark.state,
            results: mark.results,
            input: mark.input,
            tenant: mark.tenant,
            targets: mark.targets,
        }
    }
}

/// "1 of 3 rows has ended", "2 of 3 rows have ended".
pub(super) fn ended_of(ended: u64, targets: u64) -> String {
    let have = count::word(ended, "has", "have");
    format!("{ended} of {} {have} ended", count::of(targets, "row"))
}

impl fmt::Display for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id, how, last_call, ..
        } = self;
        let rows = match self.ended {
            Some(ended) => ended_of(ended, self.targets),
            None => count::of(self.targets, "row"),
        };
        line(
            f,
            format_args!("{id}: {how}, {rows}, last at work {last_call}"),
        )?;
        line(f, format_args!("  input {}", self.input.display()))?;
        line(f, format_args!("  state {}", self.state.display()))
    }
}

//! `fleetsweep status` without a campaign: which ones this user has, where they lie, and how far they are.

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
};

use serde::Serialize;

use crate::{
    cli::{ExitCode, Failure, ledger},
    monitor::count,
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
    /// Rows that have ended; none where the state is not there any more, or is another's.
    ended: Option<u64>,
    running: bool,
    /// `running`, `finished`, `given up`, `not finished`, or `its state is gone`.
    how: &'static str,
    last_call: String,
}

/// Lists them, those that were at work last first.
pub(super) fn list(file: Option<PathBuf>, json: bool) -> Result<ExitCode, Failure> {
    let file = ledger::find(file)?;
    let marks = quota::marks(&file).map_err(Failure::storage)?;
    let campaigns: Vec<_> = marks.into_iter().map(Campaign::from).collect();
    let mut stdout = io::stdout().lock();
    let written = if json {
        serde_json::to_writer(&mut stdout, &campaigns)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(stdout))
    } else if campaigns.is_empty() {
        writeln!(stdout, "{} remembers no campaign", file.display())
    } else {
        campaigns
            .iter()
            .try_for_each(|campaign| write!(stdout, "{campaign}"))
    };
    match written {
        // Whoever read it has read enough.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::storage(format!("cannot write the status: {e}")))
        }
        _ => Ok(ExitCode::Clean),
    }
}

impl From<MarkRow> for Campaign {
    fn from(mark: MarkRow) -> Self {
        let store = Store::peek(&mark.state).ok();
        let store = store.filter(|store| store.identity().campaign == mark.campaign);
        let ended = store.and_then(|store| {
            let tally = store.tally().ok()?;
            let ended = tally.iter().filter(|(outcome, ..)| outcome.is_some());
            Some(ended.map(|(_, _, count)| count).sum())
        });
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
        write!(f, "{}: {}", self.id, self.how)?;
        match self.ended {
            Some(ended) => write!(f, ", {}", ended_of(ended, self.targets))?,
            None => write!(f, ", {}", count::of(self.targets, "row"))?,
        }
        writeln!(f, ", last at work {}", self.last_call)?;
        writeln!(f, "  input {}", self.input.display())?;
        writeln!(f, "  state {}", self.state.display())
    }
}

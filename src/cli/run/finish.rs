//! The end of a run: the results put in order, the summary for programs, the summary for people.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    audit::audit,
    campaign::{
        brakes::Change,
        engine::{Ending, trail},
        journal::Finished,
        open::{Locks, Places},
        outcome::{Outcome, Tally},
        stop::StopReason,
        summary::{REHEARSED, Summary, unanswered},
    },
    cli::{ExitCode, Failure, screen, signals},
    plain_text,
    results::Installed,
};

/// What is known of the run besides its ending.
pub(super) struct Facts<'a> {
    pub(super) places: &'a Places,
    pub(super) targets: u64,
    pub(super) lower_bound: Duration,
    pub(super) elapsed: Duration,
    pub(super) ended: Timestamp,
    /// What following the scans came to, if they were followed.
    pub(super) followed: Option<ExitCode>,
    /// A rehearsal leaves no state to go on with.
    pub(super) is_rehearsal: bool,
    pub(super) is_quiet: bool,
    /// The campaign's.
    pub(super) lock: Locks,
}

/// Where the summary goes, opened before the run so that a bad path fails in its first second.
pub(super) enum SummaryFile {
    Nowhere,
    Stdout,
    File(File, String),
}

impl SummaryFile {
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            None => Ok(Self::Nowhere),
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdout),
            Some(path) => {
                let name = path.display().to_string();
                // What a run before this one has left stays until there is something to put in its place.
                let file = OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(path);
                match file {
                    Ok(file) => Ok(Self::File(file, name)),
                    Err(e) => Err(Failure::storage(format!(
                        "cannot write the summary {name}: {e}; look at --summary"
                    ))),
                }
            }
        }
    }

    fn write(self, summary: &Summary) -> Result<(), Failure> {
        let write = |out: &mut dyn Write| {
            let json = serde_json::to_string(summary)?;
            writeln!(out, "{}", plain_text::json(&json))?;
            out.flush()
        };
        match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => screen::json(summary, "the summary"),
            Self::File(mut file, name) => cut(&file)
                .and_then(|()| write(&mut file))
                .inspect(|()| audit!("file", act = "written", what = "summary", path = name))
                .map_err(|e| Failure::storage(format!("cannot write the summary {name}: {e}"))),
        }
    }
}

/// Takes away what is in a file, if it is one: a pipe cannot be cut, and need not be.
fn cut(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(())
}

/// Puts the results in order and says what came of the run.
pub(super) async fn finish(
    ending: Ending,
    facts: Facts<'_>,
    summary_file: SummaryFile,
    command: &[OsString],
) -> Result<ExitCode, Failure> {
    let Ending {
        stop,
        journal,
        tally,
        unsettled,
        attempts,
        calls,
        unanswered,
        change,
        throttled,
        campaign,
        mut signals,
        ..
    } = ending;
    let stop = stop.map(|stop| {
        if facts.is_rehearsal {
            begins_anew(stop)
        } else {
            stop
        }
    });
    let reason = stop
        .as_ref()
        .map_or_else(|| "done".to_owned(), ToString::to_string);
    let told = tally;
    let next = (!facts.is_rehearsal).then(|| {
        let command = super::record::next(command, change.as_ref());
        (super::record::in_words(&command), change)
    });
    let finished = tokio::select! {
        biased;
        () = signals::to_stop_at_once(signals.as_mut(), |text| note(text, facts.is_quiet)) => {
            return Err(stopped_at_once(stop, facts, unanswered, next));
        }
        finished = journal.finish(facts.ended, &reason) => finished,
    };
    // The first thing that failed says more than what failed for the same reason afterwards.
    let (finished, stop) = match finished {
        Ok(finished) => (finished, stop),
        Err(e) => (
            so_far(&facts, tally, unsettled),
            Some(StopReason::Disk(match stop {
                Some(StopReason::Disk(why)) => why,
                _ => e.to_string(),
            })),
        ),
    };
    let Finished {
        tally,
        placed,
        troubles,
    } = finished;
    let code = ExitCode::gravest([
        if tally.is_all_well() {
            ExitCode::Clean
        } else {
            ExitCode::Incomplete
        },
        stop.as_ref().map_or(ExitCode::Clean, exit_code),
        facts.followed.unwrap_or(ExitCode::Clean),
    ]);
    trail::over(&told, &tally, code.number(), &reason);
    let unfinished =
        stop.is_some() && tally.of(Outcome::NotAttempted) + tally.of(Outcome::Unsure) > 0;
    let results = match &placed {
        Installed::There(path) | Installed::Aside { path, .. } => path.clone(),
    };
    let summary = Summary {
        campaign: campaign.as_str().to_owned(),
        rehearsal: campaign.is_rehearsal(),
        targets: facts.targets,
        outcomes: tally,
        attempts,
        calls,
        unanswered,
        throttled,
        elapsed: facts.elapsed,
        lower_bound: facts.lower_bound,
        exit_code: code.number(),
        stopped: stop,
        results,
        state: (!facts.is_rehearsal).then(|| facts.places.state.clone()),
        troubles,
        next: next.filter(|_| unfinished),
    };
    say(&summary, &placed, &facts);
    summary_file.write(&summary)?;
    Ok(code)
}

/// How each brake says what comes next, and what changes about it; the last clause of its reason.
const GOES_ON: &str = "the same command goes on";

/// Why a rehearsal stops that keeps nothing to go on with.
fn begins_anew(stop: StopReason) -> StopReason {
    match stop {
        StopReason::Brake(why) => StopReason::Brake(match why.split_once(GOES_ON) {
            None => why,
            Some((why, _)) => format!(
                "{why}the same command begins anew, for a rehearsal keeps a state to go on with only where --state \
                 names one"
            ),
        }),
        stop => stop,
    }
}

/// A line while the monitor is at rest already. Nobody is left to tell if stderr is gone.
fn note(text: &str, is_quiet: bool) {
    if !is_quiet {
        screen::say(text);
    }
}

/// What is known where the results could not be put in order: every row has one outcome in it all the same. What was
/// sent to without an end is unsure until the next run looks it up.
fn so_far(facts: &Facts<'_>, mut tally: Tally, unsettled: u64) -> Finished {
    tally.add_many(Outcome::Unsure, unsettled);
    let rest = facts.targets.saturating_sub(tally.total());
    tally.add_many(Outcome::NotAttempted, rest);
    Finished {
        tally,
        placed: Installed::There(facts.places.results.clone()),
        troubles: Vec::new(),
    }
}

/// Tells people. Why a run stopped and where the results went is said to whoever wants to hear nothing else, too.
fn say(summary: &Summary, placed: &Installed, facts: &Facts<'_>) {
    if !facts.is_quiet {
        screen::say_all(&summary.to_string());
    } else if let Some(why) = &summary.stopped {
        screen::say(&format!("fleetsweep: {why}"));
        // They may be scans.
        if let Some(unanswered) = unanswered(summary.unanswered, summary.state.is_some()) {
            screen::say(&unanswered);
        }
    }
    match placed {
        Installed::There(path) if facts.is_quiet => {
            let so = if summary.rehearsal { REHEARSED } else { "" };
            screen::say(&format!("results: {}{so}", path.display()));
        }
        Installed::There(_) => {}
        Installed::Aside { path, why } => screen::say(&format!(
            "{} could not be replaced ({why}), so the whole results are in {}",
            facts.places.results.display(),
            path.display()
        )),
    }
}

/// Says that the results are as the last line left them.
fn stopped_at_once(
    stop: Option<StopReason>,
    facts: Facts<'_>,
    calls: u64,
    next: Option<(String, Option<Change>)>,
) -> Failure {
    // Nobody else may write before the thread that was left behind is gone, with this process at the latest.
    std::mem::forget(facts.lock);
    let code = ExitCode::gravest([
        ExitCode::Interrupted,
        stop.as_ref().map_or(ExitCode::Clean, exit_code),
    ]);
    let mut why = String::new();
    if let Some(stop) = stop.filter(|stop| *stop != StopReason::Interrupted) {
        why = format!("{stop}; ");
    }
    why += "stopped before the results were in the input's order; ";
    why += &facts.places.results.display().to_string();
    why += " holds what has ended";
    if let Some(unanswered) = unanswered(calls, next.is_some()) {
        why += "; ";
        why += &unanswered;
    }
    if let Some((next, change)) = next {
        why += "; this goes on";
        if let Some(change) = change {
            why += ", ";
            why += &change.to_string();
        }
        why += ": ";
        why += &next;
    }
    Failure::new(code, why)
}

fn exit_code(stop: &StopReason) -> ExitCode {
    match stop {
        StopReason::Brake(_) => ExitCode::Brake,
        StopReason::Interrupted => ExitCode::Interrupted,
        StopReason::Tenant(_) => ExitCode::Tenant,
        StopReason::Disk(_) => ExitCode::Storage,
    }
}

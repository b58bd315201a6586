//! The end of a run: the results put in order, the summary for programs, the summary for people.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{not_written::Source, record, report, summary_file::SummaryFile, workbook};
use crate::{
    campaign::{
        engine::{Ending, trail},
        open::{Locks, Places},
        outcome::{Outcome, Tally},
        stop::{Signal, StopReason},
        summary::{REHEARSED, Summary, unanswered},
    },
    cli::{
        ExitCode, Failure, report::ReportFile, screen, shell_words::shell_line, signals,
        workbook::Target,
    },
    monitor::JsonEvent,
    results::Installed,
};

/// What is known of the run besides its [`Ending`].
pub(super) struct RunFacts<'a> {
    pub(super) places: &'a Places,
    /// Where the results are written as a workbook too.
    pub(super) workbook: Option<Target<'a>>,
    /// Where the report goes, if one is wanted.
    pub(super) report: Option<ReportFile>,
    pub(super) targets: u64,
    /// The shortest time in which the quota allows the POSTs of this run.
    pub(super) lower_bound: Duration,
    pub(super) elapsed: Duration,
    pub(super) ended: Timestamp,
    /// The result of following the scans, if they were followed.
    pub(super) scans_code: Option<ExitCode>,
    /// Whether the state is deleted with the process, so that there is nothing to resume.
    pub(super) is_rehearsal: bool,
    /// Whether the results outlive the process.
    pub(super) results_stay: bool,
    pub(super) is_quiet: bool,
    /// The campaign's locks.
    pub(super) lock: Locks,
}

/// A run whose results are in order.
pub(in crate::cli) struct Finished {
    /// What came of it.
    pub(in crate::cli) summary: Summary,
    /// The exit code.
    pub(in crate::cli) code: ExitCode,
    /// The targets whose outcomes were logged one by one.
    logged: Tally,
    /// Where the results were meant to be.
    meant: PathBuf,
    installed: Installed,
    /// What to say of the workbook and of the report, if they were wanted.
    said: Vec<String>,
    /// What to say beside the command that goes on.
    hint: Option<&'static str>,
}

/// Puts the results in order, and writes what else is wanted of them.
///
/// # Errors
/// Somebody stopped the process before the results were in order.
pub(super) async fn finish(
    ending: Ending,
    facts: RunFacts<'_>,
    command: &[OsString],
) -> Result<Finished, Failure> {
    let mut summary = facts.summary_before_results(&ending, command);
    let reason = why_over(&summary);
    let Ending {
        journal,
        tally: logged,
        unsettled,
        signals,
        is_aborted,
        ..
    } = ending;
    let mut interrupts = Interrupts {
        signals,
        is_aborted,
        is_quiet: facts.is_quiet,
    };
    let finished = tokio::select! {
        biased;
        () = interrupts.wait_once_more(signals::ORDERING) => return Err(stopped_at_once(summary, facts)),
        finished = journal.finish(facts.ended, &reason) => finished,
    };
    let placed = finished.as_ref().ok().map(|finished| &finished.placed);
    let source = Source {
        campaign: summary.campaign.clone(),
        state: facts.places.state.clone(),
        state_stays: !facts.is_rehearsal,
        results: placed.filter(|_| facts.results_stay).map(path_of),
    };
    let workbook = match &finished {
        Ok(_) => {
            let stop = interrupts.wait("the workbook is being written");
            workbook::write(facts.workbook, &source, stop).await
        }
        Err(_) => workbook::without_results(facts.workbook),
    };
    drop(facts.lock);
    let stop = interrupts.wait("the report is being made");
    let report = report::write(facts.report, &source, facts.ended, stop).await;
    let installed = match finished {
        Ok(finished) => {
            summary.outcomes = finished.tally;
            summary.troubles = finished.troubles;
            finished.placed
        }
        Err(e) => {
            // An earlier disk failure is the cause of this one, so it says more.
            if !matches!(summary.stopped, Some(StopReason::Disk(_))) {
                let failed = StopReason::Disk(e.to_string());
                trail::stop(&failed);
                summary.stopped = Some(failed);
            }
            count_rows_without_outcome(&mut summary.outcomes, unsettled, facts.targets);
            Installed::There(facts.places.results.clone())
        }
    };
    if facts.results_stay {
        summary.results = path_of(&installed);
    }
    let open = summary.outcomes.of(Outcome::NotAttempted) + summary.outcomes.of(Outcome::Unsure);
    if summary.stopped.is_none() || open == 0 {
        summary.next = None;
    }
    let code = run_exit_code(&summary, facts.scans_code);
    summary.exit_code = code.number();
    let mut finished = Finished {
        summary,
        code,
        logged,
        meant: facts.places.results.clone(),
        installed,
        said: Vec::new(),
        hint: record::hint(command),
    };
    match workbook {
        Ok(written) => {
            let said = workbook::record(written, &mut finished.summary, facts.workbook);
            finished.said.extend(said);
        }
        Err(failure) => finished.not_written(failure),
    }
    match report {
        Ok(said) => finished.said.extend(said),
        Err(failure) => finished.not_written(failure),
    }
    Ok(finished)
}

fn path_of(installed: &Installed) -> PathBuf {
    let (Installed::There(path) | Installed::Aside { path, .. }) = installed;
    path.clone()
}

/// Why a run is over, for the log.
fn why_over(summary: &Summary) -> String {
    let stopped = summary.stopped.as_ref().map(ToString::to_string);
    let not_written = || summary.not_written.first().cloned();
    stopped
        .or_else(not_written)
        .unwrap_or_else(|| "done".to_owned())
}

impl RunFacts<'_> {
    /// The summary as far as it is known before the results are in order.
    fn summary_before_results(&self, ending: &Ending, command: &[OsString]) -> Summary {
        let mut stopped = ending.stop.clone();
        let mut next = None;
        if self.is_rehearsal {
            stopped = stopped.map(restarts_from_scratch);
        } else {
            let command = record::resume_command(command, ending.change.as_ref());
            next = Some((shell_line(&command), ending.change.clone()));
        }
        Summary {
            campaign: ending.campaign.as_str().to_owned(),
            rehearsal: ending.campaign.is_rehearsal(),
            targets: self.targets,
            outcomes: ending.tally,
            attempts: ending.attempts,
            calls: ending.calls,
            unanswered: ending.unanswered,
            throttled: ending.throttled,
            overdue: ending.overdue,
            elapsed: self.elapsed,
            lower_bound: self.lower_bound,
            exit_code: ExitCode::Clean.number(),
            stopped,
            results: if self.results_stay {
                self.places.results.clone()
            } else {
                PathBuf::new()
            },
            workbook: None,
            not_written: Vec::new(),
            state: (!self.is_rehearsal).then(|| self.places.state.clone()),
            troubles: Vec::new(),
            next,
        }
    }
}

/// The last clause of a brake's reason begins with these words. It says what to change before the campaign is resumed.
const GOES_ON: &str = "the same command goes on";

/// Rewords the reason why a rehearsal stopped: it keeps no state, so it cannot be resumed.
fn restarts_from_scratch(stop: StopReason) -> StopReason {
    match stop {
        StopReason::Brake(why) => StopReason::Brake(match why.split_once(GOES_ON) {
            None => why,
            Some((why, _)) => format!(
                "{why}the same command starts again from the beginning, because a rehearsal keeps no state unless \
                 --state names one"
            ),
        }),
        stop => stop,
    }
}

/// Ctrl-C and its like at the end of a run. The monitor has ended by then.
struct Interrupts {
    signals: Option<mpsc::Receiver<Signal>>,
    /// Whether somebody has wanted to stop at once.
    is_aborted: bool,
    is_quiet: bool,
}

impl Interrupts {
    /// Waits until somebody wants to stop at once, if nobody has yet. Whoever stops more gently is told what is being
    /// done.
    async fn wait(&mut self, doing: &str) {
        if !self.is_aborted {
            self.wait_once_more(doing).await;
        }
    }

    /// Waits until somebody wants to stop at once, though somebody may have wanted that before.
    async fn wait_once_more(&mut self, doing: &str) {
        let is_quiet = self.is_quiet;
        let say = |text: &str| {
            if !is_quiet {
                screen::say(text);
            }
        };
        if self.is_aborted {
            say(&signals::stopping(doing));
        }
        signals::to_stop_at_once(self.signals.as_mut(), doing, say).await;
        self.is_aborted = true;
    }
}

/// Counts the rows that have no outcome because the results could not be put in order. Those that a call went out for
/// are unsure until the next run has looked them up.
fn count_rows_without_outcome(tally: &mut Tally, unsettled: u64, targets: u64) {
    tally.add_many(Outcome::Unsure, unsettled);
    let rest = targets.saturating_sub(tally.total());
    tally.add_many(Outcome::NotAttempted, rest);
}

impl Finished {
    /// Something that was wanted besides the results could not be written.
    fn not_written(&mut self, failure: Failure) {
        self.code = ExitCode::gravest([self.code, failure.code]);
        self.summary.exit_code = self.code.number();
        self.summary.not_written.push(failure.why);
    }

    /// Writes the summary for programs, and logs that the run is over.
    pub(in crate::cli) fn close(&mut self, file: SummaryFile) {
        if let Err(failure) = file.write(&self.summary) {
            screen::say(&failure.why);
            self.not_written(failure);
        }
        let reason = why_over(&self.summary);
        trail::over(
            &self.logged,
            &self.summary.outcomes,
            self.code.number(),
            &reason,
        );
    }

    /// Prints the summary. With `--quiet` that is only why the run stopped and where the results are.
    pub(in crate::cli) fn print(&self, is_quiet: bool) {
        let summary = &self.summary;
        if screen::is_in_json() {
            let summary = serde_json::to_value(summary).unwrap_or_default();
            screen::tell(&JsonEvent::Summary { summary });
        } else if !is_quiet {
            screen::say_all(&summary.to_string());
            if let (Some(_), Some(hint)) = (&summary.next, self.hint) {
                screen::say(hint);
            }
        } else if let Some(why) = &summary.stopped {
            screen::say(&format!("fleetsweep: {why}"));
            // These calls may have started scans.
            if let Some(unanswered) = unanswered(summary.unanswered, summary.state.is_some()) {
                screen::say(&unanswered);
            }
        }
        match &self.installed {
            Installed::There(_) if summary.results.as_os_str().is_empty() => {}
            Installed::There(path) if is_quiet => {
                let so = if summary.rehearsal { REHEARSED } else { "" };
                screen::say(&format!("results: {}{so}", path.display()));
            }
            Installed::There(_) => {}
            Installed::Aside { path, why } => screen::say(&format!(
                "{} could not be replaced ({why}), so the complete results are in {}",
                self.meant.display(),
                path.display()
            )),
        }
        for said in self.said.iter().chain(&summary.not_written) {
            screen::say(said);
        }
    }
}

/// The error of a run that was stopped while its results were being put in order.
fn stopped_at_once(summary: Summary, facts: RunFacts<'_>) -> Failure {
    // The thread that writes the results is still at work. Until the process ends, no other process may write them.
    std::mem::forget(facts.lock);
    let Summary {
        stopped,
        results,
        next,
        ..
    } = summary;
    let code = ExitCode::gravest([
        ExitCode::Interrupted,
        stopped.as_ref().map_or(ExitCode::Clean, exit_code),
    ]);
    let mut parts = Vec::new();
    let stop = stopped.filter(|stop| *stop != StopReason::Interrupted);
    parts.extend(stop.map(|stop| stop.to_string()));
    let order = "stopped before the results were in the input's order";
    parts.push(if results.as_os_str().is_empty() {
        order.to_owned()
    } else {
        format!("{order}; {} holds what has ended", results.display())
    });
    parts.extend(unanswered(summary.unanswered, next.is_some()));
    parts.extend(next.map(|(next, change)| {
        let change = change.map_or_else(String::new, |change| format!(", {change}"));
        format!("this goes on{change}: {next}")
    }));
    Failure::new(code, parts.join("; "))
}

/// The exit code of the run: the gravest of those of its outcomes, of why it stopped, and of its scans.
fn run_exit_code(summary: &Summary, scans_code: Option<ExitCode>) -> ExitCode {
    let outcomes = if summary.outcomes.is_all_well() {
        ExitCode::Clean
    } else {
        ExitCode::Incomplete
    };
    let stop = summary.stopped.as_ref().map(exit_code);
    ExitCode::gravest([Some(outcomes), stop, scans_code].into_iter().flatten())
}

fn exit_code(stop: &StopReason) -> ExitCode {
    match stop {
        StopReason::Brake(_) => ExitCode::Brake,
        StopReason::Interrupted => ExitCode::Interrupted,
        StopReason::Tenant(_) => ExitCode::Tenant,
        StopReason::Disk(_) => ExitCode::Storage,
    }
}

//! The end of a run: the results put in order, the summary for programs, the summary for people.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{record, report, workbook};
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
    let reason = match &summary.stopped {
        None => "done".to_owned(),
        Some(stop) => stop.to_string(),
    };
    let Ending {
        journal,
        tally: tally_before,
        unsettled,
        signals,
        ..
    } = ending;
    let mut interrupts = Interrupts {
        signals,
        is_quiet: facts.is_quiet,
    };
    let finished = tokio::select! {
        biased;
        () = interrupts.wait(signals::ORDERING) => return Err(stopped_at_once(summary, facts)),
        finished = journal.finish(facts.ended, &reason) => finished,
    };
    let state = &facts.places.state;
    let workbook = match &finished {
        Ok(finished) => {
            let results = (&finished.placed, facts.is_rehearsal);
            let stop = interrupts.wait("the workbook is being written");
            workbook::write(facts.workbook, state, results, stop).await
        }
        Err(_) => Ok(None),
    };
    let stop = interrupts.wait("the report is being made");
    drop(facts.lock);
    let source = report::Source {
        campaign: &summary.campaign,
        state,
        stays: summary.state.is_some(),
        is_whole: finished.is_ok(),
    };
    let report = report::write(facts.report, source, facts.ended, stop).await;
    let installed = match finished {
        Ok(finished) => {
            summary.outcomes = finished.tally;
            summary.troubles = finished.troubles;
            finished.placed
        }
        Err(e) => {
            // An earlier disk failure is the cause of this one, so it says more.
            if !matches!(summary.stopped, Some(StopReason::Disk(_))) {
                summary.stopped = Some(StopReason::Disk(e.to_string()));
            }
            count_rows_without_outcome(&mut summary.outcomes, unsettled, facts.targets);
            Installed::There(facts.places.results.clone())
        }
    };
    let codes = [workbook.as_ref().err(), report.as_ref().err()].map(|e| e.map(Failure::code));
    let code = run_exit_code(&summary, facts.scans_code);
    let code = ExitCode::gravest(codes.into_iter().flatten().chain([code]));
    trail::over(&tally_before, &summary.outcomes, code.number(), &reason);
    summary.exit_code = code.number();
    let (Installed::There(path) | Installed::Aside { path, .. }) = &installed;
    summary.results.clone_from(path);
    let open = summary.outcomes.of(Outcome::NotAttempted) + summary.outcomes.of(Outcome::Unsure);
    if summary.stopped.is_none() || open == 0 {
        summary.next = None;
    }
    let mut finished = Finished {
        summary,
        code,
        meant: facts.places.results.clone(),
        installed,
        said: Vec::new(),
        hint: record::hint(command),
    };
    finished.record(workbook, report, facts.workbook);
    Ok(finished)
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
            results: self.places.results.clone(),
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
    is_quiet: bool,
}

impl Interrupts {
    /// Waits until somebody wants to stop at once. Whoever stops more gently is told what is being done.
    async fn wait(&mut self, doing: &str) {
        let is_quiet = self.is_quiet;
        let say = |text: &str| {
            if !is_quiet {
                screen::say(text);
            }
        };
        signals::to_stop_at_once(self.signals.as_mut(), doing, say).await;
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
    /// Names no results file, because it is gone with the temporary folder.
    pub(in crate::cli) fn forget_results(&mut self) {
        self.summary.results = PathBuf::new();
    }

    /// Records what became of the workbook and the report.
    fn record(
        &mut self,
        workbook: Result<Option<Installed>, Failure>,
        report: Result<Option<String>, Failure>,
        meant: Option<Target<'_>>,
    ) {
        let summary = &mut self.summary;
        match workbook {
            Ok(written) => self.said.extend(workbook::record(written, summary, meant)),
            Err(failure) => summary.not_written.push(failure.why),
        }
        match report {
            Ok(said) => self.said.extend(said),
            Err(failure) => summary.not_written.push(failure.why),
        }
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
    parts.push(format!(
        "stopped before the results were in the input's order; {} holds what has ended",
        results.display()
    ));
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

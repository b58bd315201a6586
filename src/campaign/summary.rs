//! The result of a run, for programs and for people.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{brakes::Change, outcome::Tally, stop::StopReason};
use crate::{
    monitor::count,
    plain_text::{line, one_line},
};

/// The result of a run. As JSON it is what `--summary` writes; displayed, it is the last thing that a person
/// reads.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The campaign's id.
    pub campaign: String,
    /// Whether the mock tenant answered, so that no machine was scanned.
    pub rehearsal: bool,
    /// Rows of the input.
    pub targets: u64,
    /// How many rows ended with each outcome, zeros included.
    #[serde(serialize_with = "by_outcome")]
    pub outcomes: Tally,
    /// POSTs of this run.
    pub attempts: u64,
    /// All calls of this run.
    pub calls: u64,
    /// POSTs that went out and were not waited for. The next run looks up whether they started scans.
    pub unanswered: u64,
    /// Calls that were refused with 429.
    pub throttled: u64,
    /// Scans that counted towards `--max-running` no longer, because they did not begin in time.
    #[serde(skip_serializing_if = "is_zero")]
    pub overdue: u64,
    /// How long the run took.
    #[serde(rename = "elapsed_s", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// The shortest time in which the quota, as it was at the start, allows the POSTs of this run.
    #[serde(rename = "lower_bound_s", serialize_with = "seconds")]
    pub lower_bound: Duration,
    /// The exit code.
    pub exit_code: u8,
    /// Why the run stopped before the campaign's end, if it did.
    #[serde(serialize_with = "in_words")]
    pub stopped: Option<StopReason>,
    /// The results file. Empty in a simulation that keeps none.
    pub results: PathBuf,
    /// The results as a workbook, if they were written so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workbook: Option<PathBuf>,
    /// What else was to be written and was not, such as a workbook or a report: why, and what to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_written: Vec<String>,
    /// The state file; `None` for a rehearsal, which keeps no state.
    pub state: Option<PathBuf>,
    /// The most frequent messages, for people.
    #[serde(skip)]
    pub troubles: Vec<Trouble>,
    /// The command that resumes the campaign, if there is anything left to do, and what had to be changed
    /// about it, if anything.
    #[serde(skip)]
    pub next: Option<(String, Option<Change>)>,
}

/// A message that several machines share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The outcome's word.
    pub outcome: &'static str,
    /// The message.
    pub message: String,
    /// How many machines.
    pub count: u64,
}

/// Counts messages, in bounded memory: once this many different ones are known, further ones are ignored.
#[derive(Debug, Default)]
pub struct Troubles {
    counts: BTreeMap<(&'static str, String), u64>,
}

impl Troubles {
    /// The most different messages that are counted.
    const KEPT: usize = 64;

    /// Counts one message.
    pub fn add(&mut self, outcome: &'static str, message: &str) {
        let key = (outcome, message.to_owned());
        if let Some(count) = self.counts.get_mut(&key) {
            *count += 1;
        } else if self.counts.len() < Self::KEPT {
            self.counts.insert(key, 1);
        }
    }

    /// The most frequent messages, the most frequent one first.
    #[must_use]
    pub(crate) fn most_frequent(self, how_many: usize) -> Vec<Trouble> {
        let mut all: Vec<_> = self
            .counts
            .into_iter()
            .map(|((outcome, message), count)| Trouble {
                outcome,
                message,
                count,
            })
            .collect();
        all.sort_by_key(|trouble| std::cmp::Reverse(trouble.count));
        all.truncate(how_many);
        all
    }
}

/// A suffix for messages that could be mistaken for those of a real run.
pub const REHEARSED: &str = " (a rehearsal: no machine was scanned)";

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let so = if self.rehearsal { REHEARSED } else { "" };
        match &self.stopped {
            Some(why) => line(f, format_args!("stopped: {why}{so}"))?,
            None => writeln!(f, "done: every row has its outcome{so}")?,
        }
        for (outcome, count) in self.outcomes.iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "  {count:>9}  {outcome}")?;
        }
        for Trouble {
            outcome,
            message,
            count,
        } in &self.troubles
        {
            line(f, format_args!("  {outcome}: {message} ({count}×)"))?;
        }
        writeln!(
            f,
            "{} in {}; the quota allows {} in no less than {}; {} refused with 429",
            count::of(self.calls, "call"),
            Seconds(self.elapsed),
            count::word(self.calls, "it", "them"),
            Seconds(self.lower_bound),
            self.throttled
        )?;
        if self.overdue > 0 {
            let (scans, counts) = (
                count::of(self.overdue, "scan"),
                count::word(self.overdue, "counts", "count"),
            );
            writeln!(
                f,
                "{scans} did not begin within --running-timeout and no longer {counts} towards --max-running"
            )?;
        }
        if let Some(unanswered) = unanswered(self.unanswered, self.state.is_some()) {
            writeln!(f, "{unanswered}")?;
        }
        if !self.results.as_os_str().is_empty() {
            let results = self.results.display();
            write!(f, "{}", one_line(&format!("results: {results}")))?;
        }
        if let Some(workbook) = &self.workbook {
            let workbook = format!("workbook: {}", workbook.display());
            write!(f, "\n{}", one_line(&workbook))?;
        }
        let next = match &self.next {
            Some((next, Some(change))) => format!("to go on {change}: {next}"),
            Some((next, None)) => format!("to go on: {next}"),
            None => return Ok(()),
        };
        write!(f, "\n{}", one_line(&next))
    }
}

/// What happens to this many calls that went out and were not waited for; `None` for 0. `is_kept` says
/// whether there is a state.
#[must_use]
pub fn unanswered(calls: u64, is_kept: bool) -> Option<String> {
    let then = if is_kept {
        "whether a scan was started is looked up when the same command goes on, before anything else is sent there"
    } else {
        "a rehearsal keeps no state, so whether scans were started is not looked up"
    };
    let calls = (calls > 0).then(|| count::of(calls, "call"))?;
    Some(format!("{calls} went out without an answer: {then}"))
}

/// A duration, with tenths of a second if it is short.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_mins(1) {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        } else {
            f.write_str(&crate::monitor::span::in_words(self.0))
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference to the field"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn by_outcome<S: Serializer>(tally: &Tally, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (outcome, count) in tally.iter() {
        map.serialize_entry(outcome.as_str(), &count)?;
    }
    map.end()
}

pub(super) fn seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // More than milliseconds would only be noise in a diff.
    serializer.serialize_f64((span.as_secs_f64() * 1000.0).round() / 1000.0)
}

#[expect(clippy::ref_option, reason = "serde asks for a reference to the field")]
fn in_words<S: Serializer>(stop: &Option<StopReason>, serializer: S) -> Result<S::Ok, S::Error> {
    match stop {
        Some(why) => serializer.collect_str(why),
        None => serializer.serialize_none(),
    }
}

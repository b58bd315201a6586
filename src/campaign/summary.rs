//! What a run came to, for programs and for people.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{brakes::Change, outcome::Tally, stop::StopReason};
use crate::{
    monitor::count,
    plain_text::{line, one_line},
};

/// What a run came to. As JSON it is what `--summary` writes; displayed, it is the last thing that a person reads.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The campaign's id.
    pub campaign: String,
    /// Whether the mock tenant answered: no machine was scanned.
    pub rehearsal: bool,
    /// Rows of the input.
    pub targets: u64,
    /// How many of them ended how; every outcome is named.
    #[serde(serialize_with = "by_outcome")]
    pub outcomes: Tally,
    /// POSTs of this run.
    pub attempts: u64,
    /// All calls of this run.
    pub calls: u64,
    /// How many of the POSTs went out and were not waited for: whether they started scans is looked up by the next run.
    pub unanswered: u64,
    /// How many of them were refused with 429.
    pub throttled: u64,
    /// How long the run took.
    #[serde(rename = "elapsed_s", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// How long the POSTs of this run take at least, by the quota's state at its start.
    #[serde(rename = "lower_bound_s", serialize_with = "seconds")]
    pub lower_bound: Duration,
    /// The exit code.
    pub exit_code: u8,
    /// Why the run ended before the campaign's end, if it did.
    #[serde(serialize_with = "in_words")]
    pub stopped: Option<StopReason>,
    /// Where the results are.
    pub results: PathBuf,
    /// Where the state is; none of a rehearsal, which keeps none.
    pub state: Option<PathBuf>,
    /// How many machines ended with which message, the most frequent first; for people.
    #[serde(skip)]
    pub troubles: Vec<Trouble>,
    /// The command that goes on, if there is anything to go on with, and what was changed about it, if anything had to be.
    #[serde(skip)]
    pub next: Option<(String, Option<Change>)>,
}

/// A reason that several machines share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The outcome's word.
    pub outcome: &'static str,
    /// The message.
    pub message: String,
    /// How many.
    pub count: u64,
}

/// Gathers messages by frequency, in bounded memory: of a million different ones it keeps the first few.
#[derive(Debug, Default)]
pub struct Troubles {
    counts: BTreeMap<(&'static str, String), u64>,
}

impl Troubles {
    /// More different messages than this tell a person nothing.
    const KEPT: usize = 64;

    /// Counts one.
    pub fn add(&mut self, outcome: &'static str, message: &str) {
        let key = (outcome, message.to_owned());
        if let Some(count) = self.counts.get_mut(&key) {
            *count += 1;
        } else if self.counts.len() < Self::KEPT {
            self.counts.insert(key, 1);
        }
    }

    /// The most frequent ones.
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

/// Behind what could be taken for more than it is.
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
        if let Some(unanswered) = unanswered(self.unanswered, self.state.is_some()) {
            writeln!(f, "{unanswered}")?;
        }
        let results = self.results.display();
        write!(f, "{}", one_line(&format!("results: {results}")))?;
        let next = match &self.next {
            Some((next, Some(change))) => format!("to go on {change}: {next}"),
            Some((next, None)) => format!("to go on: {next}"),
            None => return Ok(()),
        };
        write!(f, "\n{}", one_line(&next))
    }
}

/// What becomes of so many calls that went out and were not waited for, if there are any; `is_kept` if there is a state.
#[must_use]
pub fn unanswered(calls: u64, is_kept: bool) -> Option<String> {
    let then = if is_kept {
        "is looked up when the same command goes on, before anything else is sent there"
    } else {
        "nobody looks up: a rehearsal keeps no state"
    };
    let calls = (calls > 0).then(|| count::of(calls, "call"))?;
    Some(format!(
        "{calls} went out without an answer: whether a scan was started {then}"
    ))
}

/// A length of time with the tenths that matter in a summary.
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

fn by_outcome<S: Serializer>(tally: &Tally, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (outcome, count) in tally.iter() {
        map.serialize_entry(outcome.as_str(), &count)?;
    }
    map.end()
}

pub(super) fn seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Milliseconds are what anyone can measure; the rest would be noise in a diff.
    serializer.serialize_f64((span.as_secs_f64() * 1000.0).round() / 1000.0)
}

#[expect(clippy::ref_option, reason = "serde asks for a reference to the field")]
fn in_words<S: Serializer>(stop: &Option<StopReason>, serializer: S) -> Result<S::Ok, S::Error> {
    match stop {
        Some(why) => serializer.collect_str(why),
        None => serializer.serialize_none(),
    }
}

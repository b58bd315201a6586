//! The plan as text that fits on one screen.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use super::{Plan, QuotaPlan, Refusals};
use crate::{
    campaign::{
        forecast::{StoppedBy, timeline::Mark},
        outcome::Outcome,
    },
    monitor::{count, span},
    plain_text::line,
};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts(f)?;
        writeln!(f, "{}", self.quota)?;
        self.times(f)?;
        for note in &self.notes {
            line(f, format_args!("note: {note}"))?;
        }
        writeln!(f, "nothing was sent")
    }
}

impl Plan {
    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            input, rows, due, ..
        } = self;
        let what = match &self.campaign {
            Some(campaign) => format!("{input}, campaign {campaign}"),
            None => input.clone(),
        };
        let rows = count::of(*rows, "row");
        line(f, format_args!("{what}: {rows}, {due} to be sent"))?;
        if self.on_its_way > 0 {
            writeln!(
                f,
                "  {:>9}  of them called just now, and not answered yet",
                self.on_its_way
            )?;
        }
        if self.in_doubt > 0 {
            writeln!(
                f,
                "  {:>9}  of them looked up first; where a scan is found no call is needed",
                self.in_doubt
            )?;
        }
        if self.away > 0 {
            writeln!(f, "  {:>9}  of them away, and behind all others", self.away)?;
        }
        for (outcome, count) in self.tally.iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "  {count:>9}  {outcome}")?;
            if let Some(refusals) = self.refusals_of(outcome) {
                for refusal in &refusals.first {
                    let words =
                        format_args!("             line {}: {}", refusal.line, refusal.message);
                    line(f, words)?;
                }
                match refusals.rows - refusals.first.len() as u64 {
                    0 => {}
                    more => writeln!(f, "             and {more} more")?,
                }
            }
        }
        Ok(())
    }

    fn refusals_of(&self, outcome: Outcome) -> Option<&Refusals> {
        let mut refusals = self.refusals.iter();
        refusals.find(|refusals| refusals.outcome == outcome.as_str())
    }

    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeline = &self.timeline;
        for mark in &timeline.marks {
            writeln!(f, "  call {:>9}  {}", mark.call, self.when(mark))?;
        }
        if timeline.slots.len() > 1 {
            writeln!(f, "how many by when:")?;
            for slot in &timeline.slots {
                writeln!(
                    f,
                    "  {:>16} to {:<16}  {:>9}, {:>9} in all",
                    self.shown(slot.from),
                    self.shown(slot.until),
                    slot.calls,
                    slot.total
                )?;
            }
        }
        if timeline.openings > 0 {
            let times = match timeline.openings {
                1 => "once".to_owned(),
                times => count::of(times, "time"),
            };
            writeln!(f, "the calls wait {times} until --window opens")?;
        }
        match timeline.last() {
            Some(last) => writeln!(
                f,
                "the last call goes out {}: this is the least time, to which slow answers, retries and refusals add",
                self.when(&last)
            )?,
            None => writeln!(f, "no call goes out")?,
        }
        let beyond = format!(
            "{} of {} {} left over",
            timeline.beyond,
            count::of(self.due, "machine"),
            count::word(timeline.beyond, "is", "are")
        );
        match timeline.stopped_by {
            None => Ok(()),
            Some(StoppedBy::NotAfter) => writeln!(
                f,
                "{beyond} at --not-after; the same command with a later one, or without it, goes on with the rest"
            ),
            Some(StoppedBy::MaxMachines) => writeln!(
                f,
                "{beyond} by --max-machines; the same command with a higher one, or without it, goes on with the rest"
            ),
            Some(StoppedBy::Window) => writeln!(f, "{beyond}, for --window does not open any more"),
        }
    }

    /// When a call goes, and in how long that is.
    fn when(&self, mark: &Mark) -> String {
        if mark.after.is_zero() {
            return "at once".to_owned();
        }
        let at = span::arrival(self.now, mark.after, &self.zone);
        format!("about {at}, in {}", span::in_words(mark.after))
    }

    fn shown(&self, at: Timestamp) -> String {
        let after = Duration::try_from(at.duration_since(self.now)).unwrap_or_default();
        span::arrival(self.now, after, &self.zone)
    }
}

impl fmt::Display for QuotaPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.windows.is_empty() {
            return write!(f, "quota: no limits");
        }
        let windows = self.windows.iter().map(|window| {
            let length = span::in_words(Duration::from_secs_f64(window.window_s));
            let calls = count::of(window.limit.into(), "call");
            format!("{} of {calls} in {length}", window.in_use)
        });
        let windows = windows.collect::<Vec<_>>().join("; ");
        write!(f, "quota spent: {windows}")?;
        if self.even {
            write!(f, "; evenly spread")?;
        }
        match (&self.waits_for, self.waits_s) {
            (Some(what), Some(left)) => {
                let left = span::in_words(Duration::from_secs_f64(left));
                write!(f, "; the first call waits for: {what}, {left}")
            }
            (Some(what), None) => write!(f, "; the first call waits for: {what}"),
            (None, _) => Ok(()),
        }
    }
}

//! How a campaign stands, for people.

use std::{fmt, time::Duration};

use super::{Status, campaigns};
use crate::{
    campaign::brakes::Change,
    monitor::{count, span},
    store::{LastRun, TargetSummary},
};

impl Status {
    /// What did not go well, and what is in doubt.
    fn write_glimpses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, glimpses) in [("last errors", &self.last_errors), ("unsure", &self.unsure)] {
            if !glimpses.is_empty() {
                writeln!(f, "{title}:")?;
            }
            for TargetSummary {
                line,
                machine_id,
                outcome,
                message,
                ..
            } in glimpses
            {
                let outcome = outcome.as_deref().unwrap_or("to be looked up");
                let message = if message.is_empty() {
                    "no answer was kept"
                } else {
                    message
                };
                writeln!(f, "  line {line}: {machine_id}: {outcome}: {message}")?;
            }
        }
        let more = self.in_doubt.saturating_sub(self.unsure.len() as u64);
        if more > 0 {
            let verb = count::word(more, "is", "are");
            writeln!(f, "  and {more} more {verb} unsure")?;
        }
        Ok(())
    }

    /// How the scans stood when they were last heard of.
    fn write_scans(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.scans.iter().filter(|(status, _)| !status.is_empty());
        let known: Vec<_> = known
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        if known.is_empty() {
            return Ok(());
        }
        let by_us = if self.cancelled_by_us > 0 {
            format!(" ({} by fleetsweep cancel)", self.cancelled_by_us)
        } else {
            String::new()
        };
        writeln!(f, "scans, as last heard: {}{by_us}", known.join(", "))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.run {
            _ if self.running => "running".to_owned(),
            _ if self.open == 0 => "finished".to_owned(),
            Some(LastRun {
                reason: Some(reason),
                ended: Some(_),
                ..
            }) => format!("not finished ({reason})"),
            Some(_) => "not finished (its last run was killed)".to_owned(),
            None => "not begun".to_owned(),
        };
        writeln!(
            f,
            "campaign {}{}: {state}; {}",
            self.campaign,
            if self.rehearsal { " (a rehearsal)" } else { "" },
            campaigns::ended_of(self.targets - self.open, self.targets)
        )?;
        for (outcome, count) in self.tally.iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "  {count:>9}  {outcome}")?;
        }
        self.write_scans(f)?;
        if let Some(arrival) = &self.arrival {
            match &self.eta_unknown {
                Some(why) => writeln!(f, "{arrival}: {why}")?,
                None => writeln!(f, "{arrival}")?,
            }
        }
        if self.in_flight > 0 {
            writeln!(f, "on their way: {}", count::of(self.in_flight, "call"))?;
        }
        for kind in self
            .quota
            .iter()
            .filter(|kind| kind.windows.iter().any(|window| window.in_use > 0))
        {
            let windows = kind.windows.iter().map(|window| {
                let length = span::in_words(Duration::from_secs_f64(window.window_s));
                let cut = if window.usable < window.limit {
                    format!(", cut to {}", window.usable)
                } else {
                    String::new()
                };
                let calls = count::of(window.limit.into(), "call");
                format!("{} of {calls} in {length}{cut}", window.in_use)
            });
            write!(
                f,
                "{} calls: {}",
                kind.kind,
                windows.collect::<Vec<_>>().join("; ")
            )?;
            match (&kind.waits_for, kind.waits_s) {
                (Some(what), Some(left)) => {
                    writeln!(
                        f,
                        "; the next one waits for: {what}, {}",
                        span::in_words(Duration::from_secs_f64(left))
                    )?;
                }
                (Some(what), None) => writeln!(f, "; the next one waits for: {what}")?,
                (None, _) => writeln!(f)?,
            }
        }
        self.write_glimpses(f)?;
        if !self.running
            && self.open > 0
            && let Some(run) = &self.run
        {
            // What a brake has stopped may go on only when an option has changed, as its reason above says.
            let reason = run.reason.as_ref().filter(|_| run.ended.is_some());
            let what = if reason.is_some_and(|why| Change::is_wanted_after(why)) {
                "the command was"
            } else {
                "to go on"
            };
            writeln!(f, "{what}: {}", run.command)?;
        }
        Ok(())
    }
}

//! The status of a campaign as text.

use std::{fmt, time::Duration};

use super::{KindStatus, Status, campaigns};
use crate::{
    campaign::{findings::Severity, follow::verified_in_words},
    monitor::{count, span},
    store::{LastRun, TargetSummary},
};

impl Status {
    /// Writes the last errors and the first of the targets in doubt.
    fn write_targets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, targets) in [("last errors", &self.last_errors), ("unsure", &self.unsure)] {
            if !targets.is_empty() {
                writeln!(f, "{title}:")?;
            }
            for TargetSummary {
                line,
                machine_id,
                outcome,
                message,
                ..
            } in targets
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

    /// Writes the last known states of the scans.
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

    /// Writes what the devices report of the scans, and what was found since.
    fn write_found(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(verified) = self.verified.as_ref().and_then(verified_in_words) {
            writeln!(f, "{verified}")?;
        }
        let Some(findings) = &self.findings else {
            return Ok(());
        };
        let by_severity = Severity::ALL.into_iter().filter_map(|severity| {
            let count = findings.by_severity.get(severity.as_str())?;
            Some(format!("{count} {severity}"))
        });
        let by_severity: Vec<_> = by_severity.collect();
        let which = match by_severity.as_slice() {
            [] => String::new(),
            some => format!(" ({})", some.join(", ")),
        };
        writeln!(
            f,
            "findings, as of {:.0}: {}{which}; {}",
            findings.asked, findings.count, findings.which
        )
    }

    /// Writes the campaign's id, whether it is running, and how many rows have ended.
    fn write_heading(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        )
    }

    /// Writes when the last call goes out, the calls in flight, and how far the quota is spent.
    fn write_calls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.last_call, &self.eta_unknown) {
            (Some(last_call), Some(why)) => writeln!(f, "{last_call}: {why}")?,
            (Some(last_call), None) => writeln!(f, "{last_call}")?,
            (None, _) => {}
        }
        if self.in_flight > 0 {
            writeln!(f, "on their way: {}", count::of(self.in_flight, "call"))?;
        }
        self.write_away(f)?;
        let is_used = |kind: &&KindStatus| kind.windows.iter().any(|window| window.in_use > 0);
        for kind in self.quota.iter().filter(is_used) {
            writeln!(f, "{kind}")?;
        }
        Ok(())
    }

    /// Writes how many machines are away. A run that ended or was killed knew it last at that time.
    fn write_away(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(since) = self.away_since else {
            return Ok(());
        };
        let away = count::of(self.away, "machine");
        let has_begun = self.run.as_ref().is_some_and(|run| run.ended.is_none());
        if self.running && has_begun {
            let goes = count::word(self.away, "goes", "go");
            writeln!(
                f,
                "away: {away} since {since:.0}, which {goes} behind all others"
            )
        } else {
            writeln!(
                f,
                "away, as the last run noted at {since:.0}: {away}; the same command asks anew"
            )
        }
    }

    /// Writes the command that goes on with an unfinished campaign.
    fn write_command(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(run) = self.run.as_ref().filter(|_| !self.running && self.open > 0) else {
            return Ok(());
        };
        // If a brake has stopped the run, an option has to be changed first, as the reason in the heading says.
        let what = if super::wants_change(Some(run)) {
            "the command was"
        } else {
            "to go on"
        };
        writeln!(f, "{what}: {}", run.command)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_heading(f)?;
        for (outcome, count) in self.tally.iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "  {count:>9}  {outcome}")?;
        }
        self.write_scans(f)?;
        self.write_found(f)?;
        self.write_calls(f)?;
        self.write_targets(f)?;
        self.write_command(f)
    }
}

impl fmt::Display for KindStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows = self.windows.iter().map(|window| {
            let length = span::in_words(Duration::from_secs_f64(window.window_s));
            let cut = if window.usable < window.limit {
                format!(", cut to {}", window.usable)
            } else {
                String::new()
            };
            let calls = count::of(window.limit.into(), "call");
            format!("{} of {calls} in {length}{cut}", window.in_use)
        });
        let windows = windows.collect::<Vec<_>>().join("; ");
        write!(f, "{} calls: {windows}", self.kind)?;
        if let Some(what) = &self.waits_for {
            write!(f, "; the next one waits for: {what}")?;
        }
        match (&self.waits_for, self.waits_s) {
            (Some(_), Some(left)) => {
                let left = span::in_words(Duration::from_secs_f64(left));
                write!(f, ", {left}")
            }
            _ => Ok(()),
        }
    }
}

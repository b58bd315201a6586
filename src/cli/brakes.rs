//! What stops a campaign before it does harm, on the command line.

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::Failure;
use crate::{
    campaign::brakes::{BrakeOptions, MaxFailures, NotAfter, SendTimes},
    schedule::{daily_window::Hours, deadline::Deadline},
};

/// The brakes' options. What one of them stops goes on with the same command once the option is changed; exit code 3.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Brakes")]
pub struct BrakeArgs {
    /// Stop when the N-th machine of the campaign has ended as `failed`, `refused` or `unsure`, or when these are at
    /// least P percent of the machines that have ended, from 20 ended machines on; with --again --extend each night
    /// counts for itself.
    #[arg(long, value_name = "N|P%")]
    max_failures: Option<MaxFailures>,

    /// Start so many machines first: the rest only when N are accepted (with --follow: have succeeded) and, on a
    /// terminal, you say yes; a busy machine is replaced by the next, and any other outcome stops.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    canary: Option<u64>,

    /// Answer the question whether the others may start once the canaries are accepted, or after a no: without a
    /// terminal nobody can be asked again.
    #[arg(long, value_enum, value_name = "ANSWER")]
    pub(super) canary_answer: Option<CanaryAnswer>,

    /// Send to at most N machines, in all runs of the campaign together, or with --again --extend in each night; the
    /// others stay `not_attempted`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_machines: Option<u64>,

    /// Start no scan at this time or after it: 18:00 (the next time that the clock shows it; in that very minute it is
    /// over at once), "2026-11-24 18:00", or 2026-11-24T18:00:00Z.
    #[arg(long, value_name = "TIME")]
    not_after: Option<Deadline>,

    /// Start scans only from the first of two times of day until just before the second, by the clock of this computer
    /// or of the zone, as in 22:00-06:00@Europe/Berlin; outside, the run waits.
    #[arg(long, value_name = "HH:MM-HH:MM[@ZONE]")]
    window: Option<Hours>,
}

/// An answer given beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CanaryAnswer {
    /// The others may start.
    Yes,
    /// They may not.
    No,
}

impl CanaryAnswer {
    /// Who decided, in the state.
    #[must_use]
    pub const fn who(self) -> &'static str {
        match self {
            Self::Yes => "by --canary-answer yes",
            Self::No => "by --canary-answer no",
        }
    }
}

impl BrakeArgs {
    /// What the dispatcher goes by.
    ///
    /// # Errors
    /// `--not-after` needs the computer's time zone, and it cannot be found out.
    pub fn options(&self, now: Timestamp) -> Result<BrakeOptions, Failure> {
        let not_after = self.not_after.map(|deadline| {
            let at = deadline.here(now);
            at.map(|at| NotAfter {
                at,
                typed: deadline.to_string(),
            })
        });
        let not_after = not_after
            .transpose()
            .map_err(|e| Failure::usage(format!("--not-after: {e}")))?;
        Ok(BrakeOptions {
            max_failures: self.max_failures,
            canary: self.canary,
            canaries_before: 0,
            max_machines: self.max_machines,
            times: SendTimes {
                not_after,
                hours: self.window.clone(),
            },
            before_tonight: None,
        })
    }
}

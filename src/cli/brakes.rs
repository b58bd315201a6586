//! The options that stop a campaign before it does harm. What they do is in
//! [`campaign::brakes`](crate::campaign::brakes).

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::Failure;
use crate::{
    campaign::brakes::{BrakeOptions, MaxFailures, NotAfter, SendTimes},
    schedule::{daily_window::Hours, deadline::Deadline},
};

/// The brakes. A campaign that one of them stops ends with exit code 3, and goes on once the option is changed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Brakes")]
pub struct BrakeArgs {
    /// Stop when so many have ended as `failed`, `refused` or `unsure`.
    ///
    /// They are counted over the campaign, or with --again --extend over each night. A percentage is of the machines
    /// that have ended, and counts once 20 have.
    #[arg(long, value_name = "N|P%")]
    max_failures: Option<MaxFailures>,

    /// Start N machines first, and the rest only when these are accepted and you say yes.
    ///
    /// With --follow they must have succeeded. You are asked on a terminal only. A busy machine is replaced by the next
    /// one; any other outcome stops the campaign.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    canary: Option<u64>,

    /// Answer the question whether the other machines may start, which is asked once the canaries are accepted, and
    /// again after a no. Without a terminal nobody can be asked.
    #[arg(long, value_enum, value_name = "ANSWER", hide_short_help = true)]
    pub(super) canary_answer: Option<CanaryAnswer>,

    /// Send to at most N machines in all runs of the campaign together.
    ///
    /// With --again --extend these are each night's. The others stay `not_attempted`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_machines: Option<u64>,

    /// Start no scan at this time or later, such as 18:00.
    ///
    /// A time of day is the next one that the clock shows (during that minute the run stops at once); others are
    /// written as "2026-11-24 18:00" or 2026-11-24T18:00:00Z.
    #[arg(long, value_name = "TIME")]
    not_after: Option<Deadline>,

    /// Start scans only between these times of day, as in 22:00-06:00@Europe/Berlin.
    ///
    /// The clock is that of the zone, or of this computer. The last scan is started just before the second time. At
    /// other times the run waits.
    #[arg(long, value_name = "HH:MM-HH:MM[@ZONE]")]
    window: Option<Hours>,
}

/// The value of `--canary-answer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CanaryAnswer {
    /// The other machines may start.
    Yes,
    /// They may not.
    No,
}

impl CanaryAnswer {
    /// Who decided, as the state records it.
    #[must_use]
    pub const fn who(self) -> &'static str {
        match self {
            Self::Yes => "by --canary-answer yes",
            Self::No => "by --canary-answer no",
        }
    }
}

impl BrakeArgs {
    /// The brakes as the dispatcher takes them.
    ///
    /// # Errors
    /// `--not-after` needs the computer's time zone, which cannot be determined.
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

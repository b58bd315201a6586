//! The options that say how many scans may be under way at once.

use std::time::Duration;

use clap::Args;

use crate::{
    campaign::running::{PerColumn, RunningLimits, TIMEOUT},
    cli::values,
};

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Not all at once")]
pub(super) struct RunningArgs {
    /// Have at most N of this campaign's scans under way at once: waiting, running, or perhaps started.
    ///
    /// The list of scans is read for that before the first call, and then while a machine waits, which needs the role
    /// Machine.Read.All. Scans of others, and of other campaigns, do not count.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), hide_short_help = true)]
    max_running: Option<u64>,

    /// Have at most N of them under way for each value of this column of the input, such as a site, a hypervisor or a
    /// disk array.
    ///
    /// It can be given several times, and all must hold. Machines whose cell is blank count together, as one value.
    #[arg(long, value_name = "COLUMN=N", hide_short_help = true)]
    max_running_per: Vec<PerColumn>,

    /// A scan that has not begun for so long no longer counts, so that machines that are switched off do not hold up
    /// the others. [default: 2h]
    #[arg(long, value_name = "D", value_parser = values::span, hide_short_help = true)]
    running_timeout: Option<Duration>,
}

impl RunningArgs {
    /// The limits.
    pub(super) fn limits(&self) -> RunningLimits {
        RunningLimits {
            most: self.max_running,
            per: self.max_running_per.clone(),
            timeout: self.running_timeout.unwrap_or(TIMEOUT),
        }
    }

    /// Whether there is a timeout of nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.running_timeout.is_some() && !self.limits().is_any()
    }
}

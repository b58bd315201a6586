//! The options that say what happens to machines that are away.

use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use crate::{campaign::away::OFFLINE_AFTER, cli::values};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machines that are away")]
pub(super) struct OfflineArgs {
    /// What to do with machines that the inventory has not seen lately.
    ///
    /// `send` sends to them as to all others, and the service keeps the scan until they are back; for how long is not
    /// documented. `defer` lets them go behind all others: the inventory is listed every 15 minutes, each machine that
    /// is back goes next, and when no other is left, or shortly before --not-after where that is later, the remaining
    /// ones are sent to anyway. It needs the role Machine.Read.All.
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t = WhenOffline::Send,
        hide_short_help = true
    )]
    when_offline: WhenOffline,

    /// With --when-offline defer: after how long a machine that was not seen is taken to be away. [default: 24h]
    #[arg(long, value_name = "D", value_parser = values::days, hide_short_help = true)]
    offline_after: Option<SignedDuration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WhenOffline {
    Send,
    Defer,
}

impl OfflineArgs {
    /// After how long a machine that was not seen is away, if such machines are deferred.
    pub(super) fn defers(&self) -> Option<SignedDuration> {
        let defers = self.when_offline == WhenOffline::Defer;
        defers.then(|| self.offline_after.unwrap_or(OFFLINE_AFTER))
    }

    /// Whether there is a time after which nothing happens.
    pub(super) fn is_idle(&self) -> bool {
        self.offline_after.is_some() && self.when_offline == WhenOffline::Send
    }
}

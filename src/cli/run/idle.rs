//! Refuses options that have no effect without another one, because whoever gives one expects an effect.

use super::{
    RunArgs,
    args::{OnPendingArg, RetryArgs},
};
use crate::cli::Failure;

impl RunArgs {
    /// Refuses options that have no effect.
    ///
    /// # Errors
    /// There is one.
    pub(super) fn refuse_idle(&self) -> Result<(), Failure> {
        let RetryArgs {
            on_pending,
            pending_delay,
            pending_tries,
            ..
        } = &self.retry;
        let following = &self.following;
        let skips = *on_pending == OnPendingArg::Skip;
        let (retry, follow) = ("--on-pending retry", "--follow");
        let idle = if skips && pending_delay.is_some() {
            ("--pending-delay", retry)
        } else if skips && pending_tries.is_some() {
            ("--pending-tries", retry)
        } else if !self.follow && following.follow_interval.is_some() {
            ("--follow-interval", follow)
        } else if !self.follow && following.follow_timeout.is_some() {
            ("--follow-timeout", follow)
        } else if !self.follow && following.verify {
            ("--verify", follow)
        } else if self.running.is_idle() {
            ("--running-timeout", "--max-running or --max-running-per")
        } else if self.offline.is_idle() {
            ("--offline-after", "--when-offline defer")
        } else if self.connect.scenario.is_given() && !self.connect.mock {
            ("--scenario", "--mock")
        } else {
            return Ok(());
        };
        let (option, wants) = idle;
        Err(Failure::usage(format!(
            "{option} has no effect without {wants}: give that too, or leave {option} out"
        )))
    }
}

//! Options that would change nothing: whoever says one means something.

use super::{
    RunArgs,
    args::{OnPendingArg, RetryArgs},
};
use crate::cli::Failure;

impl RunArgs {
    /// Refuses options that are for something that was not asked for.
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
        let skips = *on_pending == OnPendingArg::Skip;
        let follow = "--follow";
        let idle = [
            (
                "--pending-delay",
                skips && pending_delay.is_some(),
                "--on-pending retry",
            ),
            (
                "--pending-tries",
                skips && pending_tries.is_some(),
                "--on-pending retry",
            ),
            (
                "--follow-interval",
                !self.follow && self.following.has_interval(),
                follow,
            ),
            (
                "--follow-timeout",
                !self.follow && self.following.has_timeout(),
                follow,
            ),
        ];
        match idle.iter().find(|(_, is_idle, _)| *is_idle) {
            None => Ok(()),
            Some((option, _, wants)) => Err(Failure::usage(format!(
                "{option} changes nothing without {wants}: say that too, or leave {option} out"
            ))),
        }
    }
}

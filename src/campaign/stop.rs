//! Why a campaign stops before its end.

use std::fmt;

/// What a run is asked to do from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Send nothing more, and wait for the calls in flight.
    Drain,
    /// As [`Drain`](Self::Drain), on behalf of `fleetsweep cancel`.
    Ordered,
    /// Stop at once. The store stays intact.
    Abort,
}

/// A reason to stop, in the order of gravity. Of two reasons, the graver one is reported and decides the exit
/// code. Of two that are equally grave, the first one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// A brake stopped it before it could do harm.
    Brake(String),
    /// Somebody interrupted it.
    Interrupted,
    /// The tenant rejects the requests: sign-in, licence, permission or feature.
    Tenant(String),
    /// The state or the results cannot be written.
    Disk(String),
}

impl StopReason {
    /// A number that is greater for a graver reason.
    pub(super) fn gravity(&self) -> u8 {
        match self {
            Self::Brake(_) => 0,
            Self::Interrupted => 1,
            Self::Tenant(_) => 2,
            Self::Disk(_) => 3,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brake(why) | Self::Tenant(why) | Self::Disk(why) => f.write_str(why),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_reason_wins() {
        let disk = StopReason::Disk("a".into()).gravity();
        let tenant = StopReason::Tenant("b".into()).gravity();
        let interrupted = StopReason::Interrupted.gravity();
        let brake = StopReason::Brake("c".into()).gravity();
        assert!(disk > tenant && tenant > interrupted && interrupted > brake);
    }
}

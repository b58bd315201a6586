//! Why a campaign stops before its end.

use std::fmt;

/// What somebody outside asks of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// No new calls; wait for those in flight.
    Drain,
    /// As [`Drain`](Self::Drain), by an order of `fleetsweep cancel`.
    Ordered,
    /// Stop at once; the store is whole.
    Abort,
}

/// A reason to stop. Their order is their gravity: of two, the later one here is told and decides the exit code. Of two
/// that are as grave the first is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// A brake: harm was to be feared.
    Brake(String),
    /// Somebody asked for it.
    Interrupted,
    /// The tenant will not have it.
    Tenant(String),
    /// State or results cannot be written.
    Disk(String),
}

impl StopReason {
    /// A graver reason has a greater one.
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

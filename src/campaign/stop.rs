//! Why a campaign stops before its end.

use std::fmt;

/// A reason to stop. Their order is their gravity: of two, the later one here is told and decides the exit code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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
        let disk = StopReason::Disk("a".into());
        let tenant = StopReason::Tenant("b".into());
        let brake = StopReason::Brake("c".into());
        assert!(
            disk > tenant && tenant > StopReason::Interrupted && StopReason::Interrupted > brake
        );
    }
}

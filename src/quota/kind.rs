//! The kinds of call.

use std::fmt;

use super::limit::Limit;

/// A kind of call. Each kind has a quota of its own, as on the server (MDE-API.md, section 5), until a refusal shows
/// that the server counts all kinds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Start a scan.
    Start,
    /// List scans.
    List,
    /// Get one scan.
    Get,
    /// Cancel a scan.
    Cancel,
    /// List machines.
    Machines,
    /// List what the devices report of their antivirus.
    Health,
    /// List alerts.
    Alerts,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Start,
        Self::List,
        Self::Get,
        Self::Cancel,
        Self::Machines,
        Self::Health,
        Self::Alerts,
    ];

    /// The kind's name in files and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::List => "list",
            Self::Get => "get",
            Self::Cancel => "cancel",
            Self::Machines => "machines",
            Self::Health => "health",
            Self::Alerts => "alerts",
        }
    }

    /// The limits that the service documents for this kind alone, the shortest window first. They hold beside those of
    /// the [`Quota`](super::Quota), so the lower of both decides. None for kinds that have the usual limits.
    #[must_use]
    pub const fn own_limits(self) -> &'static [Limit] {
        match self {
            Self::Health => &Limit::DOCUMENTED_HEALTH,
            Self::Start | Self::List | Self::Get | Self::Cancel | Self::Machines | Self::Alerts => {
                &[]
            }
        }
    }

    /// The kind's index in [`Kind::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

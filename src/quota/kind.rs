//! The kinds of call.

use std::fmt;

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
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Start,
        Self::List,
        Self::Get,
        Self::Cancel,
        Self::Machines,
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

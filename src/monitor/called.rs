//! Single calls and what holds all of them back, for programs.

use std::time::Duration;

/// A call that was answered, or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called<'a> {
    /// Such as `start` or `list`.
    pub kind: &'static str,
    /// The answer's HTTP status, or why there is none: `timeout`, `no_connection`, `connection_lost`, `given_up`.
    pub code: &'a str,
    /// How long it took.
    pub took: Duration,
}

/// No scan is started for now, whatever room the quota has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What holds the calls.
    pub by: Holder,
    /// For how much longer, as far as that is known: during an outage until the API is tried again.
    pub left: Duration,
}

/// What holds calls back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The service asked for it.
    Service,
    /// The API cannot be reached.
    Outage,
}

impl Holder {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Outage => "outage",
        }
    }
}

//! How many calls the tenant takes.

use std::time::Duration;

use serde::Deserialize;

use crate::mock::request::Kind;

/// At most this many calls in a window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many calls a window holds.
    pub calls: u32,
    /// The window's length. A window of zero length limits nothing.
    pub window: Duration,
}

/// How a window is counted. Microsoft has not said which it is (MDE-API.md, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Any interval of the window's length, including both of its ends.
    Sliding,
    /// Consecutive windows.
    Fixed {
        /// How long after the tenant's start one of the windows begins.
        phase: Duration,
    },
    /// A token bucket, full at the start, and refilled steadily at the limit's rate.
    Bucket {
        /// How many tokens the bucket holds. `None` means as many as the limit's calls.
        size: Option<u32>,
    },
}

/// Whether the kinds of calls (start, list, get, cancel, machines, health, alerts) are counted separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kinds {
    /// Each kind has windows of its own.
    Apart,
    /// All kinds share the windows.
    Together,
}

/// The tenant's quota.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaConfig {
    /// The limits, which all apply at once. If there are none, every call is admitted.
    pub limits: Vec<Limit>,
    /// The limits of calls that list what machines report of their antivirus, in place of the others. Without
    /// [`limits`](Self::limits), they are not limited either.
    pub health_limits: Vec<Limit>,
    /// How the windows are counted.
    pub model: Model,
    /// Whether refused calls count too.
    pub count_refused: bool,
    /// Whether the kinds are counted separately.
    pub kinds: Kinds,
    /// The share of each window, from 0 to 1, that another client of the same application takes, with calls at random
    /// times. Its calls are refused as ours are.
    pub other_caller: f64,
    /// What a refusal says about the wait.
    pub retry_after: RetryAfter,
}

/// What a refusal (429) says about how long to wait. The text of its body names the true wait, unless it says
/// otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryAfter {
    /// The header has the seconds.
    #[default]
    Seconds,
    /// The header has a date.
    Date,
    /// There is no header.
    Missing,
    /// The header says one second, whatever the body says.
    Contradicting,
    /// The header has more seconds than a century.
    Absurd,
    /// Neither header nor body says how long, as in older answers of the service.
    Older,
}

impl Default for QuotaConfig {
    /// The documented limits: 100 calls a minute and 1500 an hour for each kind, and 30 and 1000 for
    /// [`Kind::Health`], in sliding windows.
    fn default() -> Self {
        let limit = |calls, seconds| Limit {
            calls,
            window: Duration::from_secs(seconds),
        };
        Self {
            limits: vec![limit(100, 60), limit(1500, 3600)],
            health_limits: vec![limit(30, 60), limit(1000, 3600)],
            model: Model::Sliding,
            count_refused: false,
            kinds: Kinds::Apart,
            other_caller: 0.0,
            retry_after: RetryAfter::default(),
        }
    }
}

impl QuotaConfig {
    /// A quota without limits.
    #[must_use]
    pub fn none() -> Self {
        Self {
            limits: Vec::new(),
            ..Self::default()
        }
    }

    /// The limits of calls of this kind. Signing in has none.
    pub(in crate::mock) fn limits_of(&self, kind: Kind) -> &[Limit] {
        match kind {
            Kind::Token => &[],
            Kind::Health if !self.limits.is_empty() => &self.health_limits,
            _ => &self.limits,
        }
    }
}

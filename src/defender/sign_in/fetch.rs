//! The port behind [`Renewing`](super::Renewing): one sign-in, and the time it needs to know.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;

use super::SignInError;

/// No token lives longer (MDE-API.md, section 6: 10 minutes to a day). What the server says beyond that is cut to it,
/// so that no slip of the server's leads to a token that is never renewed, or to a moment that no clock can tell.
pub const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// The life of a token whose answer says nothing of it that makes sense: nothing at all, no number, zero or less. Short
/// enough that it is asked again soon, long enough that it is not asked all the time.
pub const UNTOLD_LIFE: Duration = Duration::from_mins(5);

/// A token, and for how long the server says that it lives.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The text that follows `Bearer`.
    pub secret: SecretString,
    /// From the answer on; beyond [`LONGEST_LIFE`] it counts as that.
    pub life: Duration,
}

/// Why a sign-in came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchError {
    /// It may come to something if it is tried again: no connection, a timeout, a 5xx, a 429.
    pub passing: bool,
    /// Something is in the way that a person must remove; it passes when somebody has.
    pub obstacle: bool,
    /// In words.
    pub error: SignInError,
}

impl FetchError {
    pub(super) fn last(text: impl Into<String>) -> Self {
        Self {
            passing: false,
            obstacle: false,
            error: SignInError(text.into()),
        }
    }

    pub(super) fn passing(text: impl Into<String>) -> Self {
        Self {
            passing: true,
            obstacle: false,
            error: SignInError(text.into()),
        }
    }
}

/// What a [`Fetch`] answers, sooner or later.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'a>>;

/// Signs in, anew each time it is asked: it keeps nothing.
pub trait Fetch: Send + Sync + 'static {
    /// One sign-in.
    fn fetch(&self) -> Fetching<'_>;
}

/// The time as a sign-in needs it; virtual in tests.
pub trait Time: fmt::Debug + Send + Sync + 'static {
    /// Since some moment that stays the same; sleep counts.
    fn now(&self) -> Duration;

    /// The wall clock, which an assertion states.
    fn wall(&self) -> Timestamp;
}

//! The ports that [`Renewing`](super::Renewing) uses: one sign-in, and the time.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;

use super::SignInError;

/// The longest lifetime of a token (MDE-API.md, section 6: 10 minutes to a day). A longer one is reduced to this, so
/// that a mistake of the server cannot lead to a token that is never renewed, or to a time that is out of range.
pub const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// The lifetime of a token if the answer states none, or not a positive number. It is short enough that the token is
/// renewed soon, and long enough that it is not renewed all the time.
pub const UNTOLD_LIFE: Duration = Duration::from_mins(5);

/// A token, and how long it is valid.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The text that follows `Bearer`.
    pub secret: SecretString,
    /// How long it is valid from the answer on. More than [`LONGEST_LIFE`] counts as that.
    pub life: Duration,
}

/// Why a sign-in failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchError {
    /// Whether a retry may succeed: there was no connection, a timeout, a 5xx or a 429.
    pub passing: bool,
    /// Whether a person has to fix something before a retry can succeed.
    pub obstacle: bool,
    /// The message.
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

/// What a [`Fetch`] returns.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'a>>;

/// Signs in each time it is called, without caching anything.
pub trait Fetch: Send + Sync + 'static {
    /// One sign-in.
    fn fetch(&self) -> Fetching<'_>;
}

/// The clocks that a sign-in needs. They are virtual in tests.
pub trait Time: fmt::Debug + Send + Sync + 'static {
    /// The time since some fixed moment, including sleep.
    fn now(&self) -> Duration;

    /// The wall clock's time, for assertions.
    fn wall(&self) -> Timestamp;
}

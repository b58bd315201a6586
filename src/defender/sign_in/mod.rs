//! Where bearer tokens come from.
//!
//! ```text
//!   environment, --auth ─→ Choice ─┬─→ FixedToken, TokenFile ───────────────────────────────┐
//!                                  └─→ Renewing ─→ AzureSignIn ─→ azure_identity ─→ Transport ┴→ Token ─→ fit
//! ```
//!
//! - this file: the port: [`TokenSource`] and what it gives, a [`Token`].
//! - [`choice`]: which sign-in, by what was asked for and what is configured.
//! - [`fixed`]: one ready token. [`file`](mod@file): a token in a file, read again when it changes.
//! - [`renewing`]: a token that lasts, over [`fetch`], the port of one sign-in; `asking`: how often it is asked at
//!   most.
//! - [`azure`]: that port over `azure_identity`; `transport`: our HTTP client below it; [`authority`]: where to;
//!   [`certificate`]: the assertion that a key signs; `refusal`, `failure`: what the service says, and the cure;
//!   `masking`: never with the secret.
//! - [`bearer`]: what may be a bearer token at all. [`claims`]: what a token says of itself. [`fit`]: whether that is
//!   enough.

use std::{future::Future, pin::Pin};

use secrecy::SecretString;

mod asking;
pub mod authority;
pub mod azure;
pub mod bearer;
pub mod certificate;
pub mod choice;
pub mod claims;
mod failure;
pub mod fetch;
pub mod file;
pub mod fit;
pub mod fixed;
mod masking;
mod refusal;
pub mod renewing;
mod transport;

pub use authority::Authority;
pub use azure::{App, AzureSignIn, Credential};
pub use certificate::Certificate;
pub use choice::{Auth, Choice, Environment, Terms};
pub use claims::Claims;
pub use fetch::{Fetch, Time};
pub use file::TokenFile;
pub use fit::Need;
pub use fixed::FixedToken;
pub(crate) use refusal::apart;
pub use renewing::Renewing;

/// A bearer token. Its text is secret: `Debug` hides it.
#[derive(Debug, Clone)]
pub struct Token {
    /// The text that follows `Bearer`.
    pub secret: SecretString,
    /// Counts the tokens of one source from 1: a later token has a larger number.
    pub serial: u64,
}

/// Why there is no token. The text is for the person at the terminal: what happened, to what, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignInError(pub String);

/// What a [`TokenSource`] answers, sooner or later.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Token, SignInError>> + Send + 'a>>;

/// Gives bearer tokens, and newer ones for those that were refused.
pub trait TokenSource: Send + Sync + 'static {
    /// A token to use now.
    fn token(&self) -> TokenFuture<'_>;

    /// A token newer than number `refused`, which the service answered with 401. All who ask share one renewal.
    ///
    /// # Errors
    /// There is none.
    fn renew(&self, refused: u64) -> TokenFuture<'_>;
}

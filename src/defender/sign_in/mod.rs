//! Where bearer tokens come from.
//!
//! ```text
//!   environment, --auth ─→ CredentialChoice ─┬─→ FixedToken, TokenFile ────────────────────────────────┐
//!                                            └─→ Renewing → AzureSignIn → azure_identity → Transport ──┴→ Token → fit
//! ```
//!
//! - this file: the port ([`TokenSource`]) and what it returns, a [`Token`].
//! - [`credential_choice`]: which credential to use, from what was asked for and what is configured.
//! - [`fixed`]: one ready token. [`file`](mod@file): a token in a file, which is read again when it changes.
//! - [`renewing`]: a token that is renewed before it expires. `renewal`: one renewal. `request_pace`: how often the
//!   sign-in service may be asked. [`fetch`]: the port for one sign-in.
//! - [`azure`]: that port on top of `azure_identity`. `transport`: our HTTP client below that crate. [`authority`]:
//!   the sign-in service's address. [`certificate`]: signs assertions. `refusal`, `failure`: error messages that say
//!   what to do. `masking`: removes secrets from them.
//! - [`bearer`]: whether a text can be a bearer token. [`claims`]: what a token says about itself. [`fit`]: whether
//!   that is enough.

use std::{future::Future, pin::Pin};

use secrecy::SecretString;

pub mod authority;
pub mod azure;
pub mod bearer;
pub mod certificate;
pub mod claims;
pub mod credential_choice;
mod failure;
pub mod fetch;
pub mod file;
pub mod fit;
pub mod fixed;
mod masking;
mod refusal;
mod renewal;
pub mod renewing;
mod request_pace;
mod transport;

pub use authority::Authority;
pub use azure::{App, AzureSignIn, Credential};
pub use certificate::Certificate;

pub use claims::Claims;
pub use credential_choice::{Auth, CredentialChoice, Environment, SignInOptions};
pub use fetch::{Fetch, Time};
pub use file::TokenFile;
pub use fit::Need;
pub use fixed::FixedToken;
pub(crate) use refusal::format_skew;
pub use renewing::Renewing;

/// A bearer token. Its text is secret: `Debug` hides it.
#[derive(Debug, Clone)]
pub struct Token {
    /// The text that follows `Bearer`.
    pub secret: SecretString,
    /// The number of the token among those of its source, from 1. A later token has a larger number.
    pub serial: u64,
}

/// Why there is no token. The text says what happened, to what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignInError(pub String);

/// What a [`TokenSource`] returns.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Token, SignInError>> + Send + 'a>>;

/// Provides bearer tokens, and newer ones in place of those that were refused.
pub trait TokenSource: Send + Sync + 'static {
    /// A token to use now.
    fn token(&self) -> TokenFuture<'_>;

    /// A token that is newer than number `refused`, which the service answered with 401. Concurrent callers share one
    /// renewal.
    ///
    /// # Errors
    /// There is no newer token.
    fn renew(&self, refused: u64) -> TokenFuture<'_>;
}

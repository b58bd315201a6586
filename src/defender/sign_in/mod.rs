//! Where bearer tokens come from.
//!
//! - this file: the port: [`TokenSource`] and what it gives, a [`Token`].
//! - [`fixed`]: one ready token. [`file`](mod@file): a token in a file, read again when it changes.
//! - [`bearer`]: what may be a bearer token at all.
//! - [`claims`]: what a token says of itself.

use std::{future::Future, pin::Pin};

use secrecy::SecretString;

pub mod bearer;
pub mod claims;
pub mod file;
pub mod fixed;

pub use claims::Claims;
pub use file::TokenFile;
pub use fixed::FixedToken;

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

//! A token that is renewed before it expires, and shared by all callers.
//!
//! ```text
//!   fetched ──────────────── fresh ──────────────┬── renewed in the background ──┬── expired
//!                                                │   (callers get the old one)   │   (callers wait)
//!                          left: the smaller of 5 min and life/5          left: the smaller of 5 s and life/20
//! ```
//!
//! One renewal runs at a time, in a task of its own, so that it goes on if its caller stops waiting. A renewal that
//! fails for a temporary reason is retried; while the old token is valid nobody notices. How often the service is
//! asked is bounded however the requests end: see `request_pace.rs`.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

use super::{
    SignInError, Token, TokenFuture, TokenSource,
    fetch::{Fetch, Time},
    renewal::{Renewal, Shared},
};

/// A [`TokenSource`] on top of a [`Fetch`].
pub struct Renewing {
    shared: Arc<Shared>,
}

impl Renewing {
    /// Nothing is fetched before a token is requested.
    #[must_use]
    pub fn new(fetch: impl Fetch, time: Arc<dyn Time>) -> Self {
        Self {
            shared: Arc::new(Shared {
                fetch: Box::new(fetch),
                time,
                state: Mutex::default(),
                ended: Notify::new(),
            }),
        }
    }

    /// A token with a larger number than this.
    async fn newer_than(&self, refused: u64) -> Result<Token, SignInError> {
        let failures = self.shared.state().failures;
        loop {
            // Registered before the state is read, so that no end after that is missed.
            let mut ended = std::pin::pin!(self.shared.ended.notified());
            ended.as_mut().enable();
            let renewal = {
                let now = self.shared.time.now();
                let mut state = self.shared.state();
                if let Some(held) = state.held.as_ref()
                    && held.token.serial > refused
                    && now < held.dead_at
                {
                    let token = held.token.clone();
                    let due = now >= held.renew_at && now >= state.not_before;
                    let renewal = due.then(|| self.shared.renewal(&mut state)).flatten();
                    drop(state);
                    Renewal::begin(renewal);
                    return Ok(token);
                }
                if let Some(why) = state.failure.as_ref()
                    && state.failures > failures
                {
                    return Err(why.clone());
                }
                self.shared.renewal(&mut state)
            };
            Renewal::begin(renewal);
            ended.await;
        }
    }
}

impl TokenSource for Renewing {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(self.newer_than(0))
    }

    fn renew(&self, refused: u64) -> TokenFuture<'_> {
        Box::pin(self.newer_than(refused))
    }
}

impl fmt::Debug for Renewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewing").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "renewing_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "request_pace_tests.rs"]
mod request_pace_tests;

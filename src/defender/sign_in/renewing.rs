//! A token that lasts: fetched, renewed ahead of its end, shared by all who ask.
//!
//! ```text
//!   fetched ──────────────── fresh ──────────────┬── renewed in the background ──┬── dead
//!                                                │   (the old one is given out)  │   (who asks, waits)
//!                          left: the smaller of 5 min and life/5          left: the smaller of 5 s and life/20
//! ```
//!
//! One renewal runs at a time, in a task of its own, so that nobody who stops waiting stops it. One that fails for the
//! moment is tried again; while the old token lives nobody notices.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time};

use super::{
    SignInError, Token, TokenFuture, TokenSource,
    fetch::{Fetch, FetchError, Fetched, Time},
};

/// A token is renewed when so much of its life is left, or a fifth of it.
const AHEAD: Duration = Duration::from_mins(5);

/// A token with less than this left, or a twentieth of its life, might die on its way.
const TOO_LATE: Duration = Duration::from_secs(5);

/// One sign-in may take so long. `az` on a slow jump host has been seen to take half of it.
const LONGEST_FETCH: Duration = Duration::from_mins(1);

/// How long a first sign-in is tried: somebody sits in front of it.
const FIRST_PATIENCE: Duration = Duration::from_secs(15);

/// How long a later one is tried. Outages of the sign-in service last minutes to an hour; the campaign can be gone on
/// with afterwards.
const PATIENCE: Duration = Duration::from_mins(30);

/// The first and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// After a refusal (not a failure) while the old token lives: somebody may be replacing the secret just now.
const AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// A [`TokenSource`] over a [`Fetch`].
pub struct Renewing {
    shared: Arc<Shared>,
}

struct Shared {
    fetch: Box<dyn Fetch>,
    time: Arc<dyn Time>,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    serial: u64,
    renewing: bool,
    /// Renewals that came to nothing, and why the last one did.
    failures: u64,
    failure: Option<SignInError>,
    /// No renewal in the background before this.
    not_before: Duration,
}

struct Held {
    token: Token,
    renew_at: Duration,
    dead_at: Duration,
}

impl Renewing {
    /// Nothing is fetched before somebody asks.
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
            // Before the look, so that no end after it is missed.
            let mut ended = std::pin::pin!(self.shared.ended.notified());
            ended.as_mut().enable();
            {
                let now = self.shared.time.now();
                let mut state = self.shared.state();
                if let Some(held) = state.held.as_ref()
                    && held.token.serial > refused
                    && now < held.dead_at
                {
                    let token = held.token.clone();
                    if now >= held.renew_at && now >= state.not_before {
                        self.shared.begin(&mut state);
                    }
                    return Ok(token);
                }
                if let Some(why) = state.failure.as_ref()
                    && state.failures > failures
                {
                    return Err(why.clone());
                }
                self.shared.begin(&mut state);
            }
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

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a renewal, unless one is under way.
    fn begin(self: &Arc<Self>, state: &mut State) {
        if !std::mem::replace(&mut state.renewing, true) {
            let round = Round(Arc::clone(self));
            tokio::spawn(round.run());
        }
    }

    fn succeeded(&self, began: Duration, fetched: Fetched) {
        let Fetched { secret, life } = fetched;
        let end = began + life;
        let mut state = self.state();
        state.serial += 1;
        state.held = Some(Held {
            token: Token {
                secret,
                serial: state.serial,
            },
            renew_at: end.saturating_sub(AHEAD.min(life / 5)),
            dead_at: end.saturating_sub(TOO_LATE.min(life / 20)),
        });
        state.failure = None;
        tracing::debug!(serial = state.serial, life_s = life.as_secs(), "signed in");
    }

    /// Whether there was a token, and its life is over.
    fn has_died(&self) -> bool {
        let now = self.time.now();
        let state = self.state();
        state.held.as_ref().is_some_and(|held| held.dead_at <= now)
    }

    fn failed(&self, why: SignInError) {
        let now = self.time.now();
        let mut state = self.state();
        if let Some(held) = &state.held
            && let Some(left) = held.dead_at.checked_sub(now)
        {
            tracing::warn!(
                left_s = left.as_secs(),
                "the token could not be renewed: {why}"
            );
            state.not_before = now + AFTER_REFUSAL.min(left / 4);
        }
        state.failures += 1;
        state.failure = Some(why);
    }
}

/// A renewal, from its first try to its end. Dropped, however that comes about, it wakes those who wait.
struct Round(Arc<Shared>);

impl Round {
    async fn run(self) {
        let shared = &self.0;
        let patience = if shared.state().serial > 0 {
            PATIENCE
        } else {
            FIRST_PATIENCE
        };
        let first = shared.time.now();
        let mut pause = PAUSES.0;
        let mut told = false;
        loop {
            let began = shared.time.now();
            let fetched = time::timeout(LONGEST_FETCH, shared.fetch.fetch()).await;
            let FetchError { passing, error } = match fetched {
                Ok(Ok(fetched)) => return shared.succeeded(began, fetched),
                Ok(Err(why)) => why,
                Err(_) => FetchError::passing(format!(
                    "the sign-in did not come to an end within {} s",
                    LONGEST_FETCH.as_secs()
                )),
            };
            let waited = shared.time.now().saturating_sub(first);
            if !passing || waited + pause > patience {
                return shared.failed(error);
            }
            if shared.has_died() && !std::mem::replace(&mut told, true) {
                tracing::warn!("calls wait for a token: {error}; trying again");
            } else {
                tracing::info!("{error}; trying again in {} s", pause.as_secs());
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.renewing = false;
        drop(state);
        self.0.ended.notify_waiters();
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

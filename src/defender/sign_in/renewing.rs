//! A token that lasts: fetched, renewed ahead of its end, shared by all who ask.
//!
//! ```text
//!   fetched ──────────────── fresh ──────────────┬── renewed in the background ──┬── dead
//!                                                │   (the old one is given out)  │   (who asks, waits)
//!                          left: the smaller of 5 min and life/5          left: the smaller of 5 s and life/20
//! ```
//!
//! One renewal runs at a time, in a task of its own, so that nobody who stops waiting stops it. One that fails for the
//! moment is tried again; while the old token lives nobody notices. How often the service is asked is bounded, whatever
//! becomes of the tokens: see `asking.rs`.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time};

use super::{
    SignInError, Token, TokenFuture, TokenSource,
    asking::{Asking, MOST_A_MINUTE},
    fetch::{Fetch, FetchError, Fetched, LONGEST_LIFE, Time},
};
use crate::audit::{self, audit};

/// A token is renewed when so much of its life is left, or a fifth of it.
const AHEAD: Duration = Duration::from_mins(5);

/// A token with less than this left, or a twentieth of its life, might die on its way.
const TOO_LATE: Duration = Duration::from_secs(5);

/// One sign-in may take so long. `az` on a slow jump host has been seen to take half of it.
const LONGEST_FETCH: Duration = Duration::from_mins(1);

/// How long a first sign-in is tried: somebody sits in front of it.
const FIRST_PATIENCE: Duration = Duration::from_secs(15);

/// How long a later one is tried: an outage is waited for, as one of the API is; it lasts for a day at most.
const PATIENCE: Duration = Duration::from_hours(24);

/// Where something is in the way of the first, it is tried once more so much later: more bad sign-ins at a proxy might
/// lock an account.
const SECOND_LOOK: Duration = Duration::from_secs(10);

/// How long a later one is tried where something is in the way that a person must remove.
const OBSTACLE_PATIENCE: Duration = Duration::from_mins(15);

/// After a refusal (not a failure) while the old token lives: somebody may be replacing the secret just now.
const AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// A renewal that has to wait longer than this for its turn says so: that is no pause after a failure any more.
const WORTH_A_WORD: Duration = Duration::from_secs(15);

/// What those are told who wait for a sign-in that is dropped.
const BROKEN_OFF: &str = "the sign-in was broken off: fleetsweep is ending, or has met a bug";

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
    asking: Asking,
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
            let round = {
                let now = self.shared.time.now();
                let mut state = self.shared.state();
                if let Some(held) = state.held.as_ref()
                    && held.token.serial > refused
                    && now < held.dead_at
                {
                    let token = held.token.clone();
                    let due = now >= held.renew_at && now >= state.not_before;
                    let round = due.then(|| self.shared.round(&mut state)).flatten();
                    drop(state);
                    Round::begin(round);
                    return Ok(token);
                }
                if let Some(why) = state.failure.as_ref()
                    && state.failures > failures
                {
                    return Err(why.clone());
                }
                self.shared.round(&mut state)
            };
            Round::begin(round);
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

    /// A renewal to begin, unless one is under way.
    fn round(self: &Arc<Self>, state: &mut State) -> Option<Round> {
        let under_way = std::mem::replace(&mut state.renewing, true);
        (!under_way).then(|| Round {
            shared: Arc::clone(self),
            over: false,
        })
    }

    /// Waits until the service may be asked, and notes that it is.
    async fn turn(&self) {
        loop {
            let wait = {
                let now = self.time.now();
                let mut state = self.state();
                let wait = state.asking.wait(now);
                if wait.is_zero() {
                    return state.asking.asks(now);
                }
                wait
            };
            time::sleep(wait).await;
        }
    }

    /// One sign-in, and what becomes of it.
    async fn ask(&self) -> Result<(), FetchError> {
        let began = self.time.now();
        let fetched = match time::timeout(LONGEST_FETCH, self.fetch.fetch()).await {
            Ok(Ok(fetched)) => self.taken(began, fetched),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(FetchError::passing(format!(
                "the sign-in did not come to an end within {} s",
                LONGEST_FETCH.as_secs()
            ))),
        };
        let now = self.time.now();
        let mut state = self.state();
        let ms = audit::ms(now.saturating_sub(began));
        match &fetched {
            Ok(()) => {
                let held = state.held.as_ref();
                let life_s = held.map(|held| held.dead_at.saturating_sub(began).as_secs());
                audit!("token", got = true, ms, serial = state.serial, life_s);
                state.asking.succeeded();
            }
            Err(e) => {
                audit!("token", got = false, ms, why = %e.error);
                state.asking.failed(now);
            }
        }
        fetched
    }

    fn taken(&self, began: Duration, fetched: Fetched) -> Result<(), FetchError> {
        let life = fetched.life.min(LONGEST_LIFE);
        let end = began.saturating_add(life);
        let dead_at = end.saturating_sub(TOO_LATE.min(life / 20));
        let now = self.time.now();
        if dead_at <= now {
            return Err(FetchError::passing(format!(
                "sign-in failed: the token that was given lives {} s, and was dead when it came",
                life.as_secs()
            )));
        }
        let mut state = self.state();
        state.serial += 1;
        state.held = Some(Held {
            token: Token {
                secret: fetched.secret,
                serial: state.serial,
            },
            renew_at: end.saturating_sub(AHEAD.min(life / 5)),
            dead_at,
        });
        state.failure = None;
        Ok(())
    }

    /// How long the token that there is has to live; `None` if there is none, or if its life is over.
    fn left(&self) -> Option<Duration> {
        let now = self.time.now();
        let state = self.state();
        let left = state.held.as_ref()?.dead_at.checked_sub(now)?;
        (!left.is_zero()).then_some(left)
    }

    /// A renewal came to nothing.
    fn failed(&self, why: SignInError) {
        let (now, left) = (self.time.now(), self.left());
        let mut state = self.state();
        if let Some(left) = left {
            state.not_before = now + AFTER_REFUSAL.min(left / 4);
        }
        state.failures += 1;
        state.failure = Some(why);
    }
}

/// A renewal, from its first try to its end. Dropped without one, by a panic or because its runtime is going, it has
/// failed; dropped in any way, it wakes those who wait.
struct Round {
    shared: Arc<Shared>,
    over: bool,
}

impl Round {
    /// In a task of its own. Whoever calls this must not hold the state: a runtime that is going drops the task at
    /// once.
    fn begin(round: Option<Self>) {
        if let Some(round) = round {
            tokio::spawn(round.run());
        }
    }

    async fn run(mut self) {
        let came = self.tries().await;
        if let Err(why) = came {
            if let Some(left) = self.shared.left() {
                let left_s = left.as_secs();
                tracing::warn!(left_s, "the token could not be renewed: {why}");
            }
            self.shared.failed(why);
        }
        self.over = true;
    }

    async fn tries(&self) -> Result<(), SignInError> {
        let shared = &self.shared;
        let wait = shared.state().asking.wait(shared.time.now());
        if wait > WORTH_A_WORD {
            let wait_s = wait.as_secs();
            tracing::warn!(
                "tokens are asked for at most {MOST_A_MINUTE} times a minute; the next in {wait_s} s"
            );
        }
        shared.turn().await;
        let is_first = shared.state().serial == 0;
        let first = shared.time.now();
        let (mut told, mut looked_twice) = (false, false);
        loop {
            let Err(FetchError {
                passing,
                obstacle,
                error,
            }) = shared.ask().await
            else {
                return Ok(());
            };
            if is_first && obstacle {
                if std::mem::replace(&mut looked_twice, true) {
                    return Err(error);
                }
                time::sleep(SECOND_LOOK).await;
                shared.turn().await;
                continue;
            }
            let patience = match (is_first, obstacle) {
                (true, _) => FIRST_PATIENCE,
                (false, true) => OBSTACLE_PATIENCE,
                (false, false) => PATIENCE,
            };
            let now = shared.time.now();
            let pause = shared.state().asking.wait(now);
            if !passing || now.saturating_sub(first) + pause > patience {
                return Err(error);
            }
            let waited_for = shared.left().is_none() && shared.state().serial > 0;
            if waited_for && !std::mem::replace(&mut told, true) {
                tracing::warn!("calls wait for a token: {error}; trying again");
            } else {
                tracing::info!("{error}; trying again in {} s", pause.as_secs());
            }
            shared.turn().await;
        }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        if !self.over {
            self.shared.failed(SignInError(BROKEN_OFF.to_owned()));
        }
        let now = self.shared.time.now();
        let mut state = self.shared.state();
        state.renewing = false;
        if !self.over {
            state.asking.failed(now);
        }
        drop(state);
        self.shared.ended.notify_waiters();
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
#[path = "asking_tests.rs"]
mod asking_tests;

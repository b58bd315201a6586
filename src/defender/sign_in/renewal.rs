//! One renewal of a token: sign-ins, at a bounded pace, until one succeeds or it is given up.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time};

use super::{
    SignInError, Token,
    fetch::{Fetch, FetchError, Fetched, LONGEST_LIFE, Time},
    request_pace::{MOST_A_MINUTE, RequestPace},
};
use crate::audit::{self, audit};

/// A token is renewed when this much of its lifetime is left, or a fifth of it if that is less.
pub(super) const AHEAD: Duration = Duration::from_mins(5);

/// A token with less than this left, or a twentieth of its lifetime if that is less, might expire on its way to the
/// service.
const TOO_LATE: Duration = Duration::from_secs(5);

/// How long one sign-in may take. On a slow jump host `az` was seen to take half of this.
const LONGEST_FETCH: Duration = Duration::from_mins(1);

/// How long the first sign-in is retried. It is short, because a user is waiting.
const RETRY_FIRST_FOR: Duration = Duration::from_secs(15);

/// How long a later sign-in is retried. We wait for the end of an outage as with the API, but for a day at most.
const RETRY_FOR: Duration = Duration::from_hours(24);

/// If there is an obstacle to the first sign-in, it is tried once more after this time. More failed sign-ins at a
/// proxy might lock an account.
const SECOND_TRY: Duration = Duration::from_secs(10);

/// How long a later sign-in is retried if there is an obstacle that a person has to fix.
const RETRY_OBSTACLE_FOR: Duration = Duration::from_mins(15);

/// How long to wait after a refusal while the old token is valid, because the secret may be about to be replaced.
const AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// A renewal that has to wait longer than this before its first request reports it, since pauses after failures are
/// shorter.
const REPORTED_WAIT: Duration = Duration::from_secs(15);

/// The error for callers that wait for a sign-in that is dropped.
pub(super) const BROKEN_OFF: &str =
    "the sign-in was broken off: fleetsweep is ending, or has met a bug";

/// What a [`Renewing`](super::Renewing) and its renewals share.
pub(super) struct Shared {
    pub(super) fetch: Box<dyn Fetch>,
    pub(super) time: Arc<dyn Time>,
    pub(super) state: Mutex<State>,
    pub(super) ended: Notify,
}

/// The token and the last renewal.
#[derive(Default)]
pub(super) struct State {
    pub(super) held: Option<Held>,
    pub(super) serial: u64,
    pub(super) renewing: bool,
    pub(super) pace: RequestPace,
    /// How many renewals have failed, and why the last one did.
    pub(super) failures: u64,
    pub(super) failure: Option<SignInError>,
    /// When the next renewal in the background may begin.
    pub(super) not_before: Duration,
}

/// A token, and when it has to be replaced.
pub(super) struct Held {
    pub(super) token: Token,
    pub(super) renew_at: Duration,
    pub(super) dead_at: Duration,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A renewal to begin, unless one is running.
    pub(super) fn renewal(self: &Arc<Self>, state: &mut State) -> Option<Renewal> {
        let under_way = std::mem::replace(&mut state.renewing, true);
        (!under_way).then(|| Renewal {
            shared: Arc::clone(self),
            over: false,
        })
    }

    /// Waits until the service may be asked, and records that it is.
    async fn turn(&self) {
        loop {
            let wait = {
                let now = self.time.now();
                let mut state = self.state();
                let wait = state.pace.wait(now);
                if wait.is_zero() {
                    return state.pace.sends(now);
                }
                wait
            };
            time::sleep(wait).await;
        }
    }

    /// Makes one sign-in, and records how it ends.
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
                state.pace.succeeded();
            }
            Err(e) => {
                audit!("token", got = false, ms, why = %e.error);
                state.pace.failed(now);
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

    /// How long the present token is still valid. `None` if there is none, or if it has expired.
    fn left(&self) -> Option<Duration> {
        let now = self.time.now();
        let state = self.state();
        let left = state.held.as_ref()?.dead_at.checked_sub(now)?;
        (!left.is_zero()).then_some(left)
    }

    /// Records that a renewal has failed.
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

/// A renewal, from its first try to its end. If it is dropped before its end, by a panic or because the runtime shuts
/// down, it has failed. When it is dropped, it wakes all waiting callers.
pub(super) struct Renewal {
    shared: Arc<Shared>,
    over: bool,
}

impl Renewal {
    /// Runs the renewal in a task of its own. The caller must not hold the state's lock, because a runtime that is
    /// shutting down drops the task at once.
    pub(super) fn begin(renewal: Option<Self>) {
        if let Some(renewal) = renewal {
            tokio::spawn(renewal.run());
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
        let wait = shared.state().pace.wait(shared.time.now());
        if wait > REPORTED_WAIT {
            let wait_s = wait.as_secs();
            tracing::warn!(
                "tokens are asked for at most {MOST_A_MINUTE} times a minute; the next in {wait_s} s"
            );
        }
        shared.turn().await;
        let is_first = shared.state().serial == 0;
        let first = shared.time.now();
        let (mut told, mut tried_twice) = (false, false);
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
                if std::mem::replace(&mut tried_twice, true) {
                    return Err(error);
                }
                time::sleep(SECOND_TRY).await;
                shared.turn().await;
                continue;
            }
            let retry_for = match (is_first, obstacle) {
                (true, _) => RETRY_FIRST_FOR,
                (false, true) => RETRY_OBSTACLE_FOR,
                (false, false) => RETRY_FOR,
            };
            let now = shared.time.now();
            let pause = shared.state().pace.wait(now);
            if !passing || now.saturating_sub(first) + pause > retry_for {
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

impl Drop for Renewal {
    fn drop(&mut self) {
        if !self.over {
            self.shared.failed(SignInError(BROKEN_OFF.to_owned()));
        }
        let now = self.shared.time.now();
        let mut state = self.shared.state();
        state.renewing = false;
        if !self.over {
            state.pace.failed(now);
        }
        drop(state);
        self.shared.ended.notify_waiters();
    }
}

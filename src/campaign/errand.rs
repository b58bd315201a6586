//! A call that may be repeated without harm: it waits for its token and its quota, and is tried again when it is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{loss, retry};
use crate::{
    defender::{
        Answer, Call, Defender, Lost,
        sign_in::{SignInError, TokenSource},
        throttle::Throttle,
        wire::Envelope,
    },
    quota::{Clock, Kind, LedgerError, Pacer, Permit},
};

/// So many times a call is made before it is given up; 429 and the first 401 cost none.
const TRIES: u32 = 5;

/// The longest pause between two tries: somebody may be watching.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What an errand needs of the world.
pub struct Errand<D> {
    defender: Arc<D>,
    tokens: Arc<dyn TokenSource>,
    pacer: Pacer,
    clock: Arc<dyn Clock>,
    calls: AtomicU64,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ErrandError {
    /// There is no token, or a new one is refused too.
    #[error("{0}")]
    SignIn(String),
    /// The quota cannot be kept.
    #[error("{0}")]
    Ledger(LedgerError),
    /// The service, or something before it, says no, and will again.
    #[error("{0}")]
    Refused(String),
    /// It was lost again and again.
    #[error("{0}")]
    Failed(String),
}

/// What the service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// 200
    Well(Answer),
    /// 404 in the API's own words.
    NotThere,
}

/// What came of one call that was not lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// It was carried out, or there was nothing to carry it out on.
    Answered(Answered),
    /// It was surely not carried out and is to be made again: there was no quota for it, its permit was too old, or this
    /// token was refused (its serial; 0 if none was).
    Again(u64),
}

impl<D: Defender> Errand<D> {
    /// An errand boy for these.
    pub fn new(
        defender: Arc<D>,
        tokens: Arc<dyn TokenSource>,
        pacer: Pacer,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            defender,
            tokens,
            pacer,
            clock,
            calls: AtomicU64::new(0),
        }
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Makes the call until it is answered.
    ///
    /// # Errors
    /// It is refused for good, or lost too often.
    pub async fn ask(&self, kind: Kind, call: &Call) -> Result<Answered, ErrandError> {
        let mut rng = fastrand::Rng::new();
        let (mut tries, mut refused) = (0, 0);
        loop {
            let permit = self.leave(kind).await?;
            match self.once(permit, call, refused).await {
                Ok(Once::Answered(answered)) => return Ok(answered),
                Ok(Once::Again(serial)) => refused = refused.max(serial),
                Err(ErrandError::Failed(why)) => {
                    tries += 1;
                    if tries >= TRIES {
                        return Err(ErrandError::Failed(why));
                    }
                    let pause = retry::backoff(tries, &mut rng).min(LONGEST_PAUSE);
                    tracing::info!("{why}; trying again");
                    tokio::time::sleep(pause).await;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Waits until a call may be made. Dropping the future loses nothing.
    ///
    /// # Errors
    /// There is no token, or the quota cannot be kept.
    pub async fn leave(&self, kind: Kind) -> Result<Permit, ErrandError> {
        // First, so that waiting for a token costs no permit.
        self.tokens.token().await.map_err(|e| no_token(&e))?;
        self.pacer.acquire(kind).await.map_err(ErrandError::Ledger)
    }

    /// Makes the call once: for calls of which nobody knows, when they are lost, whether they were carried out. `refused` is
    /// the token that was refused when the same call was made before, 0 if none was.
    ///
    /// # Errors
    /// It is refused for good, or lost.
    pub async fn once(
        &self,
        permit: Permit,
        call: &Call,
        refused: u64,
    ) -> Result<Once, ErrandError> {
        let token = match self.tokens.token().await {
            Ok(token) => token,
            Err(e) => {
                permit.give_back();
                return Err(no_token(&e));
            }
        };
        if permit.is_stale() {
            permit.give_back();
            return Ok(Once::Again(refused));
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        let sent = self.clock.now();
        let reply = self.defender.call(call, &token).await;
        let ms = self.clock.now().since(sent).as_millis();
        tracing::debug!(kind = %permit.kind(), ms, "answered");
        match read(reply) {
            Read::Answered(answered) => {
                permit.answered();
                Ok(Once::Answered(answered))
            }
            Read::Throttled(throttle) => {
                permit.throttled(&throttle.into());
                Ok(Once::Again(refused))
            }
            Read::Unauthorized(said) => {
                permit.answered();
                if token.serial > refused && refused > 0 {
                    return Err(ErrandError::SignIn(format!(
                        "the service refuses the token, a new one too (HTTP 401: {said}); if it names the account or a \
                         licence, a new token does not cure it"
                    )));
                }
                self.tokens
                    .renew(token.serial)
                    .await
                    .map_err(|e| no_token(&e))?;
                Ok(Once::Again(token.serial))
            }
            Read::Refused(why) => {
                permit.answered();
                Err(ErrandError::Refused(why))
            }
            Read::Failed { why, lost } => {
                loss::settle(permit, lost.as_ref());
                Err(ErrandError::Failed(why))
            }
        }
    }
}

fn no_token(e: &SignInError) -> ErrandError {
    ErrandError::SignIn(e.to_string())
}

/// The words of the API's error envelope, if the body is one.
pub(super) fn said(answer: &Answer) -> Option<String> {
    let envelope: Envelope = serde_json::from_slice(&answer.body).ok()?;
    Some(envelope.error.message.unwrap_or(envelope.error.code))
}

/// What a reply means.
enum Read {
    Answered(Answered),
    Throttled(Throttle),
    Unauthorized(String),
    Refused(String),
    Failed { why: String, lost: Option<Lost> },
}

fn read(reply: Result<Answer, Lost>) -> Read {
    let answer = match reply {
        Ok(answer) => answer,
        Err(lost) => {
            return Read::Failed {
                why: lost.to_string(),
                lost: Some(lost),
            };
        }
    };
    let error = said(&answer);
    let said = error
        .clone()
        .unwrap_or_else(|| "it gave no reason".to_owned());
    match answer.status {
        200 => Read::Answered(Answered::Well(answer)),
        404 if error.is_some() => Read::Answered(Answered::NotThere),
        429 => Read::Throttled(Throttle::of(&answer)),
        401 => Read::Unauthorized(said),
        403 if error.is_some() => Read::Refused(format!("the service forbids it: {said}")),
        403 | 407 => Read::Refused(format!(
            "something between us and the API refused this (HTTP {} without the API's error body); look at the proxy, the firewall \
             and --api-url",
            answer.status
        )),
        400..500 => Read::Refused(format!(
            "the service refuses it (HTTP {}): {said}",
            answer.status
        )),
        status => Read::Failed {
            why: format!("HTTP {status}: {said}"),
            lost: None,
        },
    }
}

//! Makes every call that is not a scan start. It waits for a token and for the quota, sends the call, judges
//! the reply and tries again.
//!
//! [`reply`](crate::client::reply) classifies the reply. A call that the service did not answer is made again
//! once the API can be reached. Until then the list of scans is probed for one row from time to time
//! ([`outage`](crate::client::outage)).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

pub use super::call_result::{Answered, CallError, Once, TokenError, is_page_of_scans};
pub use super::outage::probe;
use super::{
    call_result::is_missing,
    margins::before,
    outage::Outage,
    reply::{Class, Said, Trouble, classify},
    wait::wait_until,
};
use crate::{
    audit::{audit, ms},
    defender::{
        Call, Defender,
        sign_in::TokenSource,
        throttle::Throttle,
        wire::{self, MachineAction, Page},
    },
    monitor::Monitor,
    quota::{Clock, Kind, Moment, Pacer, Permit},
};

/// How many times a call is sent that the service may have received but did not answer. A 429 and the first
/// 401 do not count.
const TRIES: u32 = 5;

/// A probe is skipped if the quota of list calls would keep it waiting for longer than this.
const PROBE_WAITS: Duration = Duration::from_mins(1);

/// What a caller does when the service does not answer.
#[derive(Clone)]
pub enum OnOutage {
    /// It returns the error. Whoever made the call decides.
    Fail,
    /// It waits until the API can be reached again, and reports the outage.
    Wait {
        /// How long it waits at most; `None` waits for as long as it takes.
        at_most: Option<Duration>,
        /// Where the outage is reported.
        monitor: Arc<dyn Monitor>,
    },
}

/// Makes calls, and counts them.
pub struct Caller<D> {
    defender: Arc<D>,
    tokens: Arc<dyn TokenSource>,
    pacer: Pacer,
    clock: Arc<dyn Clock>,
    on_outage: OnOutage,
    calls: AtomicU64,
    /// Whether the service itself has answered any call of this process; siblings share it.
    answered_before: Arc<AtomicBool>,
}

impl<D: Defender> Caller<D> {
    /// A caller that draws on this quota and these tokens.
    pub fn new(
        defender: Arc<D>,
        tokens: Arc<dyn TokenSource>,
        pacer: Pacer,
        clock: Arc<dyn Clock>,
        on_outage: OnOutage,
    ) -> Self {
        Self {
            defender,
            tokens,
            pacer,
            clock,
            on_outage,
            calls: AtomicU64::new(0),
            answered_before: Arc::default(),
        }
    }

    /// A caller with a call count of its own. It shares everything else, including whether the service has
    /// ever answered.
    #[must_use]
    pub(crate) fn sibling(&self) -> Self {
        Self {
            defender: Arc::clone(&self.defender),
            tokens: Arc::clone(&self.tokens),
            pacer: self.pacer.clone(),
            clock: Arc::clone(&self.clock),
            on_outage: self.on_outage.clone(),
            calls: AtomicU64::new(0),
            answered_before: Arc::clone(&self.answered_before),
        }
    }

    /// A caller like [a sibling](Self::sibling) that makes its calls through this client.
    #[must_use]
    pub(crate) fn through(&self, defender: &Arc<D>) -> Self {
        Self {
            defender: Arc::clone(defender),
            ..self.sibling()
        }
    }

    /// The number of calls made so far, without those that found no connection.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// How long the next call of this kind waits for the quota, as far as that is known.
    pub(crate) fn waits(&self, kind: Kind) -> Duration {
        let waiting = self.pacer.waiting(kind);
        let left = waiting.and_then(|waiting| waiting.left(self.clock.now()));
        left.unwrap_or_default()
    }

    /// The clock that waits are measured by.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Makes the call until it is answered. `T` is the body of its answer: anything else is not the service's own
    /// answer.
    ///
    /// # Errors
    /// The service refuses the call for good, or it does not answer.
    pub async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<Answered<T>, CallError> {
        let (_, answered) = self.ask_timed(call).await?;
        Ok(answered)
    }

    /// As [`ask`](Self::ask), and also returns when the call that was answered was sent.
    ///
    /// # Errors
    /// The same as [`ask`](Self::ask).
    pub(crate) async fn ask_timed<T: DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<(Moment, Answered<T>), CallError> {
        let mut tries = 0;
        loop {
            let (trouble, never_sent) = match self.until_made(call).await {
                Err(CallError::Unanswered {
                    trouble,
                    never_sent,
                }) => (trouble, never_sent),
                done => return done,
            };
            tries += u32::from(!never_sent);
            let is_final = tries >= TRIES || is_missing(call, trouble.said.status);
            if is_final || matches!(self.on_outage, OnOutage::Fail) {
                return Err(CallError::Unanswered {
                    trouble,
                    never_sent,
                });
            }
            self.hold(kind_of(call), &trouble).await?;
        }
    }

    /// Repeats the call until it was sent with a valid permit and a valid token.
    async fn until_made<T: DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<(Moment, Answered<T>), CallError> {
        let mut refused = 0;
        loop {
            let permit = self.acquire_permit(kind_of(call)).await?;
            let sent = self.clock.now();
            match self.once(permit, call, refused).await? {
                Once::Answered(answered) => return Ok((sent, answered)),
                Once::NotMade(serial) => refused = refused.max(serial),
            }
        }
    }

    /// Waits until a call of this kind may be made. Dropping the future loses nothing.
    ///
    /// # Errors
    /// There is no token, or the ledger cannot be used.
    pub(crate) async fn acquire_permit(&self, kind: Kind) -> Result<Permit, CallError> {
        // The token comes first, so that waiting for it costs no permit.
        self.tokens.token().await?;
        Ok(self.pacer.acquire(kind).await?)
    }

    /// Makes the call once, for calls that must not be repeated blindly: where there is no answer, nobody
    /// knows whether the service carried the call out. `refused` is the serial number of the token that was
    /// refused the last time this call was made, or 0.
    ///
    /// # Errors
    /// The service refuses the call for good, or it does not answer.
    pub async fn once<T: DeserializeOwned>(
        &self,
        permit: Permit,
        call: &Call,
        refused: u64,
    ) -> Result<Once<T>, CallError> {
        let token = match self.tokens.token().await {
            Ok(token) => token,
            Err(e) => {
                permit.give_back();
                return Err(e.into());
            }
        };
        if permit.is_stale() {
            permit.give_back();
            return Ok(Once::NotMade(refused));
        }
        let sent = self.clock.now();
        let reply = self.defender.call(call, &token).await;
        let mut body = None;
        let class = classify(&reply, |answer| {
            body = wire::json::<T>(&answer.body);
            body.is_some()
        });
        log(permit.kind(), &class, self.clock.now().since(sent));
        let was_sent = !matches!(class, Class::NeverSent(_) | Class::Unsendable(_));
        self.calls.fetch_add(u64::from(was_sent), Ordering::Relaxed);
        self.answered_before
            .fetch_or(matches!(class, Class::Own(_)), Ordering::Relaxed);
        match (class, reply) {
            (Class::Own(said), Ok(answer)) if said.status == 429 => {
                permit.throttled(&Throttle::of(&answer).into());
                Ok(Once::NotMade(refused))
            }
            (class @ Class::Own(_), Ok(answer)) => {
                class.settle(permit);
                match class {
                    Class::Own(said) => match body {
                        Some(body) => Ok(Once::Answered(Answered::Found {
                            body,
                            date: answer.date,
                        })),
                        None => self.not_found_or_refused(said, token.serial, refused).await,
                    },
                    _ => Ok(Once::NotMade(refused)),
                }
            }
            (class, _) => {
                class.settle(permit);
                Err(class.into())
            }
        }
    }

    /// Interprets an answer of the service's own that is not a success.
    async fn not_found_or_refused<T>(
        &self,
        said: Said,
        token: u64,
        refused: u64,
    ) -> Result<Once<T>, CallError> {
        match said.status {
            404 => Ok(Once::Answered(Answered::NotFound)),
            401 if token > refused && refused > 0 => Err(TokenError::Refused(said).into()),
            401 => match self.tokens.renew(token).await {
                Ok(_) => Ok(Once::NotMade(token)),
                Err(renewal) => Err(TokenError::NotRenewed { said, renewal }.into()),
            },
            _ => Err(CallError::Refused(said)),
        }
    }

    /// Waits until the service answers again, whatever it says. `trouble` is why a call of this kind was not
    /// answered.
    ///
    /// # Errors
    /// Something between this computer and the API has to be removed by a person, or the time is up.
    pub async fn hold(&self, kind: Kind, trouble: &Trouble) -> Result<(), CallError> {
        let OnOutage::Wait { at_most, monitor } = &self.on_outage else {
            return Ok(());
        };
        let began = self.clock.now();
        let answered_before = self.answered_before.load(Ordering::Relaxed);
        let mut outage = Outage::of_calls(kind, began, trouble, answered_before);
        monitor.note(&outage.in_words(began));
        loop {
            wait_until(self.clock(), outage.next_probe()).await;
            let since = before(self.clock.wall(), SignedDuration::from_secs(1));
            let probing = self.probe(since);
            let left = at_most.map(|at_most| at_most.saturating_sub(self.clock.now().since(began)));
            let trouble = match within(left, probing).await {
                None => {
                    return Err(CallError::Unanswered {
                        trouble: Box::new(trouble.clone()),
                        never_sent: false,
                    });
                }
                Some(Err(CallError::Unanswered { trouble, .. })) => trouble,
                Some(Err(e @ (CallError::Ledger(_) | CallError::SignIn(_)))) => return Err(e),
                Some(Ok(()) | Err(CallError::Refused(_) | CallError::Blocked(_))) => {
                    outage.over(self.clock.now());
                    monitor.note(&outage.over_in_words(self.clock.now()));
                    return Ok(());
                }
            };
            let now = self.clock.now();
            if let Some(why) = outage.failed(now, &trouble) {
                return Err(CallError::Blocked(why));
            }
            if at_most.is_some_and(|at_most| now.since(began) >= at_most) {
                return Err(CallError::Unanswered {
                    trouble,
                    never_sent: false,
                });
            }
        }
    }

    /// Finds out whether the service answers, by listing one scan. A 429 counts as an answer. Where the quota
    /// has no room for a list call soon, this reports success without asking: the next real call finds out.
    ///
    /// # Errors
    /// The service does not answer, or it refuses.
    pub async fn probe(&self, since: Timestamp) -> Result<(), CallError> {
        if self.waits(Kind::List) > PROBE_WAITS {
            return Ok(());
        }
        let call = probe(since);
        let mut refused = 0;
        for _ in 0..TRIES {
            let permit = self.acquire_permit(Kind::List).await?;
            let asked = self.once::<Page<MachineAction>>(permit, &call, refused);
            match asked.await? {
                Once::NotMade(serial) if serial > refused => refused = serial,
                // Either a 429, which is an answer, or a permit that was too old to send.
                Once::NotMade(_) if self.answered_before.load(Ordering::Relaxed) => return Ok(()),
                Once::NotMade(_) => {}
                Once::Answered(_) => return Ok(()),
            }
        }
        Ok(())
    }
}

/// The output of `work`, or `None` where it takes longer than `limit`.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

/// Writes the call's event to the log.
fn log(kind: Kind, class: &Class, took: Duration) {
    let said = class.said();
    audit!(
        "call",
        kind = kind.as_str(),
        class = class.as_str(),
        status = said.map(|said| said.status).filter(|status| *status > 0),
        code = said.map_or("", |said| said.code.as_str()),
        ms = ms(took),
        correlation_id = said.map_or("", |said| said.correlation_id.as_str())
    );
}

/// The kind of a call, and so the quota that it counts towards.
#[must_use]
pub(crate) fn kind_of(call: &Call) -> Kind {
    match call {
        Call::StartScan { .. } => Kind::Start,
        Call::ListScans { .. } => Kind::List,
        Call::GetAction { .. } => Kind::Get,
        Call::CancelAction { .. } => Kind::Cancel,
        Call::Machines { .. } => Kind::Machines,
        Call::DeviceAvInfo { .. } => Kind::Health,
        Call::Alerts { .. } => Kind::Alerts,
    }
}

//! The list of scans, page by page: looking up, following and cancelling all read it here.

use std::{
    collections::HashSet,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

use super::{loss, retry, server_clock::ServerClock};
use crate::{
    defender::{
        Answer, Call, Defender, Lost,
        sign_in::TokenSource,
        throttle::Throttle,
        wire::{Envelope, MachineAction, Page},
    },
    quota::{Clock, Kind, Moment, Pacer},
};

/// The largest page that the API gives (MDE-API.md, section 3).
const TOP: u32 = 10_000;

/// So many times one page is asked for before the listing fails.
const PAGE_TRIES: u32 = 5;

/// Why there is no complete listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListingError {
    /// The application may not list.
    Forbidden(String),
    /// The token is refused, a new one too.
    Unauthorized(String),
    /// It failed for the moment.
    Failed(String),
}

/// Reads the list, each page with leave of the quota for list calls.
pub struct ScanList<D> {
    defender: Arc<D>,
    tokens: Arc<dyn TokenSource>,
    pacer: Pacer,
    clock: Arc<dyn Clock>,
    calls: AtomicU64,
}

impl<D: Defender> ScanList<D> {
    /// A reader of the list.
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

    /// Shows `visit` the scans that were created at `since` or later, newest first, page by page, until a short page or
    /// until it has seen enough; tells when the first page was asked for. `server` hears of every answer's `Date`.
    ///
    /// # Errors
    /// Listing is not permitted, or the list could not be read to its end.
    pub async fn read(
        &self,
        since: Timestamp,
        server: &mut ServerClock,
        mut visit: impl FnMut(&[MachineAction]) -> ControlFlow<()>,
    ) -> Result<Moment, ListingError> {
        let mut began = None;
        let mut seen = HashSet::new();
        let mut skip = 0;
        loop {
            let (sent, page) = self.page(since, skip, server).await?;
            // Not before its first page went out: the permit may have taken an hour to come.
            let began = *began.get_or_insert(sent);
            let enough = visit(&page).is_break();
            if enough || page.len() < TOP as usize {
                return Ok(began);
            }
            let before = seen.len();
            seen.extend(page.into_iter().map(|action| action.id));
            if seen.len() == before {
                let why = "the service shows the same page again, whatever is to be skipped";
                return Err(ListingError::Failed(why.to_owned()));
            }
            skip += TOP;
        }
    }

    /// One page, and when it was asked for.
    async fn page(
        &self,
        since: Timestamp,
        skip: u32,
        server: &mut ServerClock,
    ) -> Result<(Moment, Vec<MachineAction>), ListingError> {
        let call = Call::ListScans {
            since,
            skip,
            top: TOP,
        };
        let mut rng = fastrand::Rng::new();
        let mut tries = 0;
        let mut refused = 0;
        loop {
            // First, so that waiting for a token costs no permit.
            if let Err(e) = self.tokens.token().await {
                return Err(ListingError::Unauthorized(e.to_string()));
            }
            let permit = match self.pacer.acquire(Kind::List).await {
                Ok(permit) => permit,
                Err(e) => return Err(ListingError::Failed(e.to_string())),
            };
            let token = match self.tokens.token().await {
                Ok(token) => token,
                Err(e) => {
                    permit.give_back();
                    return Err(ListingError::Unauthorized(e.to_string()));
                }
            };
            if permit.is_stale() {
                permit.give_back();
                continue;
            }
            self.calls.fetch_add(1, Ordering::Relaxed);
            let sent = self.clock.now();
            let reply = self.defender.call(&call, &token).await;
            if let Ok(answer) = &reply {
                server.hear(self.clock.now(), answer.date);
            }
            match read(reply) {
                Read::Page(page) => {
                    permit.answered();
                    return Ok((sent, page));
                }
                Read::Throttled(throttle) => {
                    permit.throttled(&throttle.into());
                }
                Read::Unauthorized(why) => {
                    permit.answered();
                    if refused > 0 {
                        return Err(ListingError::Unauthorized(why));
                    }
                    refused = token.serial;
                    self.tokens
                        .renew(token.serial)
                        .await
                        .map_err(|e| ListingError::Unauthorized(e.to_string()))?;
                }
                Read::Forbidden(why) => {
                    permit.answered();
                    return Err(ListingError::Forbidden(why));
                }
                Read::Failed { why, lost } => {
                    loss::settle(permit, lost.as_ref());
                    tries += 1;
                    if tries >= PAGE_TRIES {
                        return Err(ListingError::Failed(why));
                    }
                    tokio::time::sleep(
                        retry::backoff(tries, &mut rng).min(Duration::from_secs(30)),
                    )
                    .await;
                }
            }
        }
    }
}

/// What a reply to a listing means.
enum Read {
    Page(Vec<MachineAction>),
    Throttled(Throttle),
    Unauthorized(String),
    Forbidden(String),
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
    let error = serde_json::from_slice::<Envelope>(&answer.body)
        .ok()
        .map(|e| e.error);
    let said = error
        .as_ref()
        .and_then(|e| e.message.clone())
        .unwrap_or_default();
    match answer.status {
        200 => match serde_json::from_slice::<Page<MachineAction>>(&answer.body) {
            Ok(page) => Read::Page(page.value),
            Err(e) => Read::Failed {
                why: format!("the list cannot be read: {e}"),
                lost: None,
            },
        },
        429 => Read::Throttled(Throttle::of(&answer)),
        401 => Read::Unauthorized(said),
        403 if error.is_some() => Read::Forbidden(said),
        status => Read::Failed {
            why: format!("HTTP {status} {said}"),
            lost: None,
        },
    }
}

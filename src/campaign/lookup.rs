//! Looking up attempts of which nobody knows whether they started a scan: one listing serves them all.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    queue::Doubt,
    retry,
    server_clock::ServerClock,
    tag::CampaignId,
    verdict::{Scan, Whose, whose},
};
use crate::{
    defender::{
        Answer, Call, Defender, Lost,
        sign_in::TokenSource,
        throttle::Throttle,
        wire::{Envelope, MachineAction, Page},
    },
    quota::{Clock, Kind, Moment, Pacer},
};

/// A listing begins this much before the earliest attempt in question, by the server's clock: more than any drift between
/// two `Date` headers.
const MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// An attempt whose time only our own clock tells may have been sent this much earlier or later by the server's: clocks
/// are wrong by hours and time zones, seldom by more than a day.
const BLIND_MARGIN: SignedDuration = SignedDuration::from_hours(26);

/// The largest page that the API gives (MDE-API.md, section 3).
const TOP: u32 = 10_000;

/// A scan without its comment is this attempt's if it was created within its span, give or take this.
const SPAN_SLACK: SignedDuration = SignedDuration::from_secs(10);

/// So many times one page is asked for before the listing fails.
const PAGE_TRIES: u32 = 5;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    server: ServerClock,
    targets: HashMap<u64, WantedTarget>,
}

#[derive(Debug, Clone)]
struct WantedTarget {
    doubt: Doubt,
    machine: String,
    comment: String,
}

/// What a complete listing told.
#[derive(Debug, Clone)]
pub struct Listing {
    /// When it began.
    pub began: Moment,
    /// What it told of each target that was looked for.
    pub findings: HashMap<u64, Finding>,
    /// The server's clock, as heard last.
    pub server: ServerClock,
}

/// What a listing told of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A scan of ours is there.
    Found(Scan),
    /// None is.
    Absent,
}

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

/// What a listing needs of the world.
pub struct Lister<D> {
    defender: Arc<D>,
    tokens: Arc<dyn TokenSource>,
    pacer: Pacer,
    clock: Arc<dyn Clock>,
    campaign: CampaignId,
    calls: AtomicU64,
}

impl Wanted {
    /// These targets: number, doubt, machine in lower case, whole comment.
    pub fn new(
        server: ServerClock,
        targets: impl Iterator<Item = (u64, Doubt, String, String)>,
    ) -> Self {
        let targets = targets
            .map(|(n, doubt, machine, comment)| {
                (
                    n,
                    WantedTarget {
                        doubt,
                        machine,
                        comment,
                    },
                )
            })
            .collect();
        Self { server, targets }
    }

    /// From which time of the server's clock on scans are to be listed.
    fn since(&self) -> Timestamp {
        let begin = |doubt: &Doubt| {
            let margin = if doubt.sent.by_server {
                MARGIN
            } else {
                BLIND_MARGIN
            };
            doubt
                .sent
                .at
                .saturating_sub(margin)
                .unwrap_or(Timestamp::MIN)
        };
        let begins = self.targets.values().map(|target| begin(&target.doubt));
        begins.min().unwrap_or(Timestamp::MAX)
    }

    /// Which target this scan belongs to.
    fn target_of(&self, action: &MachineAction, campaign: &CampaignId) -> Option<u64> {
        let comment = action.requestor_comment.as_deref();
        if let Some(n) = comment.and_then(|c| campaign.target_of(c)) {
            return self.targets.contains_key(&n).then_some(n);
        }
        let machine = action.machine_id.as_deref()?;
        let created: Timestamp = action.creation_date_time_utc.as_deref()?.parse().ok()?;
        self.targets.iter().find_map(|(&n, target)| {
            let ours = target.machine.eq_ignore_ascii_case(machine)
                && whose(comment, &target.comment, campaign, n) == Whose::Untold
                && is_within(&target.doubt, created);
            ours.then_some(n)
        })
    }
}

/// Whether a scan that was created then can be one of these attempts.
fn is_within(doubt: &Doubt, created: Timestamp) -> bool {
    let slack = if doubt.sent.by_server {
        SPAN_SLACK
    } else {
        BLIND_MARGIN
    };
    let lasted = SignedDuration::try_from(doubt.lasted).unwrap_or(SignedDuration::MAX);
    let after = doubt.sent.at.duration_until(created);
    after >= -slack && after <= lasted.saturating_add(slack)
}

impl<D: Defender> Lister<D> {
    /// A lister of the scans of `campaign`.
    pub fn new(
        defender: Arc<D>,
        tokens: Arc<dyn TokenSource>,
        pacer: Pacer,
        clock: Arc<dyn Clock>,
        campaign: CampaignId,
    ) -> Self {
        Self {
            defender,
            tokens,
            pacer,
            clock,
            campaign,
            calls: AtomicU64::new(0),
        }
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Lists until a short page, and says of each wanted target whether its scan is there.
    ///
    /// # Errors
    /// Listing is not permitted, or the list could not be read to its end.
    pub async fn look_up(&self, mut wanted: Wanted) -> Result<Listing, ListingError> {
        let since = wanted.since();
        let mut began = None;
        let mut found = HashMap::new();
        let mut seen = HashSet::new();
        let mut skip = 0;
        loop {
            let (sent, page) = self.page(since, skip, &mut wanted.server).await?;
            // Not before its first page went out: the permit may have taken an hour to come.
            began.get_or_insert(sent);
            let full = page.len() >= TOP as usize;
            let mut news = false;
            for action in page {
                if let Some(n) = wanted.target_of(&action, &self.campaign) {
                    found.insert(n, Scan::from(&action));
                }
                news |= seen.insert(action.id);
            }
            if !full {
                break;
            }
            if !news {
                let why = "the service shows the same page again, whatever is to be skipped";
                return Err(ListingError::Failed(why.to_owned()));
            }
            skip += TOP;
        }
        let findings = wanted
            .targets
            .keys()
            .map(|n| (*n, found.remove(n).map_or(Finding::Absent, Finding::Found)))
            .collect();
        Ok(Listing {
            began: began.unwrap_or_default(),
            findings,
            server: wanted.server,
        })
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
                Read::Failed { why, sent } => {
                    if sent {
                        permit.unanswered();
                    } else {
                        permit.not_sent();
                    }
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
    Failed { why: String, sent: bool },
}

fn read(reply: Result<Answer, Lost>) -> Read {
    let answer = match reply {
        Ok(answer) => answer,
        Err(Lost::NotSent(why)) => return Read::Failed { why, sent: false },
        Err(Lost::Unknown(why)) => return Read::Failed { why, sent: true },
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
                sent: true,
            },
        },
        429 => Read::Throttled(Throttle::of(&answer)),
        401 => Read::Unauthorized(said),
        403 if error.is_some() => Read::Forbidden(said),
        status => Read::Failed {
            why: format!("HTTP {status} {said}"),
            sent: true,
        },
    }
}

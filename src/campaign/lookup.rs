//! Looking up attempts of which nobody knows whether they started a scan: one listing serves them all.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc};

use jiff::{SignedDuration, Timestamp};

pub use super::listing::ListingError;
use super::{
    listing::ScanList,
    queue::Doubt,
    server_clock::ServerClock,
    tag::CampaignId,
    verdict::{Scan, Whose, whose},
};
use crate::{
    defender::{Defender, sign_in::TokenSource, wire::MachineAction},
    quota::{Clock, Moment, Pacer},
};

/// A listing begins this much before the earliest attempt in question, by the server's clock: more than any drift between
/// two `Date` headers.
const MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// An attempt whose time only our own clock tells may have been sent this much earlier or later by the server's: clocks
/// are wrong by hours and time zones, seldom by more than a day.
const BLIND_MARGIN: SignedDuration = SignedDuration::from_hours(26);

/// A scan without its comment is this attempt's if it was created within its span, give or take this.
const SPAN_SLACK: SignedDuration = SignedDuration::from_secs(10);

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

/// What a listing needs of the world.
pub struct Lister<D> {
    list: ScanList<D>,
    campaign: CampaignId,
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
            list: ScanList::new(defender, tokens, pacer, clock),
            campaign,
        }
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.list.calls()
    }

    /// Lists until a short page, and says of each wanted target whether its scan is there.
    ///
    /// # Errors
    /// Listing is not permitted, or the list could not be read to its end.
    pub async fn look_up(&self, mut wanted: Wanted) -> Result<Listing, ListingError> {
        let since = wanted.since();
        let mut server = wanted.server;
        let mut found = HashMap::new();
        let began = self
            .list
            .read(since, &mut server, |page| {
                for action in page {
                    if let Some(n) = wanted.target_of(action, &self.campaign) {
                        found.insert(n, Scan::from(action));
                    }
                }
                ControlFlow::Continue(())
            })
            .await?;
        wanted.server = server;
        let findings = wanted
            .targets
            .keys()
            .map(|n| (*n, found.remove(n).map_or(Finding::Absent, Finding::Found)))
            .collect();
        Ok(Listing {
            began,
            findings,
            server: wanted.server,
        })
    }
}

//! Looks up, in one listing, all attempts that may have started a scan and all machines that were found busy.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    active_scans::ActiveScans,
    pending::Unconfirmed,
    verdict::{Scan, Whose, whose},
};
pub use crate::client::scans::{ListingError, NotListed};
use crate::{
    campaign::tag::CampaignId,
    client::{
        caller::{Caller, OnOutage},
        margins::{BLIND_MARGIN, list_from},
        scans::ScanList,
        server_clock::ServerClock,
    },
    defender::{Defender, sign_in::TokenSource, wire::MachineAction},
    quota::{Clock, Moment, Pacer},
    store::is_final,
};

/// A scan without its comment is taken for this attempt's if it was created within the attempt's time span,
/// give or take this.
const SPAN_SLACK: SignedDuration = SignedDuration::from_secs(10);

/// What a listing looks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    server: ServerClock,
    targets: HashMap<u64, Sought>,
    /// The targets' numbers by their machines.
    machines: HashMap<String, u64>,
    all_since: Option<Timestamp>,
    scans: HashMap<String, Option<Timestamp>>,
    at_least_since: Option<Timestamp>,
}

/// What a listing looks for about one target.
#[derive(Debug, Clone)]
pub struct Sought {
    /// The target.
    pub n: u64,
    /// The machine, in lower case.
    pub machine: String,
    /// The whole comment.
    pub comment: String,
    /// The attempts that may have started a scan.
    pub unconfirmed: Option<Unconfirmed>,
    /// If somebody else's scan is under way there, it was created at this time of the server's clock or
    /// later.
    pub busy_since: Option<Timestamp>,
}

/// What a complete listing showed.
#[derive(Debug, Clone)]
pub struct Listing {
    /// When it began.
    pub began: Moment,
    /// The finding for each target that was looked for.
    pub findings: HashMap<u64, Finding>,
    /// All machines that are being scanned, if that was wanted.
    pub running: Option<ActiveScans>,
    /// The scans that were looked for and are listed, by their ids in lower case.
    pub scans: HashMap<String, SeenScan>,
    /// The server's clock, by the latest answer.
    pub server: ServerClock,
}

/// How a scan stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenScan {
    /// The scan.
    pub scan: Scan,
    /// How long it took from its creation to its latest change, if the service says so.
    pub took: Option<Duration>,
}

/// What a listing showed about one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A scan of ours is there.
    Found(Scan),
    /// No scan of ours is there, and this one of somebody else's is under way. Reported only for targets that
    /// may be busy.
    Busy(Scan),
    /// Neither is.
    Absent,
}

/// Looks up the scans of one campaign.
pub struct Lister<D> {
    list: ScanList<D>,
    campaign: CampaignId,
}

impl Wanted {
    /// A listing for these targets.
    pub fn new(server: ServerClock, sought: impl Iterator<Item = Sought>) -> Self {
        let targets: HashMap<_, _> = sought.map(|sought| (sought.n, sought)).collect();
        let machines = targets.values();
        Self {
            server,
            machines: machines.map(|s| (s.machine.clone(), s.n)).collect(),
            targets,
            all_since: None,
            scans: HashMap::new(),
            at_least_since: None,
        }
    }

    /// Also looks for scans of ours, by their ids in lower case. Each has the time of the server's clock from
    /// which on the list has to be read for it, or none if it is not worth reading further.
    #[must_use]
    pub(crate) fn and_scans(
        mut self,
        scans: impl Iterator<Item = (String, Option<Timestamp>)>,
    ) -> Self {
        self.scans = scans.collect();
        self
    }

    /// Reads the list even if nothing is looked for, from this time on.
    #[must_use]
    pub(crate) fn at_least_since(mut self, since: Option<Timestamp>) -> Self {
        self.at_least_since = since;
        self
    }

    /// Also collects every machine that is being scanned, by scans that were created at this time of the
    /// server's clock or later.
    #[must_use]
    pub(crate) fn and_all_since(mut self, since: Option<Timestamp>) -> Self {
        self.all_since = since;
        self
    }

    /// The time of the server's clock from which on scans have to be listed.
    fn since(&self) -> Timestamp {
        let sought = self.targets.values();
        let begins = sought.flat_map(|s| {
            [
                s.unconfirmed.map(|attempt| list_from(attempt.sent)),
                s.busy_since,
            ]
        });
        begins
            .chain([self.all_since, self.at_least_since])
            .chain(self.scans.values().copied())
            .flatten()
            .min()
            .unwrap_or(Timestamp::MAX)
    }
}

/// What the pages of a listing have shown so far.
#[derive(Debug)]
struct Shown {
    ours: HashMap<u64, Scan>,
    busy: HashMap<u64, Scan>,
    running: Option<ActiveScans>,
    scans: HashMap<String, SeenScan>,
}

impl Shown {
    fn nothing_of(wanted: &Wanted) -> Self {
        Self {
            ours: HashMap::new(),
            busy: HashMap::new(),
            running: wanted.all_since.map(|_| ActiveScans::default()),
            scans: HashMap::new(),
        }
    }

    fn see(&mut self, action: &MachineAction, wanted: &Wanted, campaign: &CampaignId) {
        if !wanted.scans.is_empty() {
            let id = action.id.to_ascii_lowercase();
            if wanted.scans.contains_key(&id) {
                self.scans.insert(id, action.into());
            }
        }
        let comment = action.requestor_comment.as_deref();
        if let Some(n) = comment.and_then(|c| campaign.target_of(c)) {
            // The tag names the target. Where the action names a machine, it must be the target's own: if the
            // state was rebuilt, this number may have been another machine's.
            let is_there = |sought: &Sought| {
                let machine = action.machine_id.as_deref();
                machine.is_none_or(|machine| machine.eq_ignore_ascii_case(&sought.machine))
            };
            if wanted.targets.get(&n).is_some_and(is_there) {
                self.ours.insert(n, action.into());
            }
            return;
        }
        if let Some(running) = &mut self.running {
            running.see(action);
        }
        let Some(machine) = &action.machine_id else {
            return;
        };
        let n = wanted.machines.get(&machine.to_lowercase());
        let Some(sought) = n.and_then(|n| wanted.targets.get(n)) else {
            return;
        };
        let created = action.creation_date_time_utc.as_deref();
        let created: Option<Timestamp> = created.and_then(|text| text.parse().ok());
        let is_in_time = matches!(
            (&sought.unconfirmed, created),
            (Some(unconfirmed), Some(created)) if is_within(unconfirmed, created)
        );
        let may_be_ours =
            is_in_time && whose(comment, &sought.comment, campaign, sought.n) == Whose::Untold;
        if may_be_ours {
            self.ours.insert(sought.n, action.into());
        } else if sought.busy_since.is_some()
            && !is_final(action.status.as_deref().unwrap_or_default())
        {
            self.busy.entry(sought.n).or_insert_with(|| action.into());
        }
    }

    /// Whether older scans cannot tell anything more.
    fn is_enough(&self, wanted: &Wanted) -> bool {
        let is_told = |sought: &Sought| {
            self.ours.contains_key(&sought.n)
                || (sought.unconfirmed.is_none() && self.busy.contains_key(&sought.n))
        };
        let mut scans = wanted.scans.iter();
        self.running.is_none()
            && wanted.targets.values().all(is_told)
            && scans.all(|(id, since)| since.is_none() || self.scans.contains_key(id))
    }

    fn finding(&mut self, n: u64) -> Finding {
        if let Some(scan) = self.ours.remove(&n) {
            return Finding::Found(scan);
        }
        self.busy.remove(&n).map_or(Finding::Absent, Finding::Busy)
    }
}

impl From<&MachineAction> for SeenScan {
    fn from(action: &MachineAction) -> Self {
        let time = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
        let created = time(&action.creation_date_time_utc);
        let took = created
            .zip(time(&action.last_update_date_time_utc))
            .and_then(|(created, updated)| {
                Duration::try_from(updated.duration_since(created)).ok()
            });
        Self {
            scan: action.into(),
            took,
        }
    }
}

/// Whether a scan that was created at this time can be from one of these attempts.
fn is_within(unconfirmed: &Unconfirmed, created: Timestamp) -> bool {
    let slack = if unconfirmed.sent.by_server {
        SPAN_SLACK
    } else {
        BLIND_MARGIN
    };
    let lasted = SignedDuration::try_from(unconfirmed.lasted).unwrap_or(SignedDuration::MAX);
    let after = unconfirmed.sent.at.duration_until(created);
    after >= -slack && after <= lasted.saturating_add(slack)
}

impl<D: Defender> Lister<D> {
    /// A lister for the scans of `campaign`.
    pub fn new(
        defender: Arc<D>,
        tokens: Arc<dyn TokenSource>,
        pacer: Pacer,
        clock: Arc<dyn Clock>,
        campaign: CampaignId,
    ) -> Self {
        Self {
            // The dispatcher decides what an outage changes.
            list: ScanList::new(Caller::new(defender, tokens, pacer, clock, OnOutage::Fail)),
            campaign,
        }
    }

    /// The number of calls made so far.
    pub fn calls(&self) -> u64 {
        self.list.calls()
    }

    /// Finds out whether the service answers.
    ///
    /// # Errors
    /// The service does not answer, or it refuses.
    pub async fn probe(&self, since: Timestamp) -> Result<(), ListingError> {
        self.list.probe(since).await
    }

    /// Reads the list to its end, or until it cannot tell anything more, and says for each wanted target
    /// whether its own scan or somebody else's is there.
    ///
    /// # Errors
    /// Listing is not permitted, or the list could not be read to its end.
    pub(crate) async fn look_up(&self, wanted: Wanted) -> Result<Listing, ListingError> {
        let mut server = wanted.server;
        let mut shown = Shown::nothing_of(&wanted);
        let began = self
            .list
            .read(wanted.since(), &mut server, |page| {
                for action in page {
                    shown.see(action, &wanted, &self.campaign);
                }
                if shown.is_enough(&wanted) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .await?;
        let targets = wanted.targets.keys();
        Ok(Listing {
            began,
            findings: targets.map(|n| (*n, shown.finding(*n))).collect(),
            running: shown.running,
            scans: shown.scans,
            server,
        })
    }
}

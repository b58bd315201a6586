//! Which scans have to be cancelled: the campaign's own that are not over, as the list shows them now.

use std::{collections::HashMap, ops::ControlFlow, time::Duration};

use jiff::Timestamp;

use super::Canceller;
use crate::{
    campaign::{
        shared_store::{FollowError, listed_from},
        tag::CampaignId,
    },
    client::{
        margins::{SHOWS_WITHIN, list_from},
        server_clock::ServerClock,
    },
    defender::{Defender, wire::MachineAction},
    monitor::span,
    store::{ActionUpdate, OpenAction, is_final},
};

/// A scan of ours that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelCandidate {
    /// The target.
    pub n: u64,
    /// The scan's id.
    pub id: String,
    /// Its status.
    pub status: String,
    /// When it was created, as the service wrote it.
    pub created: String,
}

/// What the list shows of the campaign's scans.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Those that are not over, in the order in which they have to be cancelled.
    pub(super) candidates: Vec<CancelCandidate>,
    /// The states of those that are over and were not known to be, by id in lower case.
    pub(super) over: HashMap<String, String>,
}

impl CancelCandidate {
    /// An action of target `n`.
    pub(super) fn new(n: u64, action: &MachineAction) -> Self {
        Self {
            n,
            id: action.id.clone(),
            status: action.status.clone().unwrap_or_default(),
            created: action.creation_date_time_utc.clone().unwrap_or_default(),
        }
    }

    /// The same as an update for the store.
    pub(super) fn update(&self) -> ActionUpdate {
        ActionUpdate {
            n: self.n,
            action_id: self.id.clone(),
            status: self.status.clone(),
            created: self.created.clone(),
        }
    }
}

impl<D: Defender> Canceller<D> {
    /// Reads the list, and notes in the store which scans are over.
    pub(super) async fn collect(&self) -> Result<Collected, FollowError> {
        let (open, in_doubt, unknown) = self
            .state
            .with(|store| {
                Ok((
                    store.open_actions()?,
                    store.first_unconfirmed()?,
                    store.last_unconfirmed()?,
                ))
            })
            .await?;
        if let Some(sent) = unknown {
            self.let_it_settle(sent).await;
        }
        let ours: HashMap<String, OpenAction> = open
            .into_iter()
            .filter(|open| open.ours && !open.action_id.is_empty())
            .map(|open| (open.action_id.to_ascii_lowercase(), open))
            .collect();
        let known = ours.values().map(listed_from);
        let Some(since) = known.chain(in_doubt.map(list_from)).min() else {
            return Ok(Collected::default());
        };
        let mut shown = Shown::default();
        let mut server = ServerClock::default();
        let read = self.list.read(since, &mut server, |page| {
            for action in page {
                shown.see(action, &ours, &self.campaign);
            }
            if in_doubt.is_none() && shown.known >= ours.len() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        read.await?;
        let updates: Vec<_> = shown.over.values().map(CancelCandidate::update).collect();
        self.state
            .with(move |store| store.update_actions(&updates))
            .await?;
        Ok(shown.collected(ours))
    }

    /// A call that an earlier process left without an answer may still be carried out: the list must not be read before
    /// it can show what came of that call.
    async fn let_it_settle(&self, sent: Timestamp) {
        let ago = Duration::try_from(self.clock.wall().duration_since(sent));
        let left = SHOWS_WITHIN.saturating_sub(ago.unwrap_or_default());
        if !left.is_zero() {
            self.monitor.note(&format!(
                "some calls had no answer; the list tells what came of them in {}",
                span::in_words(left)
            ));
            tokio::time::sleep(left).await;
        }
    }
}

/// What the list has shown so far, by the scan's id in lower case.
#[derive(Default)]
struct Shown {
    under_way: HashMap<String, CancelCandidate>,
    over: HashMap<String, CancelCandidate>,
    /// How many of the scans whose ids the store knows are among these.
    known: usize,
}

impl Shown {
    fn see(
        &mut self,
        action: &MachineAction,
        ours: &HashMap<String, OpenAction>,
        campaign: &CampaignId,
    ) {
        let id = action.id.to_ascii_lowercase();
        let known = ours.get(&id);
        let comment = action.requestor_comment.as_deref();
        let tagged = comment.and_then(|comment| campaign.target_of(comment));
        let Some(n) = known.map(|open| open.n).or(tagged) else {
            return;
        };
        self.known += usize::from(known.is_some() && !self.has(&id));
        let scan = CancelCandidate::new(n, action);
        let place = if is_final(&scan.status) {
            &mut self.over
        } else {
            &mut self.under_way
        };
        place.insert(id, scan);
    }

    fn has(&self, id: &str) -> bool {
        self.under_way.contains_key(id) || self.over.contains_key(id)
    }

    /// Scans that have not begun come before those that have, and newer ones before older ones. A scan of ours that the
    /// list does not show may be under way all the same, and is cancelled by its id.
    fn collected(mut self, ours: HashMap<String, OpenAction>) -> Collected {
        for (id, open) in ours {
            if !self.has(&id) {
                let scan = CancelCandidate {
                    n: open.n,
                    id: open.action_id,
                    status: open.status,
                    created: open.created,
                };
                self.under_way.insert(id, scan);
            }
        }
        let mut candidates: Vec<_> = self.under_way.into_values().collect();
        candidates.sort_by(|a, b| {
            let begun = |scan: &CancelCandidate| scan.status != "Pending";
            let order = begun(a).cmp(&begun(b));
            order
                .then_with(|| b.created.cmp(&a.created))
                .then_with(|| b.n.cmp(&a.n))
        });
        let over = self.over.into_iter();
        Collected {
            candidates,
            over: over.map(|(id, scan)| (id, scan.status)).collect(),
        }
    }
}

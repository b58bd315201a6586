//! Which scans are to be cancelled: the campaign's own that are not over, as the list has them now.

use std::{collections::HashMap, ops::ControlFlow, time::Duration};

use crate::client::scans::BLIND_MARGIN;
use jiff::{SignedDuration, Timestamp};

use super::{Canceller, SETTLES_WITHIN};
use crate::{
    campaign::shared_store::{FollowError, all_open},
    client::server_clock::ServerClock,
    defender::{Defender, wire::MachineAction},
    monitor::span,
    store::{ActionUpdate, is_final},
};

/// The list begins this much before a call of which nobody knows whether it started a scan, by the service's clock.
const MARGIN: SignedDuration = SignedDuration::from_mins(15);

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

/// What the list tells of the campaign's scans.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Those that are not over, in the order in which they are to be cancelled.
    pub(super) candidates: Vec<CancelCandidate>,
    /// The states of those that are over and were not known to be.
    pub(super) over: HashMap<String, String>,
}

impl CancelCandidate {
    /// What an action of target `n` tells.
    pub(super) fn new(n: u64, action: &MachineAction) -> Self {
        Self {
            n,
            id: action.id.clone(),
            status: action.status.clone().unwrap_or_default(),
            created: action.creation_date_time_utc.clone().unwrap_or_default(),
        }
    }

    /// The same, for the store.
    pub(super) fn heard(&self) -> ActionUpdate {
        ActionUpdate {
            n: self.n,
            action_id: self.id.clone(),
            status: self.status.clone(),
            created: self.created.clone(),
        }
    }
}

impl<D: Defender> Canceller<D> {
    /// Reads the list, and notes what is over.
    pub(super) async fn collect(&self) -> Result<Collected, FollowError> {
        let (open, in_doubt, unknown) = self
            .state
            .with(|store| {
                Ok((
                    all_open(store)?,
                    store.first_in_doubt()?,
                    store.last_unknown()?,
                ))
            })
            .await?;
        // A call that was on its way when an earlier process died, or that had no answer: the list must not be older than
        // what it did.
        if let Some(sent) = unknown {
            let ago = Duration::try_from(self.clock.wall().duration_since(sent));
            let left = SETTLES_WITHIN.saturating_sub(ago.unwrap_or_default());
            if !left.is_zero() {
                self.monitor.note(&format!(
                    "some calls had no answer; the list tells what came of them in {}",
                    span::in_words(left)
                ));
                tokio::time::sleep(left).await;
            }
        }
        let ours: HashMap<String, _> = open
            .into_iter()
            .filter(|open| open.ours && !open.action_id.is_empty())
            .map(|open| (open.action_id.to_ascii_lowercase(), open))
            .collect();
        let known = ours.values().map(|open| {
            let asked = || open.asked.map_or(Timestamp::MIN, |asked| asked.at);
            open.created_at()
                .unwrap_or_else(|| asked().saturating_sub(BLIND_MARGIN).unwrap_or_default())
        });
        let doubtful = in_doubt.map(|sent| {
            let margin = if sent.by_server { MARGIN } else { BLIND_MARGIN };
            sent.at.saturating_sub(margin).unwrap_or_default()
        });
        let Some(since) = known.chain(doubtful).min() else {
            return Ok(Collected::default());
        };
        let mut found: HashMap<String, CancelCandidate> = HashMap::new();
        let mut over: HashMap<String, CancelCandidate> = HashMap::new();
        let mut seen = 0;
        let mut server = ServerClock::default();
        let read = self.list.read(since, &mut server, |page| {
            for action in page {
                let id = action.id.to_ascii_lowercase();
                let known = ours.get(&id);
                let tagged = action.requestor_comment.as_deref();
                let tagged = tagged.and_then(|comment| self.campaign.target_of(comment));
                let Some(n) = known.map(|open| open.n).or(tagged) else {
                    continue;
                };
                let scan = CancelCandidate::new(n, action);
                let is_new = !found.contains_key(&id) && !over.contains_key(&id);
                seen += usize::from(known.is_some() && is_new);
                let place = if is_final(&scan.status) {
                    &mut over
                } else {
                    &mut found
                };
                place.insert(id, scan);
            }
            if in_doubt.is_none() && seen >= ours.len() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        read.await?;
        // What the list does not show may be under way all the same: its id is known.
        for (id, open) in ours {
            if !found.contains_key(&id) && !over.contains_key(&id) {
                let scan = CancelCandidate {
                    n: open.n,
                    id: open.action_id,
                    status: open.status,
                    created: open.created,
                };
                found.insert(id, scan);
            }
        }
        let heard: Vec<_> = over.values().map(CancelCandidate::heard).collect();
        self.state
            .with(move |store| store.update_actions(&heard))
            .await?;
        let mut candidates: Vec<_> = found.into_values().collect();
        candidates.sort_by(|a, b| {
            let begun = |scan: &CancelCandidate| scan.status != "Pending";
            let order = begun(a).cmp(&begun(b));
            order
                .then_with(|| b.created.cmp(&a.created))
                .then_with(|| b.n.cmp(&a.n))
        });
        Ok(Collected {
            candidates,
            over: over
                .into_iter()
                .map(|(id, scan)| (id, scan.status))
                .collect(),
        })
    }
}

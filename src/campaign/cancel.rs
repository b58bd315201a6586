//! Calling a campaign back: its own scans are cancelled, and no others.
//!
//! The list comes first; calls are spent on scans that are not over only, those that have not begun before those that
//! have, newest first. Each attempt is in the store before its call, and whatever is not known of an attempt the list
//! tells before anything is sent again.

use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::{
    engine::Signal,
    errand::{Answered, Errand, ErrandError},
    follow::{FollowError, all_open, with_store},
    listing::{ListingError, ScanList},
    server_clock::ServerClock,
    tag::CampaignId,
};
use crate::{
    defender::{Call, Defender, sign_in::TokenSource, wire::MachineAction},
    quota::{Clock, Kind, Pacer},
    store::{ActionUpdate, is_final},
};

/// Before the list is asked what came of calls whose answers were lost: a call may be carried out some seconds after it was
/// given up, and a scan may take as long to be listed.
const SETTLES_WITHIN: Duration = Duration::from_secs(30);

/// So many times the list is asked anew for what is still under way.
const PASSES: u32 = 5;

/// So many refusals, and not one scan cancelled: somebody has to look at the reason.
const REFUSED_IN_A_ROW: u64 = 5;

/// The list begins this much before a call of which nobody knows whether it started a scan, by the service's clock.
const MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// The same where only this computer's clock tells.
const BLIND_MARGIN: SignedDuration = SignedDuration::from_hours(26);

/// A scan of ours that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// The target.
    pub n: u64,
    /// The scan's id.
    pub id: String,
    /// Its status.
    pub status: String,
    /// When it was created, as the service wrote it.
    pub created: String,
}

/// What cancelling came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cancelled {
    /// Scans that the service has cancelled by our calls.
    pub cancelled: u64,
    /// Scans that ended meanwhile, by their state.
    pub ended: BTreeMap<String, u64>,
    /// Scans that are still under way, as far as is known.
    pub left: u64,
    /// Why the last one could not be cancelled.
    pub why: String,
    /// Whether somebody broke it off.
    pub interrupted: bool,
    refused: u64,
}

/// What cancelling needs of the world.
pub struct Canceller<D> {
    list: ScanList<D>,
    gets: Errand<D>,
    cancels: Errand<D>,
    clock: Arc<dyn Clock>,
    state: PathBuf,
    campaign: CampaignId,
}

impl<D: Defender> Canceller<D> {
    /// A canceller of the scans of `campaign`, whose state lies at `state`.
    pub fn new(
        defender: &Arc<D>,
        tokens: &Arc<dyn TokenSource>,
        pacer: &Pacer,
        clock: &Arc<dyn Clock>,
        state: &Path,
        campaign: CampaignId,
    ) -> Self {
        let errand = || {
            Errand::new(
                Arc::clone(defender),
                Arc::clone(tokens),
                pacer.clone(),
                Arc::clone(clock),
            )
        };
        Self {
            list: ScanList::new(
                Arc::clone(defender),
                Arc::clone(tokens),
                pacer.clone(),
                Arc::clone(clock),
            ),
            gets: errand(),
            cancels: errand().once(),
            clock: Arc::clone(clock),
            state: state.to_owned(),
            campaign,
        }
    }

    /// The campaign's scans that are not over, in the order in which they are to be cancelled.
    ///
    /// # Errors
    /// The list cannot be read, or the state cannot be used.
    pub async fn look(&self) -> Result<Vec<Doomed>, FollowError> {
        let (open, in_doubt, unknown) = with_store(&self.state, |store| {
            Ok((
                all_open(store)?,
                store.first_in_doubt()?,
                store.last_open_cancel()?,
            ))
        })
        .await?;
        // A call that was on its way when an earlier process died: the list must not be older than what it did.
        if let Some(sent) = unknown {
            let ago = Duration::try_from(self.clock.wall().duration_since(sent));
            let left = SETTLES_WITHIN.saturating_sub(ago.unwrap_or_default());
            tokio::time::sleep(left).await;
        }
        let ours: HashMap<String, _> = open
            .into_iter()
            .filter(|open| open.ours && !open.action_id.is_empty())
            .map(|open| (open.action_id.clone(), open))
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
            return Ok(Vec::new());
        };
        let mut found: HashMap<String, Doomed> = HashMap::new();
        let mut over = Vec::new();
        let mut seen = 0;
        let mut server = ServerClock::default();
        let read = self.list.read(since, &mut server, |page| {
            for action in page {
                let known = ours.get(&action.id);
                let tagged = action.requestor_comment.as_deref();
                let tagged = tagged.and_then(|comment| self.campaign.target_of(comment));
                let Some(n) = known.map(|open| open.n).or(tagged) else {
                    continue;
                };
                let scan = doomed(n, action);
                seen += usize::from(known.is_some() && !found.contains_key(&action.id));
                if is_final(&scan.status) {
                    over.push(heard(&scan));
                } else {
                    found.insert(action.id.clone(), scan);
                }
            }
            if in_doubt.is_none() && seen >= ours.len() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        read.await.map_err(|e| match e {
            ListingError::Failed(why)
            | ListingError::Forbidden(why)
            | ListingError::Unauthorized(why) => FollowError::Tenant(why),
        })?;
        // What the list does not show may be under way all the same: its id is known.
        let is_over: std::collections::HashSet<_> =
            over.iter().map(|update| update.action_id.clone()).collect();
        for (id, open) in &ours {
            if !found.contains_key(id) && !is_over.contains(id) {
                let (n, created) = (open.n, open.created.clone());
                let (id, status) = (id.clone(), open.status.clone());
                let scan = Doomed {
                    n,
                    id,
                    status,
                    created,
                };
                found.insert(scan.id.clone(), scan);
            }
        }
        with_store(&self.state, move |store| store.update_actions(&over)).await?;
        let mut doomed: Vec<_> = found.into_values().collect();
        doomed.sort_by(|a, b| {
            let begun = |scan: &Doomed| scan.status != "Pending";
            let order = begun(a).cmp(&begun(b));
            order
                .then_with(|| b.created.cmp(&a.created))
                .then_with(|| b.n.cmp(&a.n))
        });
        Ok(doomed)
    }

    /// Cancels these, and whatever of ours the list shows afterwards, until none is under way or nothing more can be done.
    ///
    /// # Errors
    /// There is no leave to cancel, or the state cannot be used.
    pub async fn cancel(
        &self,
        mut doomed: Vec<Doomed>,
        mut signals: mpsc::Receiver<Signal>,
    ) -> Result<Cancelled, FollowError> {
        let mut done = Cancelled::default();
        for pass in 0..PASSES {
            let mut left = doomed.len() as u64;
            for scan in &doomed {
                let settled = tokio::select! {
                    biased;
                    Some(_) = signals.recv() => {
                        done.left = left;
                        done.interrupted = true;
                        return Ok(done);
                    }
                    settled = self.cancel_one(scan, &mut done) => settled?,
                };
                left -= u64::from(settled);
            }
            done.left = left;
            if left == 0 || pass + 1 == PASSES {
                break;
            }
            tokio::select! {
                biased;
                Some(_) = signals.recv() => {
                    done.interrupted = true;
                    break;
                }
                () = tokio::time::sleep(SETTLES_WITHIN) => {}
            }
            let before = doomed;
            doomed = self.look().await?;
            // What was lost and has been carried out all the same.
            let still: std::collections::HashSet<_> = doomed.iter().map(|scan| &scan.id).collect();
            let gone = before.iter().filter(|scan| !still.contains(&scan.id));
            let gone = gone.count() as u64;
            done.cancelled += gone.saturating_sub(before.len() as u64 - left);
        }
        Ok(done)
    }

    /// Cancels one scan. Whether it is over then, as far as is known.
    async fn cancel_one(&self, scan: &Doomed, done: &mut Cancelled) -> Result<bool, FollowError> {
        let (n, id, sent) = (scan.n, scan.id.clone(), self.clock.wall());
        let number = with_store(&self.state, move |store| store.begin_cancel(n, &id, sent)).await?;
        let call = Call::CancelAction {
            id: scan.id.clone(),
            comment: format!("called back by fleetsweep {}", self.campaign),
        };
        let (result, action) = match self.cancels.ask(Kind::Cancel, &call).await {
            Ok(Answered::Well(answer)) => ("answered", serde_json::from_slice(&answer.body).ok()),
            Ok(Answered::NotThere) => ("not_found", None),
            Err(ErrandError::Refused(why)) => {
                done.why = why;
                ("refused", self.get(scan).await?)
            }
            // Its end stays open: the list tells.
            Err(ErrandError::Failed(why)) => {
                done.why = why;
                return Ok(false);
            }
            Err(ErrandError::SignIn(why)) => return Err(FollowError::Tenant(why)),
            Err(ErrandError::Ledger(e)) => return Err(FollowError::Disk(e.to_string())),
        };
        let now = action.map(|action: MachineAction| doomed(scan.n, &action));
        let status = now
            .as_ref()
            .map_or_else(String::new, |now| now.status.clone());
        let ended = self.clock.wall();
        with_store(&self.state, move |store| {
            if let Some(now) = now {
                store.update_actions(&[heard(&now)])?;
            }
            store.end_cancel(n, number, ended, result)
        })
        .await?;
        let is_over = is_final(&status);
        match (result, is_over) {
            ("not_found", _) => {
                "the service does not know the scan".clone_into(&mut done.why);
            }
            ("answered", true) if status == "Cancelled" => done.cancelled += 1,
            (_, true) => *done.ended.entry(status).or_default() += 1,
            ("refused", false) => {
                done.refused += 1;
                if done.refused >= REFUSED_IN_A_ROW && done.cancelled == 0 {
                    return Err(FollowError::Tenant(done.why.clone()));
                }
            }
            _ => {}
        }
        Ok(is_over)
    }

    async fn get(&self, scan: &Doomed) -> Result<Option<MachineAction>, FollowError> {
        let call = Call::GetAction {
            id: scan.id.clone(),
        };
        match self.gets.ask(Kind::Get, &call).await {
            Ok(Answered::Well(answer)) => Ok(serde_json::from_slice(&answer.body).ok()),
            Ok(Answered::NotThere) | Err(ErrandError::Failed(_) | ErrandError::Refused(_)) => {
                Ok(None)
            }
            Err(ErrandError::SignIn(why)) => Err(FollowError::Tenant(why)),
            Err(ErrandError::Ledger(e)) => Err(FollowError::Disk(e.to_string())),
        }
    }
}

fn doomed(n: u64, action: &MachineAction) -> Doomed {
    Doomed {
        n,
        id: action.id.clone(),
        status: action.status.clone().unwrap_or_default(),
        created: action.creation_date_time_utc.clone().unwrap_or_default(),
    }
}

fn heard(scan: &Doomed) -> ActionUpdate {
    ActionUpdate {
        n: scan.n,
        action_id: scan.id.clone(),
        status: scan.status.clone(),
        created: scan.created.clone(),
    }
}

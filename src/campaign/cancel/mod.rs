//! Cancels a campaign's own scans, and no others.
//!
//! - this file: [`Canceller`], which makes pass after pass until none of them is under way.
//! - `candidates`: which scans have to be cancelled, by the list. `pass`: one call for each of them. `call`:
//!   one such call.
//!
//! The list is read first, and calls are spent only on scans that are not over: those that have not begun
//! before those that have, newest first. Each attempt is in the store before its call. If it is not known
//! what came of an attempt, the list is read before anything is sent again.

mod call;
mod candidates;
mod pass;

use std::{collections::BTreeMap, path::Path, sync::Arc};

pub use candidates::CancelCandidate;
use candidates::Collected;
use pass::Pass;
use tokio::sync::mpsc;

use super::{
    disk::DiskWork,
    shared_store::{FollowError, SharedStore},
    stop::Signal,
    tag::CampaignId,
};
use crate::{
    client::{
        caller::{Caller, OnOutage},
        margins::SHOWS_WITHIN,
        scans::ScanList,
    },
    defender::{Defender, sign_in::TokenSource},
    monitor::{Monitor, count},
    quota::{Clock, Pacer},
};

/// How many passes there are at most.
const PASSES: u32 = 5;

/// The result of cancelling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cancelled {
    /// Scans that our calls have cancelled.
    pub cancelled: u64,
    /// Scans that ended by themselves meanwhile, by their state.
    pub ended: BTreeMap<String, u64>,
    /// Scans that are still under way, as far as is known.
    pub left: u64,
    /// Why the last scan could not be cancelled.
    pub why: String,
    /// Whether somebody interrupted it.
    pub interrupted: bool,
    /// Whether there is an obstacle that a person has to remove.
    pub gave_up: bool,
    /// The number of calls.
    pub calls: u64,
    refused: u64,
}

/// Cancels the scans of one campaign.
pub struct Canceller<D> {
    list: ScanList<D>,
    caller: Arc<Caller<D>>,
    pacer: Pacer,
    clock: Arc<dyn Clock>,
    monitor: Arc<dyn Monitor>,
    state: SharedStore,
    campaign: CampaignId,
    workers: usize,
}

impl<D: Defender> Canceller<D> {
    /// A canceller for the scans of `campaign`, whose state file is `state`, with at most `workers` calls in
    /// flight.
    #[expect(clippy::too_many_arguments, reason = "they are the world, each once")]
    pub fn new(
        defender: &Arc<D>,
        tokens: &Arc<dyn TokenSource>,
        pacer: &Pacer,
        clock: &Arc<dyn Clock>,
        monitor: &Arc<dyn Monitor>,
        state: &Path,
        campaign: CampaignId,
        workers: usize,
    ) -> Self {
        let on_outage = OnOutage::Wait {
            at_most: None,
            monitor: Arc::clone(monitor),
        };
        let caller = Caller::new(
            Arc::clone(defender),
            Arc::clone(tokens),
            pacer.clone(),
            Arc::clone(clock),
            on_outage,
        );
        Self {
            list: ScanList::new(caller.sibling()),
            caller: Arc::new(caller),
            pacer: pacer.clone(),
            clock: Arc::clone(clock),
            monitor: Arc::clone(monitor),
            state: SharedStore::new(state, DiskWork::Aside),
            campaign,
            workers,
        }
    }

    /// The campaign's scans that are not over, in the order in which they will be cancelled.
    ///
    /// # Errors
    /// The list cannot be read, or the state cannot be used.
    pub async fn look(&self) -> Result<Vec<CancelCandidate>, FollowError> {
        Ok(self.collect().await?.candidates)
    }

    /// Cancels these scans, and any of ours that the list shows afterwards, until none is under way or
    /// nothing more can be done. The first [`Drain`](Signal::Drain) waits for the calls in flight; an
    /// [`Abort`](Signal::Abort) does not.
    ///
    /// # Errors
    /// Cancelling is not permitted, or the state cannot be used.
    pub async fn cancel(
        &self,
        mut candidates: Vec<CancelCandidate>,
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<Cancelled, FollowError> {
        let mut done = Cancelled::default();
        for pass in 0..PASSES {
            let left = Pass::new(self, candidates, &mut done).run(signals).await?;
            done.left = left.len() as u64;
            if left.is_empty() || done.interrupted || done.gave_up || pass + 1 == PASSES {
                break;
            }
            self.monitor.note(&format!(
                "{} may still be under way; looking again in 30 s",
                count::of(left.len() as u64, "scan")
            ));
            let found = tokio::select! {
                biased;
                Some(_) = signals.recv() => {
                    done.interrupted = true;
                    break;
                }
                found = self.collect_later() => found?,
            };
            // Calls whose answers were lost may have been carried out, and scans may have ended by
            // themselves.
            for scan in &left {
                if let Some(status) = found.over.get(&scan.id.to_ascii_lowercase()) {
                    done.count(status);
                }
            }
            candidates = found.candidates;
        }
        Ok(done)
    }

    /// Reads the list once it can show what came of the last calls.
    async fn collect_later(&self) -> Result<Collected, FollowError> {
        tokio::time::sleep(SHOWS_WITHIN).await;
        self.collect().await
    }
}

impl Cancelled {
    /// Counts a scan that is over.
    fn count(&mut self, status: &str) {
        if status == "Cancelled" {
            self.cancelled += 1;
        } else {
            *self.ended.entry(status.to_owned()).or_default() += 1;
        }
    }
}

//! Calling a campaign back: its own scans are cancelled, and no others.
//!
//! - this file: [`Canceller`]: pass after pass, until none of them is under way.
//! - [`candidates`](self): which scans are to be cancelled, by the list (`candidates.rs`).
//! - [`pass`](self): each of them is called once (`pass.rs`).
//!
//! The list comes first; calls are spent on scans that are not over only, those that have not begun before those that
//! have, newest first. Each attempt is in the store before its call, and whatever is not known of an attempt the list
//! tells before anything is sent again.

mod call;
mod candidates;
mod pass;

use std::{collections::BTreeMap, path::Path, sync::Arc};

pub use candidates::CancelCandidate;
use candidates::Collected;
use pass::Pass;
use tokio::sync::mpsc;

use super::{
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

/// So many times the list is asked anew for what is still under way.
const PASSES: u32 = 5;

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
    /// Whether something is in the way that a person must remove.
    pub gave_up: bool,
    /// Calls that were sent off.
    pub calls: u64,
    refused: u64,
}

/// What cancelling needs of the world.
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
    /// A canceller of the scans of `campaign`, whose state lies at `state`, with so many calls on the wire at once.
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
        let on_outage = OnOutage::Holds {
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
            state: SharedStore::new(state),
            campaign,
            workers,
        }
    }

    /// The campaign's scans that are not over, in the order in which they are to be cancelled.
    ///
    /// # Errors
    /// The list cannot be read, or the state cannot be used.
    pub async fn look(&self) -> Result<Vec<CancelCandidate>, FollowError> {
        Ok(self.collect().await?.candidates)
    }

    /// Cancels these, and whatever of ours the list shows afterwards, until none is under way or nothing more can be done.
    /// The first [`Drain`](Signal::Drain) waits for the calls in flight, an [`Abort`](Signal::Abort) does not.
    ///
    /// # Errors
    /// There is no leave to cancel, or the state cannot be used.
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
            // What was lost and has been carried out all the same, and what ended by itself.
            for scan in &left {
                if let Some(status) = found.over.get(&scan.id.to_ascii_lowercase()) {
                    done.count(status);
                }
            }
            candidates = found.candidates;
        }
        Ok(done)
    }

    /// Asks the list once it can tell what came of the last calls.
    async fn collect_later(&self) -> Result<Collected, FollowError> {
        tokio::time::sleep(SHOWS_WITHIN).await;
        self.collect().await
    }
}

impl Cancelled {
    /// One of the scans has come to its end.
    fn count(&mut self, status: &str) {
        if status == "Cancelled" {
            self.cancelled += 1;
        } else {
            *self.ended.entry(status.to_owned()).or_default() += 1;
        }
    }
}

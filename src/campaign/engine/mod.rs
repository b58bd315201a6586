//! Drives a run: asks the dispatcher what to do next, does it, and tells it what happened.
//!
//! ```text
//!             ┌────────────────────── permit ──────────────────────┐
//!  journal ───┤ page                                               │
//!     ↑       ▼                                                    │
//!     │   dispatcher ── attempt ─→ journal ── order ─→ worker ── POST ─→ reply ─→ verdict
//!     │       ↑                                                                      │
//!     └───────┴───────────────────────────── report ─────────────────────────────────┘
//! ```
//!
//! `select!` only names what happened; the dispatcher decides, synchronously; then whatever it wants is begun.
//!
//! - this file: what a run needs, and how it ends. `drive`: the loop.
//! - `workers`: the workers, and the orders that wait for one. `telling`: what the monitor hears of it all.
//! - `writing`: what goes to disk, and when. `stopping`: how a run at work is brought to its end.

pub mod active_scans;
pub mod attempt;
mod begin;
pub mod canary_gate;
pub mod dispatcher;
mod drive;
pub mod lookup;
pub mod pending;
mod persist;
mod progress;
pub mod queue;
mod stopping;
pub mod trail;
pub mod verdict;
mod worker;
mod worker_pool;

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use drive::Drive;

use self::{canary_gate::CanaryGate, dispatcher::Dispatcher};
use super::stop::Signal;
use super::{brakes::Change, journal::Journal, outcome::Tally, stop::StopReason, tag::CampaignId};
use crate::{
    defender::{Defender, sign_in::TokenSource},
    monitor::Monitor,
    quota::{Clock, Pacer},
};

/// What a run needs of the world.
pub struct Engine<D> {
    /// The API.
    pub defender: Arc<D>,
    /// Where tokens come from.
    pub tokens: Arc<dyn TokenSource>,
    /// The quota.
    pub pacer: Pacer,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub monitor: Arc<dyn Monitor>,
    /// How many calls may be on the wire at once.
    pub workers: usize,
    /// How long one call takes at most.
    pub request_timeout: Duration,
    /// The campaign's id.
    pub campaign: CampaignId,
    /// Who says whether the others may start once the canaries are through; without one they do.
    pub canary_gate: Option<Arc<dyn CanaryGate>>,
}

/// How a run ended.
pub struct Ending {
    /// Why before its end, if so.
    pub stop: Option<StopReason>,
    /// The journal, to be finished.
    pub journal: Journal,
    /// How the targets ended whose end is on disk, those of earlier runs included.
    pub tally: Tally,
    /// Targets that were sent to and of which nobody knows yet what became.
    pub unsettled: u64,
    /// Calls of this run that went out, and whose answers were not waited for.
    pub unanswered: u64,
    /// What has to be changed about the command before it goes on, where a brake has stopped it.
    pub change: Option<Change>,
    /// Whether every target has ended.
    finished: bool,
    /// POSTs of this run.
    pub attempts: u64,
    /// All calls of this run.
    pub calls: u64,
    /// 429s of this run.
    pub throttled: u64,
    /// The campaign's id.
    pub campaign: CampaignId,
    /// What is asked from here on, while the journal is being finished.
    pub signals: Option<mpsc::Receiver<Signal>>,
}

impl Ending {
    /// Whether every target of the campaign has ended, and that is on disk.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }
}

impl<D: Defender> Engine<D> {
    /// Runs until the dispatcher has nothing left to do, or nothing more may be done.
    ///
    /// # Panics
    /// If the thread that writes has panicked, which is a bug.
    pub async fn run(
        self,
        dispatcher: Dispatcher,
        journal: Journal,
        signals: mpsc::Receiver<Signal>,
    ) -> Ending {
        Drive::new(self, dispatcher, journal, signals).run().await
    }
}

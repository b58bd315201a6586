//! Drives a run: asks the dispatcher what to do next, does it, and reports back what happened.
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
//! `select!` only names what happened, the dispatcher decides synchronously, and then whatever it wants is
//! begun.
//!
//! - this file: what a run needs, and how it ended. `drive`: the event loop. `begin`: what it begins when
//!   something has happened.
//! - `worker`, `worker_pool`: the workers, and the orders that wait for one. `progress`: what is reported to
//!   the monitor.
//! - `persist`: what goes to disk, and when. `stopping`: how a run in progress is brought to its end.
//!
//! - [`dispatcher`]: the state of the run and every decision. [`queue`]: the targets that wait. [`pending`]:
//!   one target, and what is not known about it. [`attempt`]: what is sent, and what comes back. [`verdict`]:
//!   what a reply means.
//!
//! - [`lookup`]: looking up attempts in the list of scans. [`active_scans`]: the machines that are being
//!   scanned. [`sightings`]: the machines that were seen lately. [`canary_gate`]: whether the other machines may
//!   start after the canaries. [`trail`]: the log's events. `troubles`: what went wrong, for people. `waits`: how
//!   long the run has waited for what.

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
pub mod sightings;
mod stopping;
pub mod trail;
pub(crate) mod troubles;
pub mod verdict;
mod waits;
mod worker;
mod worker_pool;

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use drive::Drive;

use self::{canary_gate::CanaryGate, dispatcher::Dispatcher};
use super::stop::Signal;
use super::{
    brakes::Change, disk::DiskWork, journal::Journal, outcome::Tally, stop::StopReason,
    tag::CampaignId,
};
use crate::{
    defender::{Defender, sign_in::TokenSource},
    monitor::Monitor,
    quota::{Clock, Pacer},
};

/// What a run needs from outside.
///
/// A whole campaign over two machines, against the [mock](crate::mock):
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use fleetsweep::{
/// #     campaign::{
/// #         disk::DiskWork,
/// #         engine::{Engine, dispatcher::{Dispatcher, Settings}},
/// #         journal::Journal,
/// #         open::create::take_in,
/// #         outcome::{Outcome, Tally},
/// #         retry::{OnPending, Policy},
/// #         tag::{CampaignId, DEFAULT_TEXT},
/// #     },
/// #     defender::{ApiBase, HttpDefender, Network, http::HttpOptions, sign_in::FixedToken},
/// #     mock::{self, MockConfig, Tenant},
/// #     monitor::Silent,
/// #     quota::{Clock, Pacer, Quota, SystemClock},
/// #     results::Layout,
/// #     roster::{Options, Roster},
/// #     store::{Identity, Run},
/// # };
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let clock: Arc<dyn Clock> = Arc::new(SystemClock);
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let api = format!("http://{}", listener.local_addr()?);
/// let tenant = Tenant::new(MockConfig::default());
/// tokio::spawn(mock::serve(listener, Arc::clone(&tenant), std::future::pending()));
///
/// // The input becomes the state: from here on a crash loses nothing.
/// let folder = tempfile::tempdir()?;
/// let campaign = CampaignId::random(&mut fastrand::Rng::new());
/// let input = "machine_id\n\
///              1e5bc9d7e413ddd7902c2932e418702b84d0cc07\n\
///              2e5bc9d7e413ddd7902c2932e418702b84d0cc07\n";
/// let roster = Roster::open("fleet.csv", input.as_bytes(), &Options::default())?;
/// let identity = Identity {
///     campaign: campaign.as_str().to_owned(),
///     api: api.clone(),
///     scan_type: "quick".to_owned(),
///     id_rule: "hex40".to_owned(),
///     ..Identity::default()
/// };
/// let state = folder.path().join("fleet.campaign.db");
/// let mut store = take_in(roster, &state, identity, &[], || Ok(()))?.store;
/// let run = store.begin_run(&Run::default())?;
/// let results = folder.path().join("fleet.results.csv");
/// let journal = Journal::begin(store, run, &results, &Layout::new(&[], false))?;
///
/// let dispatcher = Dispatcher::new(
///     Settings {
///         campaign: campaign.clone(),
///         scan_type: "Quick",
///         comment: DEFAULT_TEXT.to_owned(),
///         policy: Policy { max_attempts: 5, on_pending: OnPending::Skip },
///         capacity: 4,
///         risk_taken: false,
///         seed: 1,
///     },
///     2,
///     Tally::default(),
/// );
/// let request_timeout = Duration::from_secs(30);
/// let defender = Arc::new(HttpDefender::new(HttpOptions {
///     base: ApiBase::parse(&api)?,
///     request_timeout,
///     workers: 2,
///     network: Network::default(),
/// })?);
/// let engine = Engine {
///     inventory: Arc::clone(&defender),
///     defender,
///     tokens: Arc::new(FixedToken::new(&"mock".into(), "an example")?),
///     pacer: Pacer::new(&Quota::documented(), Arc::clone(&clock)),
///     clock: Arc::clone(&clock),
///     monitor: Arc::new(Silent),
///     workers: 2,
///     request_timeout,
///     campaign,
///     canary_gate: None,
///     disk: DiskWork::Aside,
/// };
/// let (_stop, signals) = tokio::sync::mpsc::channel(1);
/// let ending = engine.run(dispatcher, journal, signals).await;
/// let finished = ending.journal.finish(clock.wall(), "done").await?;
/// assert_eq!(finished.tally.of(Outcome::Accepted), 2);
/// assert!(tenant.recorder().machines_scanned_more_than_once().is_empty());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Engine<D> {
    /// The API.
    pub defender: Arc<D>,
    /// The same for pages of the inventory, which may take
    /// [`INVENTORY_TIMEOUT`](crate::quota::INVENTORY_TIMEOUT). They are listed only while machines are away.
    pub inventory: Arc<D>,
    /// The sign-in.
    pub tokens: Arc<dyn TokenSource>,
    /// The quota that every call draws on.
    pub pacer: Pacer,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where progress is reported.
    pub monitor: Arc<dyn Monitor>,
    /// How many calls may be in flight at once.
    pub workers: usize,
    /// After how long a call is given up.
    pub request_timeout: Duration,
    /// The campaign's id.
    pub campaign: CampaignId,
    /// Decides whether the other machines may start once the canaries have passed; without one, they start.
    pub canary_gate: Option<Arc<dyn CanaryGate>>,
    /// Where batches are written.
    pub disk: DiskWork,
}

/// How a run ended.
pub struct Ending {
    /// Why it stopped before its end, if it did.
    pub stop: Option<StopReason>,
    /// The journal, to be finished.
    pub journal: Journal,
    /// How many targets ended how, as far as that is on disk, earlier runs included.
    pub tally: Tally,
    /// Targets that were sent to and whose result is not known yet.
    pub unsettled: u64,
    /// Calls of this run that went out and were not waited for.
    pub unanswered: u64,
    /// What has to change about the command before it can go on, if a brake has stopped it.
    pub change: Option<Change>,
    /// Whether every target of the campaign has ended, and that is on disk.
    pub is_finished: bool,
    /// POSTs of this run.
    pub attempts: u64,
    /// All calls of this run.
    pub calls: u64,
    /// 429s of this run.
    pub throttled: u64,
    /// Scans that counted towards `--max-running` no longer, because they did not begin in time.
    pub overdue: u64,
    /// The campaign's id.
    pub campaign: CampaignId,
    /// The signals that arrive from here on, while the journal is being finished.
    pub signals: Option<mpsc::Receiver<Signal>>,
    /// Whether somebody wanted to stop at once.
    pub is_aborted: bool,
}

impl<D: Defender> Engine<D> {
    /// Runs until the dispatcher has nothing left to do, or may not go on.
    ///
    /// # Panics
    /// If the writing thread has panicked, which is a bug.
    pub async fn run(
        self,
        dispatcher: Dispatcher,
        journal: Journal,
        signals: mpsc::Receiver<Signal>,
    ) -> Ending {
        Drive::new(self, dispatcher, journal, signals).run().await
    }
}

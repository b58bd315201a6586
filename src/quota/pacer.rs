//! The quota as the rest of the program sees it.

use std::{sync::Arc, time::Duration};

use super::{
    clock::{Clock, Moment},
    forecast::Forecast,
    kind::Kind,
    ledger::{FileLedger, Ledger, LedgerError, LedgerPlace, Mark, MarkRow, NoLedger},
    limiter::Usage,
    permit::{Permit, Unclaimed},
    quota::Quota,
    shared::Shared,
    waiting::Waiting,
};

/// The longest time to wait before reading the clock again, because a timer may stand still while the computer sleeps.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often to check whether another process's call has been answered, when every lane is waiting for an answer.
const FOREIGN_ANSWER: Duration = Duration::from_millis(50);

/// How long to leave the ledger to another process after a call of ours, so that the two take turns. A process that
/// waits for the file tries more often than this.
const TURN: Duration = Duration::from_millis(2);

/// The request timeout of a pacer without a ledger: the default of a run.
const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Permits calls one by one, each at the first moment that the quota allows. Cheap to clone; all clones share one
/// quota.
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use fleetsweep::quota::{Clock, Kind, Limit, Pacer, Quota, TokioClock};
/// # use jiff::Timestamp;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?.block_on(async {
/// // Two calls a second, instead of `Quota::documented()`. Time is tokio's, so that it costs a test nothing.
/// let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
/// let quota = Quota::new(vec![Limit::new(2, Duration::from_secs(1))?]);
/// let pacer = Pacer::new(&quota, Arc::clone(&clock));
///
/// let began = clock.now();
/// for _ in 0..4 {
///     let permit = pacer.acquire(Kind::Start).await?;
///     // Make the call here. Its lane is free again one second after its answer, and not after it was sent.
///     permit.answered();
/// }
/// assert_eq!(clock.now().since(began).as_secs(), 1);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pacer {
    shared: Arc<Shared>,
}

impl Pacer {
    /// A pacer for this process alone, with the whole quota unspent.
    #[must_use]
    pub fn new(quota: &Quota, clock: Arc<dyn Clock>) -> Self {
        Self::from_ledger(quota, clock, Box::new(NoLedger), DEFAULT_REQUEST_TIMEOUT)
    }

    /// A pacer that shares its quota with all processes that use the same ledger. What they and earlier runs have spent
    /// counts. A caller gives up a call `request_timeout` after it was sent. Blocks until the file is open and checked.
    ///
    /// # Errors
    /// If the file cannot be opened or created, is not a ledger, was made by a later release, or is damaged.
    pub fn with_ledger(
        quota: &Quota,
        clock: Arc<dyn Clock>,
        place: &LedgerPlace,
        request_timeout: Duration,
    ) -> Result<Self, LedgerError> {
        let ledger = FileLedger::open(place, quota.longest_window(), Arc::clone(&clock))?;
        Ok(Self::from_ledger(
            quota,
            clock,
            Box::new(ledger),
            request_timeout,
        ))
    }

    /// A pacer that uses any ledger.
    pub(super) fn from_ledger(
        quota: &Quota,
        clock: Arc<dyn Clock>,
        ledger: Box<dyn Ledger>,
        request_timeout: Duration,
    ) -> Self {
        Self {
            shared: Arc::new(Shared::new(quota, clock, ledger, request_timeout)),
        }
    }

    /// Waits until a call of the kind may go, and counts it. Dropping the future wastes no quota.
    ///
    /// # Errors
    /// If the ledger cannot be read or written. Then no call may be made.
    pub async fn acquire(&self, kind: Kind) -> Result<Permit, LedgerError> {
        if self.shared.is_others_turn() {
            tokio::time::sleep(TURN).await;
        }
        loop {
            // Made before the decision, because it is notified of every settlement from now on, polled or not.
            let settled = self.shared.settlement();
            let waiting = match self.decide(kind).await? {
                Ok(unclaimed) => return Ok(unclaimed.claim()),
                Err(waiting) => waiting,
            };
            let longest = match waiting.until {
                // Nobody wakes us when another process's call is answered.
                None if self.shared.has_neighbours() => FOREIGN_ANSWER,
                _ => LONGEST_WAIT,
            };
            let left = waiting.left(self.shared.now()).unwrap_or(longest);
            tokio::select! {
                biased;
                () = tokio::time::sleep(left.min(longest)) => {}
                () = settled => {}
            }
        }
    }

    /// One decision, on a thread that may block if there is a file to wait for.
    async fn decide(&self, kind: Kind) -> Result<Result<Unclaimed, Waiting>, LedgerError> {
        let shared = Arc::clone(&self.shared);
        // The permit is made before the result crosses threads: if nobody waits for it any more, it is given back.
        let decide = move || {
            let decision = shared.decide(kind)?;
            Ok(decision.map(|(id, call)| Unclaimed::new(Permit::new(shared, id, call))))
        };
        if self.shared.has_neighbours() {
            blocking(decide).await
        } else {
            decide()
        }
    }

    /// Writes the ends of calls to the ledger. This happens in the background soon after each call; call it at the
    /// end of a run.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        if !self.shared.has_neighbours() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.flush()).await
    }

    /// Registers a campaign, or updates where its files are and how many targets it has. The higher `committed` and
    /// the earlier `started` are kept, and the campaign counts as not ended. From now on every transaction of this
    /// pacer also writes how far the mark has grown, and never lowers what is there. Without a ledger it does
    /// nothing.
    ///
    /// # Errors
    /// If the ledger cannot be read or written.
    pub async fn keep_mark(&self, mark: Arc<Mark>, row: MarkRow) -> Result<(), LedgerError> {
        self.on_ledger(move |ledger| ledger.keep_mark(mark, row))
            .await
    }

    /// Records that a campaign has finished or was abandoned. The record is kept for 30 days. Without a ledger, or if
    /// the campaign is not registered, it does nothing.
    ///
    /// # Errors
    /// If the ledger cannot be read or written.
    pub async fn end_mark(&self, campaign: &str, abandoned: bool) -> Result<(), LedgerError> {
        let campaign = campaign.to_owned();
        self.on_ledger(move |ledger| ledger.end_mark(&campaign, abandoned))
            .await
    }

    /// Writes as much to the ledger as a burst of 100 calls does, and removes it again, so that a full disk is detected
    /// before the first call. Without a ledger it does nothing.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    pub async fn prove_room(&self) -> Result<(), LedgerError> {
        self.on_ledger(|ledger| ledger.prove_room()).await
    }

    /// Does something with the ledger other than count calls, on a thread that may block.
    async fn on_ledger(
        &self,
        work: impl FnOnce(&mut dyn Ledger) -> Result<(), LedgerError> + Send + 'static,
    ) -> Result<(), LedgerError> {
        if !self.shared.has_neighbours() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.on_ledger(work)).await
    }

    /// Why the next call of the kind cannot go now; `None` if it can.
    #[must_use]
    pub fn waiting(&self, kind: Kind) -> Option<Waiting> {
        let state = self.shared.state();
        state.limiter.waiting(kind, self.shared.now())
    }

    /// How far each window is spent for the kind, the shortest first.
    #[must_use]
    pub fn usage(&self, kind: Kind) -> Vec<Usage> {
        let state = self.shared.state();
        state.limiter.usage(kind, self.shared.now())
    }

    /// When the kind's hold ends that the service asked for; a moment in the past if there is none.
    #[must_use]
    pub fn held_until(&self, kind: Kind) -> Moment {
        self.shared.state().limiter.held_until(kind)
    }

    /// When further calls of the kind can go at the earliest, as the quota stands now.
    #[must_use]
    pub fn forecast(&self, kind: Kind) -> Forecast {
        let state = self.shared.state();
        state.limiter.forecast(kind, self.shared.now())
    }

    /// The least time from now until the last of `calls` further calls of the kind can go. To compute several from the
    /// same state, keep the [`forecast`](Self::forecast).
    #[must_use]
    pub fn lower_bound(&self, kind: Kind, calls: u64) -> Duration {
        self.forecast(kind).lower_bound(calls)
    }

    /// Whether all kinds are counted together, because a refusal has shown that the service does so.
    #[cfg(test)]
    pub(super) fn kinds_joined(&self) -> bool {
        self.shared.state().limiter.joined()
    }
}

/// Runs blocking work on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

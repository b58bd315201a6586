//! The quota as the rest of the program sees it.

use std::{sync::Arc, time::Duration};

use super::{
    clock::{Clock, Moment},
    forecast::Forecast,
    kind::Kind,
    ledger::{FileLedger, Ledger, LedgerError, LedgerPlace, Mark, MarkRow, NoLedger},
    limit::Limit,
    limiter::Usage,
    permit::Permit,
    quota::Quota,
    shared::{Shared, Unclaimed},
    waiting::Waiting,
};

/// No wait is longer without a new look at the clock: a timer may stand still while the computer sleeps.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long at most until we look whether another process's call has been answered, when every lane waits for an answer.
const FOREIGN_ANSWER: Duration = Duration::from_millis(50);

/// How long we leave the ledger to another process after a call of ours, so that the two take turns: whoever waits for the
/// file looks more often.
const TURN: Duration = Duration::from_millis(2);

/// How long a call is waited for where nobody says: as long as a run waits by default.
const PATIENCE: Duration = Duration::from_secs(30);

/// Gives leave for calls, one by one, each at the first moment that the quota allows. Cheap to clone; all clones share
/// one quota.
#[derive(Debug, Clone)]
pub struct Pacer {
    shared: Arc<Shared>,
}

impl Pacer {
    /// A pacer for one process by itself, with the whole quota unspent.
    #[must_use]
    pub fn new(quota: &Quota, clock: Arc<dyn Clock>) -> Self {
        Self::over(quota, clock, Box::new(NoLedger), false, PATIENCE)
    }

    /// A pacer that shares its quota with all processes that use the same ledger; what they and earlier runs have spent
    /// counts. A caller gives its call up `request_timeout` after it was sent. Blocks until the file is open and checked.
    ///
    /// # Errors
    /// If the file cannot be opened or made, is something else, newer or damaged.
    pub fn with_ledger(
        quota: &Quota,
        clock: Arc<dyn Clock>,
        place: &LedgerPlace,
        request_timeout: Duration,
    ) -> Result<Self, LedgerError> {
        let longest = quota.limits().map(Limit::window).max();
        let ledger = FileLedger::open(place, longest.unwrap_or_default(), Arc::clone(&clock))?;
        Ok(Self::over(
            quota,
            clock,
            Box::new(ledger),
            true,
            request_timeout,
        ))
    }

    /// A pacer over any ledger. One that does not `remember` is taken for one that never blocks.
    pub(super) fn over(
        quota: &Quota,
        clock: Arc<dyn Clock>,
        ledger: Box<dyn Ledger>,
        remembers: bool,
        request_timeout: Duration,
    ) -> Self {
        Self {
            shared: Arc::new(Shared::new(
                quota,
                clock,
                ledger,
                remembers,
                request_timeout,
            )),
        }
    }

    /// Waits until a call of the kind may go, and counts it. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the ledger cannot be read or written; then no call may go.
    pub async fn acquire(&self, kind: Kind) -> Result<Permit, LedgerError> {
        if self.shared.is_others_turn() {
            tokio::time::sleep(TURN).await;
        }
        loop {
            // Made before the look: it hears of every settlement from now on, polled or not.
            let settled = self.shared.settlement();
            let waiting = match self.decide(kind).await? {
                Ok(unclaimed) => return Ok(unclaimed.claim()),
                Err(waiting) => waiting,
            };
            let longest = match waiting.until {
                // Nobody wakes us when the answer is to a call of another process.
                None if self.shared.remembers() => FOREIGN_ANSWER,
                _ => LONGEST_WAIT,
            };
            let left = waiting.left(self.shared.now()).unwrap_or(longest);
            tokio::select! {
                () = tokio::time::sleep(left.min(longest)) => {}
                () = settled => {}
            }
        }
    }

    /// One look, on a thread that may block if there is a file to wait for.
    async fn decide(&self, kind: Kind) -> Result<Result<Unclaimed, Waiting>, LedgerError> {
        if !self.shared.remembers() {
            return self.shared.decide(kind);
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.decide(kind)).await
    }

    /// Writes the ends of calls to the ledger. That happens by itself soon after each; this is for the end of a run.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        if !self.shared.remembers() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.flush()).await
    }

    /// Registers a campaign, or tells anew where its files are and how many targets it has; the higher `committed` is kept,
    /// the earlier `started` too, and the campaign has not ended any more. From now on every transaction of this pacer with
    /// the ledger writes how far the mark has grown, with what else it writes or not at all, and never lowers what is there.
    /// Without a ledger it does nothing.
    ///
    /// # Errors
    /// If the ledger cannot be read or written.
    pub async fn keep_mark(&self, mark: Arc<Mark>, row: MarkRow) -> Result<(), LedgerError> {
        self.on_ledger(move |ledger| ledger.keep_mark(mark, row))
            .await
    }

    /// Notes that a campaign has finished, or was abandoned. That is remembered for 30 days. Without a ledger, and of a
    /// campaign that is not registered, nothing is noted.
    ///
    /// # Errors
    /// If the ledger cannot be read or written.
    pub async fn end_mark(&self, campaign: &str, abandoned: bool) -> Result<(), LedgerError> {
        let campaign = campaign.to_owned();
        self.on_ledger(move |ledger| ledger.end_mark(&campaign, abandoned))
            .await
    }

    /// Writes as much to the ledger as a burst of 100 calls does, and removes it again, so that a full disk is noticed
    /// before the first call. Without a ledger it does nothing.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    pub async fn prove_room(&self) -> Result<(), LedgerError> {
        self.on_ledger(|ledger| ledger.prove_room()).await
    }

    /// Does something else with the ledger than to count calls, on a thread that may block.
    async fn on_ledger(
        &self,
        work: impl FnOnce(&mut dyn Ledger) -> Result<(), LedgerError> + Send + 'static,
    ) -> Result<(), LedgerError> {
        if !self.shared.remembers() {
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

    /// When the hold of the kind ends that the service asked for; a moment that is past if there is none.
    #[must_use]
    pub fn held_until(&self, kind: Kind) -> Moment {
        self.shared.state().limiter.held_until(kind)
    }

    /// When calls of the kind can go at best, as the quota stands now.
    #[must_use]
    pub fn forecast(&self, kind: Kind) -> Forecast {
        let state = self.shared.state();
        state.limiter.forecast(kind, self.shared.now())
    }

    /// How long from now until the last of `calls` further calls of the kind can go at the earliest. To ask later for
    /// the state of now, keep the [`forecast`](Self::forecast).
    #[must_use]
    pub fn lower_bound(&self, kind: Kind, calls: u64) -> Duration {
        self.forecast(kind).lower_bound(calls)
    }

    /// Whether the service has shown that it counts all kinds as one; they have counted so since.
    #[must_use]
    pub fn kinds_joined(&self) -> bool {
        self.shared.state().limiter.joined()
    }
}

/// Does something that blocks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

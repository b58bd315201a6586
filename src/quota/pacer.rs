//! The quota as the rest of the program sees it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    book::Book,
    clock::{Clock, Moment},
    forecast::Forecast,
    kind::Kind,
    ledger::{CallId, Entry, FileLedger, Ledger, LedgerError, LedgerPlace, NoLedger},
    limit::Limit,
    limiter::Usage,
    permit::{PERMIT_LIFE, Permit},
    quota::Quota,
    waiting::Waiting,
};

/// No wait is longer without a new look at the clock: a timer may stand still while the computer sleeps.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long at most until we look whether another process's call has been answered, when every lane waits for an answer.
const FOREIGN_ANSWER: Duration = Duration::from_millis(50);

/// How long we leave the ledger to another process after a call of ours, so that the two take turns: whoever waits for the
/// file looks more often.
const TURN: Duration = Duration::from_millis(2);

/// Gives leave for calls, one by one, each at the first moment that the quota allows. Cheap to clone; all clones share
/// one quota.
#[derive(Debug, Clone)]
pub struct Pacer {
    shared: Arc<Shared>,
}

/// What a pacer shares with its clones and permits. The desk is locked before the book, and the book never for longer than
/// a decision takes.
#[derive(Debug)]
pub(super) struct Shared {
    clock: Arc<dyn Clock>,
    desk: Mutex<Desk>,
    book: Mutex<Book>,
    next_id: AtomicU64,
    settled: Notify,
    /// How long after it was sent a caller gives its call up; `None` if no ledger wants to know.
    patience: Option<Duration>,
    /// Whether somebody is about to write the ends of calls.
    flush_is_due: AtomicBool,
}

/// Where the ledger is written. It may be locked for as long as the disk takes.
#[derive(Debug)]
struct Desk {
    ledger: Box<dyn Ledger>,
    /// What the next transaction writes; what could not be written stays here.
    entries: Vec<Entry>,
}

impl Desk {
    fn commit(&mut self) -> Result<(), LedgerError> {
        self.ledger.commit(&self.entries)?;
        self.entries.clear();
        Ok(())
    }
}

impl Pacer {
    /// A pacer for one process by itself, with the whole quota unspent.
    #[must_use]
    pub fn new(quota: &Quota, clock: Arc<dyn Clock>) -> Self {
        Self::over(quota, clock, Box::new(NoLedger), None)
    }

    /// A pacer that shares its quota with all processes that use the same ledger; what they and earlier runs have spent
    /// counts. A caller gives its call up `patience` after it was sent. Blocks until the file is open and checked.
    ///
    /// # Errors
    /// If the file cannot be opened or made, is something else, newer or damaged.
    pub fn with_ledger(
        quota: &Quota,
        clock: Arc<dyn Clock>,
        place: &LedgerPlace,
        patience: Duration,
    ) -> Result<Self, LedgerError> {
        let longest = quota.limits().map(Limit::window).max();
        let ledger = FileLedger::open(place, longest.unwrap_or_default(), Arc::clone(&clock))?;
        Ok(Self::over(quota, clock, Box::new(ledger), Some(patience)))
    }

    fn over(
        quota: &Quota,
        clock: Arc<dyn Clock>,
        ledger: Box<dyn Ledger>,
        patience: Option<Duration>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                desk: Mutex::new(Desk {
                    ledger,
                    entries: Vec::new(),
                }),
                book: Mutex::new(Book::new(quota)),
                // Half of the numbers are left to count on; two processes that draw the same start are not to be feared.
                next_id: AtomicU64::new(fastrand::u64(..u64::MAX / 2)),
                settled: Notify::new(),
                patience,
                flush_is_due: AtomicBool::new(false),
            }),
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
            let settled = self.shared.settled.notified();
            let waiting = match self.decide(kind).await? {
                Ok(unclaimed) => return Ok(unclaimed.claim()),
                Err(waiting) => waiting,
            };
            let longest = match waiting.until {
                // Nobody wakes us when the answer is to a call of another process.
                None if self.shared.patience.is_some() => FOREIGN_ANSWER,
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
        if self.shared.patience.is_none() {
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
        if self.shared.patience.is_none() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.flush()).await
    }

    /// Why the next call of the kind cannot go now; `None` if it can.
    #[must_use]
    pub fn waiting(&self, kind: Kind) -> Option<Waiting> {
        let book = self.shared.book();
        book.limiter.waiting(kind, self.shared.now())
    }

    /// How far each window is spent for the kind, the shortest first.
    #[must_use]
    pub fn usage(&self, kind: Kind) -> Vec<Usage> {
        let book = self.shared.book();
        book.limiter.usage(kind, self.shared.now())
    }

    /// When calls of the kind can go at best, as the quota stands now.
    #[must_use]
    pub fn forecast(&self, kind: Kind) -> Forecast {
        let book = self.shared.book();
        book.limiter.forecast(kind, self.shared.now())
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
        self.shared.book().limiter.joined()
    }
}

/// Does something that blocks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A permit on its way to who asked for it. If they have gone, it goes back.
struct Unclaimed(Option<Permit>);

impl Unclaimed {
    fn claim(mut self) -> Permit {
        self.0.take().expect("it is claimed once")
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            permit.give_back();
        }
    }
}

impl Shared {
    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    fn is_others_turn(&self) -> bool {
        self.patience.is_some() && self.book().is_others_turn(self.now())
    }

    /// Changes the book when a call has ended, and lets those who wait look again.
    pub(super) fn settle(self: &Arc<Self>, change: impl FnOnce(&mut Book, Moment)) {
        change(&mut self.book(), self.now());
        self.settled.notify_waiters();
        self.flush_soon();
    }

    /// Other processes wait for our answers. Outside a runtime the next transaction writes them, or the last of us.
    fn flush_soon(self: &Arc<Self>) {
        if self.patience.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
            && !self.flush_is_due.swap(true, Ordering::Relaxed)
        {
            let shared = Arc::clone(self);
            // If it fails, the entries stay, and the next transaction fails in the same way and is heard.
            runtime.spawn_blocking(move || shared.flush());
        }
    }

    /// Writes the ends of calls.
    fn flush(&self) -> Result<(), LedgerError> {
        let mut desk = self.desk();
        self.flush_is_due.store(false, Ordering::Relaxed);
        let news = desk.ledger.begin()?;
        let mut book = self.book();
        book.take_over(news, self.now());
        book.hand_over(&mut desk.entries);
        drop(book);
        desk.commit()
    }

    /// One look: begin, take over, decide, commit.
    fn decide(self: &Arc<Self>, kind: Kind) -> Result<Result<Unclaimed, Waiting>, LedgerError> {
        let mut desk = self.desk();
        let news = desk.ledger.begin()?;
        // Only now: whatever it took to get the ledger has passed.
        let now = self.now();
        let mut book = self.book();
        book.take_over(news, now);
        book.hand_over(&mut desk.entries);
        let decision = book.take(kind, now);
        drop(book);

        let call = match decision {
            Ok(call) => call,
            Err(waiting) => return desk.commit().map(|()| Err(waiting)),
        };
        let id = CallId(self.next_id.fetch_add(1, Ordering::Relaxed));
        desk.entries.push(Entry::Sent {
            id,
            kind,
            at: now,
            give_up_at: now + PERMIT_LIFE + self.patience.unwrap_or_default(),
        });
        if let Err(error) = desk.commit() {
            desk.entries.pop();
            self.book().limiter.put_back(&call);
            return Err(error);
        }
        let permit = Permit::new(Arc::clone(self), id, call);
        Ok(Ok(Unclaimed(Some(permit))))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.patience.is_some() {
            // Nobody is left to hear of an error; the calls count as given up then.
            let _ = self.flush();
        }
    }
}

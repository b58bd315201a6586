//! The quota as the rest of the program sees it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    book::Book,
    clock::{Clock, Moment},
    forecast::Forecast,
    kind::Kind,
    ledger::{CallId, Entry, Ledger, LedgerError, NoLedger},
    limiter::Usage,
    permit::{PERMIT_LIFE, Permit},
    quota::Quota,
    waiting::Waiting,
};

/// No wait is longer without a new look at the clock: a timer may stand still while the computer sleeps.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

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
        Self {
            shared: Arc::new(Shared {
                clock,
                desk: Mutex::new(Desk {
                    ledger: Box::new(NoLedger),
                    entries: Vec::new(),
                }),
                book: Mutex::new(Book::new(quota)),
                next_id: AtomicU64::new(0),
                settled: Notify::new(),
            }),
        }
    }

    /// Waits until a call of the kind may go, and counts it. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the ledger cannot be read or written; then no call may go.
    pub async fn acquire(&self, kind: Kind) -> Result<Permit, LedgerError> {
        loop {
            // Made before the look: it hears of every settlement from now on, polled or not.
            let settled = self.shared.settled.notified();
            let waiting = match self.shared.decide(kind)? {
                Ok(permit) => return Ok(permit),
                Err(waiting) => waiting,
            };
            let left = waiting.left(self.shared.now()).unwrap_or(LONGEST_WAIT);
            tokio::select! {
                () = tokio::time::sleep(left.min(LONGEST_WAIT)) => {}
                () = settled => {}
            }
        }
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

impl Shared {
    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Changes the book when a call has ended, and lets those who wait look again.
    pub(super) fn settle(&self, change: impl FnOnce(&mut Book, Moment)) {
        change(&mut self.book(), self.now());
        self.settled.notify_waiters();
    }

    /// One look: begin, take over, decide, commit.
    fn decide(self: &Arc<Self>, kind: Kind) -> Result<Result<Permit, Waiting>, LedgerError> {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let Desk { ledger, entries } = &mut *desk;
        let news = ledger.begin()?;
        // Only now: whatever it took to get the ledger has passed.
        let now = self.now();
        let mut book = self.book();
        book.take_over(news, now);
        book.hand_over(entries);
        let call = match book.take(kind, now) {
            Ok(call) => call,
            Err(waiting) => {
                drop(book);
                desk.commit()?;
                return Ok(Err(waiting));
            }
        };
        drop(book);

        let id = CallId(self.next_id.fetch_add(1, Ordering::Relaxed));
        entries.push(Entry::Sent {
            id,
            kind,
            at: now,
            give_up_at: now + PERMIT_LIFE,
        });
        if let Err(error) = desk.commit() {
            desk.entries.pop();
            self.book().limiter.put_back(&call);
            return Err(error);
        }
        Ok(Ok(Permit::new(Arc::clone(self), id, call)))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The half of a pacer that is not async: decisions about calls, and how calls end.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, futures::Notified};

use super::{
    call_life::{given_up_by, timeout_of},
    clock::{Clock, Moment},
    kind::Kind,
    ledger::{CallId, Entry, Ledger, LedgerError},
    limiter::Call,
    limiter_state::LimiterState,
    quota::Quota,
    waiting::Waiting,
};

/// What a pacer shares with its clones and permits. The writer is always locked before the state, and the state for no
/// longer than a decision takes.
#[derive(Debug)]
pub(super) struct Shared {
    clock: Arc<dyn Clock>,
    writer: Mutex<LedgerWriter>,
    state: Mutex<LimiterState>,
    next_id: AtomicU64,
    settled: Notify,
    /// How long after it was sent a caller gives up its call.
    request_timeout: Duration,
    /// Whether other processes use the ledger too. Then it may block.
    has_neighbours: bool,
    /// Whether a task that writes the ends of calls has been spawned.
    flush_is_due: AtomicBool,
}

/// The ledger and what is to be written to it. It may be locked for as long as the disk takes.
#[derive(Debug)]
struct LedgerWriter {
    ledger: Box<dyn Ledger>,
    /// What the next transaction writes. What could not be written stays here.
    entries: Vec<Entry>,
}

impl LedgerWriter {
    fn commit(&mut self) -> Result<(), LedgerError> {
        self.ledger.commit(&self.entries)?;
        self.entries.clear();
        Ok(())
    }
}

impl Shared {
    pub(super) fn new(
        quota: &Quota,
        clock: Arc<dyn Clock>,
        ledger: Box<dyn Ledger>,
        request_timeout: Duration,
    ) -> Self {
        Self {
            clock,
            has_neighbours: ledger.has_neighbours(),
            writer: Mutex::new(LedgerWriter {
                ledger,
                entries: Vec::new(),
            }),
            state: Mutex::new(LimiterState::new(quota)),
            // The upper half of the range is left for counting on. The numbers of two processes are unlikely to meet.
            next_id: AtomicU64::new(fastrand::u64(..u64::MAX / 2)),
            settled: Notify::new(),
            request_timeout,
            flush_is_due: AtomicBool::new(false),
        }
    }

    /// Whether other processes use the ledger too. Then it may block.
    pub(super) fn has_neighbours(&self) -> bool {
        self.has_neighbours
    }

    /// How long after it was sent a caller gives up its call of this kind.
    pub(super) fn request_timeout(&self, kind: Kind) -> Duration {
        timeout_of(kind, self.request_timeout)
    }

    /// The next settlement from now on.
    pub(super) fn settlement(&self) -> Notified<'_> {
        self.settled.notified()
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(super) fn is_held(&self, kind: Kind) -> bool {
        let now = self.now();
        self.state().limiter.is_held(kind, now)
    }

    pub(super) fn is_others_turn(&self) -> bool {
        self.has_neighbours() && self.state().is_others_turn(self.now())
    }

    /// Changes the state because a call has ended, and wakes those who wait.
    pub(super) fn settle(self: &Arc<Self>, change: impl FnOnce(&mut LimiterState, Moment)) {
        change(&mut self.state(), self.now());
        self.settled.notify_waiters();
        self.flush_soon();
    }

    /// Writes the ends of calls in the background, because other processes may be waiting for them. Outside a tokio
    /// runtime they are left to the next transaction, or to the drop of this.
    fn flush_soon(self: &Arc<Self>) {
        if self.has_neighbours()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
            && !self.flush_is_due.swap(true, Ordering::Relaxed)
        {
            let shared = Arc::clone(self);
            // If this fails, the entries stay, and the next transaction reports the same error.
            runtime.spawn_blocking(move || shared.flush());
        }
    }

    /// Writes the ends of calls.
    pub(super) fn flush(&self) -> Result<(), LedgerError> {
        let mut writer = self.writer();
        self.flush_is_due.store(false, Ordering::Relaxed);
        let news = writer.ledger.begin()?;
        let mut state = self.state();
        state.merge(news, self.now());
        state.drain_unwritten(&mut writer.entries);
        drop(state);
        writer.commit()
    }

    /// Does something with the ledger other than count calls.
    pub(super) fn on_ledger<T>(&self, work: impl FnOnce(&mut dyn Ledger) -> T) -> T {
        work(self.writer().ledger.as_mut())
    }

    /// One decision: begins a transaction, merges what others have written, decides, and commits.
    pub(super) fn decide(
        &self,
        kind: Kind,
    ) -> Result<Result<(CallId, Call), Waiting>, LedgerError> {
        let mut writer = self.writer();
        let news = writer.ledger.begin()?;
        // Read only now, because waiting for the ledger may have taken a while.
        let now = self.now();
        let mut state = self.state();
        state.merge(news, now);
        state.drain_unwritten(&mut writer.entries);
        let decision = state.take(kind, now);
        drop(state);

        let call = match decision {
            Ok(call) => call,
            Err(waiting) => return writer.commit().map(|()| Err(waiting)),
        };
        let id = CallId(self.next_id.fetch_add(1, Ordering::Relaxed));
        writer.entries.push(Entry::Sent {
            id,
            kind,
            at: now,
            give_up_at: given_up_by(now, self.request_timeout(kind)),
        });
        if let Err(error) = writer.commit() {
            writer.entries.pop();
            self.state().limiter.put_back(&call);
            return Err(error);
        }
        Ok(Ok((id, call)))
    }

    fn writer(&self) -> MutexGuard<'_, LedgerWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.has_neighbours() {
            // Nobody is left to report an error to. If this fails, the calls count as given up.
            let _ = self.flush();
        }
    }
}

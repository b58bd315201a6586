//! The half of a pacer that is not async: looks at the quota, and the ends of calls.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, futures::Notified};

use super::{
    clock::{Clock, Moment},
    kind::Kind,
    ledger::{CallId, Entry, Ledger, LedgerError},
    limiter_state::LimiterState,
    permit::{Permit, given_up_by},
    quota::Quota,
    waiting::Waiting,
};

/// What a pacer shares with its clones and permits. The writer is locked before the state, and the state never for longer than
/// a decision takes.
#[derive(Debug)]
pub(super) struct Shared {
    clock: Arc<dyn Clock>,
    writer: Mutex<LedgerWriter>,
    state: Mutex<LimiterState>,
    next_id: AtomicU64,
    settled: Notify,
    /// How long after it was sent a caller gives its call up.
    request_timeout: Duration,
    /// Whether there is a ledger, which may block.
    remembers: bool,
    /// Whether somebody is about to write the ends of calls.
    flush_is_due: AtomicBool,
}

/// Where the ledger is written. It may be locked for as long as the disk takes.
#[derive(Debug)]
struct LedgerWriter {
    ledger: Box<dyn Ledger>,
    /// What the next transaction writes; what could not be written stays here.
    entries: Vec<Entry>,
}

impl LedgerWriter {
    fn commit(&mut self) -> Result<(), LedgerError> {
        self.ledger.commit(&self.entries)?;
        self.entries.clear();
        Ok(())
    }
}

/// A permit on its way to who asked for it. If they have gone, it goes back.
pub(super) struct Unclaimed(Option<Permit>);

impl Unclaimed {
    pub(super) fn claim(mut self) -> Permit {
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
    pub(super) fn new(
        quota: &Quota,
        clock: Arc<dyn Clock>,
        ledger: Box<dyn Ledger>,
        remembers: bool,
        request_timeout: Duration,
    ) -> Self {
        Self {
            clock,
            writer: Mutex::new(LedgerWriter {
                ledger,
                entries: Vec::new(),
            }),
            state: Mutex::new(LimiterState::new(quota)),
            // Half of the numbers are left to count on; two processes that draw the same start are not to be feared.
            next_id: AtomicU64::new(fastrand::u64(..u64::MAX / 2)),
            settled: Notify::new(),
            request_timeout,
            remembers,
            flush_is_due: AtomicBool::new(false),
        }
    }

    /// Whether there is a ledger, which may block.
    pub(super) fn remembers(&self) -> bool {
        self.remembers
    }

    /// How long after it was sent a caller gives its call up.
    pub(super) fn request_timeout(&self) -> Duration {
        self.request_timeout
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
        self.remembers() && self.state().is_others_turn(self.now())
    }

    /// Changes the state when a call has ended, and lets those who wait look again.
    pub(super) fn settle(self: &Arc<Self>, change: impl FnOnce(&mut LimiterState, Moment)) {
        change(&mut self.state(), self.now());
        self.settled.notify_waiters();
        self.flush_soon();
    }

    /// Other processes wait for our answers. Outside a runtime the next transaction writes them, or the last of us.
    fn flush_soon(self: &Arc<Self>) {
        if self.remembers()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
            && !self.flush_is_due.swap(true, Ordering::Relaxed)
        {
            let shared = Arc::clone(self);
            // If it fails, the entries stay, and the next transaction fails in the same way and is heard.
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
        state.hand_over(&mut writer.entries);
        drop(state);
        writer.commit()
    }

    /// Does something else with the ledger than to count calls.
    pub(super) fn on_ledger<T>(&self, work: impl FnOnce(&mut dyn Ledger) -> T) -> T {
        work(self.writer().ledger.as_mut())
    }

    /// One look: begin, take over, decide, commit.
    pub(super) fn decide(
        self: &Arc<Self>,
        kind: Kind,
    ) -> Result<Result<Unclaimed, Waiting>, LedgerError> {
        let mut writer = self.writer();
        let news = writer.ledger.begin()?;
        // Only now: whatever it took to get the ledger has passed.
        let now = self.now();
        let mut state = self.state();
        state.merge(news, now);
        state.hand_over(&mut writer.entries);
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
            give_up_at: given_up_by(now, self.request_timeout),
        });
        if let Err(error) = writer.commit() {
            writer.entries.pop();
            self.state().limiter.put_back(&call);
            return Err(error);
        }
        let permit = Permit::new(Arc::clone(self), id, call);
        Ok(Ok(Unclaimed(Some(permit))))
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
        if self.remembers() {
            // Nobody is left to hear of an error; the calls count as given up then.
            let _ = self.flush();
        }
    }
}

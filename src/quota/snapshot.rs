//! A read-only snapshot of the quota. It permits no calls, and nothing is written.

use std::{sync::Arc, time::Duration};

use super::{
    clock::{Clock, Moment},
    forecast::Forecast,
    kind::Kind,
    ledger::{FileLedger, LedgerError, LedgerPlace},
    limiter::Usage,
    limiter_state::LimiterState,
    quota::Quota,
    waiting::Waiting,
};

/// The state of a quota at one moment.
#[derive(Debug)]
pub struct QuotaSnapshot {
    state: LimiterState,
    now: Moment,
}

impl QuotaSnapshot {
    /// A quota of which nothing has been spent.
    #[must_use]
    pub fn unspent(quota: &Quota, clock: &dyn Clock) -> Self {
        Self {
            state: LimiterState::new(quota),
            now: clock.now(),
        }
    }

    /// A quota as a ledger remembers it; a ledger that does not exist remembers nothing. The file is not created,
    /// changed or locked. Blocks while it is read.
    ///
    /// # Errors
    /// The file cannot be read, is not a ledger, was made by a later release, or is damaged.
    pub fn of_ledger(
        quota: &Quota,
        clock: &Arc<dyn Clock>,
        place: &LedgerPlace,
    ) -> Result<Self, LedgerError> {
        let entries = FileLedger::read_only_entries(place, Arc::clone(clock))?;
        let mut snapshot = Self::unspent(quota, clock.as_ref());
        snapshot.state.merge(entries, snapshot.now);
        Ok(snapshot)
    }

    /// Why the next call of the kind cannot go now; `None` if it can.
    #[must_use]
    pub fn waiting(&self, kind: Kind) -> Option<Waiting> {
        self.state.limiter.waiting(kind, self.now)
    }

    /// How long calls of the kind are still held at the service's request; `None` if they are not.
    #[must_use]
    pub fn held(&self, kind: Kind) -> Option<Duration> {
        let left = self.state.limiter.held_until(kind).since(self.now);
        (!left.is_zero()).then_some(left)
    }

    /// How far each window is spent for the kind, the shortest first.
    #[must_use]
    pub fn usage(&self, kind: Kind) -> Vec<Usage> {
        self.state.limiter.usage(kind, self.now)
    }

    /// When further calls of the kind can go at the earliest.
    #[must_use]
    pub fn forecast(&self, kind: Kind) -> Forecast {
        self.state.limiter.forecast(kind, self.now)
    }
}

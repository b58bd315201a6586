//! The quota as it stands, for who only looks: no call can be had from it, and nothing is written.

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

/// A quota as it stands at one moment.
#[derive(Debug)]
pub struct QuotaSnapshot {
    state: LimiterState,
    now: Moment,
}

impl QuotaSnapshot {
    /// One of which nothing has been spent.
    #[must_use]
    pub fn unspent(quota: &Quota, clock: &dyn Clock) -> Self {
        Self {
            state: LimiterState::new(quota),
            now: clock.now(),
        }
    }

    /// One of which has been spent what a ledger remembers; a ledger that is not there remembers nothing. The file is not
    /// made, not changed, and not kept from others. Blocks for as long as it takes to read it.
    ///
    /// # Errors
    /// The file cannot be read, is something else, newer or damaged.
    pub fn of_ledger(
        quota: &Quota,
        clock: &Arc<dyn Clock>,
        place: &LedgerPlace,
    ) -> Result<Self, LedgerError> {
        let entries = FileLedger::look(place, Arc::clone(clock))?;
        let mut snapshot = Self::unspent(quota, clock.as_ref());
        snapshot.state.merge(entries, snapshot.now);
        Ok(snapshot)
    }

    /// Why the next call of the kind cannot go now; `None` if it can.
    #[must_use]
    pub fn waiting(&self, kind: Kind) -> Option<Waiting> {
        self.state.limiter.waiting(kind, self.now)
    }

    /// How long the service's word still holds calls of the kind; `None` if it does not.
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

    /// When calls of the kind can go at best.
    #[must_use]
    pub fn forecast(&self, kind: Kind) -> Forecast {
        self.state.limiter.forecast(kind, self.now)
    }
}

//! Leave for exactly one call.

use std::{sync::Arc, time::Duration};

use super::{
    clock::Moment,
    kind::Kind,
    ledger::CallId,
    limiter::{Call, Throttle},
    shared::Shared,
};

/// How long a permit is good: a process that was frozen for longer must not send what it was allowed before. (One
/// put 116 calls into a minute.)
pub const PERMIT_LIFE: Duration = Duration::from_secs(5);

/// How long after it was given up a call may still be counted by the service.
pub const GRACE: Duration = Duration::from_secs(5);

/// Leave for exactly one call, which counts from now until it is settled, and a window longer. Look at
/// [`is_stale`](Self::is_stale) as the last act before sending. Dropping it settles it as [unanswered](Self::unanswered).
#[must_use = "a permit counts as a call: settle it when the call has ended"]
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    id: CallId,
    /// There until it is settled.
    call: Option<Call>,
    kind: Kind,
    given: Moment,
}

impl Permit {
    pub(super) fn new(shared: Arc<Shared>, id: CallId, call: Call) -> Self {
        Self {
            shared,
            id,
            kind: call.kind,
            given: call.at,
            call: Some(call),
        }
    }

    /// The kind of call it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The last moment at which the call may be sent.
    #[must_use]
    pub fn good_until(&self) -> Moment {
        self.given + PERMIT_LIFE
    }

    /// Whether it is too late to send the call, or the service has said meanwhile not to: then
    /// [give it back](Self::give_back) and acquire another.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.shared.now() > self.good_until() || self.shared.is_held(self.kind)
    }

    /// The call was not made, not even begun.
    pub fn give_back(mut self) {
        if let Some(call) = self.call.take() {
            self.shared.settle(|book, _| book.put_back(self.id, &call));
        }
    }

    /// The service itself has answered: the windows run from now.
    pub fn answered(mut self) {
        self.arm_after(Duration::ZERO);
    }

    /// The call was given up, or the answer may not be the service's own (a 5xx, a foreign body): the service may yet
    /// count it, so the windows run from now and [`GRACE`].
    pub fn unanswered(mut self) {
        self.arm_after(GRACE);
    }

    /// No connection came about, so nothing can have been sent: the windows run from now all the same, for the call
    /// may have cost somebody something.
    pub fn not_sent(mut self) {
        self.arm_after(Duration::ZERO);
    }

    /// The service has refused the call by its quota: no calls of the kind until the deadline, and less of the window
    /// that it named.
    pub fn throttled(mut self, throttle: &Throttle) {
        if let Some(call) = self.call.take() {
            self.shared
                .settle(|book, now| book.throttled(self.id, &call, throttle, now));
        }
    }

    fn arm_after(&mut self, grace: Duration) {
        if let Some(call) = self.call.take() {
            self.shared
                .settle(|book, now| book.arm(self.id, &call, now + grace));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.arm_after(GRACE);
    }
}

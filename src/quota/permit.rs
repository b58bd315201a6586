//! Leave for exactly one call.

use std::{sync::Arc, time::Duration};

use super::{
    clock::Moment, hold::Throttle, kind::Kind, ledger::CallId, limiter::Call, shared::Shared,
};

/// How long a permit is good: a process that was frozen for longer must not send what it was allowed before. (One
/// put 116 calls into a minute.)
pub const PERMIT_LIFE: Duration = Duration::from_secs(5);

/// How long after it was given up a call may still be counted by a service that does not take long.
pub const GRACE: Duration = Duration::from_secs(5);

/// By when the caller of a call that was let go at `at` has given it up: it sends it within [`PERMIT_LIFE`], and waits
/// for no longer than its `request_timeout`.
pub(super) fn given_up_by(at: Moment, request_timeout: Duration) -> Moment {
    at + PERMIT_LIFE + request_timeout
}

/// By when a call that was let go at `at`, and is given up by `give_up_at`, has been counted, whatever became of its
/// caller: the service takes no longer than another request_timeout, or [`GRACE`], to count what was given up.
///
/// So a service that counts a call within twice the request_timeout never sees more than the limit: while its answers are
/// waited for, whatever the latency; when a call's time is over; and when its process dies, or stops at once, with the
/// call on its way. The one thing that is trusted not to be so slow is what answered by itself, a 5xx or a reset: it has
/// a grace.
pub(super) fn counted_by(at: Moment, give_up_at: Moment) -> Moment {
    let request_timeout = give_up_at.since(at).saturating_sub(PERMIT_LIFE);
    give_up_at + request_timeout.max(GRACE)
}

/// Leave for exactly one call, which counts from now until it is settled, and a window longer. Look at
/// [`is_stale`](Self::is_stale) as the last act before sending. Dropping it settles it as [cut off](Self::cut_off).
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
            self.shared
                .settle(|state, _| state.put_back(self.id, &call));
        }
    }

    /// The service itself has answered: the windows run from now.
    pub fn answered(mut self) {
        self.arm_after(Duration::ZERO);
    }

    /// The call has ended, but the answer may not be the service's own (a 5xx, a foreign body), or was broken off (a
    /// reset): the service may yet count it, so the windows run from now and [`GRACE`].
    pub fn unanswered(mut self) {
        self.arm_after(GRACE);
    }

    /// The call was given up because its time, `request_timeout`, was over. The service is slow, not dead, and may take as long
    /// again to count it: the windows run from now and another request_timeout, or [`GRACE`] where that is longer.
    pub fn timed_out(mut self, request_timeout: Duration) {
        self.arm_after(request_timeout.max(GRACE));
    }

    /// The call was given up before its time was over, by no fault of the service: the computer slept, or the run stops
    /// at once. It counts as long as it would have, had it been waited for and its time been over.
    pub fn cut_off(mut self) {
        self.arm_cut_off();
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
                .settle(|state, now| state.throttled(self.id, &call, throttle, now));
        }
    }

    fn arm_cut_off(&mut self) {
        if let Some(call) = self.call.take() {
            let give_up_at = given_up_by(self.given, self.shared.request_timeout());
            let counted_by = counted_by(self.given, give_up_at);
            self.shared
                .settle(|state, now| state.arm(self.id, &call, counted_by.max(now + GRACE)));
        }
    }

    fn arm_after(&mut self, grace: Duration) {
        if let Some(call) = self.call.take() {
            self.shared
                .settle(|state, now| state.arm(self.id, &call, now + grace));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.arm_cut_off();
    }
}

//! Permission for exactly one call, and how the caller settles it.

use std::{sync::Arc, time::Duration};

use super::{
    call_life::{GRACE, PERMIT_LIFE, counted_by, given_up_by},
    clock::Moment,
    hold::Throttle,
    kind::Kind,
    ledger::CallId,
    limiter::Call,
    shared::Shared,
};

/// Permission for exactly one call. The call counts from now until a window after the permit is settled. Check
/// [`is_stale`](Self::is_stale) immediately before sending. Dropping the permit settles it as [cut off](Self::cut_off).
#[must_use = "a permit counts as a call: settle it when the call has ended"]
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    id: CallId,
    /// `None` once it is settled.
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

    /// The kind of call that it permits.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the call must not be sent any more: more than [`PERMIT_LIFE`] has passed, or the service has asked to
    /// hold calls meanwhile. If so, [give the permit back](Self::give_back) and acquire another.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.shared.now() > self.given + PERMIT_LIFE || self.shared.is_held(self.kind)
    }

    /// The call was not even begun.
    pub fn give_back(mut self) {
        if let Some(call) = self.call.take() {
            self.shared
                .settle(|state, _| state.put_back(self.id, &call));
        }
    }

    /// The service itself has answered. The call's windows start now.
    pub fn answered(mut self) {
        self.finish_after(Duration::ZERO);
    }

    /// The call has ended, but the answer may not be the service's own (a 5xx, an unexpected body) or was broken off (a
    /// reset). The service may still count the call, so its windows start [`GRACE`] from now.
    pub fn unanswered(mut self) {
        self.finish_after(GRACE);
    }

    /// The call was given up after `request_timeout`. The service may be slow rather than dead, and may take as long
    /// again to count the call. So its windows start another `request_timeout` from now, or [`GRACE`] where that is
    /// longer.
    pub fn timed_out(mut self, request_timeout: Duration) {
        self.finish_after(request_timeout.max(GRACE));
    }

    /// The call was given up before its timeout, through no fault of the service: the computer slept, or the run was
    /// stopped at once. It counts for as long as if it had timed out.
    pub fn cut_off(mut self) {
        self.finish_cut_off();
    }

    /// The service has refused the call because its quota was exceeded: calls of the kind are held for as long as it
    /// said, and the limit of the window that it named is reduced.
    pub fn throttled(mut self, throttle: &Throttle) {
        if let Some(call) = self.call.take() {
            self.shared
                .settle(|state, now| state.throttled(self.id, &call, throttle, now));
        }
    }

    fn finish_cut_off(&mut self) {
        if let Some(call) = self.call.take() {
            let give_up_at = given_up_by(self.given, self.shared.request_timeout(self.kind));
            let counted_by = counted_by(self.given, give_up_at);
            self.shared
                .settle(|state, now| state.finish(self.id, &call, counted_by.max(now + GRACE)));
        }
    }

    fn finish_after(&mut self, grace: Duration) {
        if let Some(call) = self.call.take() {
            self.shared
                .settle(|state, now| state.finish(self.id, &call, now + grace));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.finish_cut_off();
    }
}

/// A permit on its way to the task that asked for it. If that task is gone, the permit is given back.
pub(super) struct Unclaimed(Option<Permit>);

impl Unclaimed {
    pub(super) fn new(permit: Permit) -> Self {
        Self(Some(permit))
    }

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

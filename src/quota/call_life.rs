//! How long a call may take: when it may be sent at the latest, when its caller has given it up, and when the service
//! has counted it at the latest.

use std::time::Duration;

use super::{LONGEST_WAIT, clock::Moment, kind::Kind};

/// How long a permit may be used. Without this bound, a process that was suspended would send calls that were permitted
/// long ago: in one test it put 116 calls into a minute.
pub const PERMIT_LIFE: Duration = Duration::from_secs(5);

/// How long after a call has ended without an answer of its own a service that is not slow may still count it.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long a page of the inventory is waited for, or of what its devices report, whoever lists it: 10,000 machines are
/// 30 MB, which may take long on a slow connection.
pub const INVENTORY_TIMEOUT: Duration = Duration::from_mins(2);

/// How long a call of this kind is waited for at most, where calls are given up after `request_timeout` in general.
pub(super) fn timeout_of(kind: Kind, request_timeout: Duration) -> Duration {
    match kind {
        // In a process that is short of CPU time, a call is given up a little late.
        Kind::Machines | Kind::Health => request_timeout.max(INVENTORY_TIMEOUT + LONGEST_WAIT),
        Kind::Start | Kind::List | Kind::Get | Kind::Cancel | Kind::Alerts => request_timeout,
    }
}

/// When the caller of a call that was permitted at `at` has given it up: it sends the call within [`PERMIT_LIFE`], and
/// then waits for at most `request_timeout`.
pub(super) fn given_up_by(at: Moment, request_timeout: Duration) -> Moment {
    at + PERMIT_LIFE + request_timeout
}

/// When a call that was permitted at `at` and is given up by `give_up_at` has been counted, whatever has become of its
/// caller. We assume that the service counts a call within one more request timeout after it was given up, or within
/// [`GRACE`] where that is longer.
///
/// So a service that counts each call within twice the request timeout never sees more calls than the limit: neither
/// while its answers are awaited, however long they take, nor after a timeout, nor when a process dies or stops with
/// the call in flight. Only an answer (a 5xx, a reset) is taken as a sign that the service is not that slow; after
/// one, the call counts for [`GRACE`].
pub(super) fn counted_by(at: Moment, give_up_at: Moment) -> Moment {
    let request_timeout = give_up_at.since(at).saturating_sub(PERMIT_LIFE);
    give_up_at + request_timeout.max(GRACE)
}

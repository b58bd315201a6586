//! A call that brought no answer of the service's own: how long the quota counts it.

use crate::{defender::Lost, quota::Permit};

/// Gives a lost call's permit back: `lost` tells what the transport said, `None` that there was an answer, but not the
/// service's own (a 5xx, a foreign body).
///
/// A service that did not answer in time is slow and not dead, so it may count the call as late as it is slow; what came
/// back broken has come back from something that is done with the call.
pub fn settle(permit: Permit, lost: Option<&Lost>) {
    match lost {
        Some(Lost::NotSent(_)) => permit.not_sent(),
        Some(Lost::TimedOut(patience)) => permit.timed_out(*patience),
        Some(Lost::Unknown(_)) | None => permit.unanswered(),
    }
}

//! How far back the list of scans is read, and when it is read at the earliest: one place for every margin, so that
//! looking up, following, cancelling and recovering cannot disagree.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::store::SentAt;

/// An attempt whose time only our own clock tells may have been sent this much earlier or later by the server's: clocks
/// are wrong by hours and time zones, seldom by more than a day.
pub(crate) const BLIND_MARGIN: SignedDuration = SignedDuration::from_hours(26);

/// A listing tells of an attempt only when it begins this much after the attempt was given up. An action was seen to take
/// up to 5 s to show (MDE-API.md, section 3), and the service may act some seconds after the answer was given up. 10 s led
/// to second scans of short scans where listings lag 20 s; of the minute that a finding is good for, half is left.
pub(crate) const SHOWS_WITHIN: Duration = Duration::from_secs(30);

/// For an attempt whose time the server's clock told: more than any drift between two `Date` headers.
const DRIFT_MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// The time of the server's clock from which on a listing must read to show a scan that a call sent at `sent` started.
pub(crate) fn list_from(sent: SentAt) -> Timestamp {
    let margin = if sent.by_server {
        DRIFT_MARGIN
    } else {
        BLIND_MARGIN
    };
    before(sent.at, margin)
}

/// `time` minus `duration`; the earliest instant there is where that would lie before it.
pub(crate) fn before(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.saturating_sub(duration).unwrap_or(Timestamp::MIN)
}

//! How far back the list of scans is read, and how soon it can be trusted. Looking up, following, cancelling
//! and recovering share these margins, so that they cannot disagree.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::store::SentAt;

/// An attempt whose time only our own clock tells may have been sent this much earlier or later by the
/// server's clock. Clocks are often wrong by hours or time zones, but seldom by more than a day.
pub(crate) const BLIND_MARGIN: SignedDuration = SignedDuration::from_hours(26);

/// A listing is conclusive about an attempt only if it begins this long after the attempt was given up.
/// Actions were seen to take up to 5 s to show (MDE-API.md, section 3), and the service may act some seconds
/// after the caller gave up. With 10 s, short scans were started twice where listings lag by 20 s. At 30 s,
/// half of the minute for which a finding is valid is left.
pub(crate) const SHOWS_WITHIN: Duration = Duration::from_secs(30);

/// The margin for an attempt whose time the server's clock told: more than any drift between two `Date`
/// headers.
const DRIFT_MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// The server time from which on a listing has to read to show a scan that was started by a call sent at
/// `sent`.
pub(crate) fn list_from(sent: SentAt) -> Timestamp {
    let margin = if sent.by_server {
        DRIFT_MARGIN
    } else {
        BLIND_MARGIN
    };
    before(sent.at, margin)
}

/// `time` minus `duration`, or the earliest timestamp there is.
pub(crate) fn before(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.saturating_sub(duration).unwrap_or(Timestamp::MIN)
}

//! Times as lists of the service write them.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// A time of a list. One without a time zone is in UTC. `None` for what cannot be read, and for years before 2000,
/// which stand for "never".
pub(crate) fn time(text: Option<&str>) -> Option<Timestamp> {
    let text = text?.trim();
    let in_utc = || {
        let civil: DateTime = text.parse().ok()?;
        civil.to_zoned(TimeZone::UTC).ok()
    };
    let at = text.parse().ok();
    let at: Timestamp = at.or_else(|| in_utc().map(|zoned| zoned.timestamp()))?;
    (at.as_second() >= YEAR_2000).then_some(at)
}

const YEAR_2000: i64 = 946_684_800;

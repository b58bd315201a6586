//! The instant after which nothing more is sent, as people write it: `18:00`, `2026-11-24 18:00`,
//! `2026-11-24T18:00:00Z`.

use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{DateTime, Time},
    tz::{AmbiguousOffset, TimeZone},
};

use super::daily_window::{NO_SYSTEM_ZONE, Stretch, short, time_of_day};

/// A deadline as it was typed. Which instant it is depends on the time zone and, for a bare time of day, on
/// the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// An instant, with its offset.
    At(Timestamp),
    /// A local date and time.
    Shown(DateTime),
    /// The next time the wall clock shows this time of day, the current minute included.
    Next(Time),
}

/// Why a text is not a deadline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeadlineError {
    /// The form is wrong.
    #[error(
        "write a time as in 18:00 (the next time that the clock shows it, this minute included), \"2026-11-24 \
         18:00\", or 2026-11-24T18:00:00+01:00"
    )]
    Form,
    /// The system's time zone is unknown.
    #[error("{NO_SYSTEM_ZONE}; give an instant with its offset, as in 2026-11-24T18:00:00+01:00")]
    NoSystemZone,
}

impl Deadline {
    /// The instant, in this computer's time zone.
    ///
    /// # Errors
    /// The time zone is needed, and is unknown.
    pub fn here(self, now: Timestamp) -> Result<Timestamp, DeadlineError> {
        if let Self::At(instant) = self {
            return Ok(instant);
        }
        let zone = TimeZone::try_system().map_err(|_| DeadlineError::NoSystemZone)?;
        Ok(self.by(now, &zone))
    }

    /// The instant, in `zone`. If the clock shows the time twice, this is the first occurrence that is left.
    /// If the clock skips it, this is the instant of the jump. It is never later than what was meant.
    #[must_use]
    pub fn by(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Shown(shown) => shown_first(shown, zone),
            Self::Next(time) => shown_next(time, now, zone),
        }
    }
}

/// The first instant at which the clock shows this, or skips it.
fn shown_first(shown: DateTime, zone: &TimeZone) -> Timestamp {
    let (offset, is_gap) = match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => (offset, false),
        AmbiguousOffset::Fold { before, .. } => (before, false),
        AmbiguousOffset::Gap { before, .. } => (before, true),
    };
    let Ok(instant) = offset.to_timestamp(shown) else {
        return Timestamp::MAX;
    };
    if !is_gap {
        return instant;
    }
    // By the offset before the jump, this lies at the jump or after it.
    let behind = instant.saturating_add(1.nanosecond()).unwrap_or(instant);
    let jump = zone.preceding(behind).next();
    jump.map_or(instant, |jump| jump.timestamp())
}

/// The first instant after `now` at which the clock shows this time of day, or skips it. If the clock shows
/// it in the current minute, that minute's beginning: whoever names it means that the time is up, not that
/// there is another day left.
fn shown_next(time: Time, now: Timestamp, zone: &TimeZone) -> Timestamp {
    let shown = zone.to_datetime(now).time();
    if (shown.hour(), shown.minute()) == (time.hour(), time.minute()) {
        let since = SignedDuration::from_nanos(i64::from(shown.subsec_nanosecond()))
            + SignedDuration::from_secs(i64::from(shown.second()));
        return now.saturating_sub(since).unwrap_or(now);
    }
    let mut at = now;
    loop {
        let stretch = Stretch::of(zone, at);
        let shown = stretch.next_shown(at, time).unwrap_or(Timestamp::MAX);
        match stretch.ends {
            Some(ends) if ends <= shown => {
                let (before, after) = (stretch.offset, zone.to_offset(ends));
                let (from, to) = (before.to_datetime(ends), after.to_datetime(ends));
                let meant = before.to_datetime(shown);
                // The clock skips it, or shows it first after the jump.
                if (from <= meant && meant < to) || to.time() == time {
                    return ends;
                }
                at = ends;
            }
            _ => return shown,
        }
    }
}

impl FromStr for Deadline {
    type Err = DeadlineError;

    fn from_str(text: &str) -> Result<Self, DeadlineError> {
        let text = text.trim();
        if let Some(time) = time_of_day(text) {
            return Ok(Self::Next(time));
        }
        // A date alone could mean its beginning or its end, and a zone name in brackets would be ignored.
        if !text.contains(':') || text.contains('[') {
            return Err(DeadlineError::Form);
        }
        if let Ok(instant) = text.parse() {
            return Ok(Self::At(instant));
        }
        let shown = text.parse().map(Self::Shown);
        shown.map_err(|_| DeadlineError::Form)
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(instant) => write!(f, "{instant}"),
            Self::Shown(shown) => write!(f, "{} {}", shown.date(), short(shown.time())),
            Self::Next(time) => f.write_str(&short(*time)),
        }
    }
}

#[cfg(test)]
mod tests;

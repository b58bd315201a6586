//! An instant after which nothing more is sent, as people write it: `18:00`, `2026-11-24 18:00`, `2026-11-24T18:00:00Z`.

use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{DateTime, Time},
    tz::{AmbiguousOffset, TimeZone},
};

use super::daily_window::{NO_SYSTEM_ZONE, Stretch, short, time_of_day};

/// A deadline as it was written. Which instant it is depends on the time zone, and for a bare time of day on the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// An instant, with its offset.
    At(Timestamp),
    /// What the clock on the wall shows, with its date.
    Shown(DateTime),
    /// What the clock on the wall shows the next time, or in this very minute.
    Next(Time),
}

/// A text that names no deadline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeadlineError {
    /// It is written otherwise.
    #[error(
        "write a time as in 18:00 (the next time that the clock shows it, this minute included), \"2026-11-24 18:00\", or 2026-11-24T18:00:00+01:00"
    )]
    Form,
    /// The system does not tell its zone.
    #[error("{NO_SYSTEM_ZONE}; give an instant with its offset, as in 2026-11-24T18:00:00+01:00")]
    NoSystemZone,
}

impl Deadline {
    /// The instant, by the clock of this computer.
    ///
    /// # Errors
    /// The computer's time zone is needed, and cannot be found out.
    pub fn here(self, now: Timestamp) -> Result<Timestamp, DeadlineError> {
        if let Self::At(instant) = self {
            return Ok(instant);
        }
        let zone = TimeZone::try_system().map_err(|_| DeadlineError::NoSystemZone)?;
        Ok(self.by(now, &zone))
    }

    /// The instant, by the clock of `zone`. Where the clock shows it twice it is the first of the two that is left, and where
    /// the clock jumps over it, the instant of the jump: it is never later than what was meant.
    #[must_use]
    pub fn by(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Shown(shown) => shown_first(shown, zone),
            Self::Next(time) => shown_next(time, now, zone),
        }
    }
}

/// The first instant at which the clock shows this, or jumps over it.
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
    // By the offset from before the jump it lies at the jump or after it.
    let behind = instant.saturating_add(1.nanosecond()).unwrap_or(instant);
    let jump = zone.preceding(behind).next();
    jump.map_or(instant, |jump| jump.timestamp())
}

/// The first instant after `now` at which the clock shows this time of day, or jumps over it; the beginning of this minute if it
/// is the one that is meant: whoever names it means that it is over, and not a whole day more.
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
                // Jumped over, or the first thing that the clock shows after its jump.
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
        // A date alone could mean its beginning or its end; a zone's name in brackets would be passed over.
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

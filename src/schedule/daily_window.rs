//! The hours of the day in which scan calls may go out, by the wall clock of a time zone:
//! `22:00-06:00@Europe/Berlin`.
//!
//! An instant lies inside the window if the wall clock shows a time inside it, and for no other reason. An
//! hour that occurs twice when the clock is set back therefore counts twice, and an hour that does not occur
//! is skipped.

use std::{fmt, str::FromStr};

use jiff::{
    Timestamp, ToSpan,
    civil::{DateTime, Time},
    tz::{Offset, TimeZone},
};

/// Two times of day, and the zone whose wall clock shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// The first time of day inside.
    opens: Time,
    /// The first time of day outside.
    closes: Time,
    zone: TimeZone,
    /// The zone as it was typed; `None` is the system's.
    named: Option<String>,
}

/// Why a text is not a daily window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// The form is wrong.
    #[error(
        "write two times of day, and a time zone if it is not this computer's, as in 22:00-06:00 or \
         22:00-06:00@Europe/Berlin"
    )]
    Form,
    /// The opening and closing times are the same.
    #[error(
        "it opens and closes at {0}, which could be the whole day or none of it; give two different times, or \
         leave the option out for the whole day"
    )]
    Same(String),
    /// There is no such zone.
    #[error(
        "this computer knows no time zone `{0}`; zones are named as in Europe/Berlin, America/New_York or UTC \
         (where not even these are known, the system's time zone data, tzdata, are not installed)"
    )]
    UnknownZone(String),
    /// The system's time zone is unknown.
    #[error("{NO_SYSTEM_ZONE}; name one, as in 22:00-06:00@Europe/Berlin")]
    NoSystemZone,
}

/// The message where the system's time zone is unknown, and where to look.
pub(crate) const NO_SYSTEM_ZONE: &str =
    "this computer's time zone cannot be found out (look at TZ and /etc/localtime)";

impl Hours {
    /// From `opens` to just before `closes`, by the clock of `zone`. If `closes` is the earlier of the two,
    /// the window spans midnight.
    ///
    /// # Errors
    /// The two times are the same.
    pub fn new(opens: Time, closes: Time, zone: TimeZone) -> Result<Self, HoursError> {
        if opens == closes {
            return Err(HoursError::Same(short(opens)));
        }
        Ok(Self {
            opens,
            closes,
            named: zone.iana_name().map(str::to_owned),
            zone,
        })
    }

    /// Whether this instant lies inside the window.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        let shown = self.zone.to_datetime(at).time();
        if self.opens < self.closes {
            self.opens <= shown && shown < self.closes
        } else {
            self.opens <= shown || shown < self.closes
        }
    }

    /// The first instant inside that is not before `at`; `at` itself if it is inside.
    #[must_use]
    pub(crate) fn next_opening(&self, at: Timestamp) -> Timestamp {
        self.next(at, true)
    }

    /// The first instant outside that is not before `at`; `at` itself if it is outside.
    #[must_use]
    pub(crate) fn next_closing(&self, at: Timestamp) -> Timestamp {
        self.next(at, false)
    }

    /// The opening time as in `22:00`, with the zone if one was named, for the terminal.
    #[must_use]
    pub(crate) fn opening_in_words(&self) -> String {
        let opens = short(self.opens);
        match &self.named {
            Some(zone) => format!("{opens} ({zone})"),
            None => opens,
        }
    }

    /// As long as the zone's offset stays the same, the window opens and closes only when the clock shows one
    /// of the two times. So the change is at the next such time, unless the offset changes first.
    fn next(&self, at: Timestamp, inside: bool) -> Timestamp {
        let edge = if inside { self.opens } else { self.closes };
        let mut at = at;
        while self.contains(at) != inside {
            let stretch = Stretch::of(&self.zone, at);
            match stretch.next_shown(at, edge) {
                Some(shown) if stretch.ends.is_none_or(|ends| shown < ends) => return shown,
                _ => match stretch.ends {
                    Some(ends) => at = ends,
                    // No later timestamp can be represented.
                    None => return Timestamp::MAX,
                },
            }
        }
        at
    }
}

/// A period in which a zone's offset stays the same.
pub(crate) struct Stretch {
    pub(crate) offset: Offset,
    /// The first instant of the next period.
    pub(crate) ends: Option<Timestamp>,
}

impl Stretch {
    /// The period in which `at` lies.
    pub(crate) fn of(zone: &TimeZone, at: Timestamp) -> Self {
        Self {
            offset: zone.to_offset(at),
            ends: zone
                .following(at)
                .next()
                .map(|transition| transition.timestamp()),
        }
    }

    /// The first instant after `at` at which the clock would show `time` if the offset never changed.
    pub(crate) fn next_shown(&self, at: Timestamp, time: Time) -> Option<Timestamp> {
        let shown: DateTime = self.offset.to_datetime(at);
        let mut next = shown.date().to_datetime(time);
        if next <= shown {
            next = next.checked_add(1.day()).ok()?;
        }
        self.offset.to_timestamp(next).ok()
    }
}

impl FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let (times, named) = match text.split_once('@') {
            Some((times, zone)) => (times, Some(zone.trim())),
            None => (text, None),
        };
        let (opens, closes) = times.split_once('-').ok_or(HoursError::Form)?;
        let opens = time_of_day(opens).ok_or(HoursError::Form)?;
        // 24:00 is midnight of the next day.
        let closes = match closes.trim() {
            "24:00" => Some(Time::midnight()),
            closes => time_of_day(closes),
        };
        let closes = closes.ok_or(HoursError::Form)?;
        let zone = match named {
            Some(name) => {
                TimeZone::get(name).map_err(|_| HoursError::UnknownZone(name.to_owned()))?
            }
            None => TimeZone::try_system().map_err(|_| HoursError::NoSystemZone)?,
        };
        Ok(Self {
            named: named.map(str::to_owned),
            ..Self::new(opens, closes, zone)?
        })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", short(self.opens), short(self.closes))?;
        match &self.named {
            Some(zone) => write!(f, "@{zone}"),
            None => Ok(()),
        }
    }
}

/// A time of day as people write it: `6:00`, `06:00`, `06:00:30`.
pub(crate) fn time_of_day(text: &str) -> Option<Time> {
    let mut parts = text.trim().split(':');
    let hour = number(parts.next()?)?;
    let minute = number(parts.next()?)?;
    let second = parts.next().map_or(Some(0), number)?;
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, 0).ok()
}

/// One or two digits, and nothing else.
fn number(text: &str) -> Option<i8> {
    let digits = text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// `HH:MM`, with seconds only if there are any.
pub(crate) fn short(time: Time) -> String {
    let format = if time.second() == 0 {
        "%H:%M"
    } else {
        "%H:%M:%S"
    };
    time.strftime(format).to_string()
}

#[cfg(test)]
mod tests;

//! Counts calls by minutes, hours or days of the wall clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::DateTime, tz::TimeZone};
use serde::Serialize;

/// The calls of one period. Periods without calls have no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Slot {
    /// Its beginning; now, for the first slot.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
    /// The calls in it.
    pub calls: u64,
    /// The calls in it and before it.
    pub total: u64,
}

/// Counts calls by slots. The calls have to come in the order of time.
#[derive(Debug)]
pub struct Histogram {
    now: Timestamp,
    zone: TimeZone,
    unit: Unit,
    done: Vec<Slot>,
    total: u64,
}

/// How long a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Parts of an hour or a day that divide it.
    Minutes(i32),
    Days(i32),
}

const UNITS: [Unit; 9] = [
    Unit::Minutes(1),
    Unit::Minutes(10),
    Unit::Minutes(60),
    Unit::Minutes(6 * 60),
    Unit::Days(1),
    Unit::Days(7),
    Unit::Days(28),
    Unit::Days(364),
    Unit::Days(364 * 100),
];

impl Histogram {
    /// The most lines of a table that fit on a screen.
    pub(crate) const MOST: u64 = 15;

    /// A histogram for calls of which the last goes out `length` after `now`.
    #[must_use]
    pub fn new(now: Timestamp, length: Duration, zone: &TimeZone) -> Self {
        let fits = |unit: &Unit| length.as_secs() <= unit.seconds() * Self::MOST;
        let longest = UNITS[UNITS.len() - 1];
        Self {
            now,
            zone: zone.clone(),
            unit: UNITS.into_iter().find(fits).unwrap_or(longest),
            done: Vec::new(),
            total: 0,
        }
    }

    /// Counts a call at `at` in its period of the calendar.
    pub fn add(&mut self, at: Timestamp) {
        if self.is_behind(at) {
            let (from, until) = self.unit.around(at, &self.zone);
            self.begin(from.max(self.now), until);
        }
        self.count();
    }

    /// Counts a call at `at` in the period that lasts until `end`, which is called when a period begins.
    pub(crate) fn add_until(&mut self, at: Timestamp, end: impl FnOnce() -> Timestamp) {
        if self.is_behind(at) {
            self.begin(at, end());
        }
        self.count();
    }

    /// The slots, in the order of time.
    #[must_use]
    pub fn finish(self) -> Vec<Slot> {
        self.done
    }

    fn is_behind(&self, at: Timestamp) -> bool {
        self.done.last().is_none_or(|slot| at >= slot.until)
    }

    fn begin(&mut self, from: Timestamp, until: Timestamp) {
        self.done.push(Slot {
            from,
            until,
            calls: 0,
            total: self.total,
        });
    }

    fn count(&mut self) {
        self.total += 1;
        if let Some(slot) = self.done.last_mut() {
            slot.calls += 1;
            slot.total += 1;
        }
    }
}

impl Unit {
    fn seconds(self) -> u64 {
        let minutes = match self {
            Self::Minutes(minutes) => minutes,
            Self::Days(days) => days * 24 * 60,
        };
        u64::from(minutes.unsigned_abs()) * 60
    }

    /// The period in which `at` lies, by the clock of `zone`. If the clock is changed, a period is longer or
    /// shorter.
    fn around(self, at: Timestamp, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let shown = zone.to_datetime(at);
        let midnight = shown.date().to_datetime(jiff::civil::Time::midnight());
        let (from, until) = match self {
            Self::Minutes(length) => {
                let minute = i32::from(shown.hour()) * 60 + i32::from(shown.minute());
                let from = midnight.checked_add((minute / length * length).minutes());
                let from = from.unwrap_or(midnight);
                (from, from.checked_add(length.minutes()))
            }
            Self::Days(length) => (midnight, midnight.checked_add(length.days())),
        };
        let instant = |shown: DateTime| zone.to_timestamp(shown).ok();
        let from = instant(from).unwrap_or(at).min(at);
        let until = until.ok().and_then(instant).filter(|until| *until > at);
        // Around a change of the clock the next period may begin before this one, and at the end of the
        // calendar it never begins.
        let until = until.or_else(|| at.checked_add(self.span()).ok());
        (from, until.unwrap_or(Timestamp::MAX))
    }

    fn span(self) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.seconds()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The slots for a call every `step`, for this long.
    fn slots(now: &str, step: Duration, length: Duration, zone: &str) -> Vec<(String, u64)> {
        let zone = TimeZone::get(zone).unwrap();
        let mut slots = Histogram::new(at(now), length, &zone);
        let mut after = Duration::ZERO;
        while after <= length {
            slots.add(at(now) + SignedDuration::try_from(after).unwrap());
            after += step;
        }
        let show = |slot: Slot| {
            let from = slot.from.to_zoned(zone.clone());
            (from.strftime("%d %H:%M").to_string(), slot.calls)
        };
        slots.finish().into_iter().map(show).collect()
    }

    #[test]
    fn they_begin_as_the_clock_shows_it_and_the_first_one_now() {
        let minute = Duration::from_mins(1);
        let told = slots("2026-11-24T09:50:30Z", minute, 120 * minute, "Asia/Kolkata");
        let expected = [
            ("24 15:20", 10),
            ("24 15:30", 10),
            ("24 15:40", 10),
            ("24 15:50", 10),
        ];
        for (slot, (from, calls)) in told.iter().zip(expected) {
            assert_eq!((slot.0.as_str(), slot.1), (from, calls));
        }
        assert_eq!(told.len(), 13);
        let hour = 60 * minute;
        let told = slots("2026-11-24T09:50:30Z", hour, 72 * hour, "UTC");
        assert_eq!(told[0], ("24 09:50".to_owned(), 3));
        assert_eq!(told[1], ("24 12:00".to_owned(), 6));
        let told = slots("2026-11-24T09:50:30Z", hour, 14 * 24 * hour, "UTC");
        assert_eq!(told[0], ("24 09:50".to_owned(), 15));
        assert_eq!(told[1], ("25 00:00".to_owned(), 24));
    }

    #[test]
    fn days_are_as_long_as_the_clock_makes_them_and_no_call_is_lost() {
        // In Berlin, summer time ends on 25 October 2026 and begins on 28 March 2027.
        let hour = Duration::from_hours(1);
        for (now, calls) in [("2026-10-24T22:00:00Z", 25), ("2027-03-27T23:00:00Z", 23)] {
            let told = slots(now, hour, 10 * 24 * hour, "Europe/Berlin");
            assert_eq!(told[0].1, calls, "{told:?}");
            assert_eq!(told[1].1, 24);
            let sum: u64 = told.iter().map(|slot| slot.1).sum();
            assert_eq!(sum, 241);
        }
        // By the hour, the hour that occurs twice is one period of two hours.
        let told = slots("2026-10-25T00:00:00Z", hour / 2, 6 * hour, "Europe/Berlin");
        let sum: u64 = told.iter().map(|slot| slot.1).sum();
        assert_eq!(sum, 13);
        assert!(told.iter().all(|slot| slot.1 <= 4), "{told:?}");
    }
}

use proptest::{prelude::*, sample::select};

use super::*;

/// Zones that differ: changes of an hour and of half an hour, a whole day left out, changes at midnight, and
/// no change at all.
const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "UTC",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The instant that `text` means in the zone `name`, asked at `now`.
fn by(text: &str, now: &str, name: &str) -> Timestamp {
    text.parse::<Deadline>()
        .unwrap()
        .by(instant(now), &zone(name))
}

/// An instant near a change of the offset, if the zone has one.
fn near_a_change(zone: &TimeZone, since: i64, minutes: i64) -> Timestamp {
    let since = Timestamp::from_second(since).unwrap();
    let change = zone
        .following(since)
        .next()
        .map_or(since, |change| change.timestamp());
    // The data of some zones end with a change at the last second of 31 bits that changes nothing.
    let whole = Timestamp::from_second(change.as_second().div_euclid(60) * 60).unwrap();
    whole + SignedDuration::from_mins(minutes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Reading the clock every minute and stopping when it shows the time, or has skipped it, gives the same
    /// instant.
    #[test]
    fn a_time_of_day_is_over_when_the_clock_shows_it_or_has_jumped_over_it(
        name in select(&ZONES[..]),
        hour in 0..24_i8,
        minute in 0..60_i8,
        since in 631_152_000_i64..2_208_988_800,
        minutes in -3_000..3_000_i64,
    ) {
        let zone = zone(name);
        let time = Time::new(hour, minute, 0, 0).unwrap();
        let now = near_a_change(&zone, since, minutes);
        let mut before = zone.to_datetime(now);
        let over = (0..4_500).map(|minutes| now + SignedDuration::from_mins(minutes)).find(|at| {
            let shown = zone.to_datetime(*at);
            // If the clock moved by more than a minute, everything in between was skipped.
            let mut passed = before;
            let mut is_over = shown.time() == time;
            while passed < shown {
                passed = passed.checked_add(1.minute()).unwrap();
                is_over |= passed.time() == time;
            }
            before = shown;
            is_over
        });
        prop_assert_eq!(Some(Deadline::Next(time).by(now, &zone)), over);
    }

    /// At that instant the clock shows the date and time, or a later one where it showed an earlier one
    /// before.
    #[test]
    fn a_date_and_time_are_over_at_the_first_instant_that_shows_them_or_later_ones(
        name in select(&ZONES[..]),
        since in 631_152_000_i64..2_208_988_800,
        minutes in -1_600..1_600_i64,
    ) {
        let zone = zone(name);
        let near = near_a_change(&zone, since, 0);
        let shown = zone.to_datetime(near) + SignedDuration::from_mins(minutes);
        let start = near - SignedDuration::from_hours(60);
        let first = (0..).map(|minutes| start + SignedDuration::from_mins(minutes));
        let first = first.into_iter().find(|at| zone.to_datetime(*at) >= shown);
        prop_assert_eq!(Some(Deadline::Shown(shown).by(start, &zone)), first);
    }
}

#[test]
fn a_time_of_day_is_the_next_one_or_this_minute() {
    let over = |now| by("18:00", now, "Europe/Berlin");
    let today = instant("2026-11-24T17:00:00Z");
    let tomorrow = instant("2026-11-25T17:00:00Z");
    assert_eq!(over("2026-11-24T16:59:59.999Z"), today);
    assert_eq!(over("2026-11-24T17:00:00Z"), today);
    assert_eq!(over("2026-11-24T17:00:59.999Z"), today);
    assert_eq!(over("2026-11-24T17:01:00Z"), tomorrow);
}

#[test]
fn of_an_hour_that_exists_twice_the_first_is_taken_that_is_left() {
    let first = instant("2026-10-25T00:30:00Z");
    let second = instant("2026-10-25T01:30:00Z");
    assert_eq!(by("02:30", "2026-10-25T00:00:00Z", "Europe/Berlin"), first);
    assert_eq!(by("02:30", "2026-10-25T00:30:30Z", "Europe/Berlin"), first);
    assert_eq!(by("02:30", "2026-10-25T00:31:00Z", "Europe/Berlin"), second);
    assert_eq!(
        by("2026-10-25 02:30", "2026-10-24T00:00:00Z", "Europe/Berlin"),
        first
    );
}

#[test]
fn an_hour_that_does_not_exist_is_over_when_the_clock_jumps() {
    let jump = instant("2026-03-29T01:00:00Z");
    for text in [
        "02:00",
        "02:30",
        "03:00",
        "2026-03-29 02:00",
        "2026-03-29 02:30:30",
        "2026-03-29T03:00",
    ] {
        assert_eq!(
            by(text, "2026-03-28T23:00:00Z", "Europe/Berlin"),
            jump,
            "{text}"
        );
    }
}

#[test]
fn deadlines_are_read_as_people_write_them() {
    let at = instant("2026-11-24T17:00:00Z");
    for text in [
        "2026-11-24T18:00:00+01:00",
        "2026-11-24T17:00Z",
        "2026-11-24 17:00:00Z",
    ] {
        assert_eq!(text.parse(), Ok(Deadline::At(at)), "{text}");
    }
    for (text, again) in [
        ("2026-11-24 18:00", "2026-11-24 18:00"),
        ("2026-11-24T18:00:05", "2026-11-24 18:00:05"),
        (" 9:05 ", "09:05"),
        ("18:00:00", "18:00"),
        ("2026-11-24T17:00Z", "2026-11-24T17:00:00Z"),
    ] {
        let deadline: Deadline = text.parse().unwrap();
        assert_eq!(deadline.to_string(), again);
        assert_eq!(again.parse(), Ok(deadline));
    }
    let now = instant("2026-11-24T00:00:00Z");
    assert_eq!(Deadline::At(at).here(now), Ok(at));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for text in [
        "",
        "18",
        "24:00",
        "18:60",
        "2026-11-24",
        "2026-13-24 18:00",
        "tomorrow 18:00",
        "2026-11-24 18:00[Europe/Berlin]",
        "1h",
    ] {
        assert_eq!(text.parse::<Deadline>(), Err(DeadlineError::Form), "{text}");
    }
}

use jiff::SignedDuration;
use proptest::{prelude::*, sample::select};

use super::*;

/// Zones that differ: changes of an hour and of half an hour, a whole day left out, changes at midnight, and
/// no change at all.
const ZONES: [&str; 7] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "UTC",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn hours(text: &str) -> Hours {
    text.parse().unwrap()
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// What the wall clock shows: `HH:MM`.
fn read_off(zone: &TimeZone, at: Timestamp) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}

fn minute() -> impl Strategy<Value = String> {
    (0..24, 0..60).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"))
}

/// An instant near a change of the offset, if the zone has one.
fn near_a_change(zone: &TimeZone, since: i64, days: i64, millis: i64) -> Timestamp {
    let since = Timestamp::from_second(since).unwrap();
    let change = zone
        .following(since)
        .next()
        .map_or(since, |change| change.timestamp());
    change + SignedDuration::from_hours(24 * days) + SignedDuration::from_millis(millis)
}

/// Three days: no window stays open or shut for that long.
const MINUTES_LOOKED: i64 = 3 * 24 * 60;

/// Reads the clock once a minute, and returns the first minute that is `wanted`.
fn first_minute(at: Timestamp, wanted: impl Fn(Timestamp) -> bool) -> Timestamp {
    if wanted(at) {
        return at;
    }
    let whole = Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap();
    (1..=MINUTES_LOOKED)
        .map(|minutes| whole + SignedDuration::from_mins(minutes))
        .find(|minute| wanted(*minute))
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whoever_looks_at_the_clock_every_minute_finds_the_same(
        name in select(&ZONES[..]),
        opens in minute(),
        closes in minute(),
        // 1990 to 2040.
        since in 631_152_000_i64..2_208_988_800,
        days in -2..2_i64,
        millis in 0..86_400_000_i64,
    ) {
        prop_assume!(opens != closes);
        let zone = zone(name);
        let hours: Hours = format!("{opens}-{closes}@{name}").parse().unwrap();
        let at = near_a_change(&zone, since, days, millis);
        let inside = |at| {
            let shown = read_off(&zone, at);
            if opens < closes {
                opens <= shown && shown < closes
            } else {
                shown >= opens || shown < closes
            }
        };
        prop_assert_eq!(hours.contains(at), inside(at));
        prop_assert_eq!(hours.next_opening(at), first_minute(at, inside));
        prop_assert_eq!(hours.next_closing(at), first_minute(at, |at| !inside(at)));
    }

    #[test]
    fn the_answer_is_the_very_instant_of_the_change(
        name in select(&ZONES[..]),
        opens in minute(),
        closes in minute(),
        since in 631_152_000_i64..2_208_988_800,
        millis in 0..86_400_000_i64,
    ) {
        prop_assume!(opens != closes);
        let hours: Hours = format!("{opens}-{closes}@{name}").parse().unwrap();
        let at = near_a_change(&zone(name), since, 0, millis);
        let before = |at: Timestamp| at - SignedDuration::from_nanos(1);
        let opening = hours.next_opening(at);
        prop_assert!(hours.contains(opening));
        prop_assert!(opening == at || !hours.contains(before(opening)));
        let closing = hours.next_closing(at);
        prop_assert!(!hours.contains(closing));
        prop_assert!(closing == at || hours.contains(before(closing)));
    }
}

#[test]
fn the_last_moment_inside_is_just_before_it_closes() {
    let hours = hours("22:00-06:00@UTC");
    for (at, inside) in [
        ("2026-11-24T21:59:59.999999999Z", false),
        ("2026-11-24T22:00:00Z", true),
        ("2026-11-25T00:00:00Z", true),
        ("2026-11-25T05:59:59.999Z", true),
        ("2026-11-25T06:00:00Z", false),
    ] {
        assert_eq!(hours.contains(instant(at)), inside, "{at}");
    }
}

#[test]
fn an_hour_that_exists_twice_counts_twice() {
    // On this night Berlin's clocks went from 3:00 back to 2:00, at 1:00 UTC.
    let hours = hours("02:00-02:30@Europe/Berlin");
    let mut at = instant("2026-10-24T22:00:00Z");
    let mut edges = Vec::new();
    for _ in 0..2 {
        let opening = hours.next_opening(at);
        at = hours.next_closing(opening);
        edges.push((opening, at));
    }
    assert_eq!(
        edges,
        [
            (
                instant("2026-10-25T00:00:00Z"),
                instant("2026-10-25T00:30:00Z")
            ),
            (
                instant("2026-10-25T01:00:00Z"),
                instant("2026-10-25T01:30:00Z")
            ),
        ]
    );
}

#[test]
fn an_hour_that_does_not_exist_is_skipped() {
    // On this night Berlin's clocks went from 2:00 on to 3:00, at 1:00 UTC.
    let at = instant("2026-03-28T23:00:00Z");
    let skipped = hours("02:00-03:00@Europe/Berlin");
    assert_eq!(skipped.next_opening(at), instant("2026-03-30T00:00:00Z"));
    let across = hours("02:30-04:00@Europe/Berlin");
    assert_eq!(across.next_opening(at), instant("2026-03-29T01:00:00Z"));
    let before = hours("01:00-02:30@Europe/Berlin");
    let opening = before.next_opening(at);
    assert_eq!(
        before.next_closing(opening),
        instant("2026-03-29T01:00:00Z")
    );
}

#[test]
fn hours_are_read_as_people_write_them() {
    for (text, again) in [
        ("22:00-06:00@Europe/Berlin", "22:00-06:00@Europe/Berlin"),
        (" 6:00 - 7:30:15 @ UTC ", "06:00-07:30:15@UTC"),
        ("18:00-24:00@utc", "18:00-00:00@utc"),
    ] {
        assert_eq!(hours(text).to_string(), again);
        assert_eq!(hours(again), hours(text));
    }
    assert_eq!(hours("22:00-06:00").to_string(), "22:00-06:00");
    assert_eq!(hours("22:00-06:00").opening_in_words(), "22:00");
    assert_eq!(hours("22:00-06:00@UTC").opening_in_words(), "22:00 (UTC)");
}

#[test]
fn what_cannot_be_meant_is_refused_in_words() {
    let refused = |text: &str| text.parse::<Hours>().unwrap_err().to_string();
    for text in [
        "",
        "22:00",
        "22-06",
        "22:00-",
        "25:00-06:00",
        "24:00-06:00",
        "22:00-06:60",
        "22:00-06:00-07:00",
        "+2:00-06:00",
        "22:000-06:00",
        "22:00:00:00-06:00",
    ] {
        assert_eq!(refused(text), HoursError::Form.to_string(), "{text}");
    }
    for text in ["22:00-22:00", "00:00-24:00@UTC"] {
        assert!(refused(text).contains("it opens and closes at"), "{text}");
    }
    for zone in ["Berlin", "", "Europe/../Berlin"] {
        let why = refused(&format!("22:00-06:00@{zone}"));
        assert!(why.contains(&format!("no time zone `{zone}`")), "{why}");
    }
}

//! Durations as text: "41 s", "3 h 12 min".

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// A duration in its two largest units, rounded up, so that nothing takes longer than announced.
#[must_use]
pub fn in_words(span: Duration) -> String {
    let secs = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    if secs < 10 * 60 {
        return pair(secs, 60, "min", "s");
    }
    let minutes = secs.div_ceil(60);
    if minutes < 24 * 60 {
        return pair(minutes, 60, "h", "min");
    }
    pair(minutes.div_ceil(60), 24, "d", "h")
}

fn pair(count: u64, in_large: u64, large: &str, small: &str) -> String {
    match (count / in_large, count % in_large) {
        (0, rest) => format!("{rest} {small}"),
        (whole, 0) => format!("{whole} {large}"),
        (whole, rest) => format!("{whole} {large} {rest} {small}"),
    }
}

/// The time of day in `zone` of something that happens `span` from `now`: "14:32", "Tue 14:32" on another day, or
/// with the date if that is a week away or more.
#[must_use]
pub fn arrival(now: Timestamp, span: Duration, zone: &TimeZone) -> String {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    let then = now.saturating_add(span).unwrap_or(Timestamp::MAX);
    let (today, then) = (
        now.to_zoned(zone.clone()).date(),
        then.to_zoned(zone.clone()),
    );
    let days = today
        .until(then.date())
        .map_or(i32::MAX, |span| span.get_days());
    let format = match days {
        0 => "%H:%M",
        1..=6 => "%a %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    then.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_are_enough_and_nothing_is_over_too_soon() {
        for (millis, text) in [
            (0, "0 s"),
            (1, "1 s"),
            (1_000, "1 s"),
            (40_001, "41 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (599_000, "9 min 59 s"),
            (599_001, "10 min"),
            (601_000, "11 min"),
            (3_599_000, "1 h"),
            (11_520_000, "3 h 12 min"),
            (86_399_000, "1 d"),
            (90_000_000, "1 d 1 h"),
            (4_000 * 3_600_000, "166 d 16 h"),
        ] {
            assert_eq!(in_words(Duration::from_millis(millis)), text, "{millis}");
        }
    }

    #[test]
    fn an_arrival_names_its_day_when_it_is_another() {
        let now: Timestamp = "2024-10-21T11:20:00Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (hours, text) in [
            (0, "13:20"),
            (10, "23:20"),
            (11, "Tue 00:20"),
            (24 * 6, "Sun 13:20"),
            (24 * 7, "2024-10-28 13:20"),
            (24 * 40, "2024-11-30 13:20"),
        ] {
            let span = Duration::from_hours(hours);
            assert_eq!(arrival(now, span, &zone), text);
        }
        assert!(arrival(now, Duration::MAX, &zone).starts_with("9999-"));
    }
}

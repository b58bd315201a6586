//! The timeline against values computed by hand.

use super::*;
use jiff::SignedDuration;

use crate::{
    campaign::forecast::Bounds,
    quota::{Forecast, Kind, Moment, Quota, QuotaSnapshot, cpu_time_for_tests::cpu_time},
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

#[derive(Debug)]
struct Still;

impl crate::quota::Clock for Still {
    fn now(&self) -> Moment {
        Moment::from_nanos(0) + HOUR
    }

    fn wall(&self) -> Timestamp {
        now()
    }
}

/// A Tuesday, at half a minute.
fn now() -> Timestamp {
    "2026-11-24T09:10:30Z".parse().unwrap()
}

fn fresh() -> Forecast {
    QuotaSnapshot::unspent(&Quota::documented(), &Still).forecast(Kind::Start)
}

fn timeline(due: u64, bounds: &Bounds) -> Timeline {
    let prospect = Prospect::new(fresh(), due, bounds.clone(), now());
    Timeline::new(&prospect, &TimeZone::UTC)
}

/// How long after now the last call goes out.
fn length(timeline: &Timeline) -> Duration {
    timeline.last().unwrap().after
}

fn within(hours: &str) -> Bounds {
    Bounds {
        hours: Some(hours.parse().unwrap()),
        ..Bounds::default()
    }
}

#[test]
fn it_shows_the_first_the_hundredth_the_quarters_and_the_last() {
    let told = timeline(10_000, &Bounds::default());
    let marks: Vec<_> = told
        .marks
        .iter()
        .map(|mark| (mark.call, mark.after.as_secs() / 60))
        .collect();
    let expected = [
        (1, 0),
        (100, 0),
        (2_500, 69),
        (5_000, 184),
        (7_500, 254),
        (10_000, 369),
    ];
    assert_eq!(marks, expected);
    assert_eq!(
        (told.calls, told.beyond, told.stopped_by),
        (10_000, 0, None)
    );
    assert_eq!(length(&told), fresh().lower_bound(10_000));
}

#[test]
fn few_calls_have_no_mark_twice_and_none_have_none() {
    for (due, calls) in [(0, &[][..]), (1, &[1]), (2, &[1, 2]), (4, &[1, 2, 3, 4])] {
        let marks = timeline(due, &Bounds::default()).marks;
        let marks: Vec<_> = marks.iter().map(|mark| mark.call).collect();
        assert_eq!(marks, calls);
    }
}

#[test]
fn the_slots_and_the_points_add_up_and_are_few() {
    for due in [1, 60, 100, 101, 1_500, 10_000, 100_000, 1_000_000] {
        let told = timeline(due, &Bounds::default());
        let sum: u64 = told.slots.iter().map(|slot| slot.calls).sum();
        assert_eq!(sum, due);
        assert_eq!(told.slots.last().unwrap().total, due);
        assert!(told.slots.len() <= 17, "{due}: {}", told.slots.len());
        assert!(told.points.len() <= 201);
        assert_eq!(told.points.last().unwrap().call, due);
        assert!(told.points.is_sorted_by_key(|point| (point.call, point.at)));
        for pair in told.slots.windows(2) {
            assert!(pair[0].until <= pair[1].from, "{pair:?}");
        }
    }
}

#[test]
fn calls_wait_for_the_hours_and_each_opening_is_a_slot() {
    // It opens in 50 minutes, for 8 hours: nine times the hour's 1500, less what the closing cuts off.
    let told = timeline(20_000, &within("10:00-18:00@UTC"));
    assert_eq!(told.first().unwrap().after, 49 * MINUTE + MINUTE / 2);
    assert_eq!(told.openings, 2);
    assert!(told.by_opening);
    let slots: Vec<_> = told
        .slots
        .iter()
        .map(|slot| (slot.from.to_string(), slot.until.to_string(), slot.calls))
        .collect();
    let day = |day: u32, calls| {
        (
            format!("2026-11-{day}T10:00:00Z"),
            format!("2026-11-{day}T18:00:00Z"),
            calls,
        )
    };
    assert_eq!(slots, [day(24, 12_000), day(25, 8_000)]);
}

#[test]
fn open_hours_put_nothing_off() {
    let told = timeline(1_500, &within("09:00-18:00@UTC"));
    assert_eq!(told.openings, 0);
    assert_eq!(length(&told), 14 * MINUTE);
}

#[test]
fn a_deadline_cuts_the_timeline_and_says_what_is_left() {
    let bounds = |secs| Bounds {
        not_after: Some(now() + SignedDuration::from_secs(secs)),
        ..Bounds::default()
    };
    let told = timeline(1_000, &bounds(150));
    assert_eq!((told.calls, told.beyond), (300, 700));
    assert_eq!(told.stopped_by, Some(StoppedBy::NotAfter));
    assert_eq!(length(&told), 2 * MINUTE);
    let told = timeline(1_000, &bounds(-1));
    assert_eq!((told.calls, told.beyond), (0, 1_000));
    assert_eq!(told.last(), None);
    // The last calls are due in nine minutes. At that very instant none goes out any more.
    let told = timeline(1_000, &bounds(9 * 60));
    assert_eq!((told.calls, told.beyond), (900, 100));
    let told = timeline(1_000, &bounds(9 * 60 + 1));
    assert_eq!((told.calls, told.beyond, told.stopped_by), (1_000, 0, None));
}

#[test]
fn a_greatest_number_caps_it() {
    let most = |most| Bounds {
        most: Some(most),
        ..Bounds::default()
    };
    let told = timeline(1_000, &most(150));
    assert_eq!((told.calls, told.beyond), (150, 850));
    assert_eq!(told.stopped_by, Some(StoppedBy::MaxMachines));
    let told = timeline(1_000, &most(1_000));
    assert_eq!((told.calls, told.beyond, told.stopped_by), (1_000, 0, None));
}

#[test]
fn a_million_calls_through_a_window_are_planned_in_no_time() {
    let began = cpu_time();
    let told = timeline(1_000_000, &within("22:00-06:00@Europe/Berlin"));
    let took = cpu_time().saturating_sub(began);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(told.calls, 1_000_000);
    assert!(told.openings > 80, "{}", told.openings);
    assert!(!told.by_opening && told.slots.len() <= 17);
}

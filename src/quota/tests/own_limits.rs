//! The kind with limits of its own: 30 calls a minute and 1000 an hour for what devices report of their antivirus
//! (MDE-API.md, section 7).

use std::time::Duration;

use super::{
    super::{Cause, Clock, Kind, Moment, Pace, Quota, limiter::Limiter},
    MILLI, MINUTE, SECOND, World, clock, ledger_pacer, pacer, place, quota, throttle,
};

/// When each of `calls` calls goes, without latency.
fn health_calls(quota: &Quota, calls: usize) -> Vec<Duration> {
    let mut world = World::new(Limiter::new(quota));
    let mut answered = |limiter: &mut Limiter, call: &_, (), now| limiter.finish(call, now);
    let began = world.now;
    let went = (0..calls).map(|_| {
        let call = world.acquire(Kind::Health, &mut answered);
        world.limiter.finish(&call, world.now);
        world.now.since(began)
    });
    went.collect()
}

#[test]
fn thirty_go_in_any_minute_and_a_thousand_in_any_hour_at_the_first_moment() {
    let went = health_calls(&Quota::documented(), 2_100);
    for (i, &at) in went.iter().enumerate() {
        let before = |calls: usize, window: Duration| {
            let earlier = i.checked_sub(calls).map(|before| went[before]);
            earlier.map_or(Duration::ZERO, |earlier| earlier + window + MILLI)
        };
        let first = before(30, MINUTE).max(before(1000, 60 * MINUTE));
        assert_eq!(at, first.max(went[i.saturating_sub(1)]), "call {i}");
    }
    assert_eq!(went[29], Duration::ZERO);
    assert!(went[1_000] > 60 * MINUTE && went[2_000] > 120 * MINUTE);
}

#[test]
fn the_lower_of_both_limits_holds() {
    // Lower than its own in the minute, higher in the hour; and a window that only the user has named.
    let went = health_calls(&quota(&["10/1m", "1500/1h"]), 21);
    assert!(went[9] == Duration::ZERO && went[10] > MINUTE && went[20] > 2 * MINUTE);
    let went = health_calls(&quota(&["20/2s"]), 31);
    assert!(went[20] > 2 * SECOND && went[29] < 3 * SECOND && went[30] > MINUTE);
    let went = health_calls(&Quota::documented().with_headroom(50), 16);
    assert!(went[14] == Duration::ZERO && went[15] > MINUTE);
    let went = health_calls(&Quota::documented().with_pace(Pace::Even), 3);
    assert_eq!(went[2], Duration::from_millis(4_800));
    let went = health_calls(&Quota::unlimited(), 5_000);
    assert_eq!(went[4_999], Duration::ZERO);
}

#[test]
fn the_forecast_and_the_usage_are_those_of_the_lower_limit() {
    let limiter = Limiter::new(&Quota::documented());
    let bound = |calls| {
        limiter
            .forecast(Kind::Health, Moment::ZERO)
            .lower_bound(calls)
    };
    assert_eq!((bound(30), bound(31)), (Duration::ZERO, MINUTE));
    assert_eq!(bound(1_001), 60 * MINUTE);
    let limits = |quota: &Quota, kind| {
        let usage = Limiter::new(quota).usage(kind, Moment::ZERO);
        let limits = usage.into_iter().map(|usage| (usage.window, usage.limit));
        limits.collect::<Vec<_>>()
    };
    let (minute, hour) = (MINUTE, 60 * MINUTE);
    let documented = Quota::documented();
    assert_eq!(
        limits(&documented, Kind::Health),
        [(minute, 30), (hour, 1000)]
    );
    assert_eq!(
        limits(&documented, Kind::Start),
        [(minute, 100), (hour, 1500)]
    );
    let mixed = quota(&["7/1m", "9/5m"]);
    assert_eq!(
        limits(&mixed, Kind::Health),
        [(minute, 7), (5 * MINUTE, 9), (hour, 1000)]
    );
    assert_eq!(limits(&Quota::unlimited(), Kind::Health), []);
}

#[tokio::test(start_paused = true)]
async fn other_kinds_do_not_wait_for_it_nor_it_for_them() {
    let (pacer, _) = pacer(&["100/1m"]);
    for _ in 0..30 {
        pacer.acquire(Kind::Health).await.unwrap().answered();
    }
    let waiting = pacer.waiting(Kind::Health).unwrap();
    assert_eq!(waiting.cause, Cause::Window(MINUTE));
    assert!(pacer.waiting(Kind::Start).is_none());
    for _ in 0..100 {
        pacer.acquire(Kind::Start).await.unwrap().answered();
    }
    assert_eq!(pacer.usage(Kind::Health)[0].in_use, 30);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_names_the_minute_cuts_its_own_minute() {
    let (pacer, _) = pacer(&["100/1m", "1500/1h"]);
    for _ in 0..29 {
        pacer.acquire(Kind::Health).await.unwrap().answered();
    }
    let last = pacer.acquire(Kind::Health).await.unwrap();
    tokio::time::sleep(SECOND).await;
    last.throttled(&throttle(5, Some(MINUTE)));
    let usage = pacer.usage(Kind::Health);
    assert_eq!((usage[0].limit, usage[0].usable), (30, 27));
    assert_eq!((usage[1].limit, usage[1].usable), (1000, 1000));
    assert!(
        pacer.waiting(Kind::Start).is_none(),
        "no other kind is held"
    );
}

#[tokio::test(start_paused = true)]
async fn joined_with_the_others_it_keeps_its_own_limits() {
    let (pacer, clock) = pacer(&["100/1m"]);
    for kind in [Kind::Start, Kind::List] {
        let permit = pacer.acquire(kind).await.unwrap();
        permit.throttled(&throttle(1, None));
    }
    assert!(pacer.kinds_joined());
    // An hour later the ramp is the only bound that is left of the refusals.
    tokio::time::sleep(60 * MINUTE).await;
    let began = clock.now();
    for _ in 0..30 {
        pacer.acquire(Kind::Health).await.unwrap().answered();
    }
    assert_eq!(clock.now(), began);
    assert_eq!(pacer.usage(Kind::Start)[0].in_use, 30, "all count together");
    pacer.acquire(Kind::Health).await.unwrap().answered();
    assert!(clock.now().since(began) > MINUTE);
}

#[tokio::test(start_paused = true)]
async fn processes_share_its_limits_through_the_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = ledger_pacer(&place, &["100/1m", "1500/1h"], &clock);
    let second = ledger_pacer(&place, &["100/1m", "1500/1h"], &clock);
    let began = clock.now();
    for call in 0..30 {
        let pacer = if call % 2 == 0 { &first } else { &second };
        pacer.acquire(Kind::Health).await.unwrap().answered();
    }
    first.flush().await.unwrap();
    second.flush().await.unwrap();
    assert!(clock.now().since(began) < MINUTE);
    for pacer in [&first, &second] {
        assert!(pacer.waiting(Kind::Start).is_none());
        let until = pacer.waiting(Kind::Health).unwrap().until.unwrap();
        assert!(until.since(began) > MINUTE);
    }
}

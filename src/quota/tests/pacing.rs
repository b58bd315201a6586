//! The pacer on tokio's paused clock.

use std::time::Duration;

use super::{
    super::{Cause, Clock, GRACE, Kind, PERMIT_LIFE, Pace, Pacer, Permit, Quota, Throttle},
    MILLI, MINUTE, REQUEST_TIMEOUT, SECOND, clock, pacer, throttle,
};

#[tokio::test(start_paused = true)]
async fn a_whole_campaign_takes_the_lower_bound() {
    let clock = clock();
    let pacer = Pacer::new(&Quota::documented(), clock.clone());
    let start = clock.now();
    for _ in 0..1501 {
        pacer.acquire(Kind::Start).await.unwrap().answered();
    }
    let took = clock.now().since(start);
    assert!(took >= Duration::from_hours(1), "{took:?}");
    assert!(took <= Duration::from_hours(1) + SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_at_once_never_get_more_than_the_limit() {
    let (pacer, clock) = pacer(&["10/1s", "25/5s"]);
    let tasks: Vec<_> = (0..200)
        .map(|i| {
            let (pacer, clock) = (pacer.clone(), clock.clone());
            tokio::spawn(async move {
                let permit = pacer.acquire(Kind::Start).await.unwrap();
                tokio::time::sleep(MILLI * (i % 7) * 30).await;
                let counted = clock.now();
                tokio::time::sleep(MILLI * (i % 5) * 20).await;
                permit.answered();
                counted
            })
        })
        .collect();
    let mut counted = Vec::new();
    for task in tasks {
        counted.push(task.await.unwrap());
    }
    counted.sort();
    for (limit, window) in [(10, SECOND), (25, 5 * SECOND)] {
        for span in counted.windows(limit + 1) {
            assert!(span[limit].since(span[0]) > window);
        }
    }
    let took = counted[199].since(counted[0]);
    assert!(took < 45 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_window_runs_from_the_answer() {
    let (pacer, clock) = pacer(&["1/1m"]);
    let permit = pacer.acquire(Kind::Start).await.unwrap();
    assert_eq!(pacer.waiting(Kind::Start).unwrap().cause, Cause::Answers);
    tokio::time::sleep(20 * SECOND).await;
    permit.answered();
    let answered = clock.now();
    let waiting = pacer.waiting(Kind::Start).unwrap();
    assert_eq!(waiting.cause, Cause::Window(MINUTE));
    assert_eq!(waiting.left(answered), Some(MINUTE + MILLI));
    pacer.acquire(Kind::Start).await.unwrap().give_back();
    assert_eq!(clock.now().since(answered), MINUTE + MILLI);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_lost_counts_a_grace_longer_and_one_that_was_given_up_as_long_again_as_it_was_waited_for()
 {
    type End = fn(Permit);
    // Without a ledger, the request timeout is a run's default.
    let cut_off = PERMIT_LIFE + 2 * REQUEST_TIMEOUT;
    let ends: [(End, Duration); 6] = [
        (Permit::unanswered, GRACE),
        (|permit| permit.timed_out(7 * SECOND), 7 * SECOND),
        (|permit| permit.timed_out(SECOND), GRACE),
        (Permit::cut_off, cut_off),
        (drop, cut_off),
        (Permit::answered, Duration::ZERO),
    ];
    for (end, grace) in ends {
        let (pacer, clock) = pacer(&["1/1m"]);
        end(pacer.acquire(Kind::Start).await.unwrap());
        let ended = clock.now();
        pacer.acquire(Kind::Start).await.unwrap().give_back();
        assert_eq!(clock.now().since(ended), MINUTE + MILLI + grace);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_given_back_costs_nothing() {
    let (pacer, clock) = pacer(&["2/1m", "3/1h"]);
    let start = clock.now();
    for _ in 0..50 {
        pacer.acquire(Kind::Start).await.unwrap().give_back();
    }
    assert_eq!(clock.now(), start);
    assert!(
        pacer
            .usage(Kind::Start)
            .iter()
            .all(|usage| usage.in_use == 0)
    );
}

#[tokio::test(start_paused = true)]
async fn giving_a_permit_back_wakes_who_waits_for_it() {
    let (pacer, clock) = pacer(&["1/1h"]);
    let permit = pacer.acquire(Kind::Start).await.unwrap();
    let waiter = tokio::spawn({
        let pacer = pacer.clone();
        async move { pacer.acquire(Kind::Start).await.unwrap().answered() }
    });
    tokio::time::sleep(SECOND).await;
    let before = clock.now();
    permit.give_back();
    waiter.await.unwrap();
    assert_eq!(clock.now(), before);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_dropped_takes_nothing_with_it() {
    let (pacer, clock) = pacer(&["1/10s"]);
    pacer.acquire(Kind::Start).await.unwrap().answered();
    let start = clock.now();
    for _ in 0..20 {
        let waiter = pacer.acquire(Kind::Start);
        assert!(tokio::time::timeout(MILLI * 100, waiter).await.is_err());
    }
    pacer.acquire(Kind::Start).await.unwrap().answered();
    assert_eq!(clock.now().since(start), 10 * SECOND + MILLI);
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_good_for_five_seconds() {
    let (pacer, clock) = pacer(&["1/1m"]);
    let permit = pacer.acquire(Kind::Start).await.unwrap();
    tokio::time::sleep(PERMIT_LIFE).await;
    assert!(!permit.is_stale());
    clock.sleep_computer(MILLI);
    assert!(permit.is_stale());
    permit.give_back();
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_void_once_the_service_has_said_to_wait() {
    let (pacer, _) = pacer(&["9/1m"]);
    let first = pacer.acquire(Kind::Start).await.unwrap();
    let second = pacer.acquire(Kind::Start).await.unwrap();
    let other = pacer.acquire(Kind::List).await.unwrap();
    first.throttled(&Throttle {
        retry_after: 2 * SECOND,
        window: None,
    });
    assert!(second.is_stale());
    assert!(!other.is_stale());
    tokio::time::sleep(2 * SECOND).await;
    assert!(!second.is_stale());
}

#[tokio::test(start_paused = true)]
async fn sleep_of_the_computer_counts_and_no_wait_is_served_twice() {
    let (pacer, clock) = pacer(&["1/1h"]);
    pacer.acquire(Kind::Start).await.unwrap().answered();
    let waiter = tokio::spawn({
        let pacer = pacer.clone();
        async move { pacer.acquire(Kind::Start).await.unwrap().answered() }
    });
    tokio::time::sleep(MINUTE).await;
    clock.sleep_computer(Duration::from_hours(1));
    let woke = clock.now();
    waiter.await.unwrap();
    assert!(clock.now().since(woke) <= 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_even_pace_spaces_calls_by_the_slowest_limit() {
    let clock = clock();
    let pacer = Pacer::new(&Quota::documented().with_pace(Pace::Even), clock.clone());
    let start = clock.now();
    for turn in 0..1600 {
        pacer.acquire(Kind::Start).await.unwrap().answered();
        let due = start + MILLI * 2400 * turn;
        assert!(clock.now() >= due, "call {turn} is early");
        let late = clock.now().since(due);
        assert!(late <= 10 * MILLI, "call {turn} is {late:?} late");
        if turn == 0 {
            assert_eq!(pacer.waiting(Kind::Start).unwrap().cause, Cause::Pace);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_limits_nothing_waits_but_a_hold() {
    let clock = clock();
    let pacer = Pacer::new(&Quota::unlimited(), clock.clone());
    let start = clock.now();
    let permits: Vec<_> = {
        let mut permits = Vec::new();
        for _ in 0..10_000 {
            permits.push(pacer.acquire(Kind::Start).await.unwrap());
        }
        permits
    };
    assert_eq!(clock.now(), start);
    assert_eq!(pacer.lower_bound(Kind::Start, 1_000_000), Duration::ZERO);
    drop(permits);
    pacer
        .acquire(Kind::Start)
        .await
        .unwrap()
        .throttled(&throttle(30, None));
    pacer.acquire(Kind::Start).await.unwrap().answered();
    assert_eq!(clock.now().since(start), 30 * SECOND);
}

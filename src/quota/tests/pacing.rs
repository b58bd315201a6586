//! The pacer on tokio's paused clock.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::super::{
    Cause, Clock, GRACE, Kind, Moment, PERMIT_LIFE, Pace, Pacer, Quota, Throttle, TokioClock,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const MILLI: Duration = Duration::from_millis(1);

fn clock() -> Arc<TokioClock> {
    Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH))
}

fn pacer(limits: &[&str]) -> (Pacer, Arc<TokioClock>) {
    let clock = clock();
    let limits = limits.iter().map(|limit| limit.parse().unwrap()).collect();
    (Pacer::new(&Quota::new(limits), clock.clone()), clock)
}

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
async fn a_call_that_was_given_up_counts_a_grace_longer() {
    type End = fn(super::super::Permit);
    let ends: [(End, Duration); 4] = [
        (super::super::Permit::unanswered, GRACE),
        (drop, GRACE),
        (super::super::Permit::not_sent, Duration::ZERO),
        (super::super::Permit::answered, Duration::ZERO),
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
    assert_eq!(permit.good_until(), clock.now() + PERMIT_LIFE);
    tokio::time::sleep(5 * SECOND).await;
    assert!(!permit.is_stale());
    clock.sleep_computer(MILLI);
    assert!(permit.is_stale());
    permit.give_back();
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

fn throttle(secs: u64, window: Option<Duration>) -> Throttle {
    Throttle {
        retry_after: Duration::from_secs(secs),
        window,
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_lasts_until_the_stated_deadline_and_is_never_shortened() {
    let (pacer, clock) = pacer(&["100/1m"]);
    let first = pacer.acquire(Kind::Start).await.unwrap();
    let second = pacer.acquire(Kind::Start).await.unwrap();
    let start = clock.now();
    first.throttled(&throttle(3000, None));
    second.throttled(&throttle(1, None));
    let waiting = pacer.waiting(Kind::Start).unwrap();
    assert_eq!(waiting.cause, Cause::Hold);
    assert_eq!(waiting.until, Some(start + 3000 * SECOND));
    assert!(pacer.waiting(Kind::List).is_none(), "another kind goes on");
    pacer.acquire(Kind::Start).await.unwrap().answered();
    assert_eq!(clock.now().since(start), 3000 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_cuts_the_window_that_it_names_or_else_all() {
    for (named, minute, hour) in [
        (Some(MINUTE), 90, 1500),
        (Some(Duration::from_hours(1)), 100, 1350),
        (Some(Duration::from_hours(2)), 90, 1350),
        (None, 90, 1350),
    ] {
        let pacer = Pacer::new(&Quota::documented(), clock());
        let permits = [
            pacer.acquire(Kind::Start).await.unwrap(),
            pacer.acquire(Kind::Start).await.unwrap(),
        ];
        // Sent before the first cut, both: the second refusal says nothing new.
        for permit in permits {
            permit.throttled(&throttle(1, named));
        }
        let usable: Vec<_> = pacer
            .usage(Kind::Start)
            .iter()
            .map(|usage| usage.usable)
            .collect();
        assert_eq!(usable, [minute, hour]);
        let limit: Vec<_> = pacer
            .usage(Kind::Start)
            .iter()
            .map(|usage| usage.limit)
            .collect();
        assert_eq!(limit, [100, 1500]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_cut_still_counts_after_it() {
    let (pacer, clock) = pacer(&["10/1m"]);
    for _ in 0..9 {
        pacer.acquire(Kind::Start).await.unwrap().answered();
    }
    tokio::time::sleep(30 * SECOND).await;
    let refused = clock.now();
    pacer
        .acquire(Kind::Start)
        .await
        .unwrap()
        .throttled(&throttle(1, None));
    // Nine may be used, and ten are: the next goes when two are over.
    let waiting = pacer.waiting(Kind::Start).unwrap();
    assert_eq!(waiting.until, Some(refused + 30 * SECOND + MILLI));
    for _ in 0..8 {
        pacer.acquire(Kind::Start).await.unwrap().answered();
    }
    assert_eq!(clock.now(), refused + 30 * SECOND + MILLI);
    assert_eq!(
        pacer.waiting(Kind::Start).unwrap().until,
        Some(refused + MINUTE + MILLI)
    );
}

#[tokio::test(start_paused = true)]
async fn kinds_have_quotas_of_their_own_until_a_second_one_is_refused() {
    let (pacer, clock) = pacer(&["12/1m"]);
    for kind in Kind::ALL {
        for _ in 0..2 {
            pacer.acquire(kind).await.unwrap().answered();
        }
    }
    pacer
        .acquire(Kind::Start)
        .await
        .unwrap()
        .throttled(&throttle(5, None));
    assert!(!pacer.kinds_joined(), "one kind may have a neighbour");
    let start = clock.now();
    pacer
        .acquire(Kind::List)
        .await
        .unwrap()
        .throttled(&throttle(7, None));
    assert!(pacer.kinds_joined());

    // Twelve calls of all kinds are in the window, ten may be: all of them hold, then wait for the window.
    for kind in Kind::ALL {
        let waiting = pacer.waiting(kind).unwrap();
        assert_eq!(waiting.until, Some(start + MINUTE + MILLI));
        assert_eq!(pacer.usage(kind)[0].in_use, 12);
    }
    // By then a clean window has given back enough for an eleventh: 10.8 and 0.24.
    let again = in_turn(&pacer, &clock, 11).await;
    assert!(again.iter().all(|at| at.since(start) == MINUTE + MILLI));
    assert!(pacer.waiting(Kind::Get).is_some());
}

/// Calls of every kind in turn, each answered at once: when each went.
async fn in_turn(pacer: &Pacer, clock: &TokioClock, calls: usize) -> Vec<Moment> {
    let mut at = Vec::new();
    for kind in Kind::ALL.into_iter().cycle().take(calls) {
        pacer.acquire(kind).await.unwrap().answered();
        at.push(clock.now());
    }
    at
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_refused_beside_a_full_one_joins_them() {
    let (pacer, _) = pacer(&["10/1m"]);
    for _ in 0..10 {
        pacer.acquire(Kind::Start).await.unwrap().answered();
    }
    let in_flight = pacer.acquire(Kind::Get).await.unwrap();
    pacer
        .acquire(Kind::List)
        .await
        .unwrap()
        .throttled(&throttle(7, None));
    assert!(pacer.kinds_joined());
    assert_eq!(pacer.usage(Kind::Cancel)[0].in_use, 12);
    in_flight.give_back();
    assert_eq!(pacer.usage(Kind::Cancel)[0].in_use, 11);
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

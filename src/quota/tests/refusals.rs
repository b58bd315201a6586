//! What refusals by the service cause: holds, cuts and joined kinds.

use std::time::Duration;

use super::{
    super::{Cause, Clock, Kind, Moment, Pacer, Quota, TokioClock},
    MILLI, MINUTE, SECOND, clock, pacer, throttle,
};

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
        // Both were sent before the first cut, so the second refusal says nothing new.
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
    // Nine calls are allowed and ten count, so the next goes when two do not count any more.
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
    let (pacer, clock) = pacer(&["14/1m"]);
    for kind in Kind::ALL.into_iter().take(6) {
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

    // Fourteen calls of all kinds are in the window, and twelve are allowed. So all kinds are held, and then wait for
    // the window.
    for kind in Kind::ALL {
        let waiting = pacer.waiting(kind).unwrap();
        assert_eq!(waiting.until, Some(start + MINUTE + MILLI));
        assert_eq!(pacer.usage(kind)[0].in_use, 14);
    }
    // By then a window without a refusal has given back less than a thirteenth call: 12.6 and 0.28.
    let again = in_turn(&pacer, &clock, 12).await;
    assert!(again.iter().all(|at| at.since(start) == MINUTE + MILLI));
    assert!(pacer.waiting(Kind::Get).is_some());
}

/// Makes calls of every kind in turn, each answered at once, and returns when each went.
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

//! Outages, and forbidden machines.

use std::time::Duration;

use super::{
    tests::{WALL, answer, answer_late, at, call, dispatcher},
    *,
};
use crate::{
    campaign::{
        engine::{
            lookup::{Finding, Listing, ListingError},
            verdict::{Scan, Verdict},
        },
        outcome::Outcome,
    },
    client::reply::{Obstacle, Trouble},
};

fn trouble(obstacle: Option<Obstacle>) -> Trouble {
    Trouble {
        why: "HTTP 503".into(),
        obstacle,
        ..Trouble::default()
    }
}

fn lost() -> Verdict {
    Verdict::Unsure(trouble(None))
}

fn never_sent() -> Verdict {
    Verdict::NotSent(trouble(None))
}

fn accepted() -> Verdict {
    Verdict::Accepted(Scan::default())
}

fn not_answered() -> Result<(), ListingError> {
    Err(ListingError::Unanswered {
        trouble: Box::new(trouble(None)),
        never_sent: true,
    })
}

fn absent(these: &[u64], began: Moment) -> Listing {
    Listing {
        began,
        findings: these.iter().map(|n| (*n, Finding::Absent)).collect(),
        running: None,
        scans: HashMap::default(),
        server: ServerClock::default(),
    }
}

#[test]
fn a_call_that_never_connected_is_no_attempt_and_holds_all_others() {
    let mut dispatcher = dispatcher(9, Policy::default());
    assert_eq!(call(&mut dispatcher, accepted(), at(0)), 1);
    let others: Vec<_> = (0..3)
        .map(|_| dispatcher.assign(at(1), WALL).unwrap().n)
        .collect();
    for n in others {
        answer(&mut dispatcher, n, never_sent(), at(1), 1);
    }
    assert_eq!(dispatcher.take_notes().len(), 1, "it is said once");
    assert!(!dispatcher.wants_permit(at(2)));
    assert_eq!(dispatcher.next_wake(at(1)), Some(at(3)));
    for (look, next) in [(3, 7), (7, 15), (15, 31)] {
        assert!(dispatcher.wants_probe(at(look)));
        assert!(!dispatcher.wants_probe(at(look)), "one at a time");
        dispatcher.probed(not_answered(), at(look));
        assert_eq!(dispatcher.next_wake(at(look)), Some(at(next)));
    }
    assert!(dispatcher.wants_probe(at(31)));
    dispatcher.probed(Ok(()), at(31));
    let first = dispatcher.assign(at(31), WALL).unwrap();
    assert_eq!((first.n, first.number), (2, 1), "nothing was sent to it");
    assert!(dispatcher.assign(at(31), WALL).is_none(), "it goes alone");
    answer(&mut dispatcher, 2, accepted(), at(32), 1);
    assert!(dispatcher.assign(at(32), WALL).is_some());
    assert!(dispatcher.assign(at(32), WALL).is_some(), "then two");
    assert_eq!(dispatcher.attempts(), 2);
}

#[test]
fn an_answer_says_nothing_about_calls_that_were_sent_after_its_own() {
    let mut dispatcher = dispatcher(9, Policy::default());
    call(&mut dispatcher, accepted(), at(0));
    let early: Vec<_> = (0..2)
        .map(|_| dispatcher.assign(at(0), WALL).unwrap().n)
        .collect();
    call(&mut dispatcher, lost(), at(1));
    call(&mut dispatcher, lost(), at(1));
    answer_late(&mut dispatcher, early[0], accepted(), at(0), at(2), 1);
    assert!(!dispatcher.is_out());
    call(&mut dispatcher, lost(), at(3));
    assert!(dispatcher.is_out(), "three in a row, as they were sent");
    answer_late(&mut dispatcher, early[1], accepted(), at(0), at(4), 1);
    assert!(
        dispatcher.is_out(),
        "it was answered before the outage began"
    );
}

#[test]
fn three_machines_in_a_row_are_an_outage_that_costs_no_try() {
    let mut dispatcher = dispatcher(
        9,
        Policy {
            max_attempts: 1,
            ..Policy::default()
        },
    );
    call(&mut dispatcher, accepted(), at(0));
    call(&mut dispatcher, lost(), at(0));
    call(&mut dispatcher, accepted(), at(0));
    for _ in 0..3 {
        assert!(dispatcher.wants_permit(at(0)));
        call(&mut dispatcher, lost(), at(0));
    }
    assert!(!dispatcher.wants_permit(at(1)));
    assert!(dispatcher.wants_probe(at(2)));
    dispatcher.probed(Ok(()), at(2));
    // Only starts are down: another machine is tried, then those that were looked up, in turn.
    let another = call(&mut dispatcher, lost(), at(2));
    assert!((7..=9).contains(&another));
    assert!(!dispatcher.wants_permit(at(6)), "none of them is looked up");
    assert!(dispatcher.wants_listing(at(32)).is_some());
    dispatcher.listed(Ok(absent(&[2, 4, 5, 6, another], at(32))), at(32), WALL);
    assert_eq!(
        dispatcher.tally().of(Outcome::Failed),
        1,
        "the one before it"
    );
    assert_eq!(call(&mut dispatcher, lost(), at(32)), 4);
    assert!(dispatcher.assign(at(33), WALL).is_none());
    assert_eq!(call(&mut dispatcher, accepted(), at(48)), 5);
    assert!(dispatcher.wants_permit(at(48)), "it is over");
    assert_eq!(dispatcher.tally().of(Outcome::Failed), 1);
}

#[test]
fn one_machine_that_is_never_answered_pays_its_tries_and_fails() {
    let mut dispatcher = dispatcher(1, Policy::default());
    let mut now = at(0);
    let mut calls = 0;
    while dispatcher.tally().of(Outcome::Failed) == 0 {
        if let Some(attempt) = dispatcher.assign(now, WALL) {
            answer(&mut dispatcher, attempt.n, lost(), now, 1);
            calls += 1;
        }
        if dispatcher.wants_listing(now).is_some() {
            dispatcher.listed(Ok(absent(&[1], now)), now, WALL);
        }
        dispatcher.look_ahead(now, |_| now);
        now = now + Duration::from_secs(1);
        assert!(now < at(3600), "{calls} calls");
    }
    assert_eq!(calls, 5);
    assert!(now >= at(600), "spread over ten minutes");
}

#[test]
fn machines_that_are_never_answered_are_waited_for_one_day_and_not_for_ever() {
    let mut dispatcher = dispatcher(6, Policy::default());
    call(&mut dispatcher, accepted(), at(0));
    let bad: Vec<_> = (0..5)
        .map(|_| dispatcher.assign(at(0), WALL).unwrap().n)
        .collect();
    for n in &bad {
        answer(&mut dispatcher, *n, lost(), at(60), 1);
    }
    let mut now = at(60);
    while dispatcher.tally().of(Outcome::Failed) < 5 {
        if dispatcher.wants_probe(now) {
            dispatcher.probed(Ok(()), now);
        }
        if dispatcher.wants_permit(now)
            && let Some(attempt) = dispatcher.assign(now, WALL)
        {
            answer(&mut dispatcher, attempt.n, lost(), now, 1);
        }
        if dispatcher.wants_listing(now).is_some() {
            dispatcher.listed(Ok(absent(&bad, now)), now, WALL);
        }
        dispatcher.look_ahead(now, |_| now);
        now = now + Duration::from_secs(5);
        assert!(now < at(26 * 3600), "{:?}", dispatcher.tally());
    }
    assert!(now > at(24 * 3600));
}

#[test]
fn an_obstacle_at_the_start_stops_at_the_second_look_and_later_holds() {
    let page = || Verdict::Unsure(trouble(Some(Obstacle::Page)));
    let page_again = || {
        Err(ListingError::Unanswered {
            trouble: Box::new(trouble(Some(Obstacle::Page))),
            never_sent: false,
        })
    };
    let mut early = dispatcher(9, Policy::default());
    call(&mut early, page(), at(0));
    assert!(!early.wants_probe(at(9)));
    assert!(early.wants_probe(at(10)));
    early.probed(page_again(), at(10));
    assert!(matches!(early.stop_reason(), Some(StopReason::Tenant(_))));

    let mut late = dispatcher(9, Policy::default());
    call(&mut late, accepted(), at(0));
    call(&mut late, page(), at(0));
    let mut now = at(0);
    while late.stop_reason().is_none() {
        now = now + Duration::from_secs(1);
        if late.wants_probe(now) {
            late.probed(page_again(), now);
        }
    }
    assert!(now >= at(15 * 60) && now <= at(17 * 60));
}

#[test]
fn an_outage_ends_the_run_only_where_the_operator_says_so() {
    let mut patient = dispatcher(2, Policy::default());
    call(&mut patient, never_sent(), at(0));
    patient.advance_clock(at(100_000), WALL);
    assert_eq!(patient.stop_reason(), None);
    let mut impatient =
        dispatcher(2, Policy::default()).giving_up_after(Some(Duration::from_mins(1)));
    call(&mut impatient, never_sent(), at(0));
    impatient.advance_clock(at(59), WALL);
    assert_eq!(impatient.stop_reason(), None);
    impatient.advance_clock(at(60), WALL);
    assert!(matches!(
        impatient.stop_reason(),
        Some(StopReason::Brake(_))
    ));
}

fn forbidden() -> Verdict {
    Verdict::Forbidden("the service forbids it".into())
}

#[test]
fn a_forbidden_machine_is_refused_once_another_is_answered() {
    let mut dispatcher = dispatcher(9, Policy::default());
    assert_eq!(call(&mut dispatcher, accepted(), at(0)), 1);
    assert_eq!(call(&mut dispatcher, forbidden(), at(1)), 2);
    assert_eq!(dispatcher.tally().of(Outcome::Refused), 0);
    let other = dispatcher.assign(at(2), WALL).unwrap();
    assert_eq!(dispatcher.assign(at(2), WALL), None, "one at a time");
    answer(&mut dispatcher, other.n, Verdict::NotFound, at(3), 1);
    assert_eq!(dispatcher.tally().of(Outcome::Refused), 1);
    assert!(dispatcher.wants_permit(at(3)));
}

#[test]
fn four_forbidden_machines_stop_the_campaign_and_stay_open() {
    let mut dispatcher = dispatcher(9, Policy::default());
    for second in 0..4 {
        assert_eq!(dispatcher.stop_reason(), None);
        call(&mut dispatcher, forbidden(), at(second));
    }
    assert!(matches!(
        dispatcher.stop_reason(),
        Some(StopReason::Tenant(_))
    ));
    assert_eq!(dispatcher.tally().total(), 0);
}

#[test]
fn where_nobody_else_is_left_a_forbidden_machine_is_judged_by_what_was_answered_before() {
    let mut alone = dispatcher(1, Policy::default());
    call(&mut alone, forbidden(), at(0));
    assert!(matches!(alone.stop_reason(), Some(StopReason::Tenant(_))));
    let mut last = dispatcher(2, Policy::default());
    call(&mut last, accepted(), at(0));
    call(&mut last, forbidden(), at(1));
    assert_eq!(last.stop_reason(), None);
    assert_eq!(last.tally().of(Outcome::Refused), 1);
}

#[test]
fn while_the_list_is_not_answered_nobody_waits_for_it() {
    let mut dispatcher = dispatcher(20, Policy::default());
    call(&mut dispatcher, accepted(), at(0));
    for _ in 0..3 {
        call(&mut dispatcher, lost(), at(0));
    }
    assert!(dispatcher.wants_probe(at(2)));
    dispatcher.probed(Ok(()), at(2));
    call(&mut dispatcher, lost(), at(2));
    // It is the turn of the machines that failed, and they have to be looked up.
    assert!(dispatcher.wants_listing(at(33)).is_some());
    assert!(!dispatcher.wants_permit(at(33)));
    let list = Err(ListingError::Unanswered {
        trouble: Box::new(trouble(None)),
        never_sent: false,
    });
    dispatcher.listed(list, at(63), WALL);
    let n = call(&mut dispatcher, accepted(), at(63));
    assert!(n > 5, "another one");
    assert!(!dispatcher.is_out());
}

#[test]
fn those_that_failed_are_not_known_to_be_bad_when_one_of_them_is_answered() {
    let policy = Policy {
        max_attempts: 1,
        ..Policy::default()
    };
    let mut dispatcher = dispatcher(6, policy);
    call(&mut dispatcher, accepted(), at(0));
    let all: Vec<_> = (0..5)
        .map(|_| dispatcher.assign(at(0), WALL).unwrap().n)
        .collect();
    let fail = |dispatcher: &mut Dispatcher, these: &[u64], now| {
        for n in these {
            answer(dispatcher, *n, lost(), now, 1);
        }
    };
    fail(&mut dispatcher, &all, at(0));
    assert!(dispatcher.wants_probe(at(2)));
    dispatcher.probed(Ok(()), at(2));
    assert!(dispatcher.wants_listing(at(32)).is_some());
    dispatcher.listed(Ok(absent(&all, at(32))), at(32), WALL);
    let first = call(&mut dispatcher, accepted(), at(32));
    assert!(!dispatcher.is_out(), "starts are answered again");
    let mut again = Vec::new();
    for now in [33, 34, 35] {
        let attempt = dispatcher.assign(at(now), WALL).unwrap();
        assert_ne!(attempt.n, first);
        answer(&mut dispatcher, attempt.n, lost(), at(now), 1);
        again.push(attempt.n);
    }
    assert!(dispatcher.is_out(), "it is seen once more: {again:?}");
    assert_eq!(dispatcher.tally().of(Outcome::Failed), 0);
}

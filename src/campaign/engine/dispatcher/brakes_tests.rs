//! Brakes in combination with each other, with a resumed campaign and with a list that fails.

use std::time::Duration;

use super::{
    tests::{WALL, at, call, dispatcher},
    *,
};
use crate::{
    campaign::{
        brakes::BrakeOptions,
        engine::{
            lookup::{ListingError, NotListed},
            verdict::{Scan, Verdict},
        },
        outcome::Outcome,
        retry::OnPending,
    },
    client::reply::Said,
    store::{Left, Progress, Reach, SentAt},
};

const DELAY: u64 = 900;

fn accepted() -> Verdict {
    Verdict::Accepted(Scan::default())
}

fn asked_again() -> Policy {
    Policy {
        on_pending: OnPending::Retry {
            delay: Duration::from_secs(DELAY),
            tries: 4,
        },
        ..Policy::default()
    }
}

fn brakes(canary: u64, max_machines: Option<u64>) -> BrakeOptions {
    BrakeOptions {
        canary: Some(canary),
        max_machines,
        ..BrakeOptions::default()
    }
}

#[test]
fn a_busy_machine_goes_on_when_canaries_and_max_machines_leave_nobody_to_ask_about() {
    let options = brakes(2, Some(3));
    let mut dispatcher = dispatcher(5, asked_again()).with_brakes(options, Reach::default());
    assert_eq!(
        call(&mut dispatcher, Verdict::AlreadyPending(None), at(0)),
        1
    );
    call(&mut dispatcher, accepted(), at(1));
    call(&mut dispatcher, accepted(), at(2));
    dispatcher.take_records();
    assert_eq!(dispatcher.wants_canary_decision(), None);
    assert!(!dispatcher.is_over(), "it waits for its delay");
    assert_eq!(dispatcher.brakes.admitted(), Admitted::Anybody);
}

#[test]
fn nobody_judges_before_the_canaries_are_handed_over_to_be_written() {
    let mut dispatcher = dispatcher(5, Policy::default());
    dispatcher = dispatcher.with_brakes(brakes(1, None), Reach::default());
    call(&mut dispatcher, accepted(), at(0));
    assert_eq!(dispatcher.wants_canary_decision(), None);
    dispatcher.take_records();
    assert!(dispatcher.wants_canary_decision().is_some());
}

#[test]
fn the_one_that_may_go_is_read_however_many_are_due_before_it() {
    let mut dispatcher = dispatcher(0, asked_again());
    dispatcher = dispatcher.with_brakes(brakes(1, None), Reach::default());
    for n in 1..=6_000 {
        let last = n == 6_000;
        let left = Left {
            n,
            priority: None,
            not_before: None,
            is_begun: last,
            pending_tries: u32::from(!last),
            in_doubt: false,
            is_unsure: false,
        };
        dispatcher.left(left, at(0), WALL);
    }
    let wanted = dispatcher.wants_reading(at(1)).retries;
    assert_eq!(
        wanted.iter().map(|place| place.1).collect::<Vec<_>>(),
        [6_000]
    );
}

#[test]
fn the_risk_of_a_second_scan_is_taken_only_where_the_list_is_forbidden() {
    let unsure = |n| Unfinished {
        span: Duration::ZERO,
        target: Target {
            n,
            line: n + 1,
            machine_id: format!("{n:040x}"),
            scan_type: None,
            comment: None,
            priority: None,
            progress: Progress {
                attempts: 1,
                ..Progress::default()
            },
        },
        unsure: Some(SentAt {
            at: WALL,
            by_server: false,
        }),
    };
    let forbidden: fn() -> ListingError = || ListingError::Forbidden(Said::default());
    let failed: fn() -> ListingError = || NotListed::NotFound.into();
    for (error, tries, is_sent) in [(forbidden, 1, true), (failed, 5, false)] {
        let mut dispatcher = dispatcher(0, Policy::default());
        dispatcher.settings.risk_taken = true;
        dispatcher.targets = 1;
        dispatcher.left_unconfirmed.push_back(1);
        dispatcher.unconfirmed_read(1, vec![unsure(1)], at(0));
        for nth in 1..=tries {
            let now = at(nth * 200);
            assert!(dispatcher.wants_listing(now).is_some());
            dispatcher.listed(Err(error()), now, WALL);
        }
        assert_eq!(dispatcher.wants_permit(at(2_000)), is_sent);
        let unsure = dispatcher.tally().of(Outcome::Unsure);
        assert_eq!(unsure, u64::from(!is_sent));
    }
}

use std::time::Duration;

use super::{
    tests::{WALL, at, call, dispatcher, recall},
    *,
};
use crate::campaign::{
    engine::{
        lookup::{Finding, Listing, ListingError, NotListed},
        verdict::{Scan, Verdict},
    },
    outcome::Outcome,
    retry::OnPending,
};
use crate::client::reply::Said;

#[test]
fn pending_ones_are_asked_about_as_often_and_as_late_as_was_said() {
    let delay = Duration::from_mins(15);
    let policy = Policy {
        on_pending: OnPending::Retry { delay, tries: 3 },
        ..Policy::default()
    };
    let mut dispatcher = dispatcher(1, policy);
    call(&mut dispatcher, Verdict::AlreadyPending(None), at(0));
    for round in 1..3 {
        let due = at(0) + delay * round;
        let before = due - Duration::from_secs(1);
        recall(&mut dispatcher, before);
        assert!(!dispatcher.wants_permit(before));
        assert_eq!(
            dispatcher.assign(due, WALL),
            None,
            "the list is asked first"
        );
        listed(&mut dispatcher, due, &Finding::Absent);
        call(&mut dispatcher, Verdict::AlreadyPending(None), due);
    }
    assert_eq!(dispatcher.tally().of(Outcome::AlreadyPending), 1);
    assert_eq!(dispatcher.attempts(), 3);
}

/// A listing some seconds after `due`, with the same finding for every target.
fn listed(dispatcher: &mut Dispatcher, due: Moment, finding: &Finding) {
    assert!(!dispatcher.is_over());
    let now = due + Duration::from_secs(5);
    assert!(dispatcher.wants_listing(now).is_some());
    let listing = Listing {
        began: now,
        findings: (1..=9).map(|n| (n, finding.clone())).collect(),
        running: None,
        scans: HashMap::default(),
        server: ServerClock::default(),
    };
    dispatcher.listed(Ok(listing), now, WALL);
}

fn retried(tries: u32) -> Policy {
    Policy {
        on_pending: OnPending::Retry {
            delay: Duration::from_mins(15),
            tries,
        },
        ..Policy::default()
    }
}

fn somebodys() -> Scan {
    Scan {
        id: "theirs".into(),
        status: "InProgress".into(),
        created: "2026-01-01T00:00:00Z".into(),
    }
}

#[test]
fn a_look_that_finds_the_machine_busy_costs_a_try_and_no_call() {
    let mut dispatcher = dispatcher(1, retried(3));
    call(&mut dispatcher, Verdict::AlreadyPending(None), at(0));
    for round in 1..3 {
        let due = at(round * 910);
        recall(&mut dispatcher, due);
        assert_eq!(dispatcher.assign(due, WALL), None);
        listed(&mut dispatcher, due, &Finding::Busy(somebodys()));
    }
    assert_eq!(dispatcher.attempts(), 1);
    assert_eq!(dispatcher.tally().of(Outcome::AlreadyPending), 1);
    let records = dispatcher.take_records();
    let Some(Record::Changed { progress, .. }) = records.last() else {
        panic!("{records:?}");
    };
    assert_eq!(progress.action_id, "theirs");
    assert_eq!((progress.attempts, progress.pending_tries), (1, 3));
    assert!(dispatcher.is_over());
}

#[test]
fn a_finding_is_void_in_a_minute_but_not_for_ever() {
    let mut dispatcher = dispatcher(1, retried(4));
    call(&mut dispatcher, Verdict::AlreadyPending(None), at(0));
    for look in 0..3 {
        let now = at(1000 + 100 * look);
        recall(&mut dispatcher, now);
        assert_eq!(dispatcher.assign(now, WALL), None, "look {look}");
        listed(&mut dispatcher, now, &Finding::Absent);
    }
    assert!(dispatcher.assign(at(9000), WALL).is_some());
}

#[test]
fn where_the_list_is_forbidden_or_fails_again_and_again_a_call_asks() {
    let forbidden: fn() -> ListingError = || ListingError::Forbidden(Said::default());
    let failed: fn() -> ListingError = || NotListed::NotFound.into();
    for (error, times) in [(forbidden, 1), (failed, 5)] {
        let mut dispatcher = dispatcher(1, retried(4));
        call(&mut dispatcher, Verdict::AlreadyPending(None), at(0));
        recall(&mut dispatcher, at(1000));
        assert_eq!(dispatcher.assign(at(1000), WALL), None);
        let mut now = at(1010);
        for _ in 0..times {
            assert_eq!(dispatcher.assign(now, WALL), None);
            now = now + Duration::from_mins(10);
            assert!(dispatcher.wants_listing(now).is_some());
            dispatcher.listed(Err(error()), now, WALL);
        }
        assert!(dispatcher.assign(now, WALL).is_some(), "{:?}", error());
        let notes = dispatcher.take_notes();
        let told = notes
            .iter()
            .filter(|note| note.contains("a call of its own"));
        assert_eq!(told.count(), 1, "{notes:?}");
    }
}

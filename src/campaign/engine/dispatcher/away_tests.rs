use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    tests::{WALL, at, call, target},
    *,
};
use crate::{
    campaign::{
        away::{AtStart, AwayTarget},
        brakes::{BrakeOptions, NotAfter, SendTimes},
        engine::{
            sightings::{Seen, SightingError},
            verdict::{Scan, Verdict},
        },
        outcome::Outcome,
        running::Aside,
    },
    client::reply::Trouble,
    quota::{Clock, Kind, Pacer, Quota, TokioClock},
    store::Reach,
};

fn machine(n: u64) -> String {
    format!("{n:040x}")
}

fn wall(seconds: u64) -> Timestamp {
    WALL + SignedDuration::from_secs(i64::try_from(seconds).unwrap())
}

/// Ten machines, of which those with an even number are away.
fn deferring(not_after: Option<u64>) -> Dispatcher {
    let mut dispatcher = tests::dispatcher(0, Policy::default());
    dispatcher.targets = 10;
    dispatcher.cursor = Some(Cursor::START);
    let options = BrakeOptions {
        times: SendTimes {
            not_after: not_after.map(|seconds| NotAfter {
                at: wall(seconds),
                typed: "then".to_owned(),
            }),
            ..SendTimes::default()
        },
        ..BrakeOptions::default()
    };
    let targets = (2..=10).step_by(2).map(|n| AwayTarget {
        n,
        priority: Some(1),
        machine: machine(n),
    });
    let start = AtStart {
        after: SignedDuration::from_hours(24),
        targets: targets.collect(),
    };
    let mut dispatcher = dispatcher
        .with_brakes(options, Reach::default())
        .with_away(start, at(0));
    dispatcher.page_came(
        (1..=10).map(|n| target(n, Some(1))).collect(),
        Cursor::START,
    );
    dispatcher.page_came(Vec::new(), Cursor::START);
    dispatcher
}

/// What the engine does whenever something has happened.
fn turn(dispatcher: &mut Dispatcher, seconds: u64) {
    let clock: std::sync::Arc<dyn Clock> = std::sync::Arc::new(TokioClock::starting_at(WALL));
    let pacer = Pacer::new(&Quota::documented(), clock);
    dispatcher.end_deferral(at(seconds), wall(seconds), || pacer.forecast(Kind::Start));
    let reading: Vec<Aside> = dispatcher.parked_to_read();
    let targets = reading.iter().map(|(_, (_, n))| target(*n, Some(1)));
    dispatcher.parked_read(&reading, targets.collect());
}

/// Sends to all that are due; which they were.
fn sent(dispatcher: &mut Dispatcher, seconds: u64) -> Vec<u64> {
    let mut sent = Vec::new();
    while dispatcher.wants_permit(at(seconds)) {
        let scan = Scan {
            id: "a".to_owned(),
            status: "Pending".to_owned(),
            created: WALL.to_string(),
        };
        sent.push(call(dispatcher, Verdict::Accepted(scan), at(seconds)));
    }
    sent
}

fn seen(machines: &[u64]) -> Seen {
    machines.iter().map(|n| machine(*n)).collect()
}

#[tokio::test]
async fn those_that_are_away_go_behind_all_others_and_none_is_sent_to_twice() {
    let mut dispatcher = deferring(None);
    assert_eq!(dispatcher.standing(0).away, 5);
    turn(&mut dispatcher, 0);
    assert_eq!(sent(&mut dispatcher, 0), [1, 3, 5, 7, 9]);
    assert!(!dispatcher.is_over());
    turn(&mut dispatcher, 1);
    assert_eq!(dispatcher.standing(5).away, 0);
    assert_eq!(sent(&mut dispatcher, 1), [2, 4, 6, 8, 10]);
    dispatcher.take_records();
    assert!(dispatcher.is_over());
}

#[tokio::test]
async fn one_that_is_back_goes_before_the_others_and_the_rest_shortly_before_the_end() {
    let mut dispatcher = deferring(Some(7200));
    assert_eq!(dispatcher.wants_sightings(at(899), wall(899)), None);
    let since = dispatcher.wants_sightings(at(900), wall(900)).unwrap();
    assert_eq!(since, wall(900) - SignedDuration::from_hours(24));
    assert_eq!(
        dispatcher.wants_sightings(at(9000), wall(901)),
        None,
        "one at a time"
    );
    dispatcher.sighted(Ok(seen(&[4, 7, 99])));
    turn(&mut dispatcher, 901);
    assert_eq!(sent(&mut dispatcher, 901), [4, 1, 3, 5, 7, 9]);
    assert_eq!(dispatcher.standing(6).away, 4);
    for seconds in (902..6899).step_by(31) {
        turn(&mut dispatcher, seconds);
        assert!(sent(&mut dispatcher, seconds).is_empty(), "{seconds}");
    }
    assert!(dispatcher.waits_for_machines());
    let left = dispatcher.next_sightings(at(1000));
    assert_eq!(left, Some(Duration::from_secs(800)));
    turn(&mut dispatcher, 6931);
    assert_eq!(sent(&mut dispatcher, 6931), [2, 6, 8, 10]);
}

#[tokio::test]
async fn a_listing_that_fails_is_told_once_and_nobody_is_forgotten() {
    let mut dispatcher = deferring(Some(7200));
    dispatcher.take_notes();
    for look in 1..4 {
        assert!(
            dispatcher
                .wants_sightings(at(900 * look), wall(900 * look))
                .is_some()
        );
        dispatcher.sighted(Err(SightingError::Failed(
            "HTTP 500".to_owned(),
            Seen::default(),
        )));
    }
    assert_eq!(dispatcher.take_notes().len(), 1);
    assert!(dispatcher.wants_sightings(at(3600), wall(3600)).is_some());
    dispatcher.sighted(Err(SightingError::Forbidden("no role".to_owned())));
    assert_eq!(dispatcher.take_notes().len(), 1);
    assert_eq!(dispatcher.wants_sightings(at(4500), wall(4500)), None);
    assert_eq!(sent(&mut dispatcher, 4500).len(), 5);
    turn(&mut dispatcher, 6931);
    assert_eq!(sent(&mut dispatcher, 6931).len(), 5);
}

#[tokio::test]
async fn another_that_waits_beyond_the_end_keeps_nobody_from_going_before_it() {
    let mut dispatcher = deferring(Some(7200));
    turn(&mut dispatcher, 0);
    assert_eq!(sent(&mut dispatcher, 0), [1, 3, 5, 7, 9]);
    let busy = crate::campaign::engine::pending::PendingTarget::new(target(11, None));
    dispatcher.queue.put_later(busy, at(9000), at(0));
    turn(&mut dispatcher, 1000);
    assert!(sent(&mut dispatcher, 1000).is_empty(), "there is time yet");
    turn(&mut dispatcher, 6900);
    assert_eq!(sent(&mut dispatcher, 6900), [2, 4, 6, 8, 10]);
}

/// The five that are there are answered with this, one after the other.
fn all_there(dispatcher: &mut Dispatcher, verdict: impl Fn(u64) -> Verdict) {
    for second in 0..5 {
        turn(dispatcher, second);
        let verdict = verdict(second);
        call(dispatcher, verdict, at(second));
        if dispatcher.is_out() {
            return;
        }
    }
}

fn forbidden() -> Verdict {
    Verdict::Forbidden("the service forbids it".into())
}

#[tokio::test]
async fn what_a_403_is_meant_for_is_found_out_without_waiting_for_those_that_are_away() {
    let mut permitted = deferring(Some(700_000));
    all_there(&mut permitted, |second| match second {
        4 => forbidden(),
        _ => Verdict::Accepted(Scan::default()),
    });
    assert_eq!(permitted.tally().of(Outcome::Refused), 1);

    // Nobody of those that are there is answered otherwise: some of the others are tried, and they tell.
    let mut forbidden_for_all = deferring(Some(700_000));
    forbidden_for_all.queue = Queue::default();
    forbidden_for_all.queue.add_fresh(vec![target(1, Some(1))]);
    assert_eq!(call(&mut forbidden_for_all, forbidden(), at(0)), 1);
    for second in 1..4 {
        assert_eq!(forbidden_for_all.stop_reason(), None, "{second}");
        turn(&mut forbidden_for_all, second);
        let tried = call(&mut forbidden_for_all, forbidden(), at(second));
        assert!([2, 4, 6].contains(&tried), "{tried}");
    }
    let stop = forbidden_for_all.stop_reason();
    assert!(matches!(stop, Some(StopReason::Tenant(_))), "{stop:?}");
}

#[tokio::test]
async fn while_only_starts_fail_the_inventory_is_listed_and_what_was_seen_before_a_page_failed_counts()
 {
    let mut dispatcher = deferring(Some(700_000));
    all_there(&mut dispatcher, |second| match second {
        0 => Verdict::Accepted(Scan::default()),
        _ => Verdict::Unsure(Trouble {
            why: "HTTP 503".into(),
            ..Trouble::default()
        }),
    });
    assert!(dispatcher.is_out());
    assert_eq!(dispatcher.wants_sightings(at(900), wall(900)), None);
    assert!(dispatcher.wants_probe(at(901)));
    dispatcher.probed(Ok(()), at(901));
    assert!(
        dispatcher.is_out(),
        "the list is answered, and starts are not"
    );
    assert!(dispatcher.wants_sightings(at(902), wall(902)).is_some());
    let page = "a page was lost".to_owned();
    dispatcher.sighted(Err(SightingError::Failed(page, seen(&[4]))));
    assert_eq!(dispatcher.standing(5).away, 4);
}

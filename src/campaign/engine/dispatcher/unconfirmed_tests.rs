use super::{
    tests::{WALL, answer, at, call, dispatcher, target, throttled, unsure},
    *,
};
use crate::{
    campaign::{
        engine::{
            lookup::{Finding, Listing, ListingError, NotListed},
            verdict::{Scan, Verdict},
        },
        outcome::Outcome,
    },
    client::reply::Said,
    store::{Left, SentAt},
};

#[test]
fn beyond_twenty_thousand_in_doubt_nothing_is_sent_until_a_listing_has_told() {
    let mut dispatcher = dispatcher(20_002, Policy::default());
    call(&mut dispatcher, Verdict::Accepted(Scan::default()), at(0));
    for _ in 0..20_000 {
        call(&mut dispatcher, unsure(), at(0));
    }
    assert!(!dispatcher.wants_permit(at(0)));
    assert!(dispatcher.wants_listing(at(30)).is_some());
    for failure in 1..=5 {
        dispatcher.listed(Err(NotListed::NotFound.into()), at(30 + failure), WALL);
    }
    assert!(dispatcher.wants_permit(at(40)), "they ended as unsure");
}

#[test]
fn those_in_doubt_since_an_earlier_run_are_read_many_at_a_time_and_none_is_lost() {
    let mut dispatcher = dispatcher(1, Policy::default());
    call(&mut dispatcher, Verdict::Accepted(Scan::default()), at(0));
    for n in 2..=25_001 {
        let left = Left {
            n,
            priority: None,
            not_before: None,
            is_begun: true,
            pending_tries: 0,
            in_doubt: true,
            is_unsure: false,
        };
        dispatcher.left(left, at(0), WALL);
    }
    let mut read = 0;
    loop {
        let reading = dispatcher.wants_reading(at(0));
        if reading.unconfirmed.is_empty() {
            break;
        }
        let unconfirmed = reading.unconfirmed.iter().map(|&n| Unfinished {
            span: std::time::Duration::ZERO,
            target: target(n, None),
            unsure: Some(SentAt {
                at: WALL,
                by_server: true,
            }),
        });
        let unconfirmed: Vec<_> = unconfirmed.collect();
        read += unconfirmed.len();
        dispatcher.recalled(&reading, Vec::new(), unconfirmed, at(0));
    }
    assert_eq!(read, 20_000);
    assert!(!dispatcher.is_over());
    dispatcher.listed(Err(ListingError::Forbidden(Said::default())), at(30), WALL);
    assert_eq!(dispatcher.tally().of(Outcome::Unsure), 20_000);
    assert_eq!(dispatcher.wants_reading(at(31)).unconfirmed.len(), 5_000);
}

/// A listing that began at `began` and shows no scan of this target.
fn absent(n: u64, began: Moment) -> Listing {
    Listing {
        began,
        findings: [(n, Finding::Absent)].into(),
        running: None,
        scans: HashMap::default(),
        server: ServerClock::default(),
    }
}

#[test]
fn a_finding_that_will_be_void_when_its_turn_comes_is_made_anew_shortly_before_and_keeps_its_place()
{
    let mut dispatcher = dispatcher(0, Policy::default());
    let mut page = vec![target(1, Some(1)), target(2, Some(1))];
    page.extend((3..=9).map(|n| target(n, Some(2))));
    dispatcher.targets = 9;
    dispatcher.page_came(page, Cursor::Plain(0));
    assert_eq!(
        call(&mut dispatcher, Verdict::Accepted(Scan::default()), at(0)),
        1
    );
    assert_eq!(call(&mut dispatcher, unsure(), at(0)), 2);
    assert!(dispatcher.wants_listing(at(30)).is_some());
    dispatcher.listed(Ok(absent(2, at(30))), at(30), WALL);
    // Its turn is in a quarter of an hour, a minute or half a minute: too early to look it up again.
    for (now, turn) in [(at(41), at(940)), (at(42), at(120)), (at(80), at(120))] {
        dispatcher.look_ahead(now, |_| turn);
        assert!(dispatcher.wants_listing(now).is_none(), "{turn:?}");
    }
    // A finding that will still be valid is not renewed.
    dispatcher.look_ahead(at(81), |_| at(85));
    assert!(dispatcher.wants_listing(at(81)).is_none());
    // There is no second look within a second.
    assert!(!dispatcher.wants_look_ahead(at(81)));
    assert!(dispatcher.wants_look_ahead(at(82)));
    dispatcher.look_ahead(at(101), |_| at(120));
    assert!(dispatcher.wants_listing(at(101)).is_some());
    dispatcher.listed(Ok(absent(2, at(102))), at(103), WALL);
    let next = dispatcher.assign(at(103), WALL).expect("a target is due");
    assert_eq!(
        (next.n, next.send_by),
        (2, Some(at(162))),
        "without a backoff"
    );
    assert_eq!(dispatcher.assign(at(120), WALL).map(|next| next.n), Some(3));
}

#[test]
fn whoever_was_put_to_the_front_is_there_again_after_it_was_looked_up() {
    let mut dispatcher = dispatcher(3, Policy::default());
    call(&mut dispatcher, Verdict::Accepted(Scan::default()), at(0));
    assert_eq!(call(&mut dispatcher, unsure(), at(0)), 2);
    assert!(dispatcher.wants_listing(at(30)).is_some());
    dispatcher.listed(Ok(absent(2, at(30))), at(30), WALL);
    // A fresh target of the same priority.
    let other = dispatcher.assign(at(50), WALL).expect("the third");
    assert_eq!(other.n, 3);
    assert_eq!(call(&mut dispatcher, throttled(), at(50)), 2);
    answer(&mut dispatcher, 3, throttled(), at(50), 1);
    dispatcher.look_ahead(at(100), |_| at(110));
    assert!(dispatcher.wants_listing(at(100)).is_some());
    dispatcher.listed(Ok(absent(2, at(100))), at(101), WALL);
    assert_eq!(dispatcher.assign(at(110), WALL).map(|next| next.n), Some(2));
    assert_eq!(dispatcher.assign(at(110), WALL).map(|next| next.n), Some(3));
}

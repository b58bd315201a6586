use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;

use super::{
    places::{HeldScan, Holder, Places},
    tests::{WALL, at},
};
use crate::campaign::running::{Groups, RunningLimits};

const TARGETS: u64 = 12;

/// Three in whole, two at each of four sites.
fn places() -> Places {
    let limits = RunningLimits {
        most: Some(3),
        per: vec!["site=2".parse().unwrap()],
        ..RunningLimits::default()
    };
    let mut groups = Groups::new(&limits, &["site".to_owned()]);
    for n in 1..=TARGETS {
        groups.add(n, &format!("s{}", n % 4));
    }
    Places::new(limits, groups)
}

fn scan() -> HeldScan {
    HeldScan {
        id: "a".to_owned(),
        machine: "m".to_owned(),
        status: "Pending".to_owned(),
        created: Some(WALL),
        listed_from: WALL,
        known_since: at(0),
        ran_at: None,
        is_accepted: true,
    }
}

proptest! {
    #[test]
    fn whoever_asks_before_taking_never_takes_more_than_there_are(
        steps in proptest::collection::vec((1..=TARGETS, 0..5_u8), 0..200),
    ) {
        let mut places = places();
        let mut held: HashMap<u64, u64> = HashMap::new();
        for (n, step) in steps {
            match step {
                0 | 1 => {
                    let may = held.contains_key(&n) || (!places.is_full() && places.blocked_by(n).is_none());
                    if may {
                        places.take(n);
                        held.insert(n, n % 4);
                    }
                }
                2 => {
                    let was_held = held.remove(&n).is_some();
                    prop_assert_eq!(places.release(n).is_some(), was_held);
                }
                3 if held.contains_key(&n) => places.hold_for(n, Holder::Scan(scan())),
                3 => {}
                _ => {
                    let is_scan = places.scans().any(|(held, _)| held == n);
                    if is_scan {
                        places.is_overdue(n);
                        held.remove(&n);
                    }
                }
            }
            prop_assert_eq!(places.taken(), held.len() as u64);
            prop_assert!(held.len() <= 3);
            for site in 0..4 {
                let there = held.values().filter(|held| **held == site).count();
                prop_assert!(there <= 2, "{there} at site {site}");
            }
        }
    }
}

#[test]
fn a_scan_is_overdue_when_it_is_old_and_was_not_seen_to_run_for_as_long() {
    let timeout = Duration::from_hours(2);
    let server = |seconds: i64| WALL + jiff::SignedDuration::from_secs(seconds);
    let mut pending = scan();
    assert!(!pending.is_overdue(timeout, at(7199), Some(server(7199))));
    assert!(pending.is_overdue(timeout, at(7200), Some(server(7200))));
    pending.ran_at = Some(at(7000));
    assert!(!pending.is_overdue(timeout, at(7200), Some(server(7200))));
    assert!(pending.is_overdue(timeout, at(14_200), Some(server(14_200))));
    // Where the service does not say when it was created, it is as old as it has been known.
    pending = HeldScan {
        created: None,
        ..scan()
    };
    assert!(!pending.is_overdue(timeout, at(7199), Some(server(99_999))));
    assert!(pending.is_overdue(timeout, at(7200), Some(server(0))));
}

proptest! {
    #[test]
    fn in_whatever_order_places_are_taken_each_has_had_one_after_so_many_rounds(
        mut order in Just((1..=TARGETS).collect::<Vec<_>>()).prop_shuffle(),
        taken in 0..4_u64,
    ) {
        let mut places = places();
        for n in order.drain(..usize::try_from(taken).unwrap()) {
            if places.blocked_by(n).is_none() && !places.is_full() {
                places.take(n);
            }
        }
        let rounds = places.rounds(order.iter().copied());
        let mut so_far = 0;
        loop {
            order.retain(|n| {
                let may = !places.is_full() && places.blocked_by(*n).is_none();
                if may {
                    places.take(*n);
                }
                !may
            });
            if order.is_empty() {
                break;
            }
            so_far += 1;
            (1..=TARGETS).for_each(|n| drop(places.release(n)));
        }
        prop_assert!(so_far <= rounds, "{} {}", so_far, rounds);
    }
}

use std::collections::HashSet;

use super::{parked::Parked, tests::target};
use crate::campaign::engine::pending::PendingTarget;

const A: (usize, u32) = (0, 1);
const B: (usize, u32) = (1, 0);

fn pending(n: u64, priority: Option<i64>) -> PendingTarget {
    PendingTarget::new(target(n, priority))
}

/// Takes all that have room, in their order.
fn drain(parked: &mut Parked, room: impl Fn((usize, u32)) -> u64) -> Vec<u64> {
    std::iter::from_fn(|| parked.take(&room))
        .map(|pending| pending.target.n)
        .collect()
}

#[test]
fn those_whose_group_has_room_go_by_priority_and_row_and_the_others_stay() {
    let mut parked = Parked::default();
    for (n, group, priority) in [
        (9, A, Some(2)),
        (3, B, Some(1)),
        (4, A, None),
        (5, A, Some(1)),
        (2, B, None),
    ] {
        parked.put(group, pending(n, priority));
    }
    let only_a = |group| u64::from(group == A);
    assert!(parked.waits(only_a));
    assert_eq!(parked.first(only_a), Some(1));
    assert_eq!(drain(&mut parked, only_a), [5, 9, 4]);
    assert_eq!(parked.first(only_a), None);
    assert!(!parked.is_empty() && !parked.waits(|_| 1));
    let these = HashSet::from([2]);
    assert!(!parked.has_of(&these, only_a) && parked.has_of(&these, |_| 1));
    let taken = parked.take_of(&these, |_| 1);
    assert_eq!(taken.map(|pending| pending.target.n), Some(2));
    assert_eq!(drain(&mut parked, |_| 1), [3]);
    assert!(parked.is_empty());
}

#[test]
fn many_are_kept_by_number_and_each_comes_back_once() {
    let mut parked = Parked::default();
    let all = 1..=10_000;
    for n in all.clone() {
        parked.put(A, pending(n, None));
    }
    let mut begun = pending(20_000, None);
    begun.target.progress.attempts = 1;
    parked.put(A, begun);
    assert_eq!(parked.begun(), 1);
    let mut came = Vec::new();
    let mut reads = 0;
    while !parked.is_empty() {
        came.extend(drain(&mut parked, |_| 2000));
        let wanted = parked.wanted(|_| 2000);
        assert!(wanted.len() <= 2000);
        let targets = wanted.iter().map(|(_, (_, n))| target(*n, None));
        // Something has happened to one of them, so that it is not read any more.
        parked.came(&wanted, targets.filter(|target| target.n != 9000).collect());
        reads += 1;
    }
    assert!(reads > 1, "not all were kept in memory");
    let expected = all.filter(|n| *n != 9000).chain([20_000]);
    assert!(came.into_iter().eq(expected));
}

#[test]
fn only_those_that_were_sent_to_stay_when_no_new_ones_may_start() {
    let mut parked = Parked::default();
    parked.put(A, pending(1, None));
    let mut begun = pending(2, None);
    begun.target.progress.attempts = 1;
    parked.put(B, begun);
    parked.drop_new();
    assert_eq!(drain(&mut parked, |_| 1), [2]);
    assert_eq!(parked.begun(), 0);
}

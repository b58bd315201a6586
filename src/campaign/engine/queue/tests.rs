use std::time::Duration;

use super::*;
use crate::store::Progress;

fn due(n: u64, priority: Option<i64>) -> PendingTarget {
    PendingTarget::new(target(n, priority))
}

fn target(n: u64, priority: Option<i64>) -> Target {
    Target {
        n,
        line: n + 1,
        machine_id: format!("{n:040x}"),
        scan_type: None,
        comment: None,
        priority,
        progress: Progress::default(),
    }
}

fn at(seconds: u64) -> Moment {
    Moment::ZERO + Duration::from_secs(seconds)
}

#[test]
fn the_order_is_priority_then_put_back_fresh_retries_and_last_the_refused() {
    let mut queue = Queue::default();
    queue.add_fresh(vec![
        target(1, Some(1)),
        target(2, Some(2)),
        target(3, None),
    ]);
    queue.put_behind(due(4, Some(0)));
    queue.put_later(due(5, Some(1)), at(9), at(8));
    queue.put_later(due(6, Some(1)), at(8), at(8));
    queue.put_later(due(7, Some(0)), at(11), at(10));
    queue.put_back(due(8, Some(2)));
    queue.put_back(due(9, None));
    let order: Vec<u64> = std::iter::from_fn(|| queue.pop(at(10)))
        .map(|d| d.target.n)
        .collect();
    assert_eq!(order, [1, 6, 5, 8, 2, 9, 3, 4]);
    assert!(!queue.has_due(at(10)));
    assert_eq!(queue.next_later(), Some(at(11)));
    assert_eq!(queue.pop(at(11)).map(|d| d.target.n), Some(7));
    assert!(queue.is_empty());
}

/// Reads whatever the queue wants, as the store would.
fn read(queue: &mut Queue, now: Moment) -> usize {
    let places = queue.recall(now);
    let targets = places.iter().map(|&(_, n)| target(n, priority(n)));
    queue.recalled(&places, targets.collect());
    places.len()
}

fn priority(n: u64) -> Option<i64> {
    (!n.is_multiple_of(3)).then_some((n % 3).cast_signed())
}

#[test]
fn nobody_waits_for_a_target_that_the_store_has_no_more() {
    for ripe in [at(10), at(30)] {
        let mut queue = Queue::default();
        queue.put_later(due(1, Some(1)), at(10), at(0));
        queue.put_later(due(2, Some(2)), at(10), at(0));
        let places = queue.recall(at(9));
        assert_eq!(places.len(), 2);
        assert!(!queue.has_due(ripe), "the first of them is in the store");
        queue.recalled(&places, vec![target(2, Some(2))]);
        assert_eq!(queue.pop(ripe).map(|due| due.target.n), Some(2));
        assert!(queue.is_empty() && queue.recall(ripe).is_empty());
    }
}

#[test]
fn many_retries_are_places_and_only_the_next_ones_are_at_hand() {
    let mut queue = Queue::default();
    for n in 1..=200_000 {
        queue.put_later(due(n, priority(n)), at(100 + n / 1_000), at(0));
    }
    assert_eq!(queue.at_hand(), 0);
    assert_eq!(read(&mut queue, at(90)), 0, "none is due soon");
    for now in 99..400 {
        read(&mut queue, at(now));
        assert!(queue.at_hand() <= 2 * AT_HAND, "{}", queue.at_hand());
    }
    let mut sent = 0;
    while !queue.is_empty() {
        let popped = std::iter::from_fn(|| queue.pop(at(400))).count();
        assert!(popped > 0, "everything is due, so something goes");
        sent += popped;
        read(&mut queue, at(400));
    }
    assert_eq!(sent, 200_000);
}

proptest::proptest! {
    #[test]
    fn who_waits_in_the_store_goes_exactly_when_it_would_have_gone_from_memory(
        delays in proptest::collection::vec(0..20_usize, 1..40),
        late in proptest::collection::vec(proptest::bool::ANY, 40),
    ) {
        let (mut all, mut some) = (Queue::default(), Queue::default());
        for (n, &place) in (1..).zip(&delays) {
            let delay = place as u64;
            let one = due(n, priority(n));
            all.later.insert((at(delay), n), Waiter::of(one.clone()));
            if late[place] {
                let stored = Stored {
                    n,
                    priority: priority(n),
                    is_begun: true,
                pending_tries: 0,
                };
                some.put_stored(stored, at(delay));
            } else {
                some.put_later(one, at(delay), at(0));
            }
        }
        for step in 0..40_usize {
            let second = step as u64;
            // Sometimes the store is slow. Then no target goes before those that wait for it.
            if !late[39 - step] || second > 30 {
                read(&mut some, at(second));
            }
            for _ in 0..2 {
                if some.has_due(at(second)) {
                    let (expected, got) = (all.pop(at(second)), some.pop(at(second)));
                    proptest::prop_assert_eq!(expected, got);
                } else {
                    proptest::prop_assert_eq!(some.pop(at(second)), None);
                }
            }
        }
        proptest::prop_assert!(!some.has_due(at(40)) || !all.is_empty());
    }
}

#[test]
fn of_some_alone_the_order_is_the_same() {
    let mut queue = Queue::default();
    queue.add_fresh(vec![target(1, Some(0))]);
    queue.put_behind(due(2, Some(0)));
    queue.put_behind(due(3, Some(0)));
    queue.put_later(due(4, Some(2)), at(1), at(1));
    queue.put_later(due(5, Some(2)), at(1), at(1));
    queue.put_later(due(6, Some(1)), at(11), at(10));
    queue.put_back(due(7, Some(2)));
    queue.put_back(due(8, Some(3)));
    let these = HashSet::from([3, 5, 6, 7, 8]);
    let mut order = Vec::new();
    while queue.has_due_of(&these, at(10)) {
        order.extend(queue.pop_of(&these, at(10)).map(|d| d.target.n));
    }
    assert_eq!(order, [7, 5, 8, 3]);
    assert_eq!(queue.pop_of(&these, at(10)), None);
    assert_eq!(queue.pop_of(&these, at(11)).map(|d| d.target.n), Some(6));
    assert_eq!(queue.len(), 3);
}

#[test]
fn what_nothing_was_sent_to_can_be_dropped() {
    let begun = |n| {
        let mut due = due(n, None);
        due.target.progress.attempts = 1;
        due
    };
    let mut queue = Queue::default();
    queue.add_fresh(vec![target(1, None)]);
    for (n, due) in [(2, due(2, None)), (3, begun(3))] {
        queue.put_back(due.clone());
        for (copy, at) in [(10, at(1)), (20, at(11))] {
            let mut due = due.clone();
            due.target.n = n + copy;
            queue.put_later(due, at, at);
        }
        let mut due = due.clone();
        due.target.n = n + 30;
        queue.put_behind(due);
    }
    queue.drop_new();
    let left = std::iter::from_fn(|| queue.pop(at(20)));
    assert_eq!(
        left.map(|d| d.target.n).collect::<Vec<_>>(),
        [3, 13, 23, 33]
    );
}

#[test]
fn one_that_all_others_wait_for_is_at_hand_however_many_are_due_before_it() {
    let mut queue = Queue::default();
    for n in 1..=2 * AT_HAND as u64 {
        let stored = Stored {
            n,
            priority: Some(0),
            is_begun: true,
            pending_tries: 0,
        };
        queue.put_stored(stored, at(1));
    }
    let mut canary = due(9_999, Some(1));
    canary.canary = true;
    queue.put_later(canary, at(300), at(1));
    read(&mut queue, at(300));
    let these = HashSet::from([9_999]);
    let popped = queue.pop_of(&these, at(300));
    assert_eq!(popped.map(|due| due.target.n), Some(9_999));
}

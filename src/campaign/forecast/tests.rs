//! The forecast against what can be computed by hand.

use super::*;
use crate::quota::{Clock, Kind, Moment, Quota, QuotaSnapshot};

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Moment {
        Moment::ZERO + 60 * MINUTE
    }

    fn wall(&self) -> Timestamp {
        "2026-11-24T09:10:30Z".parse().unwrap()
    }
}

fn prospect(fresh: u64) -> Prospect {
    let quota = QuotaSnapshot::unspent(&Quota::documented(), &Still).forecast(Kind::Start);
    Prospect {
        on_pending: OnPending::Retry {
            delay: 15 * MINUTE,
            tries: 4,
        },
        ..Prospect::new(quota, fresh, Bounds::default(), Still.wall())
    }
}

fn last(prospect: &Prospect) -> Duration {
    prospect.last_call().unwrap().likely
}

#[test]
fn of_targets_that_nothing_is_known_of_it_is_the_lower_bound() {
    for fresh in [1, 100, 101, 1_500, 1_501, 10_000] {
        let prospect = prospect(fresh);
        assert_eq!(last(&prospect), prospect.quota.lower_bound(fresh));
    }
    assert_eq!(prospect(0).last_call(), None);
}

#[test]
fn those_that_wait_go_when_their_time_has_come_and_the_quota_has_room() {
    let mut prospect = prospect(100);
    prospect.begun.waiting = vec![(20 * MINUTE, Why::Busy(1)), (5 * SECOND, Why::Again)];
    assert_eq!(last(&prospect), 20 * MINUTE);
    // The hundred have filled the minute.
    prospect.begun.waiting.remove(0);
    assert_eq!(last(&prospect), MINUTE);
}

#[test]
fn the_share_of_busy_machines_that_was_seen_comes_back_after_its_delay() {
    let mut prospect = prospect(1_000);
    for call in 0..100 {
        prospect.begun.seen.asked(0, call < 10);
    }
    let delay = 15 * MINUTE + 5 * SECOND;
    let by_then = 9 * MINUTE + delay;
    let told = last(&prospect);
    assert!(told <= by_then && told + MINUTE > by_then, "{told:?}");
    // Half of them are busy still, twice; the list tells, and after that nothing is known.
    for look in 0..2 {
        prospect.begun.seen.asked(1, look == 0);
        prospect.begun.seen.asked(2, look == 0);
    }
    let told = last(&prospect);
    assert!(told + 2 * MINUTE > 9 * MINUTE + 3 * delay, "{told:?}");
    // Whoever is not asked again makes no difference.
    prospect.on_pending = OnPending::Skip;
    assert_eq!(last(&prospect), 9 * MINUTE);
}

#[test]
fn calls_that_are_made_once_more_take_their_places() {
    let mut prospect = prospect(1_400);
    for call in 0..100 {
        prospect.begun.seen.answered(SECOND);
        if call < 10 {
            prospect.begun.seen.will_repeat(false, 10 * SECOND);
        }
    }
    // 1540 calls in all, of which an hour holds 1500.
    let told = last(&prospect);
    assert!(told > 60 * MINUTE && told < 61 * MINUTE, "{told:?}");
}

#[test]
fn what_is_looked_up_may_need_no_call() {
    let mut prospect = prospect(0);
    prospect.begun.waiting = vec![(40 * SECOND, Why::Lookup); 2];
    assert_eq!(last(&prospect), 40 * SECOND);
    prospect.begun.seen.looked_up(false);
    assert_eq!(prospect.last_call(), None);
}

#[test]
fn hours_and_the_end_bound_it_and_say_what_is_left_over() {
    let mut prospect = prospect(2_000);
    prospect.bounds.hours = Some("08:00-09:15@UTC".parse().unwrap());
    // 500 until a quarter past, and the others tomorrow.
    assert!(last(&prospect) > 22 * 60 * MINUTE);
    prospect.bounds.not_after = Some("2026-11-24T18:00:00Z".parse().unwrap());
    let mut course = Course::new(&prospect, Lean::Likely);
    assert_eq!(course.calls(&prospect.quota).count(), 500);
    assert_eq!(
        course.left_over(),
        (Some(StoppedBy::NotAfter), 1_500),
        "the one that was next counts too"
    );
}

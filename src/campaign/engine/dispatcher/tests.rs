use std::time::Duration;

use jiff::Timestamp;

use super::*;

use crate::{
    campaign::engine::verdict::{Judgement, Scan, Verdict},
    client::reply::{Class, Said, Trouble},
    store::{Progress, Target},
};

pub(super) fn at(seconds: u64) -> Moment {
    Moment::ZERO + Duration::from_secs(3600 + seconds)
}

pub(super) const WALL: Timestamp = Timestamp::constant(1_767_225_600, 0);

pub(super) fn target(n: u64, priority: Option<i64>) -> Target {
    Target {
        n,
        line: n + 1,
        machine_id: format!("{n:040X}"),
        scan_type: None,
        comment: None,
        priority,
        progress: Progress::default(),
    }
}

/// A dispatcher that holds `targets` fresh ones, one after the other.
pub(super) fn dispatcher(targets: u64, policy: Policy) -> Dispatcher {
    let settings = Settings {
        campaign: CampaignId::known("ab12cd34ef"),
        scan_type: "Quick",
        comment: "sweep".into(),
        policy,
        capacity: 100,
        risk_taken: false,
        seed: 1,
    };
    let mut dispatcher = Dispatcher::new(settings, targets, Tally::default());
    let page = (1..=targets).map(|n| target(n, Some(1))).collect();
    dispatcher.page_came(page, Cursor::Plain(0));
    dispatcher.page_came(Vec::new(), Cursor::Plain(0));
    dispatcher
}

/// One call, sent and answered at `now`; which target it was for.
pub(super) fn call(dispatcher: &mut Dispatcher, verdict: Verdict, now: Moment) -> u64 {
    let n = dispatcher.assign(now, WALL).expect("a target is due").n;
    answer(dispatcher, n, verdict, now, 1);
    n
}

pub(super) fn answer(
    dispatcher: &mut Dispatcher,
    n: u64,
    verdict: Verdict,
    now: Moment,
    token: u64,
) {
    answer_late(dispatcher, n, verdict, now, now, token);
}

/// The answer, at `ended`, to a call that went out at `sent`.
pub(super) fn answer_late(
    dispatcher: &mut Dispatcher,
    n: u64,
    verdict: Verdict,
    sent: Moment,
    ended: Moment,
    token: u64,
) {
    let class = match &verdict {
        Verdict::NotSent(trouble) => Class::NeverSent(trouble.clone()),
        Verdict::Unsure(trouble) if trouble.why.is_empty() => Class::Own(Said::default()),
        Verdict::Unsure(trouble) => Class::Perhaps(trouble.clone()),
        _ => Class::Own(Said::default()),
    };
    let status = match &verdict {
        Verdict::Forbidden(_) => 403,
        Verdict::Unauthorized => 401,
        Verdict::Throttled(_) => 429,
        _ => 299,
    };
    let judgement = Judgement {
        verdict,
        http_status: Some(status),
        error_code: String::new(),
        message: String::new(),
        correlation_id: String::new(),
        class,
        comment_lost: false,
    };
    let event = Sending::Replied {
        judgement: Box::new(judgement),
        sent,
        ended,
        date: None,
        token,
    };
    dispatcher.reported(Report { n, event }, WALL);
}

/// An answer of the service's own that does not tell what happened.
pub(super) fn unsure() -> Verdict {
    Verdict::Unsure(Trouble::default())
}

pub(super) fn throttled() -> Verdict {
    Verdict::Throttled(crate::defender::Throttle {
        hold: Duration::from_secs(1),
        window: None,
    })
}

/// Reads what the dispatcher wants of the store, which has the records of target 1.
pub(super) fn recall(dispatcher: &mut Dispatcher, now: Moment) {
    let reading = dispatcher.wants_reading(now);
    let progress = dispatcher.take_records().into_iter().rev();
    let progress = progress.filter_map(|record| match record {
        Record::Changed { progress, .. } => Some(*progress),
        _ => None,
    });
    let retries = progress
        .take(reading.retries.len())
        .map(|progress| Unfinished {
            span: Duration::ZERO,
            target: Target {
                progress,
                ..target(1, Some(1))
            },
            unsure: None,
        });
    dispatcher.recalled(&reading, retries.collect(), Vec::new(), now);
}

#[test]
fn nobody_wakes_up_for_what_is_due_already() {
    let mut dispatcher = dispatcher(2, Policy::default());
    call(&mut dispatcher, Verdict::NotFound, at(0));
    let due = dispatcher.next_wake(at(0)).expect("the retry");
    assert!(due >= at(5));
    recall(&mut dispatcher, due);
    assert_eq!(dispatcher.next_wake(due), None, "it waits for a permit now");
    assert!(dispatcher.wants_permit(due));
}

#[test]
fn nobody_wakes_up_while_the_campaign_stops() {
    let mut dispatcher = dispatcher(3, Policy::default());
    call(&mut dispatcher, Verdict::NotFound, at(0));
    call(&mut dispatcher, unsure(), at(0));
    dispatcher.stop(StopReason::Interrupted);
    assert_eq!(dispatcher.next_wake(at(0)), None);
    assert_eq!(dispatcher.wants_listing(at(60)).map(|_| ()), None);
}

#[test]
fn a_refused_target_goes_to_the_front_twice_and_then_behind_all_others() {
    let mut dispatcher = dispatcher(3, Policy::default());
    for _ in 0..3 {
        assert_eq!(call(&mut dispatcher, throttled(), at(0)), 1);
    }
    let rest: Vec<_> = (0..3)
        .map(|_| call(&mut dispatcher, Verdict::Refused, at(0)))
        .collect();
    assert_eq!(rest, [2, 3, 1]);
    assert_eq!(dispatcher.throttled(), 3);
}

#[test]
fn the_first_call_goes_alone_until_its_verdict_is_there() {
    let mut dispatcher = dispatcher(3, Policy::default());
    let first = dispatcher.assign(at(0), WALL).expect("the first");
    assert!(!dispatcher.wants_permit(at(0)));
    assert_eq!(dispatcher.assign(at(0), WALL), None);
    answer(&mut dispatcher, first.n, Verdict::Refused, at(1), 1);
    assert!(dispatcher.assign(at(1), WALL).is_some());
    assert!(dispatcher.wants_permit(at(1)));
}

#[test]
fn an_attempt_bears_the_tag_and_the_machine_in_lower_case() {
    let attempt = dispatcher(1, Policy::default())
        .assign(at(0), WALL)
        .expect("a target");
    assert_eq!(attempt.comment, "[fleetsweep:ab12cd34ef:1] sweep");
    assert_eq!(attempt.machine, format!("{:040x}", 1));
    assert_eq!((attempt.number, attempt.send_by), (1, None));
}

#[test]
fn the_brake_asks_the_twenty_fifth_end_and_no_other() {
    for scanned in [None, Some(1), Some(25)] {
        let mut dispatcher = dispatcher(30, Policy::default());
        for end in 1..=30 {
            let verdict = if scanned == Some(end) {
                Verdict::Accepted(Scan::default())
            } else {
                Verdict::Refused
            };
            assert_eq!(dispatcher.stop_reason(), None, "before end {end}");
            call(&mut dispatcher, verdict, at(0));
            if scanned.is_none() && end == 25 {
                assert!(matches!(
                    dispatcher.stop_reason(),
                    Some(StopReason::Brake(_))
                ));
                break;
            }
        }
    }
}

#[test]
fn a_machine_that_is_unauthorized_with_a_renewed_token_too_stops_the_campaign() {
    let mut dispatcher = dispatcher(5, Policy::default());
    call_with(&mut dispatcher, Verdict::Refused, 1);
    let sick = dispatcher.assign(at(0), WALL).expect("a target").n;
    answer(&mut dispatcher, sick, Verdict::Unauthorized, at(0), 1);
    assert_eq!(dispatcher.wants_renewal(), Some(1));
    dispatcher.renewed(Ok(2));
    assert_eq!(dispatcher.assign(at(0), WALL).map(|a| a.n), Some(sick));
    // Meanwhile the new token is good for others: that must not make it an endless loop.
    call_with(&mut dispatcher, Verdict::Refused, 2);
    assert_eq!(dispatcher.stop_reason(), None);
    answer(&mut dispatcher, sick, Verdict::Unauthorized, at(0), 2);
    assert!(matches!(
        dispatcher.stop_reason(),
        Some(StopReason::Tenant(_))
    ));
}

#[test]
fn a_token_that_expires_every_hour_is_renewed_every_hour() {
    let mut dispatcher = dispatcher(9, Policy::default());
    for token in 1..=4 {
        call_with(&mut dispatcher, Verdict::Refused, token);
        call_with(&mut dispatcher, Verdict::Unauthorized, token);
        assert_eq!(dispatcher.wants_renewal(), Some(token));
        dispatcher.renewed(Ok(token + 1));
    }
    assert_eq!(dispatcher.stop_reason(), None);
}

fn call_with(dispatcher: &mut Dispatcher, verdict: Verdict, token: u64) {
    let n = dispatcher.assign(at(0), WALL).expect("a target is due").n;
    answer(dispatcher, n, verdict, at(0), token);
}

//! When the last call goes out, as it is told ten times in the course of a campaign, against when it went. The tenant's
//! witness is the judge.

use std::{sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{
        brakes::{BrakeOptions, SendTimes},
        outcome::Outcome,
        retry::{OnPending, Policy},
    },
    mock::{Chances, Kind, MockConfig, Outage, Shape},
    monitor::LastCall,
};

use super::rig::{Rig, Told, fleet};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn tenant() -> MockConfig {
    MockConfig {
        latency: SECOND / 20..=SECOND / 2,
        ..MockConfig::default()
    }
}

/// The forecast that was told last before ten times of the campaign, and how much longer it took by then.
fn ten(told: &Told) -> Vec<(LastCall, Duration)> {
    let calls = told.tenant.witness().seen(Kind::Start);
    let last = calls.iter().map(|seen| seen.arrived).max().unwrap();
    let tenth = |n: u32| {
        let at = last * (2 * n + 1) / 20;
        let (at, forecast) = *told
            .forecasts
            .iter()
            .rfind(|(then, _)| *then <= at)
            .unwrap();
        (forecast, last.saturating_sub(at))
    };
    (0..10).map(tenth).collect()
}

/// How far off each of the ten was.
fn is_true(told: &Told, case: &str) {
    for (forecast, left) in ten(told) {
        let LastCall::In(told) = forecast else {
            panic!("{case}: {forecast:?} where the last call went {left:?} later");
        };
        let off = told.abs_diff(left);
        let allowed = left.mul_f64(0.05).max(30 * SECOND);
        assert!(
            off <= allowed,
            "{case}: {told:?} was told, and it took {left:?}: off by {off:?}"
        );
    }
}

fn retrying(mock: MockConfig, tries: u32) -> Rig {
    Rig {
        policy: Policy {
            on_pending: OnPending::Retry {
                delay: 15 * MINUTE,
                tries,
            },
            max_attempts: 5,
        },
        ..Rig::against(mock)
    }
}

fn busy(share: f64, scan: Duration) -> MockConfig {
    MockConfig {
        foreign_scan_time: Some(scan..=scan),
        chances: Chances {
            busy: share,
            ..Chances::default()
        },
        ..tenant()
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_true_of_plain_campaigns_at_any_latency() {
    for (machines, latency) in [
        (150, SECOND / 10..=SECOND),
        (1_400, 2 * SECOND..=20 * SECOND),
        (3_200, 2 * SECOND..=20 * SECOND),
    ] {
        let case = format!("{machines} machines, {latency:?}");
        let mock = MockConfig {
            latency,
            ..tenant()
        };
        let told = Rig::against(mock).run(&fleet(machines)).await;
        is_true(&told, &case);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_true_where_machines_are_busy_and_asked_again_later() {
    for (machines, share, scan) in [
        (2_500, 0.1, 10 * MINUTE),
        (6_000, 0.05, 40 * MINUTE),
        (6_000, 0.2, 10 * MINUTE),
    ] {
        let case = format!("{machines} machines, {share} busy for {scan:?}");
        let told = retrying(busy(share, scan), 4).run(&fleet(machines)).await;
        assert_eq!(told.of(Outcome::Accepted), machines, "{case}");
        is_true(&told, &case);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_true_where_calls_fail_and_are_made_once_more() {
    let mock = MockConfig {
        chances: Chances {
            reset_after: 0.03,
            spurious_404: 0.05,
            ..Chances::default()
        },
        ..tenant()
    };
    let told = Rig::against(mock).run(&fleet(4_300)).await;
    is_true(&told, "4300 machines with faults");
}

#[tokio::test(start_paused = true)]
async fn it_is_true_through_hours_in_which_nothing_goes() {
    // It is midnight. Of busy machines nothing is known before the first call.
    for (machines, hours, share) in [
        (4_000, "23:00-02:20@UTC", 0.05),
        (2_500, "00:30-06:00@UTC", 0.0),
    ] {
        let times = SendTimes {
            hours: Some(hours.parse().unwrap()),
            not_after: None,
        };
        let rig = Rig {
            brakes: BrakeOptions {
                times,
                ..BrakeOptions::default()
            },
            ..retrying(busy(share, 10 * MINUTE), 4)
        };
        let told = rig.run(&fleet(machines)).await;
        is_true(&told, hours);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_not_known_during_an_outage_and_true_after_it() {
    let (from, until) = (30 * MINUTE, 70 * MINUTE);
    let mock = MockConfig {
        outages: vec![Outage::of_everything(from, until, Shape::Refused)],
        ..busy(0.1, 10 * MINUTE)
    };
    let told = retrying(mock, 4).run(&fleet(4_000)).await;
    assert_eq!(told.of(Outcome::Accepted), 4_000);
    let out = |at: Duration| at > 61 * MINUTE && at < until;
    let mut during = told.forecasts.iter().filter(|(at, _)| out(*at));
    assert!(during.all(|(_, forecast)| *forecast == LastCall::NotKnown));
    let calls = told.tenant.witness().seen(Kind::Start);
    let last = calls.iter().map(|seen| seen.arrived).max().unwrap();
    let after = until + 2 * MINUTE;
    for n in 0..10 {
        let at = after + last.saturating_sub(after) * n / 10;
        let mut before = told.forecasts.iter();
        let (at, forecast) = before.rfind(|(then, _)| *then <= at).unwrap();
        let left = last.saturating_sub(*at);
        let LastCall::In(told) = forecast else {
            panic!("{forecast:?} at {at:?}, after the outage");
        };
        let allowed = left.mul_f64(0.05).max(30 * SECOND);
        assert!(told.abs_diff(left) <= allowed, "{told:?} for {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_not_known_while_others_spend_the_quota() {
    let rig = Rig::against(tenant());
    let ground = Arc::new(rig.ground());
    ground.tenant().spend_elsewhere(Kind::Start, 50);
    let told = rig.start_on(&ground, &fleet(400)).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 400);
    let mut early = told
        .forecasts
        .iter()
        .filter(|(at, _)| *at > 2 * SECOND && *at < MINUTE);
    assert!(early.all(|(_, forecast)| *forecast == LastCall::NotKnown));
    let known = told
        .forecasts
        .iter()
        .rfind(|(_, forecast)| matches!(forecast, LastCall::In(_)));
    assert!(known.is_some(), "known again in the end");
}

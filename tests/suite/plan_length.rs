//! The end that a plan tells agrees with the end of the run, whatever others have spent before it.

use std::{path::Path, sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{
        brakes::{BrakeOptions, SendTimes},
        forecast::{Bounds, Prospect, timeline::Timeline},
        outcome::Outcome,
    },
    mock::MockConfig,
    quota::{Clock, Kind, LedgerPlace, Pace, Pacer, Quota, QuotaSnapshot, Throttle, TokioClock},
    schedule::daily_window::Hours,
};
use jiff::tz::TimeZone;

use super::rig::{Rig, fleet, scratch, short_or_long};

const PATIENCE: Duration = Duration::from_secs(35);
const MINUTE: Duration = Duration::from_mins(1);

/// What an earlier run has left in the ledger.
#[derive(Debug, Clone, Copy)]
struct Before {
    calls: u32,
    held: Option<Duration>,
}

const NOTHING: Before = Before {
    calls: 0,
    held: None,
};

fn ledger(folder: &Path) -> LedgerPlace {
    LedgerPlace {
        file: folder.join("quota.db"),
        cloud: "commercial".into(),
        tenant: "t".into(),
        application: "a".into(),
    }
}

async fn earlier_run(before: Before, place: &LedgerPlace, clock: &Arc<TokioClock>) {
    if before.calls == 0 {
        return;
    }
    // Of the documented limits, as every run counts the calls of all others.
    let quota = Quota::documented();
    let pacer = Pacer::with_ledger(&quota, clock.clone(), place, PATIENCE).unwrap();
    for call in 1..=before.calls {
        let permit = pacer.acquire(Kind::Start).await.unwrap();
        match before.held {
            Some(retry_after) if call == before.calls => permit.throttled(&Throttle {
                retry_after,
                window: None,
            }),
            _ => permit.answered(),
        }
    }
    pacer.flush().await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
}

/// Plans and runs a campaign, and holds the two ends against one another.
async fn agrees(machines: u64, quota: Quota, before: Before) -> Duration {
    agrees_in(None, machines, quota, before).await
}

/// The same where scan calls may go out in some hours only.
async fn agrees_in(hours: Option<Hours>, machines: u64, quota: Quota, before: Before) -> Duration {
    let rig = Rig {
        quota: quota.clone(),
        brakes: BrakeOptions {
            times: SendTimes {
                hours: hours.clone(),
                not_after: None,
            },
            ..BrakeOptions::default()
        },
        ..Rig::against(MockConfig {
            latency: (Duration::from_millis(5)..=Duration::from_millis(300)).into(),
            ..MockConfig::default()
        })
    };
    let folder = scratch();
    let place = ledger(folder.path());
    let clock = rig.clock();
    earlier_run(before, &place, &clock).await;

    let seen: Arc<dyn Clock> = clock.clone();
    let picture = QuotaSnapshot::of_ledger(&quota, &seen, &place).unwrap();
    let (now, zone) = (clock.wall(), TimeZone::UTC);
    let forecast = picture.forecast(Kind::Start);
    let bounds = Bounds {
        hours,
        ..Bounds::default()
    };
    let plan = Timeline::new(&Prospect::new(forecast, machines, bounds, now), &zone);
    let planned = plan.last().unwrap().after;

    let pacer = Pacer::with_ledger(&quota, seen, &place, PATIENCE).unwrap();
    pacer.flush().await.unwrap();
    let ground = Arc::new(rig.ground_with(clock, pacer));
    let told = rig.start_on(&ground, &fleet(machines)).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), machines);
    let off = told.elapsed.abs_diff(planned);
    assert!(
        off <= planned.mul_f64(0.01),
        "{before:?}: planned {planned:?}, took {:?}",
        told.elapsed
    );
    planned
}

/// Beyond an hour's window; up to it too in the long form.
#[tokio::test(start_paused = true)]
async fn with_a_fresh_quota() {
    let campaigns = [(2_000, 64), (1_500, 14)];
    for (machines, minutes) in campaigns.into_iter().take(short_or_long(1, 2)) {
        let planned = agrees(machines, Quota::documented(), NOTHING).await;
        assert_eq!(planned, minutes * MINUTE);
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_quota_that_an_earlier_run_has_spent_by_half() {
    let before = Before {
        calls: 750,
        held: None,
    };
    let planned = agrees(1_500, Quota::documented(), before).await;
    assert!(planned > 50 * MINUTE, "{planned:?}");
}

#[tokio::test(start_paused = true)]
async fn with_headroom() {
    let planned = agrees(1_200, Quota::documented().with_headroom(25), NOTHING).await;
    assert_eq!(planned, 60 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn at_an_even_pace() {
    let planned = agrees(600, Quota::documented().with_pace(Pace::Even), NOTHING).await;
    assert_eq!(planned, Duration::from_millis(2_400 * 599));
}

#[tokio::test(start_paused = true)]
async fn with_a_hold_that_the_service_asked_for() {
    let before = Before {
        calls: 10,
        held: Some(30 * MINUTE),
    };
    let planned = agrees(300, Quota::documented(), before).await;
    assert!(planned > 31 * MINUTE, "{planned:?}");
}

#[tokio::test(start_paused = true)]
async fn in_a_window_that_closes_and_opens_again() {
    // It is midnight: open for four minutes, and again from half past eleven at night.
    let hours: Hours = "23:30-00:04@UTC".parse().unwrap();
    let planned = agrees_in(Some(hours), 900, Quota::documented(), NOTHING).await;
    assert!(planned > 23 * 60 * MINUTE, "{planned:?}");
}

//! From "accepted" to "done": scans are watched to their end, in a few list calls.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{
        disk::DiskWork,
        follow::{FollowEnd, FollowOptions, Followed},
        outcome::Outcome,
        stop::Signal,
    },
    mock::{BusyShape, Chances, Ends, Fault, Kind, MockConfig, Outage, QuotaConfig, Rule, Shape},
    quota::Quota,
    store::Store,
};
use tokio::sync::mpsc;

use super::rig::{Ground, Rig, fleet, machine, short_or_long};

const MINUTE: Duration = Duration::from_mins(1);

fn options() -> FollowOptions {
    FollowOptions {
        interval: MINUTE,
        verify: false,
        timeout: None,
        disk: DiskWork::Aside,
    }
}

/// A tenant without limits, whose scans take their time and end in every way.
fn slow_scans() -> MockConfig {
    MockConfig {
        quota: QuotaConfig::none(),
        scan_time: 10 * MINUTE..=180 * MINUTE,
        ends: Ends {
            failed: 0.05,
            timed_out: 0.05,
            cancelled: 0.05,
        },
        ..MockConfig::default()
    }
}

/// A campaign whose last call has gone out.
async fn drained(mock: MockConfig, machines: u64) -> Arc<Ground> {
    let rig = Rig {
        quota: Quota::unlimited(),
        ..Rig::against(mock)
    };
    let ground = Arc::new(rig.ground());
    let told = rig.start_on(&ground, &fleet(machines)).await.end().await;
    assert_eq!(told.stop, None);
    ground
}

async fn followed(ground: &Ground, options: FollowOptions) -> Followed {
    let (_sender, mut signals) = mpsc::channel(1);
    let follower = ground.follower(options);
    follower.follow(|| false, &mut signals).await.unwrap()
}

/// How the store says that the scans ended.
fn states(ground: &Ground) -> BTreeMap<String, u64> {
    let store = Store::open_read_only(&ground.state()).unwrap();
    store.action_tally().unwrap().into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_hours_is_waited_for() {
    for shape in [Shape::Refused, Shape::TimesOut, Shape::Page { status: 502 }] {
        let outage = Outage::of_everything(15 * MINUTE, 300 * MINUTE, shape.clone());
        let ground = drained(
            MockConfig {
                outages: vec![outage],
                ..slow_scans()
            },
            200,
        )
        .await;
        let done = followed(&ground, options()).await;
        assert_eq!((done.end, done.left()), (FollowEnd::Done, 0), "{shape:?}");
    }
}

/// Ten thousand of them in the long form: as many as a page holds.
#[tokio::test(start_paused = true)]
async fn thousands_of_scans_are_followed_in_a_call_a_round() {
    let machines = short_or_long(3_000, 10_000);
    let ground = drained(slow_scans(), machines).await;
    let before = ground.tenant().recorder().calls(Kind::List);
    let told = followed(&ground, options()).await;
    let calls = ground.tenant().recorder().calls(Kind::List) - before;
    assert_eq!((told.end, told.left()), (FollowEnd::Done, 0));
    assert_eq!(calls, told.calls);
    assert!(told.rounds > 10, "{} rounds", told.rounds);
    assert!(
        calls * 10 <= told.rounds * 12,
        "{calls} calls in {} rounds",
        told.rounds
    );
    let states = states(&ground);
    assert_eq!(states.values().sum::<u64>(), machines);
    assert_eq!(states.len(), 4, "{states:?}");
    assert!(states["Succeeded"] > machines * 8 / 10, "{states:?}");
    assert!(!told.all_succeeded());
}

#[tokio::test(start_paused = true)]
async fn actions_of_others_cost_a_call_for_ten_thousand() {
    let ground = drained(slow_scans(), 2_000).await;
    for n in 100_001..=125_000 {
        ground.tenant().start_elsewhere(&machine(n), "patch day");
    }
    let told = followed(&ground, options()).await;
    assert_eq!((told.end, told.left()), (FollowEnd::Done, 0));
    let most = told.rounds * 12 / 10 + told.rounds * 3;
    assert!(told.calls <= most, "{} in {}", told.calls, told.rounds);
}

#[tokio::test(start_paused = true)]
async fn what_is_broken_off_at_any_moment_is_taken_up_again() {
    let ground = drained(slow_scans(), 300).await;
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..40 {
        let (_sender, mut signals) = mpsc::channel(1);
        let follower = ground.follower(options());
        // Dropped in the middle of whatever it does, as a killed process is.
        let span = Duration::from_millis(rng.u64(0..120_000));
        let _ = tokio::time::timeout(span, follower.follow(|| false, &mut signals)).await;
    }
    let told = followed(&ground, options()).await;
    assert_eq!((told.end, told.left()), (FollowEnd::Done, 0));
    assert_eq!(states(&ground).values().sum::<u64>(), 300);
}

#[tokio::test(start_paused = true)]
async fn it_ends_at_its_timeout_or_when_it_is_interrupted_with_a_count_of_what_is_left() {
    let mock = MockConfig {
        scan_time: 120 * MINUTE..=120 * MINUTE,
        ..slow_scans()
    };
    let ground = drained(mock, 50).await;
    let began = tokio::time::Instant::now();
    let short = FollowOptions {
        verify: false,
        timeout: Some(5 * MINUTE),
        ..options()
    };
    let told = followed(&ground, short).await;
    assert_eq!((told.end, told.left()), (FollowEnd::TimedOut, 50));
    assert_eq!(began.elapsed().as_secs(), 300);

    let (sender, mut signals) = mpsc::channel(1);
    let follower = ground.follower(options());
    let (told, ()) = tokio::join!(follower.follow(|| false, &mut signals), async {
        tokio::time::sleep(7 * MINUTE).await;
        sender.send(Signal::Drain).await.unwrap();
    });
    let told = told.unwrap();
    assert_eq!((told.end, told.left()), (FollowEnd::Interrupted, 50));
}

#[tokio::test(start_paused = true)]
async fn the_scan_that_kept_a_machine_busy_is_found_and_followed() {
    for busy_shape in [BusyShape::Error, BusyShape::Success200] {
        let mock = MockConfig {
            chances: Chances {
                busy: 0.3,
                ..Chances::default()
            },
            ends: Ends::default(),
            busy_shape,
            ..slow_scans()
        };
        let ground = drained(mock, 100).await;
        let told = followed(&ground, options()).await;
        assert_eq!(told.end, FollowEnd::Done);
        assert!(told.all_succeeded(), "{}", told.in_words());
        assert_eq!(states(&ground)["Succeeded"], 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_is_not_listed_is_asked_for_by_its_id() {
    let mock = MockConfig {
        // Never listed while it is followed.
        listing_lag: 6000 * MINUTE..=6000 * MINUTE,
        scan_time: 30 * MINUTE..=30 * MINUTE,
        ends: Ends::default(),
        ..slow_scans()
    };
    let ground = drained(mock, 3).await;
    let told = followed(&ground, options()).await;
    assert_eq!(told.end, FollowEnd::Done);
    assert!(told.all_succeeded(), "{}", told.in_words());
    let recorder = ground.tenant().recorder();
    assert!(recorder.calls(Kind::Get) >= 3);
    assert!(recorder.calls(Kind::List) <= 2, "asked by id from then on");
}

#[tokio::test(start_paused = true)]
async fn beside_a_run_scans_are_followed_while_others_are_started() {
    let mock = MockConfig {
        scan_time: MINUTE..=2 * MINUTE,
        ends: Ends::default(),
        ..MockConfig::default()
    };
    let rig = Rig {
        followed: Some(options()),
        ..Rig::against(mock)
    };
    let ground = Arc::new(rig.ground());
    let run = rig.start_on(&ground, &fleet(1_000)).await;
    let follower = ground.follower(options());
    let told = tokio::select! {
        told = run.end() => told,
        never = follower.meanwhile() => match never {},
    };
    assert_eq!(told.stop, None);
    told.assert_never_over();
    told.assert_one_scan_each();
    // A thousand take nine minutes, and a scan three of them at most until it is heard of.
    let states = states(&ground);
    assert!(states["Succeeded"] >= 500, "{states:?}");
    let calls = ground.tenant().recorder().calls(Kind::List);
    assert!((8..=11).contains(&calls), "{calls} calls");
    assert_eq!(follower.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_though_its_scans_cannot_be_followed() {
    let forbidden = r#"{"error":{"code":"Forbidden","message":"no role"}}"#;
    let mock = MockConfig {
        faults: vec![Rule::new(Fault::Status(403, forbidden.into())).kind(Kind::List)],
        ..MockConfig::default()
    };
    let rig = Rig::against(mock);
    let ground = Arc::new(rig.ground());
    let run = rig.start_on(&ground, &fleet(300)).await;
    let follower = ground.follower(options());
    let told = tokio::select! {
        told = run.end() => told,
        never = follower.meanwhile() => match never {},
    };
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::Accepted), 300);
    assert_eq!(follower.calls(), 1, "it was tried, and not again");
}

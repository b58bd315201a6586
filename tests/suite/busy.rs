//! Machines that others are scanning: no call is spent on one that is known to be busy. The tenant's recorder is the
//! judge.

use std::{sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{
        outcome::Outcome,
        retry::{OnPending, Policy},
        stop::{Signal, StopReason},
    },
    mock::{BusyShape, Chances, Fault, Kind, MockConfig, Rule},
    store::{Progress, Store},
};
use tokio::time::sleep;

use super::rig::{Ground, Rig, Told, fleet, machine, short_or_long};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Somebody else's scans take so long; ours are over in half a minute, so that none hides a second one.
fn tenant(foreign: Duration) -> MockConfig {
    MockConfig {
        scan_time: 30 * SECOND..=30 * SECOND,
        foreign_scan_time: Some(foreign..=foreign),
        ..MockConfig::default()
    }
}

fn retrying(mock: MockConfig, tries: u32) -> Rig {
    Rig {
        policy: Policy {
            on_pending: OnPending::Retry {
                delay: 15 * MINUTE,
                tries,
            },
            max_attempts: 20,
        },
        ..Rig::against(mock)
    }
}

fn skipping(mock: MockConfig) -> Rig {
    Rig {
        skip_busy: true,
        ..Rig::against(mock)
    }
}

/// The first so many machines are under scan already.
fn occupy(ground: &Ground, machines: u64) {
    for n in 1..=machines {
        ground.tenant().start_elsewhere(&machine(n), "patch day");
    }
}

fn calls(told: &Told) -> (u64, u64) {
    let recorder = told.tenant.recorder();
    (recorder.calls(Kind::Start), recorder.calls(Kind::List))
}

#[tokio::test(start_paused = true)]
async fn a_busy_machine_costs_one_call_that_is_told_so_and_one_that_starts_its_scan() {
    for busy_shape in [BusyShape::Error, BusyShape::Mixed] {
        let mock = || MockConfig {
            busy_shape,
            latency: (20 * SECOND / 1000..=SECOND).into(),
            ..tenant(40 * MINUTE)
        };
        let ground = Arc::new(retrying(mock(), 4).ground());
        occupy(&ground, 50);
        let running = retrying(mock(), 4).start_on(&ground, &fleet(50)).await;
        let told = running.end().await;
        assert_eq!(told.of(Outcome::Accepted), 50, "{:?}", told.tally);
        // Looked at after 15, 30 and 45 minutes.
        assert_eq!(calls(&told), (100, 3), "{busy_shape:?}");
        assert!((1..=50).all(|row| told.cell(row, "attempts") == "2"));
        told.assert_one_scan_each();
        told.assert_never_over();
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_tries_are_used_up_the_row_names_the_scan_that_is_in_the_way() {
    let ground = Arc::new(retrying(tenant(600 * MINUTE), 3).ground());
    occupy(&ground, 5);
    let rig = retrying(tenant(600 * MINUTE), 3);
    let told = rig.start_on(&ground, &fleet(6)).await.end().await;
    assert_eq!(told.of(Outcome::AlreadyPending), 5);
    assert_eq!(calls(&told), (6, 2));
    for row in 1..=5 {
        assert_eq!(told.row(row).1, "1");
        assert_eq!(told.cell(row, "action_status"), "InProgress");
        assert!(!told.cell(row, "action_id").is_empty());
        assert!(!told.cell(row, "action_created_utc").is_empty());
    }
    told.assert_one_scan_each();
}

#[tokio::test(start_paused = true)]
async fn without_leave_to_list_a_call_asks_as_before() {
    let mock = MockConfig {
        faults: vec![Rule::new(Fault::Status(403, FORBIDDEN.into())).kind(Kind::List)],
        ..tenant(40 * MINUTE)
    };
    let ground = Arc::new(retrying(mock.clone(), 4).ground());
    occupy(&ground, 5);
    let rig = retrying(mock, 4);
    let told = rig.start_on(&ground, &fleet(5)).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 5);
    assert_eq!(calls(&told), (20, 1));
    let notes = told
        .notes
        .iter()
        .filter(|note| note.contains("a call of its own"));
    assert_eq!(notes.count(), 1, "{:?}", told.notes);
}

const FORBIDDEN: &str =
    r#"{"error":{"code":"Forbidden","message":"Missing application roles","target":"c"}}"#;

/// What the store knows of the one target that waits.
fn waiting(ground: &Ground) -> Progress {
    let store = Store::open_read_only(&ground.state()).unwrap();
    let mut left = store.recall(std::iter::once(1)).unwrap();
    left.pop().unwrap().target.progress
}

#[tokio::test(start_paused = true)]
async fn a_delay_and_the_tries_that_were_used_survive_the_process() {
    let rig = || retrying(tenant(600 * MINUTE), 2);
    let ground = Arc::new(rig().ground());
    occupy(&ground, 1);
    let running = rig().start_on(&ground, &fleet(1)).await;
    sleep(5 * MINUTE).await;
    running.kill().await;
    assert_eq!(waiting(&ground).pending_tries, 1);

    let running = rig().start_on(&ground, &fleet(1)).await;
    sleep(9 * MINUTE + 50 * SECOND).await;
    let list = |ground: &Ground| ground.tenant().recorder().calls(Kind::List);
    assert_eq!(list(&ground), 0, "not at once");
    sleep(20 * SECOND).await;
    assert_eq!(list(&ground), 1, "15 minutes after the call");
    let told = running.end().await;
    assert_eq!(
        told.of(Outcome::AlreadyPending),
        1,
        "the second and last try"
    );
    assert_eq!(calls(&told), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_resume_knows_which_scan_was_in_the_way() {
    let rig = || {
        retrying(
            MockConfig {
                busy_shape: BusyShape::Success200,
                ..tenant(600 * MINUTE)
            },
            4,
        )
    };
    let ground = Arc::new(rig().ground());
    occupy(&ground, 1);
    let running = rig().start_on(&ground, &fleet(1)).await;
    sleep(5 * MINUTE).await;
    running.kill().await;
    let left = waiting(&ground);
    assert!(!left.action_id.is_empty());
    assert!(!left.action_created.is_empty());
}

#[tokio::test(start_paused = true)]
async fn skip_busy_spends_no_scan_call_on_three_thousand_machines_that_are_under_scan() {
    let ground = Arc::new(skipping(tenant(6000 * MINUTE)).ground());
    occupy(&ground, 3000);
    let rig = skipping(tenant(6000 * MINUTE));
    let told = rig.start_on(&ground, &fleet(10_000)).await.end().await;
    assert_eq!(calls(&told), (7000, 1));
    assert_eq!(told.of(Outcome::AlreadyPending), 3000);
    assert_eq!(told.of(Outcome::Accepted), 7000);
    assert_eq!(told.row(1), ("already_pending", "0", ""));
    assert_eq!(told.cell(1, "action_status"), "InProgress");
    assert!(!told.cell(1, "action_id").is_empty());
    assert!(told.cell(1, "message").contains("no call was spent"));
    told.assert_one_scan_each();
    told.assert_never_over();
}

#[tokio::test(start_paused = true)]
async fn skipped_machines_wait_where_busy_ones_are_to_be_tried_again() {
    let rig = || Rig {
        skip_busy: true,
        ..retrying(tenant(40 * MINUTE), 4)
    };
    let ground = Arc::new(rig().ground());
    occupy(&ground, 30);
    let told = rig().start_on(&ground, &fleet(60)).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 60);
    assert_eq!(calls(&told), (60, 4));
    assert!((1..=60).all(|row| told.cell(row, "attempts") == "1"));
    told.assert_one_scan_each();
}

#[tokio::test(start_paused = true)]
async fn where_the_list_cannot_be_read_skip_busy_does_not_start() {
    let with = |fault| {
        skipping(MockConfig {
            faults: vec![Rule::new(fault).kind(Kind::List)],
            ..MockConfig::default()
        })
    };
    let forbidden = Fault::Status(403, FORBIDDEN.into());
    let told = with(forbidden).run(&fleet(30)).await;
    let Some(StopReason::Tenant(why)) = &told.stop else {
        panic!("{:?}", told.stop);
    };
    assert!(why.contains("Machine.Read.All"), "{why}");
    assert!(why.contains("--skip-busy"), "{why}");
    assert_eq!(calls(&told).0, 0);
    assert_eq!(told.of(Outcome::NotAttempted), 30);

    // One that is not answered is asked again, until somebody gives up.
    let rig = Rig {
        give_up_after: Some(60 * MINUTE),
        ..with(Fault::Status(500, String::new()))
    };
    let told = rig.run(&fleet(30)).await;
    assert!(
        matches!(told.stop, Some(StopReason::Brake(_))),
        "{:?}",
        told.stop
    );
    assert_eq!(calls(&told).0, 0);
}

#[tokio::test(start_paused = true)]
async fn skipped_machines_do_not_hide_that_no_other_is_scanned() {
    let mut mock = tenant(6000 * MINUTE);
    mock.faults = (101..=400)
        .map(|n| Rule::new(Fault::Status(404, NOT_FOUND.into())).machine(&machine(n)))
        .collect();
    let ground = Arc::new(skipping(mock.clone()).ground());
    occupy(&ground, 100);
    let running = skipping(mock).start_on(&ground, &fleet(400)).await;
    let told = running.end().await;
    assert!(
        matches!(told.stop, Some(StopReason::Brake(_))),
        "{:?}",
        told.stop
    );
    assert_eq!(told.of(Outcome::AlreadyPending), 100);
}

const NOT_FOUND: &str =
    r#"{"error":{"code":"ResourceNotFound","message":"no such machine","target":"c"}}"#;

/// Answers are lost on either side of a scan, new scans show late, and some machines are busy, of which others know.
fn unquiet(seed: u64, skip_busy: bool) -> Rig {
    Rig {
        skip_busy,
        seed,
        ..retrying(
            MockConfig {
                seed,
                latency: (Duration::ZERO..=20 * SECOND).into(),
                listing_lag: Duration::ZERO..=5 * SECOND,
                busy_shape: BusyShape::Mixed,
                chances: Chances {
                    busy: 0.15,
                    spurious_404: 0.02,
                    error_before: 0.03,
                    error_after: 0.03,
                    reset_before: 0.03,
                    reset_after: 0.03,
                    ..Chances::default()
                },
                ..tenant(25 * MINUTE)
            },
            4,
        )
    }
}

async fn interrupted(seed: u64, machines: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let csv = fleet(machines);
    let ground = Arc::new(unquiet(seed, false).ground());
    occupy(&ground, machines / 10);
    for _ in 0..rng.u32(1..8) {
        let running = unquiet(seed, rng.bool()).start_on(&ground, &csv).await;
        sleep(Duration::from_millis(rng.u64(0..900_000))).await;
        for _ in 0..rng.u32(0..6) {
            tokio::task::yield_now().await;
        }
        if running.is_over() {
            running.end().await;
        } else if rng.bool() {
            running.kill().await;
        } else {
            running.signal(Signal::Drain).await;
            running.end().await;
        }
    }
    let last = unquiet(seed, rng.bool()).start_on(&ground, &csv).await;
    let told = last.end().await;
    assert_eq!(told.stop, None, "seed {seed}");
    assert_eq!(told.of(Outcome::NotAttempted), 0, "seed {seed}");
    assert_eq!(told.of(Outcome::Unsure), 0, "seed {seed}");
    told.assert_one_scan_each();
    told.assert_never_over();
}

/// Six seeds; sixteen in the long form.
#[expect(
    clippy::print_stdout,
    reason = "the seed is shown where the test fails"
)]
#[tokio::test(start_paused = true)]
async fn however_often_it_is_stopped_busy_machines_get_one_scan_of_ours_at_most() {
    for seed in 1..=short_or_long(6, 16) {
        println!("seed {seed}");
        interrupted(seed, 100).await;
    }
}

//! Promise 3: one scan a machine, whatever the network loses. The tenant's recorder is the judge.

use std::{sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{
        outcome::Outcome,
        retry::{OnPending, Policy},
        stop::StopReason,
    },
    mock::{BusyShape, Chances, Comments, Fault, Kind, MockConfig, Rule, SignIn},
    quota::Quota,
};
use jiff::SignedDuration;
use tokio::time::sleep;

use super::rig::{Rig, Told, fleet, machine};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// One answer in seven is lost, in every way that an answer can be lost.
fn lossy(seed: u64) -> MockConfig {
    MockConfig {
        seed,
        latency: (Duration::from_millis(5)..=Duration::from_millis(300)).into(),
        chances: Chances {
            reset_after: 0.04,
            error_after: 0.04,
            reset_before: 0.03,
            error_before: 0.03,
            early: 0.5,
            ..Chances::default()
        },
        ..MockConfig::default()
    }
}

/// With tries enough, everything lossy ends as accepted, with one scan each.
async fn drained(rig: Rig, machines: u64) -> Told {
    let policy = Policy {
        max_attempts: 20,
        ..rig.policy
    };
    let told = Rig { policy, ..rig }.run(&fleet(machines)).await;
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::Accepted), machines, "{:?}", told.tally);
    told.assert_one_scan_each();
    told.assert_never_over();
    told
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_never_leads_to_a_second_scan() {
    for seed in 1..=5 {
        drained(Rig::against(lossy(seed)), 400).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nor_where_the_clients_clock_is_hours_off() {
    for hours in [-3, 3] {
        let ahead = SignedDuration::from_hours(hours);
        for http in [false, true] {
            let rig = Rig {
                ahead,
                http,
                ..Rig::against(lossy(7))
            };
            drained(rig, 200).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nor_where_the_very_first_answer_is_lost_and_no_date_was_ever_heard() {
    for hours in [-3, 0, 3] {
        for fault in [Fault::CutAfter, Fault::CutBefore] {
            let rig = Rig {
                ahead: SignedDuration::from_hours(hours),
                ..Rig::against(MockConfig {
                    faults: vec![Rule::new(fault).kind(Kind::Start).nth(1)],
                    ..MockConfig::default()
                })
            };
            drained(rig, 3).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nor_where_listings_lag_twenty_seconds_and_scans_are_short() {
    for seed in 1..=5 {
        // Without a scan that is under way still, nothing but the listing can tell.
        for scan in [SECOND, 8 * SECOND, 60 * SECOND] {
            let mock = MockConfig {
                listing_lag: 20 * SECOND..=20 * SECOND,
                scan_time: scan..=scan,
                ..lossy(seed)
            };
            drained(Rig::against(mock), 150).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nor_where_the_permit_comes_an_hour_after_the_lookup() {
    let hourly = |calls: &str| Quota::new(vec![calls.parse().unwrap()]);
    for (limit, machines) in [("5/1h", 20), ("1/1h", 4), ("20/1h", 60)] {
        let rig = Rig {
            quota: hourly(limit),
            ..Rig::against(lossy(3))
        };
        drained(rig, machines).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_priority_1_machine_in_doubt_goes_with_the_first_lane_though_its_finding_was_void_by_then()
 {
    // So long are the windows that what is found half a minute after the first call is void when its lanes come back.
    for (limit, machines, window) in [
        ("100/95s", 302_usize, 95),
        ("10/2m", 60, 120),
        ("2/95s", 12, 95),
        ("100/1h", 302, 3600),
    ] {
        let rows = (1..=machines).map(|n| {
            let priority = if n <= 2 { 1 } else { 2 };
            format!("{},{priority}\n", machine(n as u64))
        });
        let csv = format!("machine_id,priority\n{}", rows.collect::<String>());
        let rig = Rig {
            quota: Quota::new(vec![limit.parse().unwrap()]),
            ..Rig::against(MockConfig {
                latency: (Duration::from_millis(20)..=Duration::from_millis(20)).into(),
                faults: vec![
                    Rule::new(Fault::CutBefore)
                        .kind(Kind::Start)
                        .machine(&machine(2))
                        .nth(1),
                ],
                ..MockConfig::default()
            })
        };
        let told = rig.run(&csv).await;
        assert_eq!(told.of(Outcome::Accepted), machines as u64, "{limit}");
        assert_eq!(told.cell(2, "attempts"), "2", "{limit}");
        told.assert_one_scan_each();
        told.assert_never_over();
        told.assert_never_slow(SECOND);
        let at =
            |row: usize| -> jiff::Timestamp { told.cell(row, "last_answer_utc").parse().unwrap() };
        let sent: jiff::Timestamp = told.cell(2, "first_sent_utc").parse().unwrap();
        let waited = at(2).duration_since(sent);
        assert!(
            waited <= SignedDuration::from_secs(window + 6),
            "{limit}: {waited:#}"
        );
        // Those that had lanes before it was lost, and nobody who has one since.
        let overtook = (3..=machines).filter(|&row| at(row) < at(2)).count();
        let calls: usize = limit.split_once('/').unwrap().0.parse().unwrap();
        assert!(overtook <= calls.saturating_sub(2), "{limit}: {overtook}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_waits_an_hour_for_its_own_permit_counts_from_when_it_went() {
    let lost = |nth| Rule::new(Fault::CutBefore).kind(Kind::Start).nth(nth);
    let rig = Rig {
        quota: Quota::new(vec!["1/1h".parse().unwrap()]),
        ..Rig::against(MockConfig {
            faults: (1..=4).map(lost).collect(),
            ..MockConfig::default()
        })
    };
    let day = Duration::from_hours(24);
    let told = tokio::time::timeout(day, drained(rig, 1)).await;
    let told = told.expect("each finding was void before it could be used");
    assert_eq!(told.attempts, 5);
}

#[tokio::test(start_paused = true)]
async fn nor_where_comments_come_back_null_or_cut_off() {
    for comments in [
        Comments::Null,
        Comments::Truncated(5),
        Comments::Truncated(24),
        Comments::Truncated(40),
    ] {
        for busy_shape in [
            BusyShape::Error,
            BusyShape::Success200,
            BusyShape::Success201,
        ] {
            for lag in [0, 5, 20] {
                let mock = MockConfig {
                    comments,
                    busy_shape,
                    listing_lag: Duration::ZERO..=lag * SECOND,
                    ..lossy(9)
                };
                let told = drained(Rig::against(mock), 100).await;
                let warnings = told.notes.iter().filter(|n| n.contains("comments")).count();
                let whole = matches!(comments, Comments::Truncated(40));
                assert_eq!(
                    warnings,
                    usize::from(!whole),
                    "{comments:?} {:?}",
                    told.notes
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_of_ours_that_shows_late_and_without_its_comment_is_not_taken_for_somebody_elses() {
    for busy_shape in [
        BusyShape::Error,
        BusyShape::Success200,
        BusyShape::Success201,
    ] {
        let rig = Rig::against(MockConfig {
            comments: Comments::Null,
            busy_shape,
            listing_lag: 40 * SECOND..=40 * SECOND,
            scan_time: Duration::from_hours(1)..=Duration::from_hours(1),
            faults: vec![Rule::new(Fault::CutAfter).machine(&machine(2)).nth(1)],
            ..MockConfig::default()
        });
        let told = drained(rig, 3).await;
        assert_eq!(told.cell(2, "attempts"), "2");
    }
}

/// The first call and the one that starts the scan are more than five minutes apart, and the run between them died.
#[tokio::test(start_paused = true)]
async fn nor_where_a_run_died_long_before_the_call_whose_scan_shows_without_its_comment() {
    let lost = |fault, during| Rule::new(fault).machine(&machine(2)).during(during);
    let rig = || {
        Rig::against(MockConfig {
            comments: Comments::Null,
            busy_shape: BusyShape::Success200,
            scan_time: 5 * MINUTE..=5 * MINUTE,
            faults: vec![
                lost(Fault::CutBefore, Duration::ZERO..8 * MINUTE),
                lost(Fault::CutAfter, 8 * MINUTE..30 * MINUTE).nth(1),
            ],
            ..MockConfig::default()
        })
    };
    let patient = || Rig {
        policy: Policy {
            max_attempts: 50,
            on_pending: OnPending::Retry {
                delay: MINUTE,
                tries: 20,
            },
        },
        ..rig()
    };
    let ground = Arc::new(patient().ground());
    let first = patient().start_on(&ground, &fleet(3)).await;
    sleep(7 * MINUTE).await;
    first.kill().await;
    let told = patient().start_on(&ground, &fleet(3)).await.end().await;
    assert_eq!(told.stop, None);
    let attempts: u32 = told.cell(2, "attempts").parse().unwrap();
    assert!((4..20).contains(&attempts), "{attempts}");
    told.assert_one_scan_each();
}

#[tokio::test(start_paused = true)]
async fn nor_where_other_teams_scan_the_same_machines() {
    for busy_shape in [BusyShape::Error, BusyShape::Mixed] {
        for on_pending in [
            OnPending::Skip,
            OnPending::Retry {
                delay: Duration::from_mins(15),
                tries: 4,
            },
        ] {
            let mut mock = MockConfig {
                busy_shape,
                ..lossy(11)
            };
            mock.chances.busy = 0.3;
            let rig = Rig {
                policy: Policy {
                    on_pending,
                    max_attempts: 20,
                },
                ..Rig::against(mock)
            };
            let told = rig.run(&fleet(300)).await;
            told.assert_one_scan_each();
            let pending = told.of(Outcome::AlreadyPending);
            assert_eq!(
                pending + told.of(Outcome::Accepted),
                300,
                "{:?}",
                told.tally
            );
            assert_eq!(pending > 0, on_pending == OnPending::Skip);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_other_actions_in_the_list_are_paged_through() {
    let rig = Rig::against(MockConfig {
        faults: vec![
            Rule::new(Fault::CutAfter).machine(&machine(2)),
            Rule::new(Fault::CutBefore).machine(&machine(3)).nth(1),
        ],
        scan_time: Duration::from_hours(1)..=Duration::from_hours(1),
        ..MockConfig::default()
    });
    let running = rig.start(&fleet(5)).await;
    for other in 0..25_000 {
        running
            .tenant
            .start_elsewhere(&format!("other{other}"), "patch day");
    }
    let told = running.end().await;
    assert_eq!(told.of(Outcome::Accepted), 5);
    told.assert_one_scan_each();
    assert!(told.tenant.recorder().calls(Kind::List) >= 2);
}

#[tokio::test(start_paused = true)]
async fn where_listing_is_forbidden_the_target_ends_as_unsure_and_says_what_to_do() {
    let rig = Rig::against(MockConfig {
        sign_in: SignIn {
            roles: vec!["Machine.Scan".into()],
            tokens: fleetsweep::mock::Tokens::Any,
            ..SignIn::default()
        },
        faults: vec![
            Rule::new(Fault::CutAfter).machine(&machine(2)),
            Rule::new(Fault::CutBefore).machine(&machine(3)),
            Rule::new(Fault::Status(403, FORBIDDEN.into())).kind(Kind::List),
        ],
        ..MockConfig::default()
    });
    let told = rig.run(&fleet(150)).await;
    assert_eq!(
        (told.of(Outcome::Unsure), told.of(Outcome::Accepted)),
        (2, 148)
    );
    for row in [2, 3] {
        let message = told.cell(row, "message");
        assert!(message.contains("Machine.Read.All"), "{message}");
        assert!(message.contains("--retry unsure"), "{message}");
    }
    assert_eq!(told.tenant.recorder().calls(Kind::List), 1);
    told.assert_one_scan_each();
}

const FORBIDDEN: &str =
    r#"{"error":{"code":"Forbidden","message":"Missing application roles","target":"c"}}"#;

#[tokio::test(start_paused = true)]
async fn where_listings_fail_for_a_while_they_are_tried_again() {
    let fails = |nth| {
        Rule::new(Fault::Status(500, String::new()))
            .kind(Kind::List)
            .nth(nth)
    };
    let mut faults: Vec<_> = (1..=8).map(fails).collect();
    faults.push(Rule::new(Fault::CutAfter).machine(&machine(2)));
    let told = drained(
        Rig::against(MockConfig {
            faults,
            ..MockConfig::default()
        }),
        30,
    )
    .await;
    assert_eq!(told.cell(2, "outcome"), "accepted");
    assert!(
        told.cell(2, "message").contains("found"),
        "{}",
        told.cell(2, "message")
    );
}

#[tokio::test(start_paused = true)]
async fn where_listings_fail_for_ever_the_target_waits_until_somebody_gives_up() {
    let faults = vec![
        Rule::new(Fault::Status(500, String::new())).kind(Kind::List),
        Rule::new(Fault::CutAfter).machine(&machine(2)),
    ];
    let rig = Rig {
        give_up_after: Some(Duration::from_hours(1)),
        ..Rig::against(MockConfig {
            faults,
            ..MockConfig::default()
        })
    };
    let told = rig.run(&fleet(30)).await;
    assert!(
        matches!(told.stop, Some(StopReason::Brake(_))),
        "{:?}",
        told.stop
    );
    assert_eq!(
        (told.of(Outcome::Unsure), told.of(Outcome::Accepted)),
        (1, 29)
    );
    let message = told.cell(2, "message");
    assert!(message.contains("looks it up"), "{message}");
    told.assert_one_scan_each();
    told.assert_never_over();
}

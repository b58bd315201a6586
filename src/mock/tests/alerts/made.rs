//! Which alerts there are.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::defender::wire;

#[tokio::test(start_paused = true)]
async fn a_scan_has_its_alert_late_and_with_the_time_of_its_creation() {
    let tenant = Tenant::new(config(3, finds(20, 3600)));
    let machine = tenant.machine_ids()[1].clone();
    let (_, action) = start(&tenant, &machine).await;
    let began = time(&action, "creationDateTimeUtc");
    // A third of the scan at most is Pending, and 20 s later the alert is created.
    tokio::time::sleep(s(40)).await;
    let [made] = &tenant.made_alerts()[..] else {
        panic!("one alert is made: {:?}", tenant.made_alerts());
    };
    assert_eq!(
        (&made.machine, made.by_scan, made.source),
        (&machine, true, "WindowsDefenderAv")
    );
    let after = made.created.duration_since(began).as_secs_f64();
    assert!((20.0..=40.0).contains(&after), "{after}");
    assert_eq!(
        rows(&tenant, "").await.len(),
        0,
        "it is listed an hour later"
    );
    let wait = made.seen_from.saturating_sub(s(40));
    tokio::time::sleep(wait.saturating_sub(Duration::from_millis(2))).await;
    assert_eq!(rows(&tenant, "").await.len(), 0);
    tokio::time::sleep(Duration::from_millis(3)).await;
    let listed = rows(&tenant, "").await;
    assert_eq!(ids(&listed), [&made.id]);
    assert_eq!(time(&listed[0], "alertCreationTime"), made.created);
    let alert: wire::Alert = serde_json::from_value(listed[0].clone()).unwrap();
    assert_eq!(alert.machine_id.as_ref(), Some(&machine));
    assert_eq!(alert.category.as_deref(), Some("Malware"));
    assert_eq!(alert.status.as_deref(), Some("New"));
    assert!(alert.threat_family_name.is_some() && alert.incident_id.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_did_not_run_so_far_finds_nothing() {
    let ends = |failed, timed_out| Ends {
        failed,
        timed_out,
        ..Ends::default()
    };
    for ends in [ends(1.0, 0.0), ends(0.0, 1.0)] {
        let tenant = Tenant::new(MockConfig {
            ends,
            ..config(3, finds(1, 0))
        });
        start(&tenant, &tenant.machine_ids()[0]).await;
        tokio::time::sleep(s(1000)).await;
        assert_eq!(tenant.made_alerts(), []);
    }
    // Cancelled before, and after.
    for (wait, found) in [(0, 0), (45, 1)] {
        let tenant = Tenant::new(config(3, finds(20, 0)));
        let (_, action) = start(&tenant, &tenant.machine_ids()[0]).await;
        tokio::time::sleep(s(wait)).await;
        let path = format!("/api/machineactions/{}/cancel", text(&action, "id"));
        assert_eq!(
            call(&tenant, Request::post(&path, "t", "")).await.status,
            200
        );
        tokio::time::sleep(s(1000)).await;
        assert_eq!(
            rows(&tenant, "").await.len(),
            found,
            "cancelled after {wait} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_seed_and_the_machine_decide_which_scans_find_something() {
    let found = async |seed: u64, ids: &[String], forgets_after: Option<Duration>| {
        let tenant = Tenant::new(MockConfig {
            seed,
            forgets_after,
            quota: QuotaConfig::none(),
            ..config(
                400,
                AlertsConfig {
                    finding_chance: 0.25,
                    ..finds(5, 0)
                },
            )
        });
        for id in ids {
            assert_eq!(start(&tenant, id).await.0, 201);
            tokio::time::sleep(s(1)).await;
        }
        tokio::time::sleep(s(100)).await;
        let made = tenant.made_alerts();
        assert_eq!(rows(&tenant, "").await.len(), made.len());
        made.into_iter()
            .map(|alert| alert.machine)
            .collect::<BTreeSet<_>>()
    };
    let mut ids = Tenant::new(config(400, finds(5, 0))).machine_ids();
    let first = found(1, &ids, None).await;
    assert!((70..130).contains(&first.len()), "{}", first.len());
    ids.reverse();
    assert_eq!(found(1, &ids, None).await, first, "in whatever order");
    assert_eq!(
        found(1, &ids, Some(s(5))).await,
        first,
        "also where scans are forgotten"
    );
    assert_ne!(found(2, &ids, None).await, first);
}

#[tokio::test(start_paused = true)]
async fn alerts_of_before_are_of_many_sources_days_and_machines() {
    let alerts = AlertsConfig {
        existing_within: s(5 * 86_400),
        strangers: 0.3,
        other_case: 0.5,
        without_family: 0.2,
        ..existing(2_000)
    };
    let tenant = Tenant::new(config(100, alerts));
    let all = rows(&tenant, "").await;
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut days = BTreeMap::<i64, usize>::new();
    for row in &all {
        let created = time(row, "alertCreationTime");
        assert!(
            created < start && time(row, "firstEventTime") <= created,
            "{row}"
        );
        *days
            .entry(start.duration_since(created).as_hours() / 24)
            .or_default() += 1;
    }
    assert_eq!(days.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(days.values().all(|alerts| *alerts > 300), "{days:?}");
    let share = |is: &dyn Fn(&Value) -> bool| all.iter().filter(|row| is(row)).count();
    let known: BTreeSet<_> = tenant.machine_ids().into_iter().collect();
    let strangers = share(&|row| !known.contains(&text(row, "machineId").to_lowercase()));
    assert!((500..700).contains(&strangers), "{strangers}");
    let upper = share(&|row| text(row, "machineId").contains(|c: char| c.is_ascii_uppercase()));
    assert!((900..1100).contains(&upper), "{upper}");
    let of_antivirus = share(&|row| text(row, "detectionSource") == "WindowsDefenderAv");
    assert!((900..1100).contains(&of_antivirus), "{of_antivirus}");
    let with_family = share(&|row| row["threatFamilyName"].is_string());
    assert!((700..900).contains(&with_family), "{with_family}");
    let sources: BTreeSet<_> = all.iter().map(|row| text(row, "detectionSource")).collect();
    let severities: BTreeSet<_> = all.iter().map(|row| text(row, "severity")).collect();
    assert_eq!((sources.len(), severities.len()), (5, 5));
    assert!(
        tenant
            .made_alerts()
            .iter()
            .all(|alert| !alert.by_scan && alert.seen_from == s(0))
    );
}

#[tokio::test(start_paused = true)]
async fn others_create_alerts_as_time_goes_on_and_alerts_are_resolved() {
    let alerts = AlertsConfig {
        ongoing: Some(s(50)..=s(70)),
        resolved: 0.5,
        resolved_after: s(600)..=s(600),
        ..AlertsConfig::default()
    };
    let tenant = Tenant::new(config(10, alerts));
    assert_eq!(rows(&tenant, "").await.len(), 0);
    tokio::time::sleep(s(6_000)).await;
    let all = rows(&tenant, "").await;
    assert!((90..110).contains(&all.len()), "{}", all.len());
    let now: Timestamp = "2026-01-01T01:40:00Z".parse().unwrap();
    let (mut resolved, mut open) = (0, 0);
    for row in &all {
        assert_ne!(text(row, "detectionSource"), "WindowsDefenderAv");
        let created = time(row, "alertCreationTime");
        let ten_minutes = jiff::SignedDuration::from_mins(10);
        if text(row, "status") == "Resolved" {
            assert_eq!(time(row, "lastUpdateTime"), created + ten_minutes);
            assert!(created + ten_minutes <= now);
            resolved += 1;
        } else {
            assert_eq!(time(row, "lastUpdateTime"), created);
            open += 1;
        }
    }
    assert!(resolved > 25 && open > 25, "{resolved} and {open}");
    // However they are asked for, they are the same.
    let other = Tenant::new(tenant.config.clone());
    for _ in 0..60 {
        tokio::time::sleep(s(100)).await;
        rows(&other, "").await;
    }
    assert_eq!(other.made_alerts(), tenant.made_alerts()[..all.len()]);
}

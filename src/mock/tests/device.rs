//! What machines do by themselves, and whether their reports tell the truth.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::*;

const H: u64 = 3600;

/// Every machine has one row, and all are in active mode.
fn plain() -> HealthConfig {
    HealthConfig {
        never: 0.0,
        repeated: 0.0,
        passive: 0.0,
        disabled: 0.0,
        edr_block: 0.0,
        ..HealthConfig::default()
    }
}

fn config(machines: usize, health: HealthConfig) -> MockConfig {
    MockConfig {
        machines,
        health,
        scan_time: s(60)..=s(600),
        quota: QuotaConfig::none(),
        ..MockConfig::default()
    }
}

/// The rows by machine.
async fn rows(tenant: &Arc<Tenant>) -> BTreeMap<String, Value> {
    let page = get(tenant, "/api/deviceavinfo?$top=10000").await.1;
    let rows = page["value"].as_array().unwrap().iter();
    rows.map(|row| (row["machineId"].as_str().unwrap().to_owned(), row.clone()))
        .collect()
}

/// A time of a row, in time since the tenant's start; `None` where there is none, or it was before.
fn since_start(tenant: &Tenant, row: &Value, field: &str) -> Option<Duration> {
    let at: Timestamp = row[field].as_str()?.parse().unwrap();
    Duration::try_from(at.duration_since(tenant.config.started)).ok()
}

async fn statuses(tenant: &Arc<Tenant>) -> BTreeMap<String, String> {
    let page = get(tenant, "/api/machineactions").await.1;
    let actions = page["value"].as_array().unwrap().iter();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    actions
        .map(|action| (word(&action["machineId"]), word(&action["status"])))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_report_has_the_last_scan_that_it_could_know_of_and_no_other() {
    let (mut unknown, mut of_schedule, mut of_calls) = (0, 0, 0);
    for (seed, time) in [
        (1, ReportedTime::End),
        (2, ReportedTime::Start),
        (3, ReportedTime::End),
    ] {
        let health = HealthConfig {
            lag: s(0)..=s(4 * H),
            silent: 0.3,
            disabled: 0.2,
            passive: 0.2,
            disabled_fails: true,
            scheduled: Some(s(3 * H)..=s(20 * H)),
            time,
            ..plain()
        };
        let tenant = Tenant::new(MockConfig {
            seed,
            ..config(60, health)
        });
        for round in 0..12 {
            for (n, machine) in tenant.machine_ids().iter().enumerate() {
                if n % 12 == round || n % 7 == 0 {
                    assert_eq!(start(&tenant, machine).await.0, 201);
                }
            }
            tokio::time::sleep(s(H + 7)).await;
            let truth = tenant.true_scans();
            for (machine, row) in rows(&tenant).await {
                let made = since_start(&tenant, &row, "dataRefreshTimestamp").unwrap_or_default();
                let scans = truth.get(&machine).into_iter().flatten();
                // The row shows times to 100 ns.
                let known = scans.filter(|scan| scan.is_reported && scan.ended <= made);
                let last = known.max_by_key(|scan| scan.ended);
                let expected = last.map(|scan| match time {
                    ReportedTime::End => scan.ended,
                    ReportedTime::Start => scan.began,
                });
                let reported = since_start(&tenant, &row, "quickScanTime");
                let micros = |at: Option<Duration>| at.map(|at| at.as_micros());
                assert_eq!(micros(reported), micros(expected), "{row} {truth:?}");
                match last.map(|scan| scan.by) {
                    None => unknown += 1,
                    Some(Beginner::Machine) => of_schedule += 1,
                    Some(_) => of_calls += 1,
                }
            }
        }
    }
    assert!(
        unknown > 100 && of_schedule > 100 && of_calls > 100,
        "{unknown} {of_schedule} {of_calls}"
    );
}

#[tokio::test(start_paused = true)]
async fn scans_succeed_on_passive_machines_and_fail_on_disabled_ones() {
    for disabled_fails in [false, true] {
        let health = HealthConfig {
            passive: 0.4,
            disabled: 0.3,
            disabled_fails,
            ..plain()
        };
        let tenant = Tenant::new(config(100, health));
        let before = rows(&tenant).await;
        for machine in tenant.machine_ids() {
            assert_eq!(start(&tenant, &machine).await.0, 201);
        }
        tokio::time::sleep(s(1000)).await;
        let (after, statuses) = (rows(&tenant).await, statuses(&tenant).await);
        let truth = tenant.true_scans();
        let mut modes = BTreeMap::<&str, usize>::new();
        for (machine, row) in &after {
            let mode = row["avMode"].as_str().unwrap();
            *modes.entry(mode).or_default() += 1;
            let fails = disabled_fails && mode == "2";
            assert_eq!(
                statuses[machine],
                if fails { "Failed" } else { "Succeeded" },
                "{row}"
            );
            let moved = row["quickScanTime"] != before[machine]["quickScanTime"];
            assert_eq!(
                (moved, truth.contains_key(machine)),
                (!fails, !fails),
                "{row}"
            );
        }
        assert!(
            modes["0"] > 15 && modes["1"] > 25 && modes["2"] > 15,
            "{modes:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_may_succeed_and_never_be_reported() {
    let health = HealthConfig {
        silent: 0.25,
        ..plain()
    };
    let tenant = Tenant::new(config(200, health));
    for machine in tenant.machine_ids() {
        start(&tenant, &machine).await;
    }
    tokio::time::sleep(s(100 * H)).await;
    assert!(
        statuses(&tenant)
            .await
            .values()
            .all(|status| status == "Succeeded")
    );
    let rows = rows(&tenant).await;
    let silent = rows
        .iter()
        .filter(|(_, row)| since_start(&tenant, row, "quickScanTime").is_none());
    let silent: BTreeSet<_> = silent.map(|(machine, _)| machine.clone()).collect();
    assert!((30..70).contains(&silent.len()), "{}", silent.len());
    let truth = tenant.true_scans();
    assert_eq!(truth.len(), 200, "all of them ran");
    let unreported = truth.into_iter().filter(|(_, scans)| !scans[0].is_reported);
    assert_eq!(
        unreported
            .map(|(machine, _)| machine)
            .collect::<BTreeSet<_>>(),
        silent
    );
}

#[tokio::test(start_paused = true)]
async fn scheduled_scans_come_as_often_as_they_should_and_only_where_the_antivirus_is_active() {
    let health = HealthConfig {
        passive: 0.3,
        disabled: 0.3,
        scheduled: Some(s(2 * H)..=s(4 * H)),
        ..plain()
    };
    let tenant = Tenant::new(config(100, health));
    tokio::time::sleep(s(100 * H)).await;
    let (truth, rows) = (tenant.true_scans(), rows(&tenant).await);
    assert!((25..60).contains(&truth.len()), "{}", truth.len());
    for (machine, row) in rows {
        let has_schedule = !["1", "2"].contains(&row["avMode"].as_str().unwrap());
        assert_eq!(truth.contains_key(&machine), has_schedule, "{row}");
    }
    for scans in truth.values() {
        assert!((25..=51).contains(&scans.len()), "{scans:?}");
        let apart = scans
            .windows(2)
            .map(|two| two[1].began.saturating_sub(two[0].began));
        let different: BTreeSet<_> = apart.collect();
        assert!(
            different
                .iter()
                .all(|apart| (s(2 * H)..=s(4 * H)).contains(apart))
        );
        assert_eq!(different.len(), 1, "one interval for each machine");
        assert!(
            scans
                .iter()
                .all(|scan| scan.by == Beginner::Machine && !scan.full)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_ran_is_no_true_scan() {
    let tenant = Tenant::new(MockConfig {
        ends: Ends {
            timed_out: 1.0,
            ..Ends::default()
        },
        ..config(2, plain())
    });
    let ids = tenant.machine_ids();
    start(&tenant, &ids[0]).await;
    tokio::time::sleep(s(1000)).await;
    assert!(tenant.true_scans().is_empty());

    let tenant = Tenant::new(config(3, plain()));
    let (_, action) = start(&tenant, &ids[0]).await;
    let path = format!(
        "/api/machineactions/{}/cancel",
        action["id"].as_str().unwrap()
    );
    assert_eq!(
        call(&tenant, Request::post(&path, "t", "")).await.status,
        200
    );
    tenant.start_elsewhere(&ids[1], "c");
    tokio::time::sleep(s(1000)).await;
    let truth = tenant.true_scans();
    assert_eq!(
        truth.keys().collect::<Vec<_>>(),
        [&ids[1]],
        "the other was cancelled while Pending"
    );
    assert_eq!(truth[&ids[1]][0].by, Beginner::Elsewhere);
}

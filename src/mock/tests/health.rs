//! What machines report of their antivirus.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::*;

const H: u64 = 3600;

fn config(machines: usize, health: HealthConfig) -> MockConfig {
    MockConfig {
        machines,
        health,
        scan_time: s(60)..=s(60),
        ..MockConfig::default()
    }
}

/// Every machine has one row, and none is old.
fn plain() -> HealthConfig {
    HealthConfig {
        never: 0.0,
        repeated: 0.0,
        ..HealthConfig::default()
    }
}

async fn rows(tenant: &Arc<Tenant>, query: &str) -> Vec<Value> {
    let (status, page) = get(tenant, &format!("/api/deviceavinfo?{query}")).await;
    assert_eq!(status, 200, "{page}");
    page["value"].as_array().unwrap().clone()
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

fn time(row: &Value, field: &str) -> Option<Timestamp> {
    row[field].as_str().map(|text| text.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_page_holds_20_rows_unless_top_says_more_and_the_count_is_of_all() {
    let tenant = Tenant::new(config(50, plain()));
    assert_eq!(rows(&tenant, "").await.len(), 20);
    assert_eq!(rows(&tenant, "$skip=40").await.len(), 10);
    let all = rows(&tenant, "$top=10000").await;
    let ids: Vec<_> = all.iter().map(|row| text(row, "machineId")).collect();
    assert_eq!(ids, tenant.machine_ids());
    let path = "/api/deviceavinfo?$top=1&$count=true";
    let page = get(&tenant, path).await.1;
    assert_eq!(page["@odata.count"], 50);
    assert!(page["value"][0].as_object().unwrap().len() == 23, "{page}");
    let large = Tenant::new(config(10_050, plain()));
    assert_eq!(rows(&large, "$top=20000").await.len(), 10_000);
    assert_eq!(get(&tenant, "/api/v1.0/deviceavinfo").await.0, 200);
    assert_eq!(tenant.recorder().calls(Kind::Health), 5);
    assert_eq!(tenant.recorder().malformed(), 0);
}

#[tokio::test(start_paused = true)]
async fn thirty_calls_a_minute_are_counted_as_a_kind_of_its_own() {
    let tenant = Tenant::new(config(1, plain()));
    for _ in 0..30 {
        assert_eq!(get(&tenant, "/api/deviceavinfo").await.0, 200);
    }
    let refused = get(&tenant, "/api/deviceavinfo").await;
    assert_eq!(refused.0, 429);
    let words = refused.1["error"]["message"].as_str().unwrap();
    assert!(words.contains("30 per 00:01:00"), "{words}");
    assert_eq!(get(&tenant, "/api/machines").await.0, 200);
    let summary = tenant.summary();
    let busiest: Vec<_> = summary.kinds["health"].busiest.iter().collect();
    assert_eq!((busiest[0].limit, busiest[1].limit), (30, 1000));

    // Without limits there are none here either; counted together, the lower ones are kept all the same.
    let none = Tenant::new(MockConfig {
        quota: QuotaConfig::none(),
        ..config(1, plain())
    });
    for _ in 0..40 {
        assert_eq!(get(&none, "/api/deviceavinfo").await.0, 200);
    }
    let together = Tenant::new(MockConfig {
        quota: QuotaConfig {
            kinds: Kinds::Together,
            ..QuotaConfig::default()
        },
        ..config(1, plain())
    });
    for _ in 0..30 {
        assert_eq!(get(&together, "/api/deviceavinfo").await.0, 200);
    }
    assert_eq!(get(&together, "/api/deviceavinfo").await.0, 429);
    for _ in 0..70 {
        assert_eq!(get(&together, "/api/machines").await.0, 200);
    }
    assert_eq!(get(&together, "/api/machines").await.0, 429);
}

#[tokio::test(start_paused = true)]
async fn shares_of_machines_have_several_rows_or_none_and_the_newest_is_true_of_them() {
    let health = HealthConfig {
        never: 0.2,
        repeated: 0.5,
        rows: 3,
        passive: 0.5,
        ..plain()
    };
    let tenant = Tenant::new(config(2_000, health.clone()));
    let all = rows(&tenant, "$top=10000").await;
    let mut of: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for row in &all {
        of.entry(text(row, "machineId")).or_default().push(row);
    }
    assert!((1_500..1_700).contains(&of.len()), "{}", of.len());
    let several = of.values().filter(|rows| rows.len() == 3).count();
    let single = of.values().filter(|rows| rows.len() == 1).count();
    assert_eq!(several + single, of.len());
    assert!((700..900).contains(&several), "{several}");
    let ids: BTreeSet<_> = all.iter().map(|row| text(row, "id")).collect();
    assert_eq!(ids.len(), all.len());

    let newest: Vec<_> = of
        .values()
        .map(|rows| {
            *rows
                .iter()
                .max_by_key(|row| time(row, "dataRefreshTimestamp"))
                .unwrap()
        })
        .collect();
    let passive = newest
        .iter()
        .filter(|row| text(row, "avMode") == "1")
        .count();
    assert!((700..900).contains(&passive), "{passive}");
    // Older rows say something else, before the newest and after it.
    assert!(newest.iter().all(|row| text(row, "avMode") != "3"));
    let first_is_newest = of
        .values()
        .filter(|rows| rows.len() == 3 && text(rows[0], "avMode") != "3");
    let first_is_newest = first_is_newest.count();
    assert!(0 < first_is_newest && first_is_newest < several);

    let again = rows(&Tenant::new(config(2_000, health.clone())), "$top=10000").await;
    assert!(again == all, "it depends on nothing but seed and machine");
    let other = MockConfig {
        seed: 2,
        ..config(2_000, health)
    };
    assert!(rows(&Tenant::new(other), "$top=10000").await != all);
}

#[tokio::test(start_paused = true)]
async fn a_scan_is_reported_when_it_has_ended_and_the_report_is_new_enough() {
    for lag in [0, 2 * H] {
        let health = HealthConfig {
            lag: s(lag)..=s(lag),
            ..plain()
        };
        let tenant = Tenant::new(config(2, health));
        let [quick, full]: [String; 2] = tenant.machine_ids().try_into().unwrap();
        assert_eq!(start(&tenant, &quick).await.0, 201);
        let body = r#"{"Comment":"c","ScanType":"Full"}"#;
        let path = format!("/api/machines/{full}/runAntiVirusScan");
        assert_eq!(
            call(&tenant, Request::post(&path, "t", body)).await.status,
            201
        );
        let ended: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let seen = async || {
            let rows = rows(&tenant, "").await;
            let refreshed = time(&rows[0], "dataRefreshTimestamp").unwrap();
            let at = |row: &Value, field| time(row, field) == Some(ended);
            let seen =
                [0, 1].map(|n| [at(&rows[n], "quickScanTime"), at(&rows[n], "fullScanTime")]);
            (refreshed, seen)
        };
        let none = [[false, false], [false, false]];
        assert_eq!(seen().await.1, none, "both run still");
        tokio::time::sleep(s(59 + lag)).await;
        assert_eq!(seen().await.1, none, "a lag of {lag}");
        tokio::time::sleep(s(1)).await;
        assert_eq!(seen().await, (ended, [[true, false], [false, true]]));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_reported_happened_before_the_report_was_made() {
    let health = HealthConfig {
        lag: s(0)..=s(48 * H),
        repeated: 0.5,
        never: 0.0,
        ..HealthConfig::default()
    };
    let tenant = Tenant::new(config(500, health));
    let all = rows(&tenant, "$top=10000").await;
    let (mut quick, mut full) = (0, 0);
    for row in &all {
        let made = time(row, "dataRefreshTimestamp").unwrap();
        for (field, result, count) in [
            ("quickScanTime", "quickScanResult", &mut quick),
            ("fullScanTime", "fullScanResult", &mut full),
        ] {
            let at = time(row, field);
            assert!(at.is_none_or(|at| at <= made), "{row}");
            assert_eq!(at.is_some(), text(row, result) == "Completed", "{row}");
            *count += usize::from(at.is_some());
        }
    }
    assert!(quick > full && full > 0 && quick < all.len());
}

#[tokio::test(start_paused = true)]
async fn the_documented_fields_can_be_filtered_by_and_times_cannot() {
    let tenant = Tenant::new(config(
        300,
        HealthConfig {
            passive: 0.3,
            ..plain()
        },
    ));
    let count = async |filter: &str| {
        rows(&tenant, &format!("$top=10000&$filter={filter}"))
            .await
            .len()
    };
    let passive = count("avMode eq '1'").await;
    assert!((60..130).contains(&passive), "{passive}");
    assert_eq!(count("not (AVMODE eq '1')").await, 300 - passive);
    let kinds = ["windows", "mac", "linux"];
    let mut sum = 0;
    for kind in kinds {
        sum += count(&format!("osKind eq '{kind}'")).await;
    }
    assert_eq!(sum, 300);
    assert!(count("avIsSignatureUpToDate eq 'False' and rbacGroupId eq 1").await > 0);
    assert!(count("quickScanResult eq ''").await > 0);
    let one = &tenant.machine_ids()[7];
    assert_eq!(count(&format!("machineId eq '{one}'")).await, 1);
    for filter in [
        "quickScanTime ge 2026-01-01T00:00:00Z",
        "rbacGroupName eq 'x'",
    ] {
        let answer = get(&tenant, &format!("/api/deviceavinfo?$filter={filter}")).await;
        assert_eq!(code(&answer), (400, "ODataError"), "{filter}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cloud_without_the_list_and_an_application_without_the_role_are_refused() {
    let missing = HealthConfig {
        missing: true,
        ..plain()
    };
    let tenant = Tenant::new(config(3, missing));
    assert_eq!(
        code(&get(&tenant, "/api/deviceavinfo").await),
        (404, "NotFound")
    );
    assert_eq!(tenant.recorder().malformed(), 0);
    let tenant = Tenant::new(MockConfig {
        sign_in: SignIn {
            roles: vec!["Machine.Scan".into()],
            ..SignIn::default()
        },
        ..config(3, plain())
    });
    let answer = get(&tenant, "/api/deviceavinfo").await;
    assert_eq!(code(&answer), (403, "Forbidden"));
    let words = answer.1["error"]["message"].as_str().unwrap();
    assert!(words.contains("Machine.Read.All"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn restricted_machines_carry_the_services_tag() {
    let all = Tenant::new(config(20, plain())).machine_ids();
    let tenant = Tenant::new(MockConfig {
        restricted: vec![all[3].to_uppercase()],
        ..config(20, plain())
    });
    let filter = "machineTags/any(t: t eq 'Restricted security operations')";
    let page = get(&tenant, &format!("/api/machines?$filter={filter}"))
        .await
        .1;
    let found = page["value"].as_array().unwrap();
    assert_eq!((found.len(), text(&found[0], "id")), (1, all[3].as_str()));
    assert_eq!(start(&tenant, &all[3]).await.0, 403);
    assert_eq!(start(&tenant, &all[4]).await.0, 201);
}

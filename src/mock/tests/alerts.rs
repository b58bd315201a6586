//! The list of alerts.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;

mod made;

fn config(machines: usize, alerts: AlertsConfig) -> MockConfig {
    MockConfig {
        machines,
        alerts,
        scan_time: s(60)..=s(60),
        ..MockConfig::default()
    }
}

fn existing(existing: usize) -> AlertsConfig {
    AlertsConfig {
        existing,
        ..AlertsConfig::default()
    }
}

/// Each scan finds something, at once or after this many seconds, and it is listed this many later.
fn finds(after: u64, lag: u64) -> AlertsConfig {
    AlertsConfig {
        finding_chance: 1.0,
        found_after: s(after)..=s(after),
        lag: s(lag)..=s(lag),
        ..AlertsConfig::default()
    }
}

async fn rows(tenant: &Arc<Tenant>, query: &str) -> Vec<Value> {
    let (status, page) = get(tenant, &format!("/api/alerts?{query}")).await;
    assert_eq!(status, 200, "{page}");
    page["value"].as_array().unwrap().clone()
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

fn time(row: &Value, field: &str) -> Timestamp {
    text(row, field).parse().unwrap()
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| text(row, "id")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_no_alerts_unless_it_is_told_to() {
    let tenant = Tenant::new(MockConfig::default());
    let machine = &tenant.machine_ids()[0];
    assert_eq!(start(&tenant, machine).await.0, 201);
    tokio::time::sleep(s(10_000)).await;
    assert_eq!(rows(&tenant, "$top=10000").await, [] as [Value; 0]);
    assert_eq!(get(&tenant, "/api/v1.0/alerts/").await.0, 200);
    assert_eq!(tenant.made_alerts(), []);
    assert_eq!(tenant.recorder().calls(Kind::Alerts), 2);
    assert_eq!(tenant.recorder().malformed(), 0);
}

#[tokio::test(start_paused = true)]
async fn pages_hold_what_is_asked_for_and_the_count_is_of_all() {
    let tenant = Tenant::new(config(50, existing(10_050)));
    let all = rows(&tenant, "").await;
    assert_eq!(all.len(), 10_000);
    assert_eq!(rows(&tenant, "$top=20000").await.len(), 10_000);
    let rest = rows(&tenant, "$skip=10000").await;
    assert_eq!(rest.len(), 50);
    let different: BTreeSet<_> = ids(&all).into_iter().chain(ids(&rest)).collect();
    assert_eq!(different.len(), 10_050);
    assert_eq!(
        ids(&rows(&tenant, "$top=3&$skip=7").await),
        ids(&all[7..10])
    );
    let page = get(&tenant, "/api/alerts?$top=1&$count=true").await.1;
    assert_eq!(page["@odata.count"], 10_050);
    let times: Vec<_> = all
        .iter()
        .map(|row| time(row, "alertCreationTime"))
        .collect();
    assert!(
        times.is_sorted_by(|a, b| a >= b),
        "the newest are the first"
    );
    let oldest = rows(&tenant, "$top=1&$orderby=alertCreationTime asc").await;
    assert_eq!(ids(&oldest), ids(&rest[49..]));

    let short = Tenant::new(MockConfig {
        page_limit: Some(7),
        ..config(50, existing(10))
    });
    assert_eq!(rows(&short, "$top=10000").await.len(), 7);
    assert_eq!(rows(&short, "$top=10000&$skip=7").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn lists_without_an_end_have_none_here_either() {
    for (endless, repeats) in [(Endless::New, false), (Endless::Same, true)] {
        let tenant = Tenant::new(MockConfig {
            endless: Some(endless),
            ..config(5, existing(10))
        });
        let first = rows(&tenant, "$top=8").await;
        let second = rows(&tenant, "$top=8&$skip=8").await;
        let third = rows(&tenant, "$top=8&$skip=16").await;
        assert_eq!((second.len(), third.len()), (8, 8));
        assert_eq!(first == second, repeats);
        let different: BTreeSet<_> = [&first, &second, &third]
            .into_iter()
            .flat_map(|page| ids(page))
            .collect();
        assert_eq!(different.len(), if repeats { 8 } else { 24 });
        assert_eq!(third, rows(&tenant, "$top=8&$skip=16").await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_documented_fields_can_be_filtered_by_and_others_cannot() {
    let alerts = AlertsConfig {
        resolved: 0.5,
        ..existing(600)
    };
    let tenant = Tenant::new(config(50, alerts));
    let all = rows(&tenant, "").await;
    let select = async |filter: &str| rows(&tenant, &format!("$filter={filter}")).await;
    for field in ["detectionSource", "status", "severity", "category", "id"] {
        let value = text(&all[300], field);
        let expected: Vec<_> = all
            .iter()
            .filter(|row| text(row, field) == value)
            .cloned()
            .collect();
        assert!(expected.len() < all.len(), "{field}");
        assert_eq!(
            select(&format!("{field} eq '{value}'")).await,
            expected,
            "{field}"
        );
    }
    for field in ["alertCreationTime", "lastUpdateTime", "lastEventTime"] {
        let from = time(&all[300], field);
        let expected: Vec<_> = all
            .iter()
            .filter(|row| time(row, field) >= from)
            .cloned()
            .collect();
        assert!((100..500).contains(&expected.len()), "{field}");
        assert_eq!(
            select(&format!("{field} ge {from}")).await,
            expected,
            "{field}"
        );
    }
    let incident = &all[300]["incidentId"];
    assert_eq!(
        select(&format!("incidentId eq {incident}")).await[0],
        all[300]
    );
    for none in ["assignedTo", "investigationId"] {
        assert_eq!(select(&format!("{none} eq null")).await.len(), 600);
    }
    for filter in [
        "machineId eq 'x'",
        "threatFamilyName eq 'x'",
        "title eq 'x'",
    ] {
        let answer = get(&tenant, &format!("/api/alerts?$filter={filter}")).await;
        assert_eq!(code(&answer), (400, "ODataError"), "{filter}");
    }
    let refuses = Tenant::new(MockConfig {
        refuses: vec![ListOption::Count],
        ..config(5, existing(1))
    });
    assert_eq!(get(&refuses, "/api/alerts?$count=true").await.0, 400);
    assert_eq!(
        refuses.recorder().carried(Kind::Alerts, ListOption::Count),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_hundred_calls_a_minute_are_counted_as_a_kind_of_its_own() {
    let tenant = Tenant::new(config(1, existing(1)));
    for _ in 0..100 {
        assert_eq!(get(&tenant, "/api/alerts").await.0, 200);
    }
    let refused = get(&tenant, "/api/alerts").await;
    assert_eq!(refused.0, 429);
    let words = refused.1["error"]["message"].as_str().unwrap();
    assert!(words.contains("100 per 00:01:00"), "{words}");
    assert_eq!(get(&tenant, "/api/machines").await.0, 200);
    assert_eq!(get(&tenant, "/api/deviceavinfo").await.0, 200);
    let summary = tenant.summary();
    let busiest = &summary.kinds["alerts"].busiest;
    assert_eq!(
        (busiest[0].limit, busiest[0].calls, busiest[1].limit),
        (100, 101, 1500)
    );

    let together = Tenant::new(MockConfig {
        quota: QuotaConfig {
            kinds: Kinds::Together,
            ..QuotaConfig::default()
        },
        ..config(1, existing(1))
    });
    for _ in 0..60 {
        assert_eq!(get(&together, "/api/machines").await.0, 200);
    }
    for _ in 0..40 {
        assert_eq!(get(&together, "/api/alerts").await.0, 200);
    }
    assert_eq!(get(&together, "/api/alerts").await.0, 429);
    assert_eq!(get(&together, "/api/machines").await.0, 429);
}

#[tokio::test(start_paused = true)]
async fn a_cloud_without_the_list_and_an_application_without_the_role_are_refused() {
    let missing = AlertsConfig {
        missing: true,
        ..existing(3)
    };
    let tenant = Tenant::new(config(3, missing));
    assert_eq!(code(&get(&tenant, "/api/alerts").await), (404, "NotFound"));
    assert_eq!(tenant.recorder().malformed(), 0);
    let with_roles = |roles: &[&str]| {
        Tenant::new(MockConfig {
            sign_in: SignIn {
                roles: roles.iter().map(|&role| role.to_owned()).collect(),
                ..SignIn::default()
            },
            ..config(3, existing(3))
        })
    };
    let answer = get(
        &with_roles(&["Machine.Scan", "Machine.Read.All"]),
        "/api/alerts",
    )
    .await;
    assert_eq!(code(&answer), (403, "Forbidden"));
    let words = answer.1["error"]["message"].as_str().unwrap();
    assert!(
        words.contains("API required roles: Alert.Read.All"),
        "{words}"
    );
    assert_eq!(
        get(&with_roles(&["Alert.ReadWrite.All"]), "/api/alerts")
            .await
            .0,
        200
    );
}

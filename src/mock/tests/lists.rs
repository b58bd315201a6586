//! Lists that are hard to read.

use std::collections::BTreeSet;

use super::*;

fn ids(page: &(u16, Value)) -> Vec<String> {
    assert_eq!(page.0, 200, "{page:?}");
    let rows = page.1["value"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

/// A tenant on which seven scans were started, a second apart.
async fn with_seven_scans(config: MockConfig) -> Arc<Tenant> {
    let tenant = Tenant::new(config);
    for n in 0..7 {
        assert_eq!(start(&tenant, &format!("m{n}")).await.0, 201);
        tokio::time::sleep(s(1)).await;
    }
    tenant
}

async fn page_of(tenant: &Arc<Tenant>, skip: usize, top: usize) -> Vec<String> {
    let target = format!("/api/machineactions?$top={top}&$skip={skip}");
    ids(&get(tenant, &target).await)
}

#[tokio::test(start_paused = true)]
async fn no_page_has_more_rows_than_the_limit_whatever_is_asked_for() {
    let tenant = with_seven_scans(MockConfig {
        page_limit: Some(3),
        ..MockConfig::default()
    })
    .await;
    for (skip, top, rows) in [(0, 10_000, 3), (0, 2, 2), (3, 10_000, 3), (6, 10_000, 1)] {
        assert_eq!(page_of(&tenant, skip, top).await.len(), rows);
    }
    assert_eq!(ids(&get(&tenant, "/api/machines?$top=50").await).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_count_is_of_all_rows_that_match_and_only_where_it_is_asked_for() {
    let tenant = with_seven_scans(MockConfig::default()).await;
    let filter = "$filter=creationDateTimeUtc ge 2026-01-01T00:00:04Z";
    for (query, count) in [
        ("$count=true".to_owned(), Value::from(7)),
        ("$count=false".to_owned(), Value::Null),
        (
            format!("$count=true&$top=1&$skip=1&{filter}"),
            Value::from(3),
        ),
    ] {
        let page = get(&tenant, &format!("/api/machineactions?{query}"))
            .await
            .1;
        assert_eq!(page["@odata.count"], count, "{query}");
    }
    let machines = get(&tenant, "/api/machines?$count=true&$top=2").await.1;
    assert_eq!(machines["@odata.count"], 100);
    let carried = |kind, option| tenant.recorder().carried(kind, option);
    assert_eq!(carried(Kind::List, ListOption::Count), 3);
    assert_eq!(carried(Kind::List, ListOption::OrderBy), 0);
    assert_eq!(carried(Kind::Machines, ListOption::Count), 1);
}

#[tokio::test(start_paused = true)]
async fn actions_come_in_the_order_that_is_asked_for_and_newest_first_without_one() {
    let tenant = with_seven_scans(MockConfig::default()).await;
    let newest_first = page_of(&tenant, 0, 10).await;
    for (order, is_newest_first) in [
        ("creationDateTimeUtc desc", true),
        ("CreationDateTimeUtc DESC", true),
        ("creationDateTimeUtc asc", false),
        ("creationDateTimeUtc", false),
    ] {
        let target = format!("/api/machineactions?$orderby={order}");
        let mut rows = ids(&get(&tenant, &target).await);
        if !is_newest_first {
            rows.reverse();
        }
        assert_eq!(rows, newest_first, "{order}");
    }
    for unknown in [
        "/api/machineactions?$orderby=colour",
        "/api/machines?$orderby=rbacGroupName",
    ] {
        assert_eq!(code(&get(&tenant, unknown).await), (400, "ODataError"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_option_that_the_service_does_not_know_is_an_error() {
    let tenant = Tenant::new(MockConfig {
        refuses: vec![ListOption::Count],
        ..MockConfig::default()
    });
    let ordered = "/api/machineactions?$orderby=creationDateTimeUtc desc";
    assert_eq!(get(&tenant, ordered).await.0, 200);
    for target in [
        format!("{ordered}&$count=true"),
        "/api/machines?$count=true".to_owned(),
    ] {
        assert_eq!(code(&get(&tenant, &target).await), (400, "ODataError"));
    }
    // Other tenants take it, so whoever asked for it has done nothing wrong.
    assert_eq!(tenant.summary().faults, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn scans_of_others_come_in_at_the_top_between_two_pages() {
    let tenant = with_seven_scans(MockConfig {
        moving: Moving {
            arriving: 2,
            ..Moving::default()
        },
        ..MockConfig::default()
    })
    .await;
    let first = page_of(&tenant, 0, 4).await;
    let second = page_of(&tenant, 4, 4).await;
    assert_eq!(second[..2], first[2..], "two rows have moved down");
    let target = "/api/machineactions?$top=4";
    let now = get(&tenant, target).await.1;
    let strangers = now["value"].as_array().unwrap().iter();
    assert!(
        strangers
            .clone()
            .all(|row| row["requestSource"] == "Portal")
    );
    assert_eq!(tenant.recorder().scans(), 7);
}

#[tokio::test(start_paused = true)]
async fn rows_vanish_from_the_end_or_from_anywhere_and_can_still_be_asked_for() {
    for (vanish, own_left) in [(Vanish::Oldest, 3), (Vanish::Others, 7)] {
        let tenant = Tenant::new(MockConfig {
            moving: Moving {
                vanishing: 4,
                vanish,
                ..Moving::default()
            },
            ..MockConfig::default()
        });
        for n in 0..7 {
            start(&tenant, &format!("m{n}")).await;
            tokio::time::sleep(s(2000)).await;
        }
        for n in 0..4 {
            tenant.start_elsewhere(&format!("other{n}"), "by hand");
        }
        let before = page_of(&tenant, 0, 100).await;
        let after = get(&tenant, "/api/machineactions").await;
        let rows = after.1["value"].as_array().unwrap().iter();
        let own = rows.filter(|row| row["requestSource"] == "PublicApi");
        assert_eq!((before.len(), own.count()), (11, own_left), "{vanish:?}");
        let left: BTreeSet<_> = ids(&after).into_iter().collect();
        let gone = before.iter().find(|id| !left.contains(*id)).unwrap();
        let single = format!("/api/machineactions/{gone}");
        assert_eq!(get(&tenant, &single).await.0, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_list_shows_new_rows_for_ever_or_the_same_page() {
    for endless in [Endless::New, Endless::Same] {
        let tenant = with_seven_scans(MockConfig {
            endless: Some(endless),
            ..MockConfig::default()
        })
        .await;
        for path in ["machineactions", "machines"] {
            let mut seen = BTreeSet::new();
            for page in 0..60 {
                let skip = page * 5;
                let target = format!("/api/{path}?$top=5&$skip={skip}&$count=true");
                let page = get(&tenant, &target).await;
                assert_eq!(ids(&page).len(), 5);
                seen.extend(ids(&page));
                let is_over = page.1["@odata.count"].as_u64().unwrap() <= skip + 5;
                assert!(!is_over || endless == Endless::Same);
            }
            let rows = if endless == Endless::New { 300 } else { 5 };
            assert_eq!(seen.len(), rows, "{endless:?} {path}");
        }
        let overlap = [0, 19].map(|skip| page_of(&tenant, skip, 20));
        let [first, second] = overlap;
        assert_eq!(
            first.await.last() == second.await.first(),
            endless == Endless::New
        );
    }
}

//! Scans and the inventory, through valid and invalid calls.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_scan_goes_from_pending_to_its_end_and_then_another_may_start() {
    let tenant = Tenant::new(MockConfig {
        scan_time: s(60)..=s(60),
        ..MockConfig::default()
    });
    let first = start(&tenant, "AB").await;
    assert_eq!(
        (first.0, &first.1["status"], &first.1["machineId"]),
        (201, &"Pending".into(), &"ab".into())
    );
    assert_eq!(
        code(&start(&tenant, "ab").await),
        (400, "ActiveRequestAlreadyExists")
    );
    let id = first.1["id"].as_str().unwrap();
    let path = format!("/api/machineactions/{id}");
    for (wait, status) in [(0, "Pending"), (30, "InProgress"), (30, "Succeeded")] {
        tokio::time::sleep(s(wait)).await;
        assert_eq!(get(&tenant, &path).await.1["status"], status);
    }
    assert_eq!(start(&tenant, "ab").await.0, 201);
    assert_eq!(tenant.recorder().scans_of("AB"), 2);
    assert_eq!(tenant.recorder().machines_scanned_more_than_once(), ["ab"]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_machine_answers_in_the_shape_that_is_asked_for() {
    for (busy_shape, status) in [
        (BusyShape::Error, 400),
        (BusyShape::Success200, 200),
        (BusyShape::Success201, 201),
    ] {
        let tenant = Tenant::new(MockConfig {
            busy_shape,
            chances: Chances {
                busy: 1.0,
                ..Chances::default()
            },
            ..MockConfig::default()
        });
        let answer = start(&tenant, "ab").await;
        assert_eq!(answer.0, status);
        if status != 400 {
            assert_eq!(answer.1["requestorComment"], "Scan of another team");
            assert_eq!(answer.1["status"], "InProgress");
        }
        assert_eq!(tenant.recorder().scans(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn listings_are_filtered_paged_newest_first_and_late() {
    let tenant = Tenant::new(MockConfig {
        listing_lag: s(5)..=s(5),
        ..MockConfig::default()
    });
    tenant.start_elsewhere("other", "by hand");
    for n in 0..5 {
        start(&tenant, &format!("m{n}")).await;
        tokio::time::sleep(s(1)).await;
    }
    let machines = |listing: (u16, Value)| -> Vec<String> {
        assert_eq!(listing.0, 200);
        let items = listing.1["value"].as_array().unwrap().iter();
        items
            .map(|item| item["machineId"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        machines(get(&tenant, "/api/machineactions").await),
        ["m0", "other"]
    );
    tokio::time::sleep(s(5)).await;
    let page = "/api/machineactions?$top=2&$skip=1&$filter=type+eq+'RunAntiVirusScan'";
    assert_eq!(machines(get(&tenant, page).await), ["m3", "m2"]);
    let since = "/api/v1.0/machineactions?$filter=creationDateTimeUtc%20ge%202026-01-01T00:00:03Z";
    assert_eq!(machines(get(&tenant, since).await), ["m4", "m3"]);
    let wrong = get(&tenant, "/api/machineactions?$filter=colour%20eq%20'red'").await;
    assert_eq!(code(&wrong), (400, "ODataError"));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_scan_says_so_and_an_ended_one_cannot_be_cancelled() {
    let tenant = Tenant::new(MockConfig::default());
    let id = start(&tenant, "ab").await.1["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let cancel = |id: &str| {
        let request = Request::post(
            &format!("/api/machineactions/{id}/cancel"),
            "t",
            r#"{"Comment":"stop"}"#,
        );
        let tenant = Arc::clone(&tenant);
        async move { read(&call(&tenant, request).await) }
    };
    let cancelled = cancel(&id).await;
    assert_eq!(
        (cancelled.0, &cancelled.1["status"]),
        (200, &"Cancelled".into())
    );
    assert_eq!(cancelled.1["cancellationComment"], "stop");
    assert_eq!(code(&cancel(&id).await), (400, "BadRequest"));
    assert_eq!(
        code(&cancel("0696c900-b8ce-42ce-96f6-1b68268b7bea").await),
        (404, "ResourceNotFound")
    );
    assert_eq!(tenant.recorder().foreign_cancels(), 0);
    tenant.start_elsewhere("cd", "by hand");
    let listed = get(&tenant, "/api/machineactions?$filter=machineId eq 'cd'")
        .await
        .1;
    cancel(listed["value"][0]["id"].as_str().unwrap()).await;
    assert_eq!(tenant.recorder().foreign_cancels(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_inventory_is_filtered_and_empty_in_either_way() {
    for (empty_inventory_is_404, status) in [(false, 200), (true, 404)] {
        let tenant = Tenant::new(MockConfig {
            machines: 50,
            empty_inventory_is_404,
            ..MockConfig::default()
        });
        let all = get(&tenant, "/api/machines").await.1;
        assert_eq!(all["value"].as_array().unwrap().len(), 50);
        assert!(
            tenant.machine_ids().into_iter().eq(all["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|m| m["id"].as_str().unwrap()))
        );
        let week = get(&tenant, "/api/machines?$filter=lastSeen ge 2025-12-25")
            .await
            .1;
        assert!((1..50).contains(&week["value"].as_array().unwrap().len()));
        let none = get(&tenant, "/api/machines?$filter=osPlatform eq 'BeOS'").await;
        assert_eq!(none.0, status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_call_is_told_what_is_wrong_with_it() {
    let tenant = Tenant::new(MockConfig {
        chances: Chances {
            unsupported: 0.5,
            unknown: 0.5,
            ..Chances::default()
        },
        ..MockConfig::default()
    });
    let post =
        |body: &str| Request::post("/api/machines/ab/runAntiVirusScan", "t", body.to_owned());
    for (request, expected) in [
        (post("Comment"), (400, "InvalidRequestBody")),
        (
            post(r#"{"Comment":"c"}"#),
            (400, "MissingRequiredParameter"),
        ),
        (
            post(r#"{"comment":"c","ScanType":"Quick"}"#),
            (400, "MissingRequiredParameter"),
        ),
        (
            post(r#"{"Comment":"c","ScanType":"Deep"}"#),
            (400, "InvalidInput"),
        ),
        (start_request("a%20b"), (400, "InvalidInput")),
        (Request::get("/api/nothing", "t"), (404, "NotFound")),
        (Request::get("/api/machines", ""), (401, "Unauthorized")),
    ] {
        let answer = read(&call(&tenant, request).await);
        assert_eq!(code(&answer), expected);
        assert_eq!(answer.1["error"]["target"].as_str().unwrap().len(), 36);
    }
    let mut codes = std::collections::BTreeSet::new();
    for n in 0..60 {
        let answer = start(&tenant, &format!("m{n}")).await;
        codes.insert(code(&answer).1.to_owned());
    }
    assert_eq!(
        codes.into_iter().collect::<Vec<_>>(),
        [
            "",
            "ClientVersionNotSupported",
            "OsPlatformNotSupported",
            "ResourceNotFound"
        ]
    );
}

//! The tenant called directly, without HTTP, in virtual time.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::*;

mod denials;
mod lists;
mod outages;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const BODY: &str = r#"{"Comment":"[fleetsweep:x:1] c","ScanType":"Quick"}"#;

fn start_request(machine: &str) -> Request {
    Request::post(
        &format!("/api/machines/{machine}/runAntiVirusScan"),
        "t",
        BODY,
    )
}

async fn call(tenant: &Arc<Tenant>, request: Request) -> Response {
    match tenant.handle(request).await {
        Served::Response(response) => response,
        other => panic!("no answer: {other:?}"),
    }
}

async fn start(tenant: &Arc<Tenant>, machine: &str) -> (u16, Value) {
    read(&call(tenant, start_request(machine)).await)
}

async fn get(tenant: &Arc<Tenant>, target: &str) -> (u16, Value) {
    read(&call(tenant, Request::get(target, "t")).await)
}

fn read(response: &Response) -> (u16, Value) {
    (
        response.status,
        serde_json::from_slice(&response.body).unwrap_or(Value::Null),
    )
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (
        answer.0,
        answer.1["error"]["code"].as_str().unwrap_or_default(),
    )
}

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
async fn the_documented_quota_refuses_the_call_that_is_one_too_many_and_says_until_when() {
    let tenant = Tenant::new(MockConfig::default());
    for n in 0..100 {
        assert_eq!(start(&tenant, &format!("m{n}")).await.0, 201);
    }
    tokio::time::sleep(s(20)).await;
    let refused = call(&tenant, start_request("m100")).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("41"))
    );
    assert_eq!(
        get(&tenant, "/api/machineactions").await.0,
        200,
        "each kind has its own quota"
    );
    tokio::time::sleep(s(1)).await;
    assert_eq!(start(&tenant, "m100").await.0, 429);
    tokio::time::sleep(s(40)).await;
    assert_eq!(start(&tenant, "m100").await.0, 201);
    let recorder = tenant.recorder();
    assert_eq!(
        (recorder.calls(Kind::Start), recorder.throttled(Kind::Start)),
        (103, 2)
    );
    assert_eq!(recorder.early_calls(), 1);
    assert_eq!(recorder.busiest(Kind::Start, s(60)), 102);
}

#[tokio::test(start_paused = true)]
async fn another_caller_of_the_same_application_takes_from_the_quota_and_leaves_no_trace() {
    let tenant = Tenant::new(MockConfig::default());
    assert_eq!(tenant.spend_elsewhere(Kind::Start, 150), 100);
    assert_eq!(start(&tenant, "ab").await.0, 429);
    assert_eq!(tenant.recorder().calls(Kind::Start), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_before_was_not_carried_out_and_what_is_lost_after_was() {
    let rules = [
        ("a", Fault::CutBefore, None, 0),
        ("b", Fault::CutAfter, None, 1),
        ("c", Fault::Status(500, String::new()), Some(500), 0),
        ("d", Fault::StatusAfter(502, String::new()), Some(502), 1),
        ("e", Fault::Delay(s(7)), Some(201), 1),
    ];
    let rule =
        |(machine, fault, ..): &(&str, Fault, _, _)| Rule::new(fault.clone()).machine(machine);
    let tenant = Tenant::new(MockConfig {
        faults: rules.iter().map(rule).collect(),
        ..MockConfig::default()
    });
    for (machine, fault, status, scans) in rules {
        let served = tenant.handle(start_request(machine)).await;
        let answered = match &served {
            Served::Response(response) => Some(response.status),
            Served::Cut | Served::Refused => None,
        };
        assert_eq!(
            (answered, tenant.recorder().scans_of(machine)),
            (status, scans),
            "{fault:?}"
        );
    }
    assert_eq!(tenant.recorder().calls(Kind::Start), 5);
    assert_eq!(tenant.summary().scans.answers_lost, 2);
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_goes_out_before_the_call_is_counted() {
    let tenant = Tenant::new(MockConfig {
        faults: vec![Rule::new(Fault::Early(s(4)))],
        ..MockConfig::default()
    });
    assert_eq!(start(&tenant, "ab").await.0, 503);
    tokio::time::sleep(s(3)).await;
    assert_eq!(
        (
            tenant.recorder().calls(Kind::Start),
            tenant.recorder().scans()
        ),
        (0, 0)
    );
    tokio::time::sleep(s(2)).await;
    let seen = Seen {
        arrived: s(0),
        counted: s(4),
    };
    assert_eq!(
        (
            tenant.recorder().seen(Kind::Start),
            tenant.recorder().scans()
        ),
        (vec![seen], 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_is_counted_somewhere_between_its_arrival_and_its_answer() {
    let tenant = Tenant::new(MockConfig {
        latency: s(2)..=s(20),
        ..MockConfig::default()
    });
    let began = tokio::time::Instant::now();
    for n in 0..50 {
        let before = began.elapsed();
        assert_eq!(start(&tenant, &format!("m{n}")).await.0, 201);
        let seen = *tenant.recorder().seen(Kind::Start).last().unwrap();
        assert!(
            before <= seen.arrived
                && seen.arrived <= seen.counted
                && seen.counted <= began.elapsed()
        );
    }
    let seen = tenant.recorder().seen(Kind::Start);
    let late = seen
        .iter()
        .filter(|seen| seen.counted > seen.arrived + s(2))
        .count();
    assert!((10..50).contains(&late), "{late} of 50");
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
            tenant.machine_ids().eq(all["value"]
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

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_answers() {
    let run = async || {
        let tenant = Tenant::new(MockConfig {
            chances: Chances {
                error_after: 0.2,
                reset_before: 0.2,
                busy: 0.2,
                ..Chances::default()
            },
            busy_shape: BusyShape::Mixed,
            latency: s(0)..=s(3),
            ..MockConfig::default()
        });
        let mut answers = Vec::new();
        for n in 0..80 {
            answers.push(tenant.handle(start_request(&format!("m{n}"))).await);
        }
        answers
    };
    assert_eq!(run().await, run().await);
}

#[tokio::test(start_paused = true)]
async fn under_any_faults_every_scan_was_told_or_is_known_to_be_lost() {
    for seed in 0..10 {
        let tenant = Tenant::new(MockConfig {
            seed,
            quota: QuotaConfig::none(),
            latency: s(0)..=s(5),
            chances: Chances {
                busy: 0.1,
                unknown: 0.05,
                unsupported: 0.05,
                spurious_404: 0.05,
                error_before: 0.1,
                error_after: 0.1,
                reset_before: 0.1,
                reset_after: 0.1,
                early: 0.5,
            },
            ..MockConfig::default()
        });
        let mut told = 0;
        for n in 0..200 {
            let served = tenant.handle(start_request(&format!("m{n}"))).await;
            told +=
                usize::from(matches!(served, Served::Response(response) if response.status == 201));
        }
        tokio::time::sleep(s(4)).await;
        let summary = tenant.summary();
        assert_eq!(
            summary.scans.total,
            told + summary.scans.answers_lost,
            "seed {seed}"
        );
        assert_eq!(
            summary.scans.machines_scanned_more_than_once, 0,
            "seed {seed}"
        );
        assert!(summary.scans.answers_lost > 10, "seed {seed}");
        // Only calls that were cut before they reached the service are missing.
        let calls = tenant.recorder().calls(Kind::Start);
        assert!((170..200).contains(&calls), "seed {seed}: {calls}");
    }
}

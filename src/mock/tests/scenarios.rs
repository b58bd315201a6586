//! What scenarios can ask for besides faults: refusals of every style, another caller, machines that are away, and a
//! memory that ends.

use super::*;
fn one_a_minute() -> QuotaConfig {
    QuotaConfig {
        limits: vec![Limit {
            calls: 1,
            window: s(60),
        }],
        ..QuotaConfig::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_its_style_says_about_the_wait() {
    for (retry_after, header, body) in [
        (RetryAfter::Seconds, Some("61"), "in 61 seconds"),
        (
            RetryAfter::Date,
            Some("Thu, 01 Jan 2026 00:01:01 GMT"),
            "in 61 seconds",
        ),
        (RetryAfter::Missing, None, "in 61 seconds"),
        (RetryAfter::Contradicting, Some("1"), "in 61 seconds"),
        (RetryAfter::Absurd, Some("31622400000"), "in 61 seconds"),
        (RetryAfter::Older, None, "Maximum allowed 1 per 00:01:00"),
    ] {
        let tenant = Tenant::new(MockConfig {
            quota: QuotaConfig {
                retry_after,
                ..one_a_minute()
            },
            ..MockConfig::default()
        });
        tenant.handle(start_request("aa")).await;
        let response = call(&tenant, start_request("bb")).await;
        assert_eq!(response.status, 429);
        assert_eq!(response.header("retry-after"), header, "{retry_after:?}");
        let text = String::from_utf8_lossy(&response.body);
        assert!(text.contains(body), "{text}");
        // Nobody is early who was not told how long to wait.
        tokio::time::sleep(s(2)).await;
        tenant.handle(start_request("cc")).await;
        let early = tenant.recorder().early(Kind::Start);
        assert_eq!(early, u64::from(retry_after != RetryAfter::Older));
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_caller_or_the_cpu_refuses_is_not_the_clients_fault() {
    let beside = QuotaConfig {
        other_caller: 0.9,
        ..QuotaConfig::default()
    };
    let busy_cpu = Chances {
        cpu_429: 0.2,
        ..Chances::default()
    };
    for (quota, chances) in [
        (beside, Chances::default()),
        (QuotaConfig::default(), busy_cpu),
    ] {
        let tenant = Tenant::new(MockConfig {
            quota,
            chances,
            ..MockConfig::default()
        });
        // A client that keeps to the limits by itself.
        for n in 0..1_500 {
            tenant.handle(start_request(&format!("{n:040x}"))).await;
            tokio::time::sleep(Duration::from_millis(2_500)).await;
        }
        let recorder = tenant.recorder();
        assert!(recorder.throttled(Kind::Start) > 50);
        assert_eq!(recorder.over_limit(Kind::Start), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_away_is_pending_until_its_scan_times_out() {
    let tenant = Tenant::new(MockConfig {
        chances: Chances {
            offline: 1.0,
            ..Chances::default()
        },
        ..MockConfig::default()
    });
    start(&tenant, "aa").await;
    for (hours, status) in [(71, "Pending"), (2, "TimeOut")] {
        tokio::time::sleep(Duration::from_hours(hours)).await;
        let (_, list) = get(&tenant, "/api/machineactions").await;
        assert_eq!(list["value"][0]["status"], status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_forgets_still_knows_who_was_busy_and_who_was_scanned_twice() {
    let tenant = Tenant::new(MockConfig {
        chances: Chances {
            busy: 1.0,
            ..Chances::default()
        },
        forgets_after: Some(Duration::from_hours(1)),
        ..MockConfig::default()
    });
    let status = async |machine: &str| start(&tenant, machine).await.0;
    assert_eq!(status("aa").await, 400, "busy with somebody else's scan");
    tokio::time::sleep(Duration::from_hours(3)).await;
    assert_eq!(status("bb").await, 400);
    assert_eq!(
        status("aa").await,
        201,
        "which is over, although it is forgotten"
    );
    tokio::time::sleep(Duration::from_hours(3)).await;
    assert_eq!(status("aa").await, 201);
    let twice = tenant.recorder().machines_scanned_more_than_once();
    assert_eq!(twice, ["aa"]);
    let (_, list) = get(&tenant, "/api/machineactions").await;
    assert_eq!(list["value"].as_array().map(Vec::len), Some(1), "{list}");
}

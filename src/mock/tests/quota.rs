//! The quota, through calls.

use super::*;

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

//! Outages, as a direct caller of the tenant sees them.

use super::*;

fn out(outages: &[Outage]) -> Arc<Tenant> {
    Tenant::new(MockConfig {
        outages: outages.to_vec(),
        ..MockConfig::default()
    })
}

/// The result of a start that begins now; `None` if there is no answer within a minute.
async fn started(tenant: &Arc<Tenant>, machine: &str) -> Option<Served> {
    let handled = tenant.handle(start_request(machine));
    tokio::time::timeout(s(60), handled).await.ok()
}

const PAGE: Shape = Shape::Page { status: 200 };
const UNAVAILABLE: Shape = Shape::Unavailable {
    retry_after: None,
    empty: false,
};

#[tokio::test(start_paused = true)]
async fn an_outage_ends_when_it_says_and_starts_no_scan() {
    for shape in [
        Shape::Refused,
        Shape::TimesOut,
        Shape::Reset,
        UNAVAILABLE,
        PAGE,
    ] {
        let tenant = out(&[Outage::of_everything(s(10), s(100), shape.clone())]);
        assert_eq!(start(&tenant, "before").await.0, 201);
        tokio::time::sleep(s(10)).await;
        let during = started(&tenant, "during").await;
        match (&shape, during) {
            (Shape::Refused, Some(Served::Refused))
            | (Shape::Reset, Some(Served::Cut))
            | (Shape::TimesOut, None) => {}
            (Shape::Unavailable { .. }, Some(Served::Response(response))) => {
                let answer = read(&response);
                assert_eq!(code(&answer), (503, "ServiceUnavailable"));
            }
            (Shape::Page { .. }, Some(Served::Response(response))) => {
                assert_eq!(response.status, 200);
                assert!(response.body.starts_with(b"<html>"));
            }
            (_, other) => panic!("{shape:?}: {other:?}"),
        }
        tokio::time::sleep(s(90)).await;
        assert_eq!(start(&tenant, "after").await.0, 201);
        let recorder = tenant.recorder();
        assert_eq!((recorder.scans(), recorder.scans_of("during")), (2, 0));
        let reached = matches!(
            shape,
            Shape::TimesOut | Shape::Reset | Shape::Unavailable { .. }
        );
        let (calls, away) = if reached {
            (3, vec![])
        } else {
            (2, vec![s(10)])
        };
        assert_eq!(recorder.calls(Kind::Start), calls, "{shape:?}");
        assert_eq!(recorder.turned_away(Kind::Start), away, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_starts_leaves_lists_alone_and_none_touches_the_sign_in() {
    let hour = s(3600);
    let token = || Request::post("/acme/oauth2/v2.0/token", "", "");
    let list = || Request::get("/api/machineactions", "t");
    let starts = out(&[Outage::of_starts(s(0), hour, Shape::Reset)]);
    assert_eq!(started(&starts, "ab").await, Some(Served::Cut));
    assert_eq!(call(&starts, list()).await.status, 200);
    let everything = out(&[Outage::of_everything(s(0), hour, Shape::Refused)]);
    assert_eq!(everything.handle(list()).await, Served::Refused);
    assert_eq!(call(&everything, token()).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn calls_that_never_reach_the_service_take_nothing_from_its_quota() {
    for (shape, left) in [(PAGE, 100), (Shape::Refused, 100), (Shape::Reset, 70)] {
        let tenant = out(&[Outage::of_everything(s(0), s(1), shape)]);
        for n in 0..30 {
            started(&tenant, &format!("m{n}")).await;
        }
        assert_eq!(tenant.spend_elsewhere(Kind::Start, 100), left);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_has_the_headers_of_its_status_and_503_the_retry_after_it_was_given() {
    let page = |status| Shape::Page { status };
    let later = Shape::Unavailable {
        retry_after: Some("1767225720".to_owned()),
        empty: true,
    };
    for (shape, status, header) in [
        (page(302), 302, "location"),
        (page(407), 407, "proxy-authenticate"),
        (later, 503, "retry-after"),
    ] {
        let tenant = out(&[Outage::of_everything(s(0), s(1), shape)]);
        let response = call(&tenant, start_request("ab")).await;
        assert_eq!(response.status, status);
        let value = response.header(header).unwrap_or_default();
        assert!(!value.is_empty(), "{header}");
        if status == 503 {
            assert_eq!((value, response.body.len()), ("1767225720", 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_counted_although_its_client_has_gone() {
    let tenant = Tenant::new(MockConfig {
        latency: (s(2)..=s(2)).into(),
        outages: vec![Outage::of_everything(s(0), s(1), Shape::TimesOut)],
        ..MockConfig::default()
    });
    let handled = tenant.handle(start_request("ab"));
    assert!(tokio::time::timeout(s(1), handled).await.is_err());
    tokio::time::sleep(s(2)).await;
    let recorder = tenant.recorder();
    assert_eq!((recorder.calls(Kind::Start), recorder.scans()), (1, 0));
}

//! The tenant over HTTP.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{self, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tower_service::Service;

use super::{
    door::Door,
    request::{Method, Request, Served},
    tenant::Tenant,
};

/// Serves the tenant until `shutdown` is done, then drops what is still open.
///
/// Beside the API there are `GET /mock/witness`, the [`super::Summary`] of what was seen, and `GET /mock/scans`, the scanned
/// machines with the first comment and the number of their scans; both cost no quota.
///
/// While an [`Outage`](super::Outage) refuses everything the server does not listen: the system refuses to connect, to sign in
/// and to the two pages above too. Connections that wait for a request are closed when it begins, calls that are under way get
/// their answers. A refusal of starts alone cannot be told before the request was read, and is a cut here.
pub async fn serve(listener: TcpListener, tenant: Arc<Tenant>, shutdown: impl Future<Output = ()>) {
    let router = router(Arc::clone(&tenant));
    let mut door = Door::new(listener);
    // Dropped at the end, and its connections with it.
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            Some(_) = connections.join_next() => {}
            is_shut = door.next_move(&tenant) => door.set(is_shut).await,
            accepted = door.accept() => match accepted {
                Ok(stream) => {
                    connections.spawn(connection(stream, router.clone(), door.shutting()));
                }
                // Out of file descriptors, most likely: some will be free in a moment.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
}

fn router(tenant: Arc<Tenant>) -> Router {
    Router::new()
        .route("/mock/witness", get(recorder))
        .route("/mock/scans", get(scans))
        .fallback(call)
        .with_state(tenant)
}

/// Marks an answer that is not to be given.
#[derive(Debug, Clone, Copy)]
struct CutMark;

#[derive(Debug, thiserror::Error)]
#[error("the connection is cut, as the mock was told")]
struct Cut;

async fn connection(stream: TcpStream, router: Router, mut shutting: watch::Receiver<bool>) {
    // Small answers go out at once or the latency is the kernel's. A socket that refuses this is closing anyway.
    stream.set_nodelay(true).ok();
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        async move {
            let Ok(response) = router.call(request).await;
            // A service's error makes hyper close the connection without a byte.
            let cut = response.extensions().get::<CutMark>().is_some();
            if cut { Err(Cut) } else { Ok(response) }
        }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    // However a connection ends, the next is none the worse.
    tokio::select! {
        _ = served.as_mut() => return,
        Ok(_) = shutting.wait_for(|is_shut| *is_shut) => served.as_mut().graceful_shutdown(),
    }
    served.await.ok();
}

/// No call of the API has a body of this size.
const LARGEST_BODY: usize = 1 << 20;

async fn call(State(tenant): State<Arc<Tenant>>, request: http::Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let header = |name: &str| {
        let value = parts.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let request = Request {
        method: match parts.method {
            http::Method::GET => Method::Get,
            http::Method::POST => Method::Post,
            _ => Method::Other,
        },
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        metadata: header("metadata"),
        identity_header: header("x-identity-header"),
        body,
    };
    match tenant.handle(request).await {
        Served::Cut | Served::Refused => (axum::Extension(CutMark), StatusCode::OK).into_response(),
        Served::Response(served) => {
            let mut builder = http::Response::builder().status(served.status);
            for (name, value) in served.headers {
                builder = builder.header(name, value);
            }
            let built = builder.body(Body::from(served.body));
            // Only a script's status that is none can fail.
            built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}

async fn recorder(State(tenant): State<Arc<Tenant>>) -> Response {
    json(&tenant.summary())
}

async fn scans(State(tenant): State<Arc<Tenant>>) -> Response {
    let by_machine = tenant.recorder().scans_by_machine();
    let rows = by_machine.iter().map(|(machine, scans)| {
        let first = scans.first().map(|scan| &*scan.comment);
        json!({"machineId": &**machine, "comment": first, "count": scans.len()})
    });
    json(&rows.collect::<Value>())
}

fn json(body: &impl Serialize) -> Response {
    let header = [(http::header::CONTENT_TYPE, "application/json")];
    (header, serde_json::to_vec(body).unwrap_or_default()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::{Chances, Fault, Kind, MockConfig, Outage, Rule, Shape};

    /// A tenant that is served in this runtime, and where it is.
    async fn served(config: MockConfig) -> (Arc<Tenant>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let tenant = Tenant::new(config);
        tokio::spawn(serve(listener, Arc::clone(&tenant), std::future::pending()));
        (tenant, base)
    }

    fn client() -> reqwest::Client {
        let client = reqwest::Client::builder()
            .no_proxy()
            .retry(reqwest::retry::never());
        client.timeout(Duration::from_secs(30)).build().unwrap()
    }

    async fn start(
        client: &reqwest::Client,
        base: &str,
        machine: &str,
    ) -> reqwest::Result<reqwest::Response> {
        let request = client
            .post(format!("{base}/api/machines/{machine}/runAntiVirusScan"))
            .bearer_auth("t");
        request
            .body(r#"{"Comment":"c","ScanType":"Quick"}"#)
            .send()
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn two_hundred_real_calls_with_latency_pass_in_virtual_time() {
        let (tenant, base) = served(MockConfig {
            latency: Duration::from_secs(2)..=Duration::from_secs(20),
            quota: crate::mock::QuotaConfig::none(),
            ..MockConfig::default()
        })
        .await;
        let client = client();
        for round in 0..20 {
            let mut calls = JoinSet::new();
            for n in 0..10 {
                let (client, base) = (client.clone(), base.clone());
                calls.spawn(async move {
                    start(&client, &base, &format!("m{round}-{n}"))
                        .await
                        .unwrap()
                        .status()
                });
            }
            assert_eq!(calls.join_all().await, [http::StatusCode::CREATED; 10]);
        }
        assert_eq!(tenant.recorder().calls(Kind::Start), 200);
        let recorder: Value = {
            let response = client
                .get(format!("{base}/mock/witness"))
                .send()
                .await
                .unwrap();
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
        };
        assert_eq!(recorder["kinds"]["start"]["calls"], 200);
        assert_eq!(recorder["scans"]["total"], 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_is_neither_a_failure_to_connect_nor_a_timeout() {
        let (tenant, base) = served(MockConfig {
            faults: vec![
                Rule::new(Fault::CutBefore).machine("aa"),
                Rule::new(Fault::CutAfter).machine("bb"),
            ],
            ..MockConfig::default()
        })
        .await;
        let client = client();
        for (machine, scans) in [("aa", 0), ("bb", 1), ("cc", 1)] {
            match start(&client, &base, machine).await {
                Ok(response) => assert_eq!((machine, response.status().as_u16()), ("cc", 201)),
                Err(error) => assert!(!error.is_connect() && !error.is_timeout(), "{error:?}"),
            }
            assert_eq!(tenant.recorder().scans_of(machine), scans, "{machine}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_gives_up_does_not_stop_the_service() {
        let (tenant, base) = served(MockConfig {
            faults: vec![Rule::new(Fault::Delay(Duration::from_secs(90)))],
            chances: Chances::default(),
            ..MockConfig::default()
        })
        .await;
        let error = start(&client(), &base, "aa").await.unwrap_err();
        assert!(error.is_timeout());
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(tenant.recorder().scans_of("aa"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_door_is_shut_the_system_refuses_to_connect_and_calls_inside_get_their_answers()
     {
        let outage = Outage::of_everything(
            Duration::from_secs(10),
            Duration::from_mins(1),
            Shape::Refused,
        );
        let (tenant, base) = served(MockConfig {
            latency: Duration::from_secs(5)..=Duration::from_secs(5),
            outages: vec![outage],
            ..MockConfig::default()
        })
        .await;
        let client = client();
        for machine in ["aa", "bb"] {
            // The second is inside when the door is shut, the connection is the first one's.
            let response = start(&client, &base, machine).await.unwrap();
            assert_eq!(response.status(), http::StatusCode::CREATED);
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        for _ in 0..3 {
            let error = start(&client, &base, "cc").await.unwrap_err();
            assert!(error.is_connect(), "{error:?}");
            tokio::time::sleep(Duration::from_secs(15)).await;
        }
        let response = start(&client, &base, "cc").await.unwrap();
        assert_eq!(response.status(), http::StatusCode::CREATED);
        assert_eq!(tenant.recorder().calls(Kind::Start), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_is_a_timeout_and_a_refusal_that_comes_late_is_a_cut() {
        let hour = Duration::from_hours(1);
        for (shape, is_timeout) in [(Shape::TimesOut, true), (Shape::Refused, false)] {
            let outage = Outage::of_starts(Duration::ZERO, hour, shape);
            let (tenant, base) = served(MockConfig {
                outages: vec![outage],
                ..MockConfig::default()
            })
            .await;
            let error = start(&client(), &base, "aa").await.unwrap_err();
            assert_eq!(
                (error.is_timeout(), error.is_connect()),
                (is_timeout, false)
            );
            assert_eq!(tenant.recorder().scans(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_servers_clock_is_in_the_date_header() {
        let (_tenant, base) = served(MockConfig::default()).await;
        tokio::time::sleep(Duration::from_secs(61)).await;
        let response = start(&client(), &base, "aa").await.unwrap();
        assert_eq!(
            response.headers()[http::header::DATE],
            "Thu, 01 Jan 2026 00:01:01 GMT"
        );
    }
}

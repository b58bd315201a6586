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
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    connection::{self, CutMark},
    listener::Listener,
    request::{Method, Request},
    response::Served,
    tenant::Tenant,
    tls::Tls,
};

/// Serves the tenant by http until `shutdown` completes, then drops all open connections.
///
/// A client may speak HTTP/1.1, or HTTP/2 without asking first ("with prior knowledge").
///
/// Besides the API it serves `GET /mock/witness`, the [`super::Summary`] of what was seen, and `GET /mock/scans`, the
/// scanned machines with the first comment and the number of their scans. Neither costs quota.
///
/// While an [`Outage`](super::Outage) refuses all calls, the server does not listen. So the operating system refuses
/// all connections, including those for signing in and for the two pages above. When such an outage begins, idle
/// connections are closed, and calls in flight get their answers. If only starts are refused, this is not known
/// before the request was read, and so the connection is cut instead.
///
/// A cut in HTTP/1.1 closes the connection without an answer. In HTTP/2, where many calls share a connection, it resets
/// the call's stream (`INTERNAL_ERROR`): that call has no answer, and the others go on. To reqwest both are errors that
/// are neither failures to connect nor timeouts, and it repeats the call after neither.
pub async fn serve(listener: TcpListener, tenant: Arc<Tenant>, shutdown: impl Future<Output = ()>) {
    serve_either(listener, tenant, None, shutdown).await;
}

/// The same by https. The client chooses HTTP/2 or HTTP/1.1 in the handshake (ALPN).
///
/// A handshake that fails ends its own connection and nothing else. One that takes longer than 10 s is given up.
pub async fn serve_tls(
    listener: TcpListener,
    tenant: Arc<Tenant>,
    tls: Tls,
    shutdown: impl Future<Output = ()>,
) {
    serve_either(listener, tenant, Some(tls), shutdown).await;
}

async fn serve_either(
    listener: TcpListener,
    tenant: Arc<Tenant>,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()>,
) {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let router = router(Site {
        tenant: Arc::clone(&tenant),
        scheme,
    });
    let mut listener = Listener::new(listener);
    // Dropped at the end, together with its connections.
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            Some(_) = connections.join_next() => {}
            is_closed = listener.next_change(&tenant) => listener.set_closed(is_closed).await,
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    let (tls, router) = (tls.clone(), router.clone());
                    connections.spawn(connection::serve(stream, tls, router, listener.closing()));
                }
                // Most likely out of file descriptors; some will be free in a moment.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
}

/// What answers, and how it is addressed.
#[derive(Clone)]
struct Site {
    tenant: Arc<Tenant>,
    scheme: &'static str,
}

fn router(site: Site) -> Router {
    Router::new()
        .route("/mock/witness", get(summary))
        .route("/mock/scans", get(scans))
        .fallback(call)
        .with_state(site)
}

/// The largest request body, in bytes. No call of the API is that large.
const LARGEST_BODY: usize = 1 << 20;

async fn call(State(site): State<Site>, request: http::Request<Body>) -> Response {
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
            // Of a HEAD the server leaves the body out.
            http::Method::GET | http::Method::HEAD => Method::Get,
            http::Method::POST => Method::Post,
            _ => Method::Other,
        },
        base: base(site.scheme, &parts),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        metadata: header("metadata"),
        identity_header: header("x-identity-header"),
        body,
    };
    match site.tenant.handle(request).await {
        Served::Cut | Served::Refused => (axum::Extension(CutMark), StatusCode::OK).into_response(),
        Served::Response(served) => {
            let mut builder = http::Response::builder().status(served.status);
            for (name, value) in served.headers {
                builder = builder.header(name, value);
            }
            let built = builder.body(Body::from(served.body));
            // This fails only if a rule's status is not an HTTP status.
            built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}

/// The service's address as the client has it. HTTP/2 has the host in the URI, and so has what is sent to a proxy; in
/// HTTP/1.1 it is in the `Host` header otherwise.
fn base(scheme: &str, parts: &http::request::Parts) -> String {
    let header = || parts.headers.get(http::header::HOST)?.to_str().ok();
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = authority.or_else(header);
    format!("{scheme}://{}", host.unwrap_or_default())
}

async fn summary(State(site): State<Site>) -> Response {
    json(&site.tenant.summary())
}

async fn scans(State(site): State<Site>) -> Response {
    let by_machine = site.tenant.recorder().scans_by_machine();
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
    use crate::mock::{
        Chances, Fault, Kind, MockConfig, Outage, Rule, Shape, tests::over_loopback,
    };

    /// A tenant that is served in this runtime, and its base address.
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

    #[test]
    fn two_hundred_real_calls_with_latency_pass_over_loopback() {
        over_loopback(async {
            let (tenant, base) = served(MockConfig {
                latency: (Duration::from_secs(2)..=Duration::from_secs(20)).into(),
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
        });
    }

    #[test]
    fn a_cut_is_neither_a_failure_to_connect_nor_a_timeout() {
        over_loopback(async {
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
        });
    }

    #[test]
    fn a_client_that_gives_up_does_not_stop_the_service() {
        over_loopback(async {
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
        });
    }

    #[test]
    fn while_the_server_does_not_listen_the_system_refuses_to_connect_and_calls_in_flight_get_their_answers()
     {
        over_loopback(async {
            let outage = Outage::of_everything(
                Duration::from_secs(10),
                Duration::from_mins(1),
                Shape::Refused,
            );
            let (tenant, base) = served(MockConfig {
                latency: (Duration::from_secs(5)..=Duration::from_secs(5)).into(),
                outages: vec![outage],
                ..MockConfig::default()
            })
            .await;
            let client = client();
            for machine in ["aa", "bb"] {
                // The second call is in flight when the listener is closed. It uses the first one's connection.
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
        });
    }

    #[test]
    fn a_call_without_an_answer_is_a_timeout_and_a_refusal_that_comes_late_is_a_cut() {
        over_loopback(async {
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
        });
    }

    #[test]
    fn the_servers_clock_is_in_the_date_header() {
        over_loopback(async {
            let (_tenant, base) = served(MockConfig::default()).await;
            tokio::time::sleep(Duration::from_secs(61)).await;
            let response = start(&client(), &base, "aa").await.unwrap();
            assert_eq!(
                response.headers()[http::header::DATE],
                "Thu, 01 Jan 2026 00:01:01 GMT"
            );
        });
    }
}

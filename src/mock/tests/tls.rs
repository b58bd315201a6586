//! The tenant by https and over HTTP/2, to a real client on loopback.

use std::net::SocketAddr;

use reqwest::Version;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::*;
use crate::quota::{Clock, SystemClock};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// A tenant that is served by https in this runtime.
struct Site {
    tenant: Arc<Tenant>,
    address: SocketAddr,
    ca: CaPem,
}

async fn site(config: MockConfig) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tenant = Tenant::new(config);
    // Clients judge certificates by the clock on the wall.
    let (tls, ca) = Tls::generate(["127.0.0.1".to_owned()], SystemClock.wall()).unwrap();
    let served = serve_tls(listener, Arc::clone(&tenant), tls, std::future::pending());
    tokio::spawn(served);
    Site {
        tenant,
        address,
        ca,
    }
}

fn builder() -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().no_proxy();
    let client = client.retry(reqwest::retry::never());
    client.timeout(s(30))
}

impl Site {
    /// A client that trusts this mock, and prefers HTTP/2 unless it is limited to HTTP/1.1.
    fn client(&self, version: Version) -> reqwest::Client {
        let ca = reqwest::Certificate::from_pem(self.ca.0.as_bytes()).unwrap();
        let client = builder().tls_certs_only([ca]);
        let client = if version == Version::HTTP_11 {
            client.http1_only()
        } else {
            client
        };
        client.build().unwrap()
    }

    async fn start(
        &self,
        client: &reqwest::Client,
        machine: &str,
    ) -> reqwest::Result<(Version, u16)> {
        let url = format!(
            "https://{}/api/machines/{machine}/runAntiVirusScan",
            self.address
        );
        let request = client.post(url).bearer_auth("t").body(BODY);
        let response = request.send().await?;
        Ok((response.version(), response.status().as_u16()))
    }
}

async fn json(client: &reqwest::Client, url: &str) -> Value {
    let response = client.get(url).bearer_auth("t").send().await.unwrap();
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

#[test]
fn a_client_that_trusts_the_authority_is_served_in_the_version_that_it_chooses() {
    over_loopback(async {
        let site = site(MockConfig::default()).await;
        let base = format!("https://{}", site.address);
        for (version, machine) in VERSIONS.into_iter().zip(["aa", "bb"]) {
            let client = site.client(version);
            let answer = site.start(&client, machine).await.unwrap();
            assert_eq!(answer, (version, 201));

            let url = format!("{base}/acme/v2.0/.well-known/openid-configuration");
            let found = json(&client, &url).await;
            let endpoint = found["token_endpoint"].as_str().unwrap();
            assert!(endpoint.starts_with(&format!("{base}/acme/")), "{found}");
        }
        assert_eq!(site.tenant.recorder().calls(Kind::Start), 2);
    });
}

#[test]
fn a_client_that_does_not_trust_the_authority_fails_and_disturbs_nobody() {
    over_loopback(async {
        let site = site(MockConfig::default()).await;
        let stranger = builder().build().unwrap();
        let error = site.start(&stranger, "aa").await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        // Another mock's authority is no better.
        let (_, other) = Tls::generate(["127.0.0.1".to_owned()], SystemClock.wall()).unwrap();
        let other = Site {
            ca: other,
            tenant: Arc::clone(&site.tenant),
            ..site
        };
        let stranger = other.client(Version::HTTP_2);
        assert!(site.start(&stranger, "aa").await.unwrap_err().is_connect());

        let friend = site.client(Version::HTTP_2);
        let answer = site.start(&friend, "aa").await.unwrap();
        assert_eq!(answer, (Version::HTTP_2, 201));
        assert_eq!(site.tenant.recorder().calls(Kind::Start), 1);
    });
}

#[test]
fn a_handshake_that_does_not_come_to_its_end_holds_nobody_up() {
    over_loopback(async {
        let site = site(MockConfig::default()).await;
        let began = Instant::now();
        let mut silent = TcpStream::connect(site.address).await.unwrap();
        let mut plain = TcpStream::connect(site.address).await.unwrap();
        let words = b"GET /mock/witness HTTP/1.1\r\nHost: mock\r\n\r\n";
        plain.write_all(words).await.unwrap();
        let mut answer = Vec::new();
        // The rest of what it sent was not read, so that the end may be an abrupt one.
        plain.read_to_end(&mut answer).await.ok();
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

        let client = site.client(Version::HTTP_2);
        assert_eq!(site.start(&client, "aa").await.unwrap().1, 201);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
        assert!(began.elapsed() >= s(10), "{:?}", began.elapsed());
    });
}

#[test]
fn a_cut_takes_the_answer_of_its_own_call_and_is_neither_a_failure_to_connect_nor_a_timeout() {
    over_loopback(async {
        for version in VERSIONS {
            let site = site(MockConfig {
                latency: (s(1)..=s(1)).into(),
                faults: vec![
                    Rule::new(Fault::CutBefore).machine("aa"),
                    Rule::new(Fault::CutAfter).machine("bb"),
                ],
                ..MockConfig::default()
            })
            .await;
            let client = site.client(version);
            // In HTTP/2 all of them share this call's connection.
            site.start(&client, "first").await.unwrap();
            let (aa, bb, cc) = tokio::join!(
                site.start(&client, "aa"),
                site.start(&client, "bb"),
                site.start(&client, "cc"),
            );
            for error in [aa.unwrap_err(), bb.unwrap_err()] {
                assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
            }
            assert_eq!(cc.unwrap(), (version, 201));
            let scans = ["aa", "bb", "cc"].map(|machine| site.tenant.recorder().scans_of(machine));
            assert_eq!(scans, [0, 1, 1], "{version:?}");
            assert_eq!(site.tenant.recorder().calls(Kind::Start), 4);
        }
    });
}

#[test]
fn while_connections_are_refused_idle_ones_and_handshakes_end_and_calls_in_flight_are_answered() {
    over_loopback(async {
        for version in VERSIONS {
            let refused = Outage::of_everything(s(10), s(60), Shape::Refused);
            let site = site(MockConfig {
                latency: (s(5)..=s(5)).into(),
                outages: vec![refused],
                ..MockConfig::default()
            })
            .await;
            let began = Instant::now();
            let client = site.client(version);
            site.start(&client, "aa").await.unwrap();
            tokio::time::sleep(s(3)).await;
            let mut silent = TcpStream::connect(site.address).await.unwrap();
            // In flight when the outage begins.
            let answer = site.start(&client, "bb").await.unwrap();
            assert_eq!(answer, (version, 201));
            assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
            assert!(began.elapsed() < s(15), "{:?}", began.elapsed());
            for _ in 0..3 {
                let error = site.start(&client, "cc").await.unwrap_err();
                assert!(error.is_connect(), "{error:?}");
                tokio::time::sleep(s(15)).await;
            }
            tokio::time::sleep_until(began + s(61)).await;
            assert_eq!(site.start(&client, "cc").await.unwrap(), (version, 201));
            assert_eq!(site.tenant.recorder().calls(Kind::Start), 3);
        }
    });
}

#[test]
fn without_tls_http_2_is_served_to_those_who_begin_with_it() {
    over_loopback(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let tenant = Tenant::new(MockConfig::default());
        tokio::spawn(serve(listener, tenant, std::future::pending()));
        let client = builder().http2_prior_knowledge().build().unwrap();
        let url = format!("{base}/acme/.well-known/openid-configuration");
        let response = client.get(&url).send().await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        let endpoint = format!("{base}/acme/oauth2/token");
        assert_eq!(json(&client, &url).await["token_endpoint"], endpoint);
    });
}

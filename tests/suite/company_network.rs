//! Proxies, and a company's own certificates.

use std::{fs, path::Path, sync::Arc};

use fleetsweep::{
    defender::sign_in::Auth,
    mock::{self, MockConfig, Tenant, Tls},
    quota::{Clock, SystemClock, TokioClock},
};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    doctor::{doctor, secret, steps, tenant},
    rig::over_loopback,
    shell::fleetsweep,
    sign_in::{source, strict},
};

/// A proxy that refuses everything, and the first line of what it was asked.
async fn proxy() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://user:pa55@{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 1024];
        let n = socket.read(&mut bytes).await.unwrap();
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        socket.write_all(refusal).await.unwrap();
        let asked = String::from_utf8_lossy(&bytes[..n]).into_owned();
        asked.lines().next().unwrap_or_default().to_owned()
    });
    (address, asked)
}

#[tokio::test]
async fn the_environments_proxy_is_asked_for_the_api_and_named_without_its_password() {
    let (address, asked) = proxy().await;
    let variables = [
        ("HTTPS_PROXY", address),
        ("FLEETSWEEP_TOKEN", "ready".to_owned()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let args = "doctor --api-url https://api.tenant.invalid";
    let done = fleetsweep(folder.path(), args, &variables).await;
    assert_eq!(
        asked.await.unwrap(),
        "CONNECT api.tenant.invalid:443 HTTP/1.1"
    );
    assert_eq!(done.code, 4);
    assert_eq!(steps(&done)[5], "FAILED reachability", "{}", done.out);
    assert!(
        done.out.contains("HTTPS_PROXY is 127.0.0.1:"),
        "{}",
        done.out
    );
    assert!(!done.out.contains("pa55"), "{}", done.out);
}

#[tokio::test]
async fn the_mock_is_never_asked_through_a_proxy() {
    let (_tenant, base) = tenant(strict(), SignedDuration::ZERO).await;
    let (address, asked) = proxy().await;
    let mut variables = secret();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        variables.push((name, address.clone()));
    }
    let done = doctor(&base, "", &variables).await;
    assert_eq!(done.code, 0, "{}", done.out);
    assert!(!asked.is_finished());
}

/// The mock by https, with a certificate of a company's own authority, whose own is written to `ca.pem`.
async fn behind_tls(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let now = SystemClock.wall();
    let (tls, ca) = Tls::generate(["127.0.0.1".to_owned()], now).unwrap();
    fs::write(folder.join("ca.pem"), ca.0).unwrap();
    let tenant = Tenant::new(MockConfig {
        sign_in: strict(),
        started: now,
        ..MockConfig::default()
    });
    tokio::spawn(mock::serve_tls(
        listener,
        tenant,
        tls,
        std::future::pending(),
    ));
    address
}

#[tokio::test]
async fn a_companys_own_certificates_are_trusted_when_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let base = behind_tls(folder.path()).await;
    let ca = folder.path().join("ca.pem");
    let done = doctor(&base, &format!("--ca-cert {}", ca.display()), &secret()).await;
    assert_eq!(done.code, 0, "{}", done.out);

    let variables = [("FLEETSWEEP_TOKEN", "ready".to_owned())];
    let done = doctor(&base, "", &variables).await;
    assert_eq!(done.code, 4);
    assert_eq!(steps(&done)[5], "FAILED reachability", "{}", done.out);
    assert!(done.out.contains("--ca-cert"), "{}", done.out);
}

#[test]
fn a_sign_in_service_that_is_not_trusted_is_told_as_that() {
    over_loopback(async {
        let folder = tempfile::tempdir().unwrap();
        let base = behind_tls(folder.path()).await;
        let clock = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
        let tokens = source(Auth::Auto, &secret(), &base, clock);
        let told = tokens.token().await.unwrap_err().to_string();
        let begins = format!(
            "sign-in with the client secret failed: no connection to {base}: the certificate that was shown is not \
         trusted ("
        );
        assert!(told.starts_with(&begins), "{told}");
        assert!(
            told.ends_with("name that authority's certificate by --ca-cert FILE (PEM)"),
            "{told}"
        );
    });
}

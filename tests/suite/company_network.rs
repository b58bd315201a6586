//! Proxies, and a company's own certificates.

use std::{fs, sync::Arc};

use fleetsweep::{defender::sign_in::Auth, quota::TokioClock};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    doctor::{doctor, secret, steps, tenant},
    shell::fleetsweep,
    sign_in::{openssl, source, strict},
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

/// The mock behind TLS, with a certificate of a company's own authority for 127.0.0.1.
async fn behind_tls(folder: &std::path::Path, base: &str) -> String {
    use tokio_rustls::rustls::{
        ServerConfig,
        pki_types::{self, pem::PemObject},
    };
    let path = |name: &str| folder.join(name).display().to_string();
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=Company CA",
        "-keyout",
        &path("ca.key"),
        "-out",
        &path("ca.pem"),
    ]);
    openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=mock",
        "-keyout",
        &path("server.key"),
        "-out",
        &path("server.csr"),
    ]);
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(&[
        "x509",
        "-req",
        "-in",
        &path("server.csr"),
        "-CA",
        &path("ca.pem"),
        "-CAkey",
        &path("ca.key"),
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        &path("names"),
        "-out",
        &path("server.pem"),
    ]);
    let chain = vec![pki_types::CertificateDer::from_pem_file(path("server.pem")).unwrap()];
    let key = pki_types::PrivateKeyDer::from_pem_file(path("server.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(chain, key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let target = base.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // A client that does not trust us hangs up.
            if let Ok(mut plain) = acceptor.accept(socket).await {
                let mut inner = TcpStream::connect(&target).await.unwrap();
                tokio::spawn(async move {
                    tokio::io::copy_bidirectional(&mut plain, &mut inner)
                        .await
                        .ok();
                });
            }
        }
    });
    address
}

#[tokio::test]
async fn a_companys_own_certificates_are_trusted_when_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (_tenant, base) = tenant(strict(), SignedDuration::ZERO).await;
    let base = behind_tls(folder.path(), &base).await;
    let ca = folder.path().join("ca.pem");
    let done = doctor(&base, &format!("--ca-cert {}", ca.display()), &secret()).await;
    assert_eq!(done.code, 0, "{}", done.out);

    let variables = [("FLEETSWEEP_TOKEN", "ready".to_owned())];
    let done = doctor(&base, "", &variables).await;
    assert_eq!(done.code, 4);
    assert_eq!(steps(&done)[5], "FAILED reachability", "{}", done.out);
    assert!(done.out.contains("--ca-cert"), "{}", done.out);
}

#[tokio::test]
async fn a_sign_in_service_that_is_not_trusted_is_told_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let (_tenant, base) = tenant(strict(), SignedDuration::ZERO).await;
    let base = behind_tls(folder.path(), &base).await;
    tokio::time::pause();
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
}

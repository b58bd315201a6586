use std::{path::Path, process::Command, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::rustls::{
    ServerConfig,
    pki_types::{self, pem::PemObject as _},
};

use super::*;
use crate::{defender::Network, mock::tests::closed_port};

/// The error of a call through a proxy that answers this.
async fn through(answer: &'static str) -> Option<Obstacle> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 1024];
        let _ = socket.read(&mut bytes).await.unwrap();
        socket.write_all(answer.as_bytes()).await.unwrap();
    });
    let client = Network::default().client(true);
    let client = client.proxy(reqwest::Proxy::all(proxy).unwrap());
    let client = client.build().unwrap();
    let failed = client.get("https://api.tenant.invalid").send().await;
    obstacle(&failed.unwrap_err())
}

/// The status of a proxy's refusal, or 0 if it is not known.
fn status(found: Option<&Obstacle>) -> Option<u16> {
    match found? {
        Obstacle::Proxy { status, .. } => Some(status.unwrap_or(0)),
        Obstacle::Certificate(_) => None,
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_is_an_obstacle() {
    let found =
        through("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\n\r\n")
            .await;
    assert_eq!(status(found.as_ref()), Some(407));
    let told = found.unwrap().to_string();
    for word in ["407", "NTLM", "Negotiate", "px or cntlm", "HTTPS_PROXY"] {
        assert!(told.contains(word), "{told}");
    }
    for answer in [
        "HTTP/1.1 403 Forbidden\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\n\r\n",
        "<html>",
    ] {
        let found = through(answer).await;
        assert_eq!(status(found.as_ref()), Some(0), "{answer}");
    }
    // It closed the connection, which is not a refusal.
    assert_eq!(through("").await, None);
    assert_eq!(through("HTTP/1.1 200").await, None);
}

#[test]
fn the_status_tells_an_outage_from_a_refusal_and_the_schemes_name_the_way_round() {
    assert!(refused(Some(502), &[]).is_outage());
    assert!(!refused(Some(403), &[]).is_outage());
    assert!(!refused(None, &[]).is_outage());
    let told = |schemes: &[&str]| {
        let schemes: Vec<_> = schemes.iter().map(|s| (*s).to_owned()).collect();
        refused(Some(407), &schemes).to_string()
    };
    let told_ntlm = told(&["Negotiate", "NTLM"]);
    assert!(
        told_ntlm.contains("by Negotiate or NTLM, which fleetsweep does not support"),
        "{told_ntlm}"
    );
    let told_basic = told(&["NTLM", "basic"]);
    assert!(told_basic.contains("user and password"), "{told_basic}");
}

#[tokio::test]
async fn what_passes_by_itself_is_no_obstacle() {
    let (_closed, address) = closed_port();
    let gone = format!("https://{address}");
    let client = Network::default().client(true).build().unwrap();
    for url in [gone.as_str(), "https://nowhere.invalid"] {
        let failed = client.get(url).send().await.unwrap_err();
        assert_eq!(obstacle(&failed), None, "{url}");
    }
}

/// A self-signed certificate for `name`, and its key.
fn self_signed(folder: &Path, name: &str, more: &[&str]) {
    let at = |name: &str| folder.join(name).display().to_string();
    let (key, pem, name) = (
        at("key.pem"),
        at("cert.pem"),
        format!("subjectAltName={name}"),
    );
    let mut args = vec![
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", &key, "-out",
        &pem, "-addext", &name,
    ];
    args.extend_from_slice(more);
    let done = Command::new("openssl").args(args).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// The error of a call to a server with this certificate, which is trusted or not.
async fn shown(name: &str, more: &[&str], trusted: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    self_signed(folder.path(), name, more);
    let pem = folder.path().join("cert.pem");
    let chain = vec![pki_types::CertificateDer::from_pem_file(&pem).unwrap()];
    let key = pki_types::PrivateKeyDer::from_pem_file(folder.path().join("key.pem")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(chain, key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        acceptor.accept(socket).await.map(drop)
    });
    let network = if trusted {
        Network::trusting(&std::fs::read(&pem).unwrap()).unwrap()
    } else {
        Network::default()
    };
    let client = network.client(true).build().unwrap();
    let failed = client.get(url).send().await.unwrap_err();
    match obstacle(&failed) {
        Some(Obstacle::Certificate(text)) => text,
        other => panic!("{other:?}: {failed:?}"),
    }
}

const SERVER: [&str; 2] = ["-addext", "basicConstraints=critical,CA:FALSE"];

#[tokio::test]
async fn each_wrong_certificate_is_told_with_its_cure() {
    let told = shown("IP:127.0.0.1", &SERVER, false).await;
    assert!(
        told.contains("is not trusted (") && told.contains("--ca-cert FILE"),
        "{told}"
    );

    // As `openssl req -x509` makes them.
    let told = shown("IP:127.0.0.1", &[], false).await;
    assert!(told.contains("--ca-cert FILE"), "{told}");

    let told = shown("DNS:elsewhere.invalid", &SERVER, true).await;
    assert!(
        told.contains("another host's (") && told.contains("elsewhere.invalid"),
        "{told}"
    );

    for outlived in [CertificateError::Expired, CertificateError::NotValidYet] {
        let told = wrong_with(&outlived);
        assert!(
            told.contains("not valid at this time") && told.contains("clock"),
            "{told}"
        );
    }
}

//! Finds out what a proxy answers to CONNECT. The HTTP client does not report the status unless it is 407, but
//! whether a person has to fix something depends on it.

use std::time::Duration;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::Url;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

/// How long to wait. A proxy is near, and has answered just before.
const LONGEST: Duration = Duration::from_secs(5);

/// How many bytes of the answer's head are read at most.
const LONGEST_HEAD: usize = 8 << 10;

/// The head of a proxy's answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The schemes in `Proxy-Authenticate`, such as `Negotiate`, `NTLM` and `Basic`.
    pub(super) schemes: Vec<String>,
}

/// Asks the proxy that the client uses for this URL for a tunnel, and closes the connection. `None` if there is no
/// such proxy, if it uses TLS or SOCKS, or if it does not answer.
pub(super) async fn probe(url: &Url) -> Option<Answer> {
    let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
    let target = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    time::timeout(LONGEST, connect(&proxy, &target))
        .await
        .ok()?
}

/// Whether the client sends a user name and a password to the proxy that it uses for this URL.
pub(super) fn signs_in(url: &Url) -> bool {
    let proxy = url
        .as_str()
        .parse()
        .ok()
        .and_then(|uri| Matcher::from_system().intercept(&uri));
    proxy.is_some_and(|proxy| proxy.basic_auth().is_some())
}

async fn connect(proxy: &Intercept, target: &str) -> Option<Answer> {
    let uri = proxy.uri();
    if uri.scheme_str() != Some("http") {
        return None;
    }
    let host = uri.host()?.trim_matches(['[', ']']);
    let mut socket = TcpStream::connect((host, uri.port_u16().unwrap_or(80)))
        .await
        .ok()?;
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(credentials) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credentials.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    socket.write_all(&request).await.ok()?;
    let mut head = Vec::new();
    while head.len() < LONGEST_HEAD && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if socket.read_buf(&mut head).await.ok()? == 0 {
            break;
        }
    }
    read(&String::from_utf8_lossy(&head))
}

fn read(head: &str) -> Option<Answer> {
    let mut lines = head.lines();
    let (version, rest) = lines.next()?.split_once(' ')?;
    let status = rest.split(' ').next()?.parse().ok()?;
    let schemes = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let scheme = value.split_whitespace().next()?.trim_end_matches(',');
            name.eq_ignore_ascii_case("proxy-authenticate")
                .then(|| scheme.to_owned())
        });
    version.starts_with("HTTP/").then(|| Answer {
        status,
        schemes: schemes.collect(),
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_head_is_read_as_far_as_it_came() {
        let head = "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: NTLM abc\r\nX: y\r\n\r\n\
                    Proxy-Authenticate: Basic";
        assert_eq!(
            read(head),
            Some(Answer {
                status: 407,
                schemes: vec!["Negotiate".into(), "NTLM".into()]
            })
        );
        let bare = read("HTTP/1.0 503").unwrap();
        assert_eq!((bare.status, bare.schemes.len()), (503, 0));
        for nothing in ["", "<html>", "SSH-2.0-x 200", "HTTP/1.1 x"] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }

    #[tokio::test]
    async fn the_proxy_is_asked_with_the_credentials_that_the_client_has() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 1024];
            let n = socket.read(&mut bytes).await.unwrap();
            socket
                .write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                .await
                .unwrap();
            String::from_utf8_lossy(&bytes[..n]).into_owned()
        });
        let matcher = Matcher::builder()
            .https(format!("http://user:pa55@{address}"))
            .build();
        let target = "https://api.tenant.invalid/x".parse().unwrap();
        let proxy = matcher.intercept(&target).unwrap();
        let answer = connect(&proxy, "api.tenant.invalid:443").await.unwrap();
        assert_eq!(answer.status, 403);
        let asked = asked.await.unwrap();
        assert!(
            asked.starts_with("CONNECT api.tenant.invalid:443 HTTP/1.1\r\n"),
            "{asked}"
        );
        assert!(asked.contains("\r\nProxy-Authorization: Basic "), "{asked}");
    }
}

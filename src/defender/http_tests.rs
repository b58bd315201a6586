//! Tests the port over real sockets: a listener in the same runtime answers with scripted bytes, and remembers the
//! requests.

use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use jiff::Timestamp;

use super::{super::Order, *};
use crate::mock::tests::{closed_port, over_loopback};

const TOKEN: &str = "s3cret-token";

/// What the server does with a request.
#[derive(Clone)]
enum Script {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes and resets the connection.
    Reset(Vec<u8>),
    /// Says nothing.
    Silence,
}

struct Server {
    defender: HttpDefender,
    seen: Arc<Mutex<Vec<String>>>,
}

async fn server(script: Script) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/prefix", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_there = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let request = read_request(&mut socket).await;
            seen_there.lock().unwrap().push(request);
            match script.clone() {
                Script::Bytes(bytes) => {
                    // A client that has read enough closes the connection.
                    let _ = socket.write_all(&bytes).await;
                }
                Script::Reset(bytes) => {
                    socket.write_all(&bytes).await.unwrap();
                    socket.set_zero_linger().unwrap();
                }
                Script::Silence => {
                    let _ = socket.read(&mut [0]).await;
                }
            }
        }
    });
    Server {
        defender: defender(&base),
        seen,
    }
}

async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = socket.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        assert!(n > 0, "the request broke off: {text}");
    }
}

fn defender(base: &str) -> HttpDefender {
    HttpDefender::new(HttpOptions {
        base: ApiBase::parse(base).unwrap(),
        request_timeout: Duration::from_secs(30),
        workers: 10,
        network: Network::default(),
    })
    .unwrap()
}

fn answer(head: &str, body: &[u8]) -> Script {
    let mut bytes =
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Script::Bytes(bytes)
}

fn start() -> Call {
    Call::StartScan {
        machine: "ab".repeat(20),
        scan_type: "Quick",
        comment: "[fleetsweep:x:1] \"hi\"".to_owned(),
    }
}

impl Server {
    async fn call(&self, call: &Call) -> Reply {
        let token = Token {
            secret: SecretString::from(TOKEN),
            serial: 1,
        };
        let reply = self.defender.call(call, &token).await;
        assert!(!format!("{reply:?}").contains(TOKEN), "{reply:?}");
        reply
    }

    /// The one request that came in.
    fn request(&self) -> String {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

#[tokio::test]
async fn a_scan_is_started_with_one_whole_request() {
    let script = answer(
        "201 Created\r\nDate: Mon, 21 Oct 2024 11:26:49 GMT\r\nRetry-After: soon",
        br#"{"id":"1"}"#,
    );
    let server = server(script).await;
    let answer = server.call(&start()).await.unwrap();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.date.unwrap().to_string(), "2024-10-21T11:26:49Z");
    assert_eq!(answer.retry_after.as_deref(), Some("soon"));
    assert_eq!(&answer.body[..], br#"{"id":"1"}"#);

    let request = server.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let id = "ab".repeat(20);
    let first = format!("POST /prefix/api/machines/{id}/runAntiVirusScan HTTP/1.1\r\n");
    assert!(head.starts_with(&first), "{head}");
    let head = head.to_lowercase();
    for line in [
        "authorization: bearer s3cret-token",
        "content-type: application/json",
        "accept: application/json",
        "accept-encoding: gzip",
        concat!("user-agent: fleetsweep/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|have| have == line), "{line}: {head}");
    }
    assert_eq!(
        body,
        r#"{"Comment":"[fleetsweep:x:1] \"hi\"","ScanType":"Quick"}"#
    );
}

#[tokio::test]
async fn every_kind_of_call_asks_for_what_it_means() {
    let since: Timestamp = "2024-10-21T11:26:49.9876Z".parse().unwrap();
    let table = [
        (
            Call::ListScans {
                since,
                skip: 20_000,
                top: 10_000,
                order: Order::default(),
            },
            "GET /prefix/api/machineactions?$filter=type%20eq%20%27RunAntiVirusScan%27%20and%20\
             creationDateTimeUtc%20ge%202024-10-21T11%3A26%3A49Z&$top=10000&$skip=20000 ",
        ),
        (
            Call::ListScans {
                since,
                skip: 0,
                top: 1,
                order: Order {
                    count: true,
                    newest_first: true,
                },
            },
            "GET /prefix/api/machineactions?$filter=type%20eq%20%27RunAntiVirusScan%27%20and%20\
             creationDateTimeUtc%20ge%202024-10-21T11%3A26%3A49Z&$top=1&$skip=0&$count=true&\
             $orderby=creationDateTimeUtc%20desc ",
        ),
        (
            Call::GetAction { id: "a-1".into() },
            "GET /prefix/api/machineactions/a-1 ",
        ),
        (
            Call::CancelAction {
                id: "a/1".into(),
                comment: "stop".into(),
            },
            "POST /prefix/api/machineactions/a%2F1/cancel ",
        ),
        (
            Call::Machines {
                filter: Some("osPlatform eq 'A&B'".into()),
                skip: 0,
                top: 5,
                order: Order::default(),
            },
            "GET /prefix/api/machines?$filter=osPlatform%20eq%20%27A%26B%27&$top=5&$skip=0 ",
        ),
        (
            Call::Machines {
                filter: None,
                skip: 0,
                top: 5,
                order: Order::default(),
            },
            "GET /prefix/api/machines?$top=5&$skip=0 ",
        ),
    ];
    for (call, first) in table {
        let server = server(answer("200 OK", b"{}")).await;
        assert_eq!(server.call(&call).await.unwrap().status, 200);
        let request = server.request();
        assert!(request.starts_with(first), "{request}");
    }
}

#[tokio::test]
async fn an_id_that_names_another_resource_is_not_sent() {
    let server = server(Script::Silence).await;
    for id in ["..", ".", ""] {
        let reply = server.call(&Call::GetAction { id: id.into() }).await;
        assert!(matches!(reply, Err(Lost::Unsendable(_))), "{reply:?}");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    for status in [301, 302, 307, 308] {
        let script = answer(
            &format!("{status} Elsewhere\r\nLocation: /prefix/api/elsewhere"),
            b"",
        );
        let server = server(script).await;
        assert_eq!(server.call(&start()).await.unwrap().status, status);
        server.request();
    }
}

#[tokio::test]
async fn a_refusal_or_a_fault_is_sent_once() {
    for status in [401, 429, 500, 502, 503] {
        let server = server(answer(&format!("{status} No"), b"<html>no</html>")).await;
        let answer = server.call(&start()).await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(&answer.body[..], b"<html>no</html>");
        server.request();
    }
}

#[tokio::test]
async fn a_compressed_body_arrives_in_the_clear() {
    // `printf '{"id":"1"}' | gzip -n`
    let packed = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x56, 0xca, 0x4c, 0x51, 0xb2, 0x52, 0x32, 0x54,
        0xaa, 5, 0, 0xf3, 0xc8, 0x18, 0xf6, 0x0a, 0, 0, 0,
    ];
    let server = server(answer("201 Created\r\nContent-Encoding: gzip", &packed)).await;
    let answer = server.call(&start()).await.unwrap();
    assert_eq!(&answer.body[..], br#"{"id":"1"}"#);
}

#[tokio::test]
async fn what_breaks_off_may_have_been_acted_upon() {
    for script in [
        Script::Reset(Vec::new()),
        Script::Bytes(Vec::new()),
        Script::Reset(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{".to_vec()),
        Script::Bytes(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{".to_vec()),
        Script::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        answer("201 Created\r\nContent-Encoding: gzip", b"not packed"),
    ] {
        let server = server(script).await;
        let reply = server.call(&start()).await;
        let Err(Lost::Unknown(text)) = reply else {
            panic!("{reply:?}");
        };
        assert!(text.starts_with("no whole answer: "), "{text}");
        assert!(text.len() < 160 && !text.contains("http://"), "{text}");
        server.request();
    }
}

#[tokio::test]
async fn a_closed_port_was_surely_not_sent_to() {
    let (_closed, address) = closed_port();
    let server = Server {
        defender: defender(&format!("http://{address}")),
        seen: Arc::default(),
    };
    let reply = server.call(&start()).await;
    let Err(Lost::NotSent(text)) = reply else {
        panic!("{reply:?}");
    };
    assert!(text.contains(&address.to_string()), "{text}");
    assert!(text.to_lowercase().contains("refused"), "{text}");
}

#[test]
fn silence_ends_at_the_timeout_and_is_unsure() {
    over_loopback(async {
        let server = server(Script::Silence).await;
        let asked = tokio::time::Instant::now();
        let reply = server.call(&start()).await;
        assert_eq!(reply, Err(Lost::TimedOut(Duration::from_secs(30))));
        let waited = asked.elapsed().as_secs();
        assert!((30..32).contains(&waited), "{waited}");
        server.request();
    });
}

#[tokio::test]
async fn a_rogue_server_cannot_fill_the_memory() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let endless = [head, vec![b'x'; LARGEST_ANSWER + 1]].concat();
    let server = server(Script::Bytes(endless)).await;
    let reply = server.call(&start()).await;
    let Err(Lost::Unknown(text)) = reply else {
        panic!("{reply:?}");
    };
    assert!(text.contains("1 MB"), "{text}");
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_not_sent() {
    let server = server(Script::Silence).await;
    let token = Token {
        secret: SecretString::from("s3cret\nx"),
        serial: 1,
    };
    let reply = server.defender.call(&start(), &token).await;
    assert!(matches!(reply, Err(Lost::Blocked(_))), "{reply:?}");
    assert!(!format!("{reply:?}").contains("s3cret"));
}

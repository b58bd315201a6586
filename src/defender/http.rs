//! The port over HTTP: one request for each call.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::{
    Client, Response,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER},
};
use secrecy::ExposeSecret;

use super::{
    Answer, ApiBase, Call, Defender, HttpRequest, Lost, Network, Reply, http_date,
    network::{Obstacle, obstacle, why},
    sign_in::Token,
};

/// How long an unused connection is kept. If the server closes a connection just as it is reused, finding out what
/// became of the call takes seconds, while a new connection takes a tenth of a second. So this is less than the
/// shortest default idle timeout of servers and proxies (Apache and Node: 5 s). It still allows reuse within a burst,
/// and at a call every 2.4 s.
const IDLE: Duration = Duration::from_secs(4);

/// The longest wait for a connection. A call that is given up here has certainly not been sent; with the timeout of
/// the whole call that would not be known. TCP sends its second and third SYN after 1 s and 3 s.
const CONNECT: Duration = Duration::from_secs(10);

/// The largest page, in bytes: 10,000 machines of 3 kB are 30 MB. Without a limit, a rogue server could fill the
/// memory.
const LARGEST_PAGE: usize = 64 << 20;

/// The largest answer of any other call, in bytes. An action has 1 kB, a gateway's page perhaps 100 kB.
const LARGEST_ANSWER: usize = 1 << 20;

/// The settings of an [`HttpDefender`].
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The API's address.
    pub base: ApiBase,
    /// The timeout of a whole call, from connecting to the last byte of the answer.
    pub request_timeout: Duration,
    /// How many calls may be in flight at once. As many connections are kept.
    pub workers: usize,
    /// How this computer connects to it.
    pub network: Network,
}

/// Why the client could not be created, for instance because there are no root certificates, or the environment's
/// proxy is not a URL.
#[derive(Debug, thiserror::Error)]
#[error(
    "the HTTP client cannot be set up: {0}; look at HTTPS_PROXY, and at this computer's CA certificates"
)]
pub struct SetupError(String);

/// The API over HTTP. It follows no redirects and retries nothing.
#[derive(Debug, Clone)]
pub struct HttpDefender {
    client: Client,
    base: ApiBase,
    timeout: Duration,
}

impl HttpDefender {
    /// Creates the client. Nothing is sent.
    ///
    /// # Errors
    /// This computer's TLS or proxy settings cannot be used.
    pub fn new(options: HttpOptions) -> Result<Self, SetupError> {
        let HttpOptions {
            base,
            request_timeout,
            workers,
            network,
        } = options;
        let client = if base.is_http() {
            Network::client_without_tls()
        } else {
            // Otherwise the environment's proxy would be used for 127.0.0.1 too.
            network.client(base.is_loopback())
        };
        let client = client
            .timeout(request_timeout)
            .connect_timeout(CONNECT.min(request_timeout.mul_f64(0.8)))
            .pool_max_idle_per_host(workers)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|e| SetupError(why(&e)))?;
        Ok(Self {
            client,
            base,
            timeout: request_timeout,
        })
    }

    /// The API's address.
    #[must_use]
    pub const fn base(&self) -> &ApiBase {
        &self.base
    }

    async fn send(&self, call: &Call, token: &Token) -> Reply {
        let Some(HttpRequest { method, url, body }) = HttpRequest::of(call, &self.base) else {
            return Err(Lost::Unsendable(
                "the id is nothing that a URL can carry".to_owned(),
            ));
        };
        let bearer = format!("Bearer {}", token.secret.expose_secret());
        let Ok(mut bearer) = HeaderValue::try_from(bearer) else {
            return Err(Lost::Blocked(
                "the token has characters in it that no header can carry".to_owned(),
            ));
        };
        bearer.set_sensitive(true);
        let request = self
            .client
            .request(method, url)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = match body {
            Some(body) => request.body(body),
            None => request,
        };
        match request.send().await {
            Ok(response) => self.answer(response, largest(call)).await,
            Err(error) if error.is_connect() => Err(self.not_connected(error).await),
            Err(error) => Err(self.lost(error)),
        }
    }

    async fn answer(&self, mut response: Response, largest: usize) -> Reply {
        let status = response.status().as_u16();
        let text = |name| {
            let value: Option<&HeaderValue> = response.headers().get(name);
            value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let date = text(DATE).and_then(|text| http_date::parse(&text));
        let retry_after = text(RETRY_AFTER);

        let first = response.chunk().await.map_err(|e| self.lost(e))?;
        let mut body = first.unwrap_or_default();
        if let Some(second) = response.chunk().await.map_err(|e| self.lost(e))? {
            let mut whole = BytesMut::from(body);
            let mut next = Some(second);
            while let Some(chunk) = next {
                if whole.len() + chunk.len() > largest {
                    return Err(too_large(status, largest));
                }
                whole.extend_from_slice(&chunk);
                next = response.chunk().await.map_err(|e| self.lost(e))?;
            }
            body = whole.freeze();
        }
        if body.len() > largest {
            return Err(too_large(status, largest));
        }
        Ok(Answer {
            status,
            date,
            retry_after,
            body,
        })
    }

    /// The error of a call without a connection, which was certainly not sent. Some causes have to be fixed by a
    /// person.
    async fn not_connected(&self, error: reqwest::Error) -> Lost {
        let origin = self.base.origin();
        if let Some(obstacle) = obstacle(&error) {
            let obstacle = match self.base.at(&["api"], &[]) {
                Some(url) => obstacle.probed(&url).await,
                None => obstacle,
            };
            let told = format!("no connection to {origin}: {obstacle}");
            let is_unknown = matches!(obstacle, Obstacle::Proxy { status: None, .. });
            return if is_unknown || obstacle.is_outage() {
                Lost::NotSent(told)
            } else {
                Lost::Blocked(told)
            };
        }
        // The URL is long, and the message names the host already.
        let error = error.without_url();
        Lost::NotSent(format!("no connection to {origin}: {}", why(&error)))
    }

    /// The error of a call without a complete answer.
    fn lost(&self, error: reqwest::Error) -> Lost {
        if error.is_timeout() {
            return Lost::TimedOut(self.timeout);
        }
        let error = error.without_url();
        Lost::Unknown(format!("no whole answer: {}", why(&error)))
    }
}

impl Defender for HttpDefender {
    async fn call(&self, call: &Call, token: &Token) -> Reply {
        self.send(call, token).await
    }
}

const fn largest(call: &Call) -> usize {
    match call {
        Call::ListScans { .. }
        | Call::Machines { .. }
        | Call::DeviceAvInfo { .. }
        | Call::Alerts { .. } => LARGEST_PAGE,
        Call::StartScan { .. } | Call::GetAction { .. } | Call::CancelAction { .. } => {
            LARGEST_ANSWER
        }
    }
}

fn too_large(status: u16, largest: usize) -> Lost {
    let megabytes = largest >> 20;
    Lost::Unknown(format!(
        "the answer (status {status}) is larger than {megabytes} MB, so it is not the API's"
    ))
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;

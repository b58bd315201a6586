//! A notice as an HTTP request. The address may hold a secret anywhere, so no error and no log has more of it than its
//! host.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, StatusCode, Url, header::CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};

use super::notifier::{Post, Posted};
use crate::{cli::Failure, defender::Network};

/// How long one try may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where notices are posted.
pub(super) struct Webhook {
    client: Client,
    url: Url,
}

/// Reads the address.
///
/// # Errors
/// It is no address that a notice may be sent to.
pub(super) fn parse(address: &SecretString) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        Failure::usage(format!(
            "the address of --notify (or FLEETSWEEP_NOTIFY) {why}"
        ))
    };
    let url = Url::parse(address.expose_secret()).map_err(|e| wrong(&format!("is no URL: {e}")))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(wrong(
            "begins with http, which everybody on the way can read: give one with https, or one of this computer",
        )),
        _ => Err(wrong(
            "is no web address: give one that begins with https://",
        )),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl Webhook {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// The address, or this computer's TLS or proxy settings cannot be used.
    pub(super) fn new(address: &SecretString, network: &Network) -> Result<Self, Failure> {
        let url = parse(address)?;
        let client = network
            .client(is_loopback(&url))
            .timeout(TIMEOUT)
            // A notice comes once in hours. Nothing is gained by a connection that is kept.
            .pool_max_idle_per_host(0)
            .http1_only()
            .build()
            .map_err(|_| {
                Failure::usage(
                    "--notify: the HTTP client cannot be set up; look at HTTPS_PROXY, and at this computer's CA \
                     certificates",
                )
            })?;
        Ok(Self { client, url })
    }

    /// The host, which is all of the address that may be told.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

impl Post for Webhook {
    async fn post(&self, body: &str) -> Posted {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_owned());
        match request.send().await {
            Ok(answer) => posted(answer.status()),
            Err(e) if e.is_timeout() => Posted::Later("no answer within 10 s".to_owned()),
            Err(e) if e.is_connect() => Posted::Later("no connection".to_owned()),
            Err(_) => Posted::Later("no whole answer".to_owned()),
        }
    }
}

fn posted(status: StatusCode) -> Posted {
    let told = format!("status {}", status.as_u16());
    match status.as_u16() {
        200..300 => Posted::Taken,
        429 | 500.. => Posted::Later(told),
        _ => Posted::Refused(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_computer_is_told_over_http_and_no_refusal_quotes_the_address() {
        for (address, is_taken) in [
            ("https://hooks.example.com/T0/s3cret", true),
            ("https://user:s3cret@hooks.example.com/?sig=s3cret", true),
            ("http://127.0.0.1:8080/s3cret", true),
            ("http://[::1]/s3cret", true),
            ("http://user:s3cret@localhost/", true),
            ("http://hooks.example.com/s3cret", false),
            ("http://10.0.0.1/s3cret", false),
            ("http://localhost.example.com/s3cret", false),
            ("ftp://example.com/s3cret", false),
            ("s3cret", false),
            ("https://:s3cret@", false),
            ("https://example.com:s3cret/", false),
            ("", false),
        ] {
            let parsed = parse(&SecretString::from(address));
            assert_eq!(parsed.is_ok(), is_taken, "{address}");
            let words = parsed.map_or_else(|failure| failure.why, |_| String::new());
            assert!(!words.contains("s3cret"), "{words}");
        }
    }

    #[test]
    fn a_busy_receiver_is_asked_again_and_one_that_refuses_is_not() {
        let of = |status| posted(StatusCode::from_u16(status).unwrap());
        assert_eq!(of(204), Posted::Taken);
        for status in [429, 500, 503] {
            assert_eq!(of(status), Posted::Later(format!("status {status}")));
        }
        for status in [301, 400, 404] {
            assert_eq!(of(status), Posted::Refused(format!("status {status}")));
        }
    }
}

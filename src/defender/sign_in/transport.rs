//! Our HTTP client under `azure_identity`, which also overhears what that crate does not pass on: the life that the server
//! gave a token, its own words on a refusal, and its clock.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use azure_core::{
    error::{Error, ErrorKind},
    http::{AsyncRawResponse, Body, HttpClient, Method, Request, headers::Headers},
};
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::{Client, header};
use serde_json::Value;

use super::{authority::Authority, refusal::Refusal};
use crate::defender::{http_date, network::why};

/// No answer of a sign-in is larger.
const LARGEST: usize = 1 << 20;

/// One sign-in's way to the network.
#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    authority: Authority,
    heard: Mutex<Heard>,
}

/// What was overheard of the last answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// The life of the token.
    pub(super) life: Option<Duration>,
    /// An answer that is no token.
    pub(super) refusal: Option<Refusal>,
    /// There was no answer.
    pub(super) lost: Option<String>,
}

impl Transport {
    pub(super) fn new(client: Client, authority: Authority) -> Self {
        Self {
            client,
            authority,
            heard: Mutex::default(),
        }
    }

    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, request: &Request) -> Result<(u16, Option<Timestamp>, Bytes), String> {
        let url = self.authority.mapped(request.url());
        let origin = url.origin().ascii_serialization();
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            other => return Err(format!("{other:?} is no method of a sign-in")),
        };
        let lost = |error: reqwest::Error| {
            let error = error.without_url();
            if error.is_connect() {
                format!("no connection to {origin}: {}", why(&error))
            } else if error.is_timeout() {
                format!("no answer from {origin} in time")
            } else {
                format!("no whole answer from {origin}: {}", why(&error))
            }
        };
        let mut sending = self.client.request(method, url);
        for (name, value) in request.headers().iter() {
            let Ok(mut value) = header::HeaderValue::try_from(value.as_str()) else {
                return Err(format!("the header {} cannot be sent", name.as_str()));
            };
            value.set_sensitive(true);
            sending = sending.header(name.as_str(), value);
        }
        if let Body::Bytes(bytes) = request.body() {
            sending = sending.body(bytes.clone());
        }
        let mut answer = sending.send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let date = answer.headers().get(header::DATE);
        let date = date.and_then(|date| http_date::parse(date.to_str().ok()?));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("the answer of {origin} has no end"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, date, body.into()))
    }
}

#[async_trait::async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, date, body) = match self.send(request).await {
            Ok(answered) => answered,
            Err(text) => {
                self.heard().lost = Some(text.clone());
                return Err(Error::with_message(ErrorKind::Io, text));
            }
        };
        let mut heard = Heard::default();
        let read = (status == 200).then(|| token_answer(&body, date)).flatten();
        let body = if let Some((normal, life)) = read {
            heard.life = life;
            normal
        } else {
            heard.refusal = Some(Refusal::read(status, date, &body));
            body
        };
        *self.heard() = heard;
        Ok(AsyncRawResponse::from_bytes(
            status.into(),
            Headers::default(),
            body,
        ))
    }
}

/// An answer that holds a token, in the one shape that `azure_identity` reads (numbers and strings are both seen), and the
/// token's life. `None` if there is no token in it.
fn token_answer(body: &[u8], date: Option<Timestamp>) -> Option<(Bytes, Option<Duration>)> {
    let mut answer: Value = serde_json::from_slice(body).ok()?;
    let fields = answer.as_object_mut()?;
    fields.get("access_token")?.as_str()?;
    let number = |value: Option<&Value>| match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let (left, end) = (
        number(fields.get("expires_in")),
        number(fields.get("expires_on")),
    );
    // By the server's own clock, whatever ours says.
    let until_end = || Some(end? - date?.as_second());
    let life = left.or_else(until_end);
    for name in ["expires_in", "ext_expires_in"] {
        if let Some(seconds) = number(fields.get(name)) {
            fields.insert(name.to_owned(), seconds.into());
        }
    }
    let end = end.or_else(|| Some(left? + date?.as_second())).unwrap_or(0);
    fields.insert("expires_on".to_owned(), end.to_string().into());
    for name in ["token_type", "resource"] {
        fields.entry(name).or_insert_with(|| "".into());
    }
    let normal = serde_json::to_vec(&answer).ok()?;
    let life = life.map(|life| Duration::from_secs(u64::try_from(life).unwrap_or(0)));
    Some((normal.into(), life))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The life in seconds, -1 for a token that tells none; `None` where there is no token.
    fn life(body: &str) -> Option<i64> {
        let date = Timestamp::from_second(1_000_000).unwrap();
        let (normal, life) = token_answer(body.as_bytes(), Some(date))?;
        let normal: Value = serde_json::from_slice(&normal).unwrap();
        assert!(normal["expires_on"].is_string() && normal["resource"].is_string());
        Some(life.map_or(-1, |life| life.as_secs().cast_signed()))
    }

    #[test]
    fn a_life_is_read_from_numbers_and_strings_and_by_the_servers_clock() {
        assert_eq!(
            life(r#"{"access_token":"t","expires_in":3599}"#),
            Some(3599)
        );
        assert_eq!(
            life(r#"{"access_token":"t","expires_in":"3599"}"#),
            Some(3599)
        );
        assert_eq!(
            life(r#"{"access_token":"t","expires_on":"1000060"}"#),
            Some(60)
        );
        assert_eq!(
            life(r#"{"access_token":"t","expires_on":1000060}"#),
            Some(60)
        );
        assert_eq!(life(r#"{"access_token":"t","expires_in":-5}"#), Some(0));
        assert_eq!(life(r#"{"access_token":"t"}"#), Some(-1));
        for nothing in ["", "<html>", "{}", r#"{"access_token":5}"#] {
            assert_eq!(life(nothing), None, "{nothing}");
        }
    }
}

//! Our HTTP client below `azure_identity`. It also records what that crate does not pass on: a token's lifetime, the
//! text of a refusal, and the server's clock.

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
use tokio::sync::Notify;

use super::{
    authority::Authority,
    fetch::{LONGEST_LIFE, UNTOLD_LIFE},
    refusal::Refusal,
};
use crate::defender::{
    http_date,
    network::{obstacle, why},
};

/// The largest answer of a sign-in service, in bytes.
const LARGEST: usize = 1 << 20;

/// The transport of one sign-in.
#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    authority: Authority,
    heard: Mutex<Heard>,
    failed: Notify,
}

/// What was recorded of the last answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// The token's lifetime.
    pub(super) life: Option<Duration>,
    /// The answer, if it is not a token.
    pub(super) refusal: Option<Refusal>,
    /// Why there was no answer.
    pub(super) lost: Option<Lost>,
}

/// Why there was no answer.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) text: String,
    /// Whether the text says what to do.
    pub(super) has_cure: bool,
}

impl From<String> for Lost {
    fn from(text: String) -> Self {
        Self {
            text,
            has_cure: false,
        }
    }
}

impl Transport {
    pub(super) fn new(client: Client, authority: Authority) -> Self {
        Self {
            client,
            authority,
            heard: Mutex::default(),
            failed: Notify::new(),
        }
    }

    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there was an answer that is not a token, or no answer. Some credentials would otherwise silently
    /// retry for too long.
    pub(super) async fn failed(&self) {
        self.failed.notified().await;
    }

    async fn send(&self, request: &Request) -> Result<(u16, Option<Timestamp>, Bytes), Lost> {
        let url = self.authority.mapped(request.url());
        let origin = url.origin().ascii_serialization();
        let to = url.clone();
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            other => return Err(format!("{other:?} is no method of a sign-in").into()),
        };
        let mut sending = self.client.request(method, url);
        for (name, value) in request.headers().iter() {
            let Ok(mut value) = header::HeaderValue::try_from(value.as_str()) else {
                return Err(format!("the header {} cannot be sent", name.as_str()).into());
            };
            value.set_sensitive(true);
            sending = sending.header(name.as_str(), value);
        }
        if let Body::Bytes(bytes) = request.body() {
            sending = sending.body(bytes.clone());
        }
        let mut answer = match sending.send().await {
            Ok(answer) => answer,
            Err(error) => return Err(lost(error, &to).await),
        };
        let status = answer.status().as_u16();
        let date = answer.headers().get(header::DATE);
        let date = date.and_then(|date| http_date::parse(date.to_str().ok()?));
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(None) => break,
                Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST => {
                    return Err(format!("the answer of {origin} has no end").into());
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) => return Err(lost(error, &to).await),
            }
        }
        Ok((status, date, body.into()))
    }
}

#[async_trait::async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, date, body) = match self.send(request).await {
            Ok(answered) => answered,
            Err(lost) => {
                let text = lost.text.clone();
                self.heard().lost = Some(lost);
                self.failed.notify_one();
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
            self.failed.notify_one();
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

/// The error of a call to `url` without an answer.
async fn lost(error: reqwest::Error, url: &reqwest::Url) -> Lost {
    let error = error.without_url();
    let origin = url.origin().ascii_serialization();
    if let Some(found) = obstacle(&error) {
        let found = found.probed(url).await;
        return Lost {
            text: format!("no connection to {origin}: {found}"),
            has_cure: !found.is_outage(),
        };
    }
    Lost::from(if error.is_connect() {
        format!("no connection to {origin}: {}", why(&error))
    } else if error.is_timeout() {
        format!("no answer from {origin} in time")
    } else {
        format!("no whole answer from {origin}: {}", why(&error))
    })
}

/// The last second of the year 9999, which is the last that `azure_identity` can parse.
const LAST_SECOND: i64 = 253_402_300_799;

/// An answer with a token, in the one form that `azure_identity` parses, and the token's lifetime. Servers write
/// numbers as numbers or as strings, and an absurdly large number makes that crate panic.
///
/// The lifetime is at most [`LONGEST_LIFE`], and [`UNTOLD_LIFE`] if the answer states none that makes sense. It is
/// `None` if only the time of expiry is stated and not the server's own time, so that our clock has to be used. The
/// whole result is `None` if there is no token in the answer.
fn token_answer(body: &[u8], date: Option<Timestamp>) -> Option<(Bytes, Option<Duration>)> {
    let mut answer: Value = serde_json::from_slice(body).ok()?;
    let fields = answer.as_object_mut()?;
    fields.get("access_token")?.as_str()?;
    let (left, end) = (
        whole(fields.get("expires_in")),
        whole(fields.get("expires_on")),
    );
    let seconds = |seconds: i64| {
        let seconds = u64::try_from(seconds).ok().filter(|s| *s > 0)?;
        Some(Duration::from_secs(seconds).min(LONGEST_LIFE))
    };
    // By the server's clock, since ours may be wrong.
    let until_end = || seconds(end?.saturating_sub(date?.as_second()));
    let told = left.and_then(seconds).or_else(until_end);
    let by_our_clock = told.is_none() && left.is_none() && date.is_none() && end.is_some();
    let life = told.unwrap_or(UNTOLD_LIFE);
    let life_s = life.as_secs().cast_signed();
    for name in ["expires_in", "ext_expires_in"] {
        fields.insert(name.to_owned(), life_s.into());
    }
    let end = end.or_else(|| Some(date?.as_second().saturating_add(life_s)));
    let end = end.unwrap_or(0).clamp(0, LAST_SECOND);
    fields.insert("expires_on".to_owned(), end.to_string().into());
    for name in ["token_type", "resource"] {
        fields.entry(name).or_insert_with(|| "".into());
    }
    let normal = serde_json::to_vec(&answer).ok()?;
    Some((normal.into(), (!by_our_clock).then_some(life)))
}

/// An integer as a JSON number or a string, in any notation. It saturates.
fn whole(value: Option<&Value>) -> Option<i64> {
    let text = match value? {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok().filter(|number: &f64| !number.is_nan())?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it saturates, which is what is wanted"
    )]
    Some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lifetime in seconds, or -1 if our clock has to be used; `None` if there is no token.
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
        for nothing in ["", "<html>", "{}", r#"{"access_token":5}"#] {
            assert_eq!(life(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_life_that_makes_no_sense_is_a_short_one_and_one_beyond_measure_a_day() {
        for (expires_in, seconds) in [
            ("0", 300),
            ("-5", 300),
            ("-1e300", 300),
            ("null", 300),
            ("{}", 300),
            ("\"soon\"", 300),
            ("\"NaN\"", 300),
            ("\"\"", 300),
            ("3599.9", 3599),
            ("86401", 86_400),
            ("1e18", 86_400),
            ("1000000000000000000", 86_400),
            ("99999999999999999999999", 86_400),
            ("\"1e400\"", 86_400),
            ("\"inf\"", 86_400),
        ] {
            let body = format!(r#"{{"access_token":"t","expires_in":{expires_in}}}"#);
            assert_eq!(life(&body), Some(seconds), "{expires_in}");
        }
        assert_eq!(life(r#"{"access_token":"t"}"#), Some(300));
        // If the lifetime makes no sense, the time of expiry is used, within the same bounds.
        let both = r#"{"access_token":"t","expires_in":0,"expires_on":1000060}"#;
        assert_eq!(life(both), Some(60));
        for (end, seconds) in [("999999", 300), ("1e30", 86_400), ("\"never\"", 300)] {
            let body = format!(r#"{{"access_token":"t","expires_on":{end}}}"#);
            assert_eq!(life(&body), Some(seconds), "{end}");
        }
    }

    #[test]
    fn an_end_without_the_servers_time_is_left_to_our_clock_and_can_be_read() {
        let body = br#"{"access_token":"t","expires_on":"1e30"}"#;
        let (normal, life) = token_answer(body, None).unwrap();
        assert_eq!(life, None);
        let normal: Value = serde_json::from_slice(&normal).unwrap();
        assert_eq!(normal["expires_on"], LAST_SECOND.to_string());
        let (_, life) = token_answer(br#"{"access_token":"t"}"#, None).unwrap();
        assert_eq!(life, Some(UNTOLD_LIFE));
    }
}

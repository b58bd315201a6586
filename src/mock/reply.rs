//! The answers (MDE-API.md, sections 1 and 2).

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::{
    config::{Limit, RetryAfter},
    fault_rule::Garbling,
    quota::Refusal,
    response::Response,
};
use crate::defender::wire::{Envelope, ErrorBody};

/// An answer without the headers that all answers have.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
    headers: Vec<(&'static str, String)>,
    content_type: &'static str,
}

const JSON: &str = "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8";

/// What a gateway says when the service does not answer it.
pub(super) const GATEWAY_PAGE: &str = "<html><head><title>Service unavailable</title></head><body>\
                                       Our services aren't available right now</body></html>";

impl Reply {
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        Self {
            status,
            // The mock's own types have string keys, so this cannot fail.
            body: serde_json::to_vec(body).unwrap_or_default().into(),
            headers: Vec::new(),
            content_type: JSON,
        }
    }

    /// An answer with any body, as a rule or a gateway sends it.
    pub(super) fn raw(status: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let content_type = if body.first() == Some(&b'<') {
            "text/html"
        } else {
            JSON
        };
        Self {
            status,
            body,
            headers: Vec::new(),
            content_type,
        }
    }

    pub(super) fn error(error: Error, correlation_id: u128) -> Self {
        let Error {
            status,
            code,
            message,
            ..
        } = error;
        let error = ErrorBody {
            code: Some(code.to_owned()),
            message: Some(message),
            target: Some(guid(correlation_id)),
        };
        Self::json(status, &Envelope { error })
    }

    /// A 429. `until` is when the wait is over, as a header shows dates.
    pub(super) fn throttled(
        refusal: Refusal,
        style: RetryAfter,
        until: Option<String>,
        correlation_id: u128,
    ) -> Self {
        let seconds = whole_seconds(refusal.wait);
        let (code, limit) = match refusal.limit {
            Some(Limit { calls, window }) => {
                let window = time_span(window);
                ("429", format!("Maximum allowed {calls} per {window}"))
            }
            None => ("TooManyRequests", "Too much CPU time".to_owned()),
        };
        let again = format!(
            " for the key Destination+TenantID+AppID. You can send requests again in {seconds} seconds."
        );
        let again = if style == RetryAfter::Older {
            ""
        } else {
            &again
        };
        let message = format!("API calls quota exceeded! {limit}{again}");
        let header = match style {
            RetryAfter::Seconds => Some(seconds.to_string()),
            RetryAfter::Date => until,
            RetryAfter::Missing | RetryAfter::Older => None,
            RetryAfter::Contradicting => Some("1".to_owned()),
            RetryAfter::Absurd => Some("31622400000".to_owned()),
        };
        Self::error(Error::new(429, code, message), correlation_id)
            .with_headers(header.map(|header| ("retry-after", header)))
    }

    /// The same answer with a body that nobody can read.
    pub(super) fn garbled(mut self, garbling: Garbling) -> Self {
        self.body = match garbling {
            Garbling::Truncated => self.body.slice(..self.body.len() / 2),
            Garbling::NotJson => Bytes::from_static(b"OK"),
            Garbling::Html => {
                self.content_type = "text/html";
                Bytes::from_static(GATEWAY_PAGE.as_bytes())
            }
        };
        self
    }

    /// The same answer with a byte-order mark before its body, as some gateways add one.
    pub(super) fn with_mark(mut self) -> Self {
        self.body = ["\u{feff}".as_bytes(), &self.body].concat().into();
        self
    }

    pub(super) fn with_headers(
        mut self,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The answer with all of its headers.
    pub(super) fn into_response(self, date: Option<String>) -> Response {
        let mut headers = vec![("content-type", self.content_type.to_owned())];
        headers.extend(date.map(|date| ("date", date)));
        headers.extend(self.headers);
        Response {
            status: self.status,
            headers,
            body: self.body,
        }
    }
}

/// An error that the service answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Error {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Whether this tenant alone refuses the call, as it is configured to.
    is_of_tenant: bool,
}

impl Error {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            is_of_tenant: false,
        }
    }

    /// The error of a call that other tenants take.
    pub(super) fn of_this_tenant(self) -> Self {
        Self {
            is_of_tenant: true,
            ..self
        }
    }

    /// Whether no call with this form could succeed, whatever the tenant is like.
    pub(super) fn is_of_malformed_call(&self) -> bool {
        let codes = [
            "InvalidRequestBody",
            "MissingRequiredParameter",
            "ODataError",
        ];
        codes.contains(&self.code) && !self.is_of_tenant
    }
}

/// The wait as `Retry-After` states it: rounded up, so that it is never too short.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// A window's length as the service writes it: `00:01:00`, `1.00:00:00`.
fn time_span(window: Duration) -> String {
    let seconds = window.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let clock = format!("{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60);
    if days == 0 {
        clock
    } else {
        format!("{days}.{clock}")
    }
}

/// A number as a GUID.
pub(super) fn guid(id: u128) -> String {
    let hex = format!("{id:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

/// The number of a GUID in upper or lower case.
pub(super) fn read_guid(text: &str) -> Option<u128> {
    let whole = text.len() == 36 && text.is_ascii();
    whole.then(|| u128::from_str_radix(&text.replace('-', ""), 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_the_service_writes_it() {
        for (calls, window, text) in [
            (100, 60, "100 per 00:01:00"),
            (1500, 3600, "1500 per 01:00:00"),
        ] {
            let limit = Limit {
                calls,
                window: Duration::from_secs(window),
            };
            let wait = Duration::from_millis(36_001);
            let refusal = Refusal {
                limit: Some(limit),
                wait,
                is_deserved: true,
            };
            let reply = Reply::throttled(refusal, RetryAfter::Seconds, None, 7);
            let response = reply.into_response(None);
            assert_eq!(
                (response.status, response.header("retry-after")),
                (429, Some("37"))
            );
            let expected = format!(
                "{{\"error\":{{\"code\":\"429\",\"message\":\"API calls quota exceeded! Maximum allowed {text} for \
                 the key Destination+TenantID+AppID. You can send requests again in 37 \
                 seconds.\",\"target\":\"00000000-0000-0000-0000-000000000007\"}}}}"
            );
            assert_eq!(String::from_utf8_lossy(&response.body), expected);
        }
        assert_eq!(time_span(Duration::from_secs(90_061)), "1.01:01:01");
    }

    #[test]
    fn a_guid_survives_its_text() {
        let id = 0x0696_c900_b8ce_42ce_96f6_1b68_268b_7bea;
        assert_eq!(guid(id), "0696c900-b8ce-42ce-96f6-1b68268b7bea");
        assert_eq!(read_guid("0696C900-B8CE-42CE-96F6-1B68268B7BEA"), Some(id));
        assert_eq!(read_guid("0696c900"), None);
    }
}

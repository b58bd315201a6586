//! The Defender for Endpoint API as a client sees it.
//!
//! - this file: the port ([`Defender`]), what can be called ([`Call`]) and what comes back ([`Reply`]).
//! - [`wire`]: the JSON bodies, which the mock tenant shares.
//! - [`http`]: the port over HTTP. [`request`]: a call as an HTTP request. [`base`]: the API's address, checked before
//!   a token is sent there.
//! - [`network`]: proxies, trusted root certificates, TLS.
//! - [`throttle`]: how long a 429 asks us to wait.
//! - [`cloud`]: Microsoft's clouds and regions, and which of them share a quota.
//! - [`sign_in`]: where bearer tokens come from.

use std::{fmt, future::Future, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;

pub mod base;
pub mod cloud;
pub mod http;
pub(crate) mod http_date;
pub mod network;
pub mod request;
pub mod sign_in;
pub mod throttle;
pub mod wire;

pub use base::ApiBase;
pub use http::HttpDefender;
pub use network::Network;
pub use request::HttpRequest;
pub use throttle::Throttle;

/// One call to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `POST /api/machines/{machine}/runAntiVirusScan`
    StartScan {
        /// The machine's id, in lower case.
        machine: String,
        /// `Quick` or `Full`.
        scan_type: &'static str,
        /// The whole comment, including the tag.
        comment: String,
    },
    /// `GET /api/machineactions`, one page of scans, newest first.
    ListScans {
        /// Only actions that were created at or after this time of the server's clock.
        since: Timestamp,
        /// How many newer ones to skip.
        skip: u32,
        /// The page's size, at most 10,000.
        top: u32,
        /// The options that the service supports.
        order: Order,
    },
    /// `GET /api/machineactions/{id}`
    GetAction {
        /// The action's id.
        id: String,
    },
    /// `POST /api/machineactions/{id}/cancel`
    CancelAction {
        /// The action's id.
        id: String,
        /// The comment.
        comment: String,
    },
    /// `GET /api/machines`, one page.
    Machines {
        /// An `OData` filter.
        filter: Option<String>,
        /// How many to skip.
        skip: u32,
        /// The page's size, at most 10,000.
        top: u32,
        /// The options that the service supports.
        order: Order,
    },
    /// `GET /api/deviceavinfo`, one page of what devices report of their antivirus (MDE-API.md, section 7).
    DeviceAvInfo {
        /// How many rows to skip.
        skip: u32,
        /// The page's size, at most 10,000.
        top: u32,
        /// The options that the service supports.
        order: Order,
    },
    /// `GET /api/alerts`, one page (MDE-API.md, section 8).
    Alerts {
        /// Only alerts that were created at or after this time of the server's clock.
        since: Timestamp,
        /// How many rows to skip.
        skip: u32,
        /// The page's size, at most 10,000.
        top: u32,
        /// The options that the service supports.
        order: Order,
    },
}

/// Options of a listing. It is not documented whether the service supports them, so each is left out once it has been
/// answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    /// `$count=true`
    pub count: bool,
    /// `$orderby=creationDateTimeUtc desc`; for scans only.
    pub newest_first: bool,
}

/// An HTTP answer, from the service or from a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The `Date` header, which is the server's clock.
    pub date: Option<Timestamp>,
    /// The `Retry-After` header, unparsed.
    pub retry_after: Option<String>,
    /// The whole body.
    pub body: Bytes,
}

/// Why a call has no answer. The text is the transport's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// A request cannot carry the id or the token.
    Unsendable(String),
    /// No connection was made, so nothing can have been sent.
    NotSent(String),
    /// The same, because of something that a person has to fix: a certificate that is not trusted, or a proxy that
    /// refuses.
    Blocked(String),
    /// We gave up after this timeout. The service is slow, and may still act.
    TimedOut(Duration),
    /// The connection was reset or broken off. The service may have acted.
    Unknown(String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsendable(text)
            | Self::NotSent(text)
            | Self::Blocked(text)
            | Self::Unknown(text) => f.write_str(text),
            Self::TimedOut(timeout) => write!(f, "no answer within {timeout:?}"),
        }
    }
}

/// The result of a call.
pub type Reply = Result<Answer, Lost>;

/// The API. An implementation makes exactly one request for each call. It follows no redirects and retries nothing,
/// because either would be a call that the quota does not count.
pub trait Defender: Send + Sync + 'static {
    /// Makes the call with this token.
    fn call(&self, call: &Call, token: &sign_in::Token) -> impl Future<Output = Reply> + Send;
}

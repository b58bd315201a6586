//! The Defender for Endpoint API as a client sees it.
//!
//! - this file: the port: [`Defender`], what can be asked ([`Call`]) and what comes back ([`Reply`]).
//! - [`wire`]: bodies, shared with the mock tenant.
//! - [`http`]: the port over HTTP; [`base`]: the address it calls, checked before a token is sent there.
//! - [`network`]: proxies, roots of trust, TLS.
//! - [`throttle`]: what a 429 asks for.
//! - [`cloud`]: Microsoft's clouds and regions, and which of them share a quota.
//! - [`sign_in`]: where bearer tokens come from.

use std::{fmt, future::Future, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;

pub mod base;
pub mod cloud;
pub mod http;
mod http_date;
pub mod network;
pub mod sign_in;
pub mod throttle;
pub mod wire;

pub use base::ApiBase;
pub use http::HttpDefender;
pub use network::Network;
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
        /// The whole comment, tag included.
        comment: String,
    },
    /// `GET /api/machineactions`, one page of scans, newest first.
    ListScans {
        /// Only actions created at or after this moment of the server's clock.
        since: Timestamp,
        /// How many newer ones to pass over.
        skip: u32,
        /// The page's size, at most 10,000.
        top: u32,
        /// Newest first, and with the number of all: where the service takes it.
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
        /// How many to pass over.
        skip: u32,
        /// The page's size, at most 10,000.
        top: u32,
        /// With the number of all: where the service takes it.
        order: Order,
    },
}

/// What a listing asks for besides its rows. Nobody has written down whether the service takes either; each is left out
/// once it has been answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    /// `$count=true`
    pub count: bool,
    /// `$orderby=creationDateTimeUtc desc`; for scans only.
    pub newest_first: bool,
}

/// An HTTP answer, whoever gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The `Date` header: the server's clock.
    pub date: Option<Timestamp>,
    /// The `Retry-After` header, as it came.
    pub retry_after: Option<String>,
    /// The whole body.
    pub body: Bytes,
}

/// A call without an answer. The text says what the transport said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The id or the token is nothing that a request can carry.
    Unsendable(String),
    /// No connection was made, so nothing can have been sent.
    NotSent(String),
    /// The same, by what a person must remove: a certificate that is not trusted, a proxy that does not let us through.
    Blocked(String),
    /// Given up by us because its time was over, which was so long: the service is slow, and may act yet.
    TimedOut(Duration),
    /// Reset, broken off: the service may have acted.
    Unknown(String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsendable(text)
            | Self::NotSent(text)
            | Self::Blocked(text)
            | Self::Unknown(text) => f.write_str(text),
            Self::TimedOut(patience) => write!(f, "no answer within {patience:?}"),
        }
    }
}

/// What came of a call.
pub type Reply = Result<Answer, Lost>;

/// The API: one call, one reply. An implementation makes exactly one request: it follows no redirect and retries
/// nothing, for either would be a call that the quota has not seen.
pub trait Defender: Send + Sync + 'static {
    /// Makes the call with this token.
    fn call(&self, call: &Call, token: &sign_in::Token) -> impl Future<Output = Reply> + Send;
}

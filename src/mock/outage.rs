//! Spans of time in which calls do not get through, because of the network, a gateway or a proxy.

use std::time::Duration;

use super::request::Kind;

/// A span of time in which calls do not get through. It does not affect signing in. If a call falls into several
/// outages, the first one decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// When it begins, in time since the tenant's start.
    pub from: Duration,
    /// When it is over: the first moment that does not belong to it any more.
    pub until: Duration,
    /// What clients see of it.
    pub shape: Shape,
    /// Which calls it affects.
    pub affects: Affects,
}

/// What clients see of an outage. No call is carried out, whatever the shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// The connection is refused ([`super::Served::Refused`]), so the call never reaches the service. Over HTTP the
    /// whole server stops listening, and this includes its sign-in ([`super::serve`]).
    Refused,
    /// There is never an answer. The call has reached the service, which counts it.
    TimesOut,
    /// The connection is cut without an answer. The call has reached the service, which counts it.
    Reset,
    /// 503 from the service itself, which counts the call.
    Unavailable {
        /// The value of the `Retry-After` header: seconds, a date, or a Unix time.
        retry_after: Option<String>,
        /// Whether the body is empty instead of the API's error envelope.
        empty: bool,
    },
    /// An HTML page, as proxies, captive portals and gateways send. The call never reaches the service.
    Page {
        /// The page's status, such as 200, 302, 403, 407 or 502.
        status: u16,
    },
}

/// Which calls an outage affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Affects {
    /// All calls except signing in.
    #[default]
    Everything,
    /// Only calls that start scans.
    Starts,
}

impl Outage {
    /// An outage of all calls, from the first time to the second.
    #[must_use]
    pub const fn of_everything(from: Duration, until: Duration, shape: Shape) -> Self {
        Self {
            from,
            until,
            shape,
            affects: Affects::Everything,
        }
    }

    /// An outage of starts only, from the first time to the second.
    #[must_use]
    pub const fn of_starts(from: Duration, until: Duration, shape: Shape) -> Self {
        Self {
            from,
            until,
            shape,
            affects: Affects::Starts,
        }
    }

    fn covers(&self, kind: Kind, at: Duration) -> bool {
        let is_meant = match self.affects {
            Affects::Everything => kind != Kind::Token,
            Affects::Starts => kind == Kind::Start,
        };
        is_meant && self.from <= at && at < self.until
    }

    /// Whether all connections are refused while it lasts.
    fn refuses_connections(&self) -> bool {
        (&self.shape, self.affects) == (&Shape::Refused, Affects::Everything)
    }
}

/// The outage, if any, that affects a call of this kind at this time.
pub(super) fn met(outages: &[Outage], kind: Kind, at: Duration) -> Option<&Shape> {
    let mut met = outages.iter().filter(|outage| outage.covers(kind, at));
    met.next().map(|outage| &outage.shape)
}

/// Whether all connections are refused at this time, and when that may change next.
pub(super) fn refuses_connections(outages: &[Outage], at: Duration) -> (bool, Option<Duration>) {
    let mut refusals = outages.iter().filter(|outage| outage.refuses_connections());
    let edges = refusals.clone().flat_map(|o| [o.from, o.until]);
    let next = edges.filter(|edge| *edge > at).min();
    (refusals.any(|o| o.from <= at && at < o.until), next)
}

impl Shape {
    /// Whether the service sees the call.
    pub(super) const fn lets_calls_in(&self) -> bool {
        !matches!(self, Self::Refused | Self::Page { .. })
    }
}

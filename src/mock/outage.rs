//! Spans of the tenant's time in which the network, a gateway or a proxy stands between it and its clients.

use std::time::Duration;

use super::{
    fault_plan::Instead,
    reply::{Error, Reply},
    request::Kind,
};

/// A span of the tenant's time in which calls do not get through. Signing in is left alone; of several outages that a
/// call falls into, the first decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// When it begins, since the tenant's start.
    pub from: Duration,
    /// When it is over: the first moment that no longer belongs to it.
    pub until: Duration,
    /// What a client sees of it.
    pub shape: Shape,
    /// Which calls it is about.
    pub affects: Affects,
}

/// What a client sees of an outage. No shape carries a call out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// No connection comes about ([`super::Served::Refused`]): the call never reaches the service. Over HTTP it is the whole
    /// server that does not listen, its sign-in included ([`super::serve`]).
    Refused,
    /// No answer ever comes. The call has reached the service, which counts it.
    TimesOut,
    /// The connection is cut without an answer. The call has reached the service, which counts it.
    Reset,
    /// 503 from the service itself, which counts the call.
    Unavailable {
        /// The `Retry-After` header, word for word: seconds, a date, or a time since 1970.
        retry_after: Option<String>,
        /// The body is empty, and not the API's envelope.
        empty: bool,
    },
    /// A page in HTML, as proxies, captive portals and gateways answer with: the call never reaches the service.
    Page {
        /// The page's status, such as 200, 302, 403, 407 or 502.
        status: u16,
    },
}

/// Which calls an outage is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Affects {
    /// All calls but signing in.
    #[default]
    Everything,
    /// Only those that start scans: listing and the rest go on.
    Starts,
}

impl Outage {
    /// An outage of everything, from the first moment to the second.
    #[must_use]
    pub const fn of_everything(from: Duration, until: Duration, shape: Shape) -> Self {
        Self {
            from,
            until,
            shape,
            affects: Affects::Everything,
        }
    }

    /// An outage of the starts alone, from the first moment to the second.
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

    /// Whether nobody can connect while it lasts.
    fn shuts_the_door(&self) -> bool {
        (&self.shape, self.affects) == (&Shape::Refused, Affects::Everything)
    }
}

/// What a call of this kind runs into at this moment.
pub(super) fn met(outages: &[Outage], kind: Kind, at: Duration) -> Option<&Shape> {
    let mut met = outages.iter().filter(|outage| outage.covers(kind, at));
    met.next().map(|outage| &outage.shape)
}

/// Whether nobody can connect at this moment, and when that may next be otherwise.
pub(super) fn door(outages: &[Outage], at: Duration) -> (bool, Option<Duration>) {
    let mut shutting = outages.iter().filter(|outage| outage.shuts_the_door());
    let edges = shutting.clone().flat_map(|o| [o.from, o.until]);
    let next = edges.filter(|edge| *edge > at).min();
    (shutting.any(|o| o.from <= at && at < o.until), next)
}

impl Shape {
    /// Whether the service sees the call.
    pub(super) const fn lets_calls_in(&self) -> bool {
        !matches!(self, Self::Refused | Self::Page { .. })
    }

    /// What happens instead of the call's own answer.
    pub(super) fn instead(&self, rng: &mut fastrand::Rng) -> Instead {
        match self {
            Self::Refused => Instead::Refusal,
            Self::TimesOut => Instead::Silence,
            Self::Reset => Instead::Cut,
            Self::Unavailable { retry_after, empty } => {
                let reply = if *empty {
                    Reply::raw(503, "")
                } else {
                    let text = "The service is temporarily unavailable";
                    Reply::error(Error::new(503, "ServiceUnavailable", text), rng.u128(..))
                };
                let header = retry_after.clone().map(|value| ("retry-after", value));
                Instead::Answer(reply.with_headers(header))
            }
            Self::Page { status } => Instead::Answer(page(*status)),
        }
    }
}

/// A page of somebody's in between. Its names are under `.invalid`, so nobody can follow them.
fn page(status: u16) -> Reply {
    let title = match status {
        200..=299 => "Sign in to the network",
        300..=399 => "Moved",
        407 => "Proxy authentication required",
        400..=499 => "Access denied by your organisation",
        _ => "Bad gateway",
    };
    let body = format!("<html><head><title>{title}</title></head><body>{title}</body></html>");
    let header = match status {
        300..=399 => Some(("location", "http://portal.invalid/sign-in".to_owned())),
        407 => Some(("proxy-authenticate", "Basic realm=\"proxy\"".to_owned())),
        _ => None,
    };
    Reply::raw(status, body).with_headers(header)
}

//! A call to the tenant and its answer, without HTTP.

use bytes::Bytes;
use serde::Serialize;

use super::query::decode;

/// What a call is for. Each kind has a quota of its own, except signing in, which has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Get a token.
    Token,
    /// Start a scan.
    Start,
    /// List actions.
    List,
    /// Get one action.
    Get,
    /// Cancel an action.
    Cancel,
    /// List the inventory.
    Machines,
}

impl Kind {
    /// Every kind, in the order of their indexes.
    pub const ALL: [Self; 6] = [
        Self::Token,
        Self::Start,
        Self::List,
        Self::Get,
        Self::Cancel,
        Self::Machines,
    ];

    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The kind's name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Start => "start",
            Self::List => "list",
            Self::Get => "get",
            Self::Cancel => "cancel",
            Self::Machines => "machines",
        }
    }
}

/// The HTTP methods of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// Any other. No route accepts it.
    Other,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, percent-encoded, from its first slash.
    pub path: String,
    /// The query, percent-encoded, without its question mark.
    pub query: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Metadata` header, which a metadata service requires.
    pub metadata: Option<String>,
    /// The `X-IDENTITY-HEADER` header, which App Service requires.
    pub identity_header: Option<String>,
    /// The whole body.
    pub body: Bytes,
}

impl Request {
    /// A GET of this path (with its query, if any) with this bearer token.
    #[must_use]
    pub fn get(target: &str, token: &str) -> Self {
        Self::new(Method::Get, target, token, Bytes::new())
    }

    /// A POST to this path with this bearer token.
    #[must_use]
    pub fn post(target: &str, token: &str, body: impl Into<Bytes>) -> Self {
        Self::new(Method::Post, target, token, body.into())
    }

    fn new(method: Method, target: &str, token: &str, body: Bytes) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            authorization: Some(format!("Bearer {token}")),
            metadata: None,
            identity_header: None,
            body,
        }
    }

    /// Where the request goes; `None` if there is nothing.
    pub(super) fn route(&self) -> Option<Route> {
        let path = self.path.strip_prefix('/')?;
        let mut parts = path.split('/');
        let mut next = || parts.next().unwrap_or_default();
        let first = next();
        if !first.eq_ignore_ascii_case("api") {
            if self.method == Method::Get && self.path == "/metadata/identity/oauth2/token" {
                return Some(Route::Identity);
            }
            let route =
                (next(), next(), next()) == ("oauth2", "v2.0", "token") && parts.next().is_none();
            return (route && self.method == Method::Post).then(|| Route::Token {
                tenant: decode(first),
            });
        }
        let mut resource = next();
        if resource.eq_ignore_ascii_case("v1.0") {
            resource = next();
        }
        let (id, verb) = (decode(next()), next());
        if parts.next().is_some() {
            return None;
        }
        let is = |name: &str, expected: &str| name.eq_ignore_ascii_case(expected);
        match self.method {
            Method::Get if is(resource, "machineactions") && verb.is_empty() => {
                Some(if id.is_empty() {
                    Route::List
                } else {
                    Route::Get { id }
                })
            }
            Method::Get if is(resource, "machines") && id.is_empty() && verb.is_empty() => {
                Some(Route::Machines)
            }
            Method::Post if is(resource, "machineactions") && is(verb, "cancel") => {
                Some(Route::Cancel { id })
            }
            Method::Post if is(resource, "machines") && is(verb, "runAntiVirusScan") => {
                Some(Route::Start {
                    machine: id.to_ascii_lowercase(),
                })
            }
            _ => None,
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Token {
        tenant: String,
    },
    /// The host's metadata service, which issues tokens for the host's identity.
    Identity,
    Start {
        machine: String,
    },
    List,
    Get {
        id: String,
    },
    Cancel {
        id: String,
    },
    Machines,
}

impl Route {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Token { .. } | Self::Identity => Kind::Token,
            Self::Start { .. } => Kind::Start,
            Self::List => Kind::List,
            Self::Get { .. } => Kind::Get,
            Self::Cancel { .. } => Kind::Cancel,
            Self::Machines => Kind::Machines,
        }
    }

    /// The machine to start a scan on.
    pub(super) fn machine(&self) -> Option<&str> {
        match self {
            Self::Start { machine } => Some(machine),
            _ => None,
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, `Date` included.
    pub headers: Vec<(&'static str, String)>,
    /// The whole body.
    pub body: Bytes,
}

impl Response {
    /// A header's value. Names are in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// An answer.
    Response(Response),
    /// The connection was cut before anything of an answer was sent.
    Cut,
    /// The connection was refused, so nothing of the request was sent.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_api_finds_its_route_with_and_without_a_version() {
        let get = |path: &str| Request::get(path, "t").route();
        let post = |path: &str| Request::post(path, "t", "").route();
        let start = Some(Route::Start {
            machine: "ab 1".into(),
        });
        assert_eq!(post("/api/machines/AB%201/runAntiVirusScan"), start);
        assert_eq!(post("/api/v1.0/machines/ab%201/runAntiVirusScan"), start);
        assert_eq!(get("/api/machineactions?$top=1"), Some(Route::List));
        assert_eq!(
            get("/api/machineactions/7"),
            Some(Route::Get { id: "7".into() })
        );
        assert_eq!(
            post("/api/machineactions/7/cancel"),
            Some(Route::Cancel { id: "7".into() })
        );
        assert_eq!(get("/api/v1.0/machines"), Some(Route::Machines));
        let token = Some(Route::Token {
            tenant: "acme".into(),
        });
        assert_eq!(post("/acme/oauth2/v2.0/token"), token);
        let identity = get("/metadata/identity/oauth2/token?resource=x");
        assert_eq!(identity, Some(Route::Identity));
        for wrong in [
            "/",
            "",
            "/api",
            "/api/machines/1/2/3",
            "/acme/oauth2/v2.0/token",
        ] {
            assert_eq!(get(wrong), None, "{wrong}");
        }
    }
}

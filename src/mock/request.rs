//! A call to the tenant, without HTTP, and where it goes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::query::{decode, pairs};

/// What a call is for. Each kind has a quota of its own, except signing in, which has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// List what machines report of their antivirus.
    Health,
    /// List alerts.
    Alerts,
}

impl Kind {
    /// Every kind, in the order of their indexes.
    pub const ALL: [Self; 8] = [
        Self::Token,
        Self::Start,
        Self::List,
        Self::Get,
        Self::Cancel,
        Self::Machines,
        Self::Health,
        Self::Alerts,
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
            Self::Health => "health",
            Self::Alerts => "alerts",
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
    /// The service's address as the client knows it: a scheme and a host, without a path.
    pub base: String,
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
            base: "http://mock".to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            authorization: Some(format!("Bearer {token}")),
            metadata: None,
            identity_header: None,
            body,
        }
    }

    /// A query option.
    pub(super) fn query_option(&self, name: &str) -> Option<String> {
        let mut pairs = pairs(&self.query);
        let found = pairs.find(|(option, _)| option.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// Where the request goes; `None` if there is nothing.
    pub(super) fn route(&self) -> Option<Route> {
        let path = self.path.strip_prefix('/')?;
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        if !first.eq_ignore_ascii_case("api") {
            if self.method == Method::Get && self.path == "/metadata/identity/oauth2/token" {
                return Some(Route::Identity);
            }
            return self.sign_in_route(decode(first), &rest.split('/').collect::<Vec<_>>());
        }
        let mut rest: Vec<_> = rest.split('/').map(decode).collect();
        if rest
            .first()
            .is_some_and(|part| part.eq_ignore_ascii_case("v1.0"))
        {
            rest.remove(0);
        }
        let rest: Vec<_> = rest.iter().map(String::as_str).collect();
        let (resource, rest) = rest.split_first()?;
        match resource.to_ascii_lowercase().as_str() {
            "machineactions" => self.action_route(rest),
            "machines" => self.machine_route(rest),
            "deviceavinfo" if self.method == Method::Get && matches!(rest, [] | [""]) => {
                Some(Route::Health)
            }
            "alerts" if self.method == Method::Get && matches!(rest, [] | [""]) => {
                Some(Route::Alerts)
            }
            _ => None,
        }
    }

    fn sign_in_route(&self, tenant: String, rest: &[&str]) -> Option<Route> {
        let is_post = self.method == Method::Post;
        match rest {
            ["oauth2", "v2.0", "token"] if is_post => Some(Route::Token {
                tenant,
                version: TokenVersion::V2,
            }),
            // One client sends the form of this with a GET.
            ["oauth2", "token"] if self.method != Method::Other => Some(Route::Token {
                tenant,
                version: TokenVersion::V1,
            }),
            ["v2.0", ".well-known", "openid-configuration"] if !is_post => Some(Route::Discovery {
                tenant,
                version: TokenVersion::V2,
            }),
            [".well-known", "openid-configuration"] if !is_post => Some(Route::Discovery {
                tenant,
                version: TokenVersion::V1,
            }),
            _ => None,
        }
    }

    fn action_route(&self, rest: &[&str]) -> Option<Route> {
        match (self.method, rest) {
            (Method::Get, [] | [""]) => Some(Route::List),
            (Method::Get, [id]) => Some(Route::Get {
                id: (*id).to_owned(),
            }),
            (Method::Post, [id, verb]) if verb.eq_ignore_ascii_case("cancel") => {
                Some(Route::Cancel {
                    id: (*id).to_owned(),
                })
            }
            _ => None,
        }
    }

    fn machine_route(&self, rest: &[&str]) -> Option<Route> {
        let id = rest.first().unwrap_or(&"").to_ascii_lowercase();
        let verb = rest.get(1).unwrap_or(&"").to_ascii_lowercase();
        match (self.method, rest.len(), verb.as_str()) {
            (Method::Get, 0 | 1, _) if id.is_empty() => Some(Route::Machines),
            (Method::Get, 1, _) if id == "findbytag" => Some(Route::FindByTag),
            (Method::Get, 1, _) if id.starts_with("findbyip(") => {
                Some(Route::FindByIp { arguments: id })
            }
            (Method::Get, 1, _) => Some(Route::Machine { id }),
            (Method::Get, 2, "machineactions") => Some(Route::MachineActions { machine: id }),
            (Method::Get, 2, "availablemachineactions") => {
                Some(Route::AvailableActions { machine: id })
            }
            (Method::Post, 2, "runantivirusscan") => Some(Route::Start { machine: id }),
            (Method::Post, 2, "tags") => Some(Route::Tags { machine: id }),
            (Method::Post, 2, _) if OTHER_ACTIONS.contains(&verb.as_str()) => {
                Some(Route::OtherAction)
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
        version: TokenVersion,
    },
    /// The `OpenID` configuration, from which clients learn where the token endpoint is.
    Discovery {
        tenant: String,
        version: TokenVersion,
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
    /// What machines report of their antivirus.
    Health,
    Alerts,
    /// One machine, by its id or its name.
    Machine {
        id: String,
    },
    /// The actions of one machine.
    MachineActions {
        machine: String,
    },
    /// The actions that a machine supports.
    AvailableActions {
        machine: String,
    },
    FindByTag,
    FindByIp {
        /// `findbyip(ip='…',timestamp=…)`, in lower case.
        arguments: String,
    },
    /// Adds a tag to a machine, or removes one.
    Tags {
        machine: String,
    },
    /// An action on a machine other than a scan.
    OtherAction,
}

/// The version of a token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenVersion {
    /// With a `resource`.
    V1,
    /// With a `scope`.
    V2,
}

/// The actions that the API has besides scans, which this tenant does not carry out.
const OTHER_ACTIONS: [&str; 9] = [
    "collectinvestigationpackage",
    "getpackageuri",
    "isolate",
    "unisolate",
    "restrictcodeexecution",
    "unrestrictcodeexecution",
    "offboard",
    "stopandquarantinefile",
    "runliveresponse",
];

impl Route {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Token { .. } | Self::Identity | Self::Discovery { .. } => Kind::Token,
            Self::Start { .. } => Kind::Start,
            Self::List | Self::MachineActions { .. } => Kind::List,
            Self::Get { .. } => Kind::Get,
            Self::Cancel { .. } => Kind::Cancel,
            Self::Health => Kind::Health,
            Self::Alerts => Kind::Alerts,
            Self::Machines
            | Self::Machine { .. }
            | Self::AvailableActions { .. }
            | Self::FindByTag
            | Self::FindByIp { .. }
            | Self::Tags { .. }
            | Self::OtherAction => Kind::Machines,
        }
    }

    /// The roles that permit the call. Any one of them is enough; none is needed if there are none.
    pub(super) const fn roles(&self) -> &'static [&'static str] {
        match self {
            Self::Token { .. } | Self::Identity | Self::Discovery { .. } => &[],
            Self::Start { .. } | Self::Cancel { .. } => &["Machine.Scan"],
            Self::Tags { .. } => &["Machine.ReadWrite.All"],
            Self::Alerts => &["Alert.Read.All", "Alert.ReadWrite.All"],
            _ => &["Machine.Read.All", "Machine.ReadWrite.All"],
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

#[cfg(test)]
mod tests;

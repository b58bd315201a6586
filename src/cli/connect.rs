//! Which API is called, and with which token.
//!
//! ```text
//!   options, environment ─→ ConnectArgs::settings ─→ ConnectSettings ─→ token, checked ─→ Connection ─→ client
//!                              (nothing is sent)
//! ```
//!
//! - `options`: the options of the connection. `offline`: who would sign in, as far as that is known without doing
//!   so, for `fleetsweep plan`.
//! - `demo`: the mock tenant of `--mock`.

mod demo;
mod offline;
mod options;

use std::{sync::Arc, time::Duration};

use demo::{Link, start_mock};
pub use offline::Offline;
pub use options::ConnectArgs;

use super::{
    ExitCode, Failure,
    api::{ApiClient, ApiLink},
    pace::PaceArgs,
    paths::FileUse,
    simulate::TenantClient,
};
use crate::{
    client::token_clock::SignInTime,
    defender::{
        ApiBase, Network,
        cloud::Endpoints,
        http::{HttpDefender, HttpOptions},
        sign_in::{
            Auth, Authority, Claims, CredentialChoice, Environment, Need, SignInOptions,
            TokenSource, fit,
        },
    },
    monitor::Monitor,
    quota::{Clock, SystemClock},
    store::UNKNOWN_TENANT,
};

/// The connection that options and environment ask for. Nothing has been sent.
pub struct ConnectSettings {
    /// The API's address.
    pub base: ApiBase,
    /// What to sign in with.
    pub credential: CredentialChoice,
    /// Where to sign in, and for which resource.
    pub sign_in: SignInOptions,
}

/// A connection, before its first call.
pub struct Connection {
    /// The API's address.
    pub base: ApiBase,
    /// The API's address as a campaign records it; `mock` for the mock inside this process, whose port varies.
    pub api: String,
    /// Where tokens come from.
    pub tokens: Arc<dyn TokenSource>,
    /// The token's tenant, or [`UNKNOWN`].
    pub tenant: String,
    /// The token's application, or [`UNKNOWN`].
    pub application: String,
    /// The tenant that the rows of the input have to belong to.
    pub rows: RowsTenant,
    link: Link,
}

/// The tenant that the rows of the input have to belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsTenant {
    /// This one, by the token, or by `AZURE_TENANT_ID` if the token does not say.
    Known(String),
    /// One tenant, but it is not known which.
    Unknown,
    /// Any: nothing leaves the computer, or the tenant is known only after the sign-in.
    Any,
}

impl RowsTenant {
    /// The tenant of the token, or else the one that was named by its id. Rows cannot be compared with a tenant's name.
    fn of(by_token: Option<&str>, named: Option<&str>) -> Self {
        let named = named.filter(|named| offline::is_guid(named));
        by_token
            .or(named)
            .map_or(Self::Unknown, |tenant| Self::Known(tenant.to_owned()))
    }
}

/// Stands for a tenant or an application that the token does not name.
pub const UNKNOWN: &str = UNKNOWN_TENANT;

/// Environment variables that name a file to sign in with.
const SIGN_IN_FILES: [&str; 2] = [
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
];

impl ConnectArgs {
    /// The files that signing in reads.
    #[must_use]
    pub fn files(&self) -> Vec<FileUse> {
        if self.mock {
            return Vec::new();
        }
        let by_option = [
            ("the token (--token-file)", &self.token_file),
            ("the certificates (--ca-cert)", &self.ca_cert),
        ];
        let by_option = by_option
            .into_iter()
            .filter_map(|(what, path)| Some(FileUse::read(what, path.as_ref()?)));
        let by_environment = SIGN_IN_FILES.into_iter().filter_map(|name| {
            let path = std::env::var_os(name).filter(|path| !path.is_empty())?;
            Some(FileUse::read(name, path))
        });
        by_option.chain(by_environment).collect()
    }

    /// Resolves the options and the environment. Nothing is sent.
    ///
    /// # Errors
    /// An option cannot be used (exit 2), or nothing to sign in with is configured (exit 4).
    pub fn settings(&self, clock: Arc<dyn Clock>) -> Result<ConnectSettings, Failure> {
        if self.scenario.is_given() {
            return Err(Failure::usage(
                "--scenario has no effect without --mock: give that too, or leave --scenario out",
            ));
        }
        let (base, endpoints) = self.base()?;
        let authority = self.authority_url.as_deref().unwrap_or(endpoints.authority);
        let authority = Authority::parse(authority)
            .map_err(|e| Failure::usage(format!("--authority-url: {e}")))?;
        let resource = self.resource.as_deref().unwrap_or(endpoints.resource);
        let network = self.network()?;
        let environment = |name: &str| std::env::var(name).ok();
        let auth = self.auth.map_or(Auth::Auto, Auth::from);
        if self.token_file.is_some() && !matches!(auth, Auth::Auto | Auth::Token) {
            let why = "--token-file goes with --auth token, or without --auth";
            return Err(Failure::usage(why));
        }
        let credential =
            CredentialChoice::make(auth, self.token_file.clone(), &Environment(&environment))
                .map_err(not_signed_in)?;
        Ok(ConnectSettings {
            base,
            credential,
            sign_in: SignInOptions {
                authority,
                resource: resource.to_owned(),
                network,
                time: Arc::new(SignInTime(clock)),
            },
        })
    }

    /// Signs in, checks the token, and shows what the person should know about it. No call of the API is made. With
    /// `--mock`, the mock tenant has the quota that `pace` asks for.
    ///
    /// # Errors
    /// An option cannot be used (exit 2), or there is no token that fits the need (exit 4).
    pub async fn connect(
        &self,
        need: Need,
        pace: &PaceArgs,
        monitor: &dyn Monitor,
    ) -> Result<Connection, Failure> {
        if self.mock {
            return start_mock(self.mock_config(pace.mock_quota())?).await;
        }
        let settings = self.settings(Arc::new(SystemClock))?;
        let ConnectSettings {
            credential,
            sign_in,
            ..
        } = &settings;
        let tokens = credential.source(sign_in).map_err(not_signed_in)?;
        let token = tokens.token().await.map_err(not_signed_in)?;
        let claims = Claims::of(&token);
        monitor.note(&format!("signed in with {}", credential.words));
        if let Some(claims) = &claims {
            fit::tenant(claims, credential.tenant.as_deref()).map_err(not_signed_in)?;
            fit::audience(claims, &sign_in.resource).map_err(not_signed_in)?;
            if let Some(warning) = fit::roles(claims, need).map_err(not_signed_in)? {
                monitor.note(&warning);
            }
        } else {
            monitor.note(fit::NO_JWT);
        }
        Ok(settings.connection(tokens, claims))
    }

    /// The API's address, and the other addresses of its cloud.
    fn base(&self) -> Result<(ApiBase, Endpoints), Failure> {
        let cloud = self.cloud.unwrap_or_default();
        let endpoints = cloud.endpoints(self.region).map_err(Failure::usage)?;
        let base = self.api_url.as_deref().unwrap_or(&endpoints.base);
        let base = ApiBase::parse(base).map_err(|e| Failure::usage(format!("--api-url: {e}")))?;
        Ok((base, endpoints))
    }

    /// How this computer connects to others.
    ///
    /// # Errors
    /// `--ca-cert` cannot be used.
    pub(super) fn network(&self) -> Result<Network, Failure> {
        let Some(path) = &self.ca_cert else {
            return Ok(Network::default());
        };
        let wrong = |why: &dyn std::fmt::Display| {
            Failure::usage(format!("--ca-cert {}: {why}", path.display()))
        };
        let pem = std::fs::read(path).map_err(|why| wrong(&why))?;
        Network::trusting(&pem).map_err(|why| wrong(&why))
    }
}

impl ConnectSettings {
    /// The connection with these tokens, the first of which has these claims.
    #[must_use]
    pub fn connection(&self, tokens: Arc<dyn TokenSource>, claims: Option<Claims>) -> Connection {
        let claims = claims.unwrap_or_default();
        Connection {
            rows: RowsTenant::of(claims.tenant.as_deref(), self.credential.tenant.as_deref()),
            api: self.base.to_string(),
            base: self.base.clone(),
            tokens,
            tenant: claims.tenant.unwrap_or_else(|| UNKNOWN.into()),
            application: claims.application.unwrap_or_else(|| UNKNOWN.into()),
            link: Link::Network(self.sign_in.network.clone()),
        }
    }
}

impl Connection {
    /// The client for this connection.
    ///
    /// # Errors
    /// The computer's TLS or proxy settings cannot be used.
    pub fn client(&self, request_timeout: Duration, workers: usize) -> Result<ApiClient, Failure> {
        let network = match &self.link {
            Link::Network(network) => network.clone(),
            Link::Tenant(tenant) => {
                let base = self.base.clone();
                let client = TenantClient::new(Arc::clone(tenant), base, request_timeout);
                return Ok(ApiClient::new(ApiLink::Tenant(client)));
            }
        };
        let options = HttpOptions {
            base: self.base.clone(),
            request_timeout,
            workers,
            network,
        };
        let client = HttpDefender::new(options).map_err(not_signed_in)?;
        Ok(ApiClient::new(ApiLink::Http(client)))
    }
}

fn not_signed_in(why: impl std::fmt::Display) -> Failure {
    Failure::new(ExitCode::Tenant, why)
}

#[cfg(test)]
mod tests;

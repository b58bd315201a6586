//! Which API is called, and with which token.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use secrecy::SecretString;
use tokio::net::TcpListener;

use super::{ExitCode, Failure};
use crate::{
    defender::{
        ApiBase,
        cloud::Cloud,
        http::{HttpDefender, HttpOptions},
        sign_in::{Claims, FixedToken, TokenFile, TokenSource},
    },
    mock::{self, MockConfig, QuotaConfig, Tenant},
    quota::{Clock, SystemClock},
};

/// The environment's bearer token.
const TOKEN: &str = "FLEETSWEEP_TOKEN";

/// The options of the connection.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// Call a mock tenant inside this process instead of the API: nothing leaves the computer.
    #[arg(long, conflicts_with_all = ["api_url", "token_file"])]
    pub mock: bool,

    /// The API's address, in place of <https://api.security.microsoft.com>.
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,

    /// A file that holds a bearer token; read again when it changes. Without it the token is taken from
    /// FLEETSWEEP_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A connection, before its first call.
pub struct Connection {
    /// Where calls go.
    pub base: ApiBase,
    /// The address by which a campaign knows its API; `mock` for the one inside this process, whose port is any.
    pub api: String,
    /// Where tokens come from.
    pub tokens: Arc<dyn TokenSource>,
    /// The token's tenant; `unknown` where it cannot be read.
    pub tenant: String,
    /// The token's application, likewise.
    pub application: String,
}

/// What is written where a token does not tell.
pub const UNKNOWN: &str = "unknown";

impl ConnectArgs {
    /// Finds address and token; nothing is sent. The mock inside this process, if it is asked for, keeps `mock_quota`.
    ///
    /// # Errors
    /// The address cannot be used, or there is no token.
    pub async fn connect(&self, mock_quota: QuotaConfig) -> Result<Connection, Failure> {
        let base = if self.mock {
            let (address, tokens) = start_mock(mock_quota).await?;
            return Ok(Connection {
                base: address,
                api: "mock".into(),
                tokens,
                tenant: "mock".into(),
                application: "mock".into(),
            });
        } else if let Some(url) = &self.api_url {
            ApiBase::parse(url).map_err(|e| Failure::usage(format!("--api-url: {e}")))?
        } else {
            let endpoints = Cloud::Commercial.endpoints(None).map_err(Failure::usage)?;
            ApiBase::parse(&endpoints.base).map_err(Failure::usage)?
        };
        let tokens: Arc<dyn TokenSource> = if let Some(file) = &self.token_file {
            Arc::new(TokenFile::new(file))
        } else if let Ok(text) = std::env::var(TOKEN) {
            Arc::new(FixedToken::new(&SecretString::from(text), TOKEN).map_err(no_token)?)
        } else {
            let why = "there is no token: put a bearer token for https://api.securitycenter.microsoft.com into \
                       FLEETSWEEP_TOKEN, or name a file that holds one with --token-file; --mock needs none";
            return Err(no_token(why));
        };
        let token = tokens.token().await.map_err(no_token)?;
        let claims = Claims::of(&token);
        let told = |claim: fn(Claims) -> Option<String>| {
            claims
                .clone()
                .and_then(claim)
                .unwrap_or_else(|| UNKNOWN.into())
        };
        Ok(Connection {
            tenant: told(|c| c.tenant),
            application: told(|c| c.application),
            api: base.to_string(),
            base,
            tokens,
        })
    }
}

impl Connection {
    /// The client for this connection.
    ///
    /// # Errors
    /// The computer's TLS or proxy settings cannot be used.
    pub fn client(
        &self,
        request_timeout: Duration,
        workers: usize,
    ) -> Result<HttpDefender, Failure> {
        HttpDefender::new(HttpOptions {
            base: self.base.clone(),
            request_timeout,
            workers,
        })
        .map_err(|e| Failure::new(ExitCode::Tenant, e))
    }
}

fn no_token(why: impl std::fmt::Display) -> Failure {
    Failure::new(ExitCode::Tenant, why)
}

async fn start_mock(quota: QuotaConfig) -> Result<(ApiBase, Arc<dyn TokenSource>), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|e| {
            Failure::storage(format!(
                "the mock tenant cannot listen on this computer: {e}"
            ))
        })?;
    let address = listener.local_addr().map_err(Failure::storage)?;
    tokio::spawn(mock::serve(
        listener,
        Tenant::new(MockConfig {
            started: SystemClock.wall(),
            quota,
            ..MockConfig::demo()
        }),
        std::future::pending(),
    ));
    let base = ApiBase::parse(&format!("http://{address}")).map_err(Failure::usage)?;
    let token = FixedToken::new(&SecretString::from("mock"), "the mock").map_err(no_token)?;
    Ok((base, Arc::new(token)))
}

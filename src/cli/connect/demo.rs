//! `--mock`: a mock tenant inside this process.

use std::{net::Ipv4Addr, sync::Arc};

use secrecy::SecretString;
use tokio::net::TcpListener;

use super::{ConnectArgs, ConnectSettings, Connection, RowsTenant, not_signed_in};
use crate::{
    cli::Failure,
    client::token_clock::SignInTime,
    defender::{
        ApiBase, Network,
        cloud::Cloud,
        sign_in::{Auth, Authority, CredentialChoice, Environment, FixedToken, SignInOptions},
    },
    mock::{self, Fleet, MockConfig, QuotaConfig, Tenant},
    quota::{Clock, SystemClock},
};

impl ConnectArgs {
    /// Starts a mock tenant and returns the settings for it. [`connect`](Self::connect) uses a ready token for the
    /// mock; with these settings one signs in with a secret, and any will do.
    ///
    /// # Errors
    /// The mock cannot listen.
    pub async fn demo(clock: Arc<dyn Clock>) -> Result<ConnectSettings, Failure> {
        let base = start_mock(QuotaConfig::default()).await?.base;
        let authority = base.to_string();
        let environment = |name: &str| name.starts_with("AZURE_").then(|| "mock".to_owned());
        let credential = CredentialChoice::make(Auth::Secret, None, &Environment(&environment));
        Ok(ConnectSettings {
            credential: credential.map_err(not_signed_in)?,
            sign_in: SignInOptions {
                authority: Authority::parse(&authority).map_err(Failure::usage)?,
                resource: Cloud::Commercial
                    .endpoints(None)
                    .map_err(Failure::usage)?
                    .resource
                    .to_owned(),
                network: Network::default(),
                time: Arc::new(SignInTime(clock)),
            },
            base,
        })
    }
}

/// Starts a mock tenant on a port of this computer.
pub(super) async fn start_mock(quota: QuotaConfig) -> Result<Connection, Failure> {
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
            // So that wrong ids in the input show in the rehearsal.
            fleet: Fleet::Hex,
            ..MockConfig::demo()
        }),
        std::future::pending(),
    ));
    let base = ApiBase::parse(&format!("http://{address}")).map_err(Failure::usage)?;
    let token = FixedToken::new(&SecretString::from("mock"), "the mock").map_err(not_signed_in)?;
    Ok(Connection {
        base,
        api: "mock".into(),
        tokens: Arc::new(token),
        tenant: "mock".into(),
        application: "mock".into(),
        rows: RowsTenant::Any,
        network: Network::default(),
    })
}

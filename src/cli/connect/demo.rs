//! `--mock`: a mock tenant inside this process.

use std::{net::Ipv4Addr, sync::Arc};

use secrecy::SecretString;
use tokio::net::TcpListener;

use super::{ConnectArgs, ConnectSettings, Connection, RowsTenant, not_signed_in};
use crate::{
    cli::{Failure, simulate::tenant_tokens},
    client::token_clock::SignInTime,
    defender::{
        ApiBase, Network,
        cloud::Cloud,
        sign_in::{Auth, Authority, CredentialChoice, Environment, FixedToken, SignInOptions},
    },
    mock::{self, Fleet, MockConfig, QuotaConfig, Tenant, Tokens},
    quota::{Clock, SystemClock},
};

/// How calls get to the API.
pub(super) enum Link {
    Network(Network),
    /// Directly, in a simulation.
    Tenant(Arc<Tenant>),
}

impl Connection {
    /// A connection to a tenant inside this process, without a network.
    ///
    /// # Errors
    /// None in practice.
    pub fn to_tenant(tenant: Arc<Tenant>, clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        let base = ApiBase::parse("http://127.0.0.1").map_err(Failure::usage)?;
        let tokens = tenant_tokens(&tenant, clock);
        let connection = to_mock(base, Link::Tenant(tenant))?;
        Ok(Self {
            tokens,
            ..connection
        })
    }
}

impl ConnectArgs {
    /// The options of the same connection to the mock.
    #[must_use]
    pub fn simulated(&self) -> Self {
        Self {
            mock: true,
            scenario: self.scenario.clone(),
            ..Self::default()
        }
    }

    /// The mock tenant that these options ask for. With a scenario, it is as polite as the scenario says; without one,
    /// it has this quota.
    ///
    /// # Errors
    /// The scenario cannot be read.
    pub fn mock_config(&self, quota: QuotaConfig) -> Result<MockConfig, Failure> {
        let mut config = polite();
        if self.scenario.is_given() {
            config = MockConfig {
                fleet: Fleet::Hex,
                ..MockConfig::default()
            };
        }
        config.quota = quota;
        self.scenario
            .apply_to(&mut config)
            .map_err(Failure::usage)?;
        Ok(config)
    }

    /// Starts a mock tenant and returns the settings for it. [`connect`](Self::connect) uses a ready token for the
    /// mock; with these settings one signs in with a secret, and any will do.
    ///
    /// # Errors
    /// The mock cannot listen.
    pub async fn demo(&self, clock: Arc<dyn Clock>) -> Result<ConnectSettings, Failure> {
        let config = self.mock_config(QuotaConfig::default())?;
        let base = start_mock(config).await?.base;
        with_a_secret(base, clock)
    }
}

/// The settings for a mock tenant at this address, with a secret that it takes.
fn with_a_secret(base: ApiBase, clock: Arc<dyn Clock>) -> Result<ConnectSettings, Failure> {
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

/// The mock tenant of a rehearsal without a scenario.
fn polite() -> MockConfig {
    MockConfig {
        // So that wrong ids in the input show in the rehearsal.
        fleet: Fleet::Hex,
        ..MockConfig::demo()
    }
}

/// Starts a mock tenant on a port of this computer.
pub(super) async fn start_mock(config: MockConfig) -> Result<Connection, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|e| {
            Failure::storage(format!(
                "the mock tenant cannot listen on this computer: {e}"
            ))
        })?;
    let address = listener.local_addr().map_err(Failure::storage)?;
    let takes_any_token = config.sign_in.tokens == Tokens::Any;
    tokio::spawn(mock::serve(
        listener,
        Tenant::new(MockConfig {
            started: SystemClock.wall(),
            ..config
        }),
        std::future::pending(),
    ));
    let base = ApiBase::parse(&format!("http://{address}")).map_err(Failure::usage)?;
    let mut connection = to_mock(base, Link::Network(Network::default()))?;
    if !takes_any_token {
        let settings = with_a_secret(connection.base.clone(), Arc::new(SystemClock))?;
        let tokens = settings.credential.source(&settings.sign_in);
        connection.tokens = tokens.map_err(not_signed_in)?;
    }
    Ok(connection)
}

fn to_mock(base: ApiBase, link: Link) -> Result<Connection, Failure> {
    let token = FixedToken::new(&SecretString::from("mock"), "the mock").map_err(not_signed_in)?;
    Ok(Connection {
        base,
        api: "mock".into(),
        tokens: Arc::new(token),
        tenant: "mock".into(),
        application: "mock".into(),
        rows: RowsTenant::Any,
        link,
    })
}

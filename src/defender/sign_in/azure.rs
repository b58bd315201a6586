//! Signs in with `azure_identity`, on top of our own HTTP client.
//!
//! A new credential is created for each sign-in, so that its cache, which depends on the wall clock, is always empty.
//! [`Renewing`](super::Renewing) keeps the token, and never returns a refused one again.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{AccessToken, TokenCredential},
    http::{ClientMethodOptions, ClientOptions, RetryOptions, Transport as AzureTransport},
};
use azure_identity as azure;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};

use super::{
    Authority, Certificate, SignInError,
    bearer::bearer,
    fetch::{Fetch, FetchError, Fetched, Fetching, Time},
    transport::{Heard, Transport},
};
use crate::defender::{Network, network::why};

/// The longest waits for a connection and for the answer of the sign-in service.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(20);

/// The longest wait for a connection to the metadata service. Outside of Azure nothing answers there.
const METADATA_CONNECT: Duration = Duration::from_secs(3);

/// The shortest useful lifetime of a token.
const SHORTEST_LIFE: Duration = Duration::from_secs(5);

/// A way to sign in.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An application's secret.
    Secret(App, SecretString),
    /// An application's certificate, in a file that is read for each sign-in.
    Certificate(App, PathBuf),
    /// A pod's federated token, in this file.
    WorkloadIdentity(App, PathBuf),
    /// The host's identity, or the user-assigned one with this client id.
    ManagedIdentity(Option<String>),
    /// The user who is logged in to the Azure CLI, in this tenant if one is given.
    AzureCli(Option<String>),
}

/// An application in its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The directory: an id or a domain.
    pub tenant: String,
    /// The application's (client) id.
    pub client: String,
}

impl Credential {
    /// The name in messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Secret(..) => "the client secret",
            Self::Certificate(..) => "the certificate",
            Self::WorkloadIdentity(..) => "the workload identity",
            Self::ManagedIdentity(_) => "the managed identity",
            Self::AzureCli(_) => "the Azure CLI",
        }
    }

    pub(super) const fn app(&self) -> Option<&App> {
        match self {
            Self::Secret(app, _) | Self::Certificate(app, _) | Self::WorkloadIdentity(app, _) => {
                Some(app)
            }
            Self::ManagedIdentity(_) | Self::AzureCli(_) => None,
        }
    }
}

/// Signs in with one credential, for one resource.
pub struct AzureSignIn {
    pub(super) way: Credential,
    pub(super) authority: Authority,
    pub(super) resource: String,
    client: Client,
    pub(super) time: Arc<dyn Time>,
}

impl AzureSignIn {
    /// Creates the client. Nothing is sent.
    ///
    /// # Errors
    /// This computer's TLS or proxy settings cannot be used.
    pub fn new(
        way: Credential,
        authority: Authority,
        resource: &str,
        network: &Network,
        time: Arc<dyn Time>,
    ) -> Result<Self, SignInError> {
        let metadata = matches!(way, Credential::ManagedIdentity(_));
        let client = network
            .client(authority.is_loopback() || metadata)
            .connect_timeout(if metadata { METADATA_CONNECT } else { CONNECT })
            .timeout(ANSWER)
            .build()
            .map_err(|e| {
                SignInError(format!(
                    "the HTTP client cannot be set up: {}; look at HTTPS_PROXY, and at this computer's CA certificates",
                    why(&e)
                ))
            })?;
        Ok(Self {
            way,
            authority,
            resource: resource.trim_end_matches('/').to_owned(),
            client,
            time,
        })
    }

    async fn sign_in(&self) -> Result<Fetched, FetchError> {
        let transport = Arc::new(Transport::new(self.client.clone(), self.authority.clone()));
        let credential = self
            .credential(Arc::clone(&transport))
            .await
            .map_err(|why| self.failed(&why))?;
        let scope = format!("{}/.default", self.resource);
        let scopes = [scope.as_str()];
        let given = tokio::select! {
            biased;
            given = credential.get_token(&scopes, None) => Some(given),
            () = transport.failed() => None,
        };
        let Heard {
            life,
            refusal,
            lost,
        } = transport.heard().clone();
        match (given, refusal, lost) {
            (Some(Ok(token)), ..) => self.fetched(&token, life),
            (_, Some(refusal), _) => Err(self.refused(&refusal)),
            (_, None, Some(lost)) => Err(self.lost(&lost)),
            (Some(Err(error)), None, None) => Err(self.failed(&error)),
            (None, None, None) => Err(self.lost(&"there was no answer".to_owned().into())),
        }
    }

    fn fetched(&self, token: &AccessToken, life: Option<Duration>) -> Result<Fetched, FetchError> {
        let by_our_clock = || {
            let left = token.expires_on.unix_timestamp() - self.time.wall().as_second();
            Duration::from_secs(u64::try_from(left).unwrap_or(0))
        };
        let life = life.unwrap_or_else(by_our_clock);
        if life < SHORTEST_LIFE {
            return Err(FetchError::passing(format!(
                "{} gave a token that has expired already; look at this computer's clock",
                self.way.name()
            )));
        }
        let text = SecretString::from(token.token.secret());
        let secret = bearer(&text, "the token that was given").map_err(|error| FetchError {
            passing: false,
            obstacle: false,
            error,
        })?;
        Ok(Fetched { secret, life })
    }

    async fn credential(
        &self,
        transport: Arc<Transport>,
    ) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.authority.as_https();
        let client_options = ClientOptions {
            transport: Some(AzureTransport::new(transport)),
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..ClientOptions::default()
        };
        Ok(match &self.way {
            Credential::Secret(app, secret) => azure::ClientSecretCredential::new(
                &app.tenant,
                app.client.clone(),
                secret.expose_secret().to_owned().into(),
                Some(azure::ClientSecretCredentialOptions { client_options }),
            )?,
            Credential::Certificate(app, path) => {
                let assertion = Assertion {
                    path: path.clone(),
                    client: app.client.clone(),
                    audience: self.authority.token_url(&app.tenant),
                    time: Arc::clone(&self.time),
                };
                azure::ClientAssertionCredential::new(
                    app.tenant.clone(),
                    app.client.clone(),
                    assertion,
                    Some(azure::ClientAssertionCredentialOptions { client_options }),
                )?
            }
            Credential::WorkloadIdentity(app, path) => {
                workload_identity(app, path, client_options).await?
            }
            Credential::ManagedIdentity(client) => azure::ManagedIdentityCredential::new(Some(
                azure::ManagedIdentityCredentialOptions {
                    user_assigned_id: client.clone().map(azure::UserAssignedId::ClientId),
                    client_options,
                },
            ))?,
            Credential::AzureCli(tenant) => {
                azure::AzureCliCredential::new(Some(azure::AzureCliCredentialOptions {
                    tenant_id: tenant.clone(),
                    ..azure::AzureCliCredentialOptions::default()
                }))?
            }
        })
    }
}

async fn workload_identity(
    app: &App,
    path: &Path,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let options = azure::WorkloadIdentityCredentialOptions {
        credential_options: azure::ClientAssertionCredentialOptions { client_options },
        client_id: Some(app.client.clone()),
        tenant_id: Some(app.tenant.clone()),
        token_file_path: Some(path.to_owned()),
    };
    // This reads the file.
    tokio::task::spawn_blocking(move || azure::WorkloadIdentityCredential::new(Some(options)))
        .await
        .map_err(|e| azure_core::Error::new(azure_core::error::ErrorKind::Other, e))?
        .map(|credential| -> Arc<dyn TokenCredential> { credential })
}

impl Fetch for AzureSignIn {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.sign_in())
    }
}

impl fmt::Debug for AzureSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureSignIn")
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

/// Supplies a certificate's assertion.
#[derive(Debug)]
struct Assertion {
    path: PathBuf,
    client: String,
    audience: String,
    time: Arc<dyn Time>,
}

#[async_trait::async_trait]
impl azure::ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let path = self.path.clone();
        let (client, audience) = (self.client.clone(), self.audience.clone());
        let now = self.time.wall();
        // Reading a file blocks, and a signature takes a millisecond of computing time.
        let signing = tokio::task::spawn_blocking(move || {
            Certificate::read(&path)?.assertion(&client, &audience, now)
        });
        let failed = |text: String| {
            azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, text)
        };
        match signing.await {
            Ok(signed) => signed.map_err(|why| failed(why.0)),
            Err(why) => Err(failed(why.to_string())),
        }
    }
}

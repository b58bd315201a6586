//! Signing in through `azure_identity`, over our own HTTP client.
//!
//! The credential is built anew for each sign-in. Its cache, which runs on the wall clock, is thus always empty:
//! [`Renewing`](super::Renewing) keeps the token, and a refused one is never handed out again.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::TokenCredential,
    http::{ClientMethodOptions, ClientOptions, RetryOptions, Transport as AzureTransport},
};
use azure_identity as azure;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};

use super::{
    Authority, Certificate, SignInError,
    bearer::bearer,
    fetch::{Fetch, FetchError, Fetched, Fetching, Time},
    refusal::{Refusal, Wording},
    transport::{Heard, Transport},
};
use crate::defender::{Network, network::why};

/// The longest wait for a connection, and for the answer of the sign-in service.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(20);

/// Off Azure nothing answers at the metadata service's address, and the packets may vanish.
const METADATA_CONNECT: Duration = Duration::from_secs(3);

/// A token with less than this to live is of no use.
const SHORTEST_LIFE: Duration = Duration::from_secs(5);

/// A way to sign in.
#[derive(Debug, Clone)]
pub enum Way {
    /// An application by its secret.
    Secret(App, SecretString),
    /// An application by its certificate: the file is read anew each time.
    Certificate(App, PathBuf),
    /// A pod by the token in this file.
    WorkloadIdentity(App, PathBuf),
    /// The host's identity, or one that was assigned to it, by its client id.
    ManagedIdentity(Option<String>),
    /// Who is logged in to the Azure CLI; in this tenant, if one is named.
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

impl Way {
    /// What messages call it.
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

    const fn app(&self) -> Option<&App> {
        match self {
            Self::Secret(app, _) | Self::Certificate(app, _) | Self::WorkloadIdentity(app, _) => {
                Some(app)
            }
            Self::ManagedIdentity(_) | Self::AzureCli(_) => None,
        }
    }
}

/// Signs in one way, for one resource.
pub struct AzureSignIn {
    way: Way,
    authority: Authority,
    resource: String,
    client: Client,
    time: Arc<dyn Time>,
}

impl AzureSignIn {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// This computer's TLS or proxy settings cannot be used.
    pub fn new(
        way: Way,
        authority: Authority,
        resource: &str,
        network: &Network,
        time: Arc<dyn Time>,
    ) -> Result<Self, SignInError> {
        let metadata = matches!(way, Way::ManagedIdentity(_));
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
        match credential.get_token(&[&scope], None).await {
            Ok(token) => {
                let life = transport.heard().life;
                let by_our_clock =
                    || token.expires_on.unix_timestamp() - self.time.wall().as_second();
                let life = life.unwrap_or_else(|| {
                    Duration::from_secs(u64::try_from(by_our_clock()).unwrap_or(0))
                });
                if life < SHORTEST_LIFE {
                    return Err(FetchError::passing(format!(
                        "{} gave a token that has expired already; look at this computer's clock",
                        self.way.name()
                    )));
                }
                let text = SecretString::from(token.token.secret());
                let secret =
                    bearer(&text, "the token that was given").map_err(|error| FetchError {
                        passing: false,
                        error,
                    })?;
                Ok(Fetched { secret, life })
            }
            Err(error) => {
                let Heard { refusal, lost, .. } = transport.heard().clone();
                Err(match (refusal, lost) {
                    (Some(refusal), _) => self.refused(&refusal),
                    (None, Some(lost)) => self.lost(&lost),
                    (None, None) => self.failed(&error),
                })
            }
        }
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
            Way::Secret(app, secret) => azure::ClientSecretCredential::new(
                &app.tenant,
                app.client.clone(),
                secret.expose_secret().to_owned().into(),
                Some(azure::ClientSecretCredentialOptions { client_options }),
            )?,
            Way::Certificate(app, path) => {
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
            Way::WorkloadIdentity(app, path) => {
                let options = azure::WorkloadIdentityCredentialOptions {
                    credential_options: azure::ClientAssertionCredentialOptions { client_options },
                    client_id: Some(app.client.clone()),
                    tenant_id: Some(app.tenant.clone()),
                    token_file_path: Some(path.clone()),
                };
                // It reads the file as it is built.
                tokio::task::spawn_blocking(move || {
                    azure::WorkloadIdentityCredential::new(Some(options))
                })
                .await
                .map_err(|e| azure_core::Error::new(azure_core::error::ErrorKind::Other, e))??
            }
            Way::ManagedIdentity(client) => azure::ManagedIdentityCredential::new(Some(
                azure::ManagedIdentityCredentialOptions {
                    user_assigned_id: client.clone().map(azure::UserAssignedId::ClientId),
                    client_options,
                },
            ))?,
            Way::AzureCli(tenant) => {
                azure::AzureCliCredential::new(Some(azure::AzureCliCredentialOptions {
                    tenant_id: tenant.clone(),
                    ..azure::AzureCliCredentialOptions::default()
                }))?
            }
        })
    }

    fn refused(&self, refusal: &Refusal) -> FetchError {
        let app = self.way.app();
        let wording = Wording {
            tenant: app.map_or("", |app| &app.tenant),
            client: app.map_or("", |app| &app.client),
            resource: &self.resource,
        };
        let ahead = refusal
            .date
            .map(|date| self.time.wall().as_second() - date.as_second());
        let metadata = matches!(self.way, Way::ManagedIdentity(_));
        let cure = refusal.cure(&wording, ahead);
        let said = refusal.said.as_deref().map(|said| self.scrubbed(said));
        let status = refusal.status;
        let name = self.way.name();
        let text = match (cure, said) {
            (Some(cure), Some(said)) => {
                format!("sign-in failed: {cure}\n  the service said: {said}")
            }
            (Some(cure), None) => format!("sign-in failed: {cure} (HTTP {status})"),
            (None, Some(said)) if metadata && status == 400 => format!(
                "sign-in with {name} failed: this host has no such identity; look at AZURE_CLIENT_ID, which names a user-assigned one, \
                 and at the host's Identity page\n  the service said: {said}"
            ),
            (None, Some(said)) => {
                format!("sign-in with {name} failed (HTTP {status})\n  the service said: {said}")
            }
            (None, None) => format!(
                "sign-in with {name} failed: what answered for {} (HTTP {status}) is not the sign-in service; look at the proxy, the \
                 firewall and --authority-url",
                if metadata {
                    "the metadata service".to_owned()
                } else {
                    self.authority.to_string()
                }
            ),
        };
        FetchError {
            passing: refusal.is_passing(),
            error: SignInError(text),
        }
    }

    fn lost(&self, lost: &str) -> FetchError {
        let name = self.way.name();
        let cure = if matches!(self.way, Way::ManagedIdentity(_)) {
            "a managed identity exists only on Azure's own hosts; look at --auth"
        } else {
            "look at the network, at HTTPS_PROXY and --ca-cert"
        };
        FetchError::passing(format!("sign-in with {name} failed: {lost}; {cure}"))
    }

    /// What broke before anything was sent.
    fn failed(&self, error: &azure_core::Error) -> FetchError {
        let text = error.to_string();
        let text = text.split("\nTo troubleshoot").next().unwrap_or_default();
        let text = text
            .split_once("authentication failed.")
            .map_or(text, |(_, rest)| rest);
        let text = self.scrubbed(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        let cure = match &self.way {
            Way::AzureCli(_) if text.contains("not found on PATH") => {
                "; install the Azure CLI, or choose another --auth"
            }
            Way::AzureCli(_) if !text.contains("az login") => {
                "; try `az account show`, and `az login` if it shows none"
            }
            Way::WorkloadIdentity(..) => "; look at AZURE_FEDERATED_TOKEN_FILE",
            Way::Secret(..) => "; look at AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
            _ => "",
        };
        FetchError::last(format!(
            "sign-in with {} failed: {text}{cure}",
            self.way.name()
        ))
    }

    /// A service that quotes the secret would have it in our logs.
    fn scrubbed(&self, text: &str) -> String {
        match &self.way {
            Way::Secret(_, secret) if !secret.expose_secret().is_empty() => {
                text.replace(secret.expose_secret(), "[secret]")
            }
            _ => text.to_owned(),
        }
    }
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
        // Reading blocks, and a signature takes a millisecond of computing.
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

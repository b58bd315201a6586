//! Chooses the credential that was asked for or is configured.
//!
//! `auto` takes the first of these that is configured. If it is only partly configured, that is an error.
//!
//! 1. A ready token: `--token-file` or `FLEETSWEEP_TOKEN`.
//! 2. A client secret: `AZURE_CLIENT_SECRET` (with `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`).
//! 3. A certificate: `AZURE_CLIENT_CERTIFICATE_PATH` (with the same).
//! 4. Workload identity: `AZURE_FEDERATED_TOKEN_FILE` (with the same).
//! 5. Managed identity, if the host announces it with `IDENTITY_ENDPOINT` or `MSI_ENDPOINT`. A virtual machine
//!    does not, and needs `--auth managed-identity`.
//! 6. The Azure CLI, if `az` is on the `PATH`.

use std::{fmt, path::PathBuf, sync::Arc};

use secrecy::SecretString;

use super::{
    App, Authority, AzureSignIn, Credential, FixedToken, Renewing, SignInError, TokenFile,
    TokenSource, fetch::Time,
};
use crate::defender::Network;

/// The variable with a bearer token.
const TOKEN: &str = "FLEETSWEEP_TOKEN";

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const SECRET: &str = "AZURE_CLIENT_SECRET";
const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
const FEDERATED: &str = "AZURE_FEDERATED_TOKEN_FILE";
const ANNOUNCEMENTS: [&str; 2] = ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"];

/// The values of `--auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// What is configured, in the order of this module's documentation.
    #[default]
    Auto,
    /// A client secret.
    Secret,
    /// A client certificate.
    Certificate,
    /// The host's identity.
    ManagedIdentity,
    /// The pod's identity.
    WorkloadIdentity,
    /// The user who is logged in to the Azure CLI.
    AzureCli,
    /// A ready token.
    Token,
}

/// The environment's variables, by name. An empty variable counts as not set.
pub struct Environment<'a>(pub &'a dyn Fn(&str) -> Option<String>);

/// The chosen credential.
#[derive(Debug, Clone)]
pub struct CredentialChoice {
    source: Source,
    /// What was chosen, such as "the client secret (`AZURE_CLIENT_SECRET`)".
    pub words: String,
    /// The tenant that was asked for.
    pub tenant: Option<String>,
}

#[derive(Debug, Clone)]
enum Source {
    Fixed(SecretString),
    File(PathBuf),
    Azure(Credential),
}

/// Where, how and for what tokens are requested.
#[derive(Debug, Clone)]
pub struct SignInOptions {
    /// The sign-in service.
    pub authority: Authority,
    /// What the token is for.
    pub resource: String,
    /// How this computer connects to others.
    pub network: Network,
    /// The clocks.
    pub time: Arc<dyn Time>,
}

impl Environment<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.trim().is_empty())
    }

    fn needed(&self, name: &str, because: &str) -> Result<String, SignInError> {
        self.get(name).ok_or_else(|| {
            SignInError(format!(
                "{because}, but {name} is not set; the application's page in the Entra admin center shows it"
            ))
        })
    }

    /// Why a variable is needed: it is set, so that others have to be too, or an option asks for it.
    fn because(&self, variable: &str, option: &str) -> String {
        if self.get(variable).is_some() {
            format!("{variable} is set")
        } else {
            format!("--auth {option} was asked for")
        }
    }

    fn app(&self, because: &str) -> Result<App, SignInError> {
        Ok(App {
            tenant: self.needed(TENANT, because)?.trim().to_owned(),
            client: self.needed(CLIENT, because)?.trim().to_owned(),
        })
    }

    /// Whether there is an `az` on the `PATH`.
    fn has_az(&self) -> bool {
        let names: &[&str] = if cfg!(windows) {
            &["az.cmd", "az.exe"]
        } else {
            &["az"]
        };
        self.get("PATH").is_some_and(|path| {
            std::env::split_paths(&path)
                .any(|folder| names.iter().any(|name| folder.join(name).is_file()))
        })
    }
}

impl CredentialChoice {
    /// Chooses a credential. Nothing is sent and no file is read.
    ///
    /// # Errors
    /// Nothing is configured, or what is asked for is not, or only partly.
    pub fn make(
        auth: Auth,
        token_file: Option<PathBuf>,
        environment: &Environment<'_>,
    ) -> Result<Self, SignInError> {
        let tenant = environment.get(TENANT).map(|id| id.trim().to_owned());
        let has = |name: &str| environment.get(name).is_some();
        let auth = match auth {
            Auth::Auto if token_file.is_some() || has(TOKEN) => Auth::Token,
            Auth::Auto if has(SECRET) => Auth::Secret,
            Auth::Auto if has(CERTIFICATE) => Auth::Certificate,
            Auth::Auto if has(FEDERATED) => Auth::WorkloadIdentity,
            Auth::Auto if ANNOUNCEMENTS.iter().any(|name| has(name)) => Auth::ManagedIdentity,
            Auth::Auto if environment.has_az() => Auth::AzureCli,
            auth => auth,
        };
        let (source, words) = source_of(auth, token_file, environment)?;
        Ok(Self {
            source,
            words,
            tenant,
        })
    }

    /// Whether it is a ready token, so that nothing has to be sent to get it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.source, Source::Fixed(_) | Source::File(_))
    }

    /// The application that will sign in, if it is configured.
    #[must_use]
    pub fn app(&self) -> Option<&App> {
        match &self.source {
            Source::Azure(
                Credential::Secret(app, _)
                | Credential::Certificate(app, _)
                | Credential::WorkloadIdentity(app, _),
            ) => Some(app),
            _ => None,
        }
    }

    /// The source of tokens. The first one is fetched when it is requested.
    ///
    /// # Errors
    /// The text is not a token, or this computer's TLS or proxy settings cannot be used.
    pub fn source(&self, options: &SignInOptions) -> Result<Arc<dyn TokenSource>, SignInError> {
        Ok(match &self.source {
            Source::Fixed(text) => Arc::new(FixedToken::new(text, TOKEN)?),
            Source::File(path) => Arc::new(TokenFile::new(path)),
            Source::Azure(credential) => {
                let SignInOptions {
                    authority,
                    resource,
                    network,
                    time,
                } = options.clone();
                let fetch = AzureSignIn::new(
                    credential.clone(),
                    authority,
                    &resource,
                    &network,
                    Arc::clone(&time),
                )?;
                Arc::new(Renewing::new(fetch, time))
            }
        })
    }
}

/// Where the tokens of a resolved `auth` come from, and what to call that in messages.
fn source_of(
    auth: Auth,
    token_file: Option<PathBuf>,
    environment: &Environment<'_>,
) -> Result<(Source, String), SignInError> {
    let azure = |credential, words| Ok((Source::Azure(credential), words));
    match auth {
        Auth::Auto => Err(SignInError(NOTHING.to_owned())),
        Auth::Token => match (token_file, environment.get(TOKEN)) {
            (Some(file), _) => {
                let words = format!("the token in {}", file.display());
                Ok((Source::File(file), words))
            }
            (None, Some(text)) => Ok((Source::Fixed(text.into()), format!("the token in {TOKEN}"))),
            (None, None) => Err(SignInError(format!(
                "--auth token was asked for, but there is none in {TOKEN}, and no --token-file"
            ))),
        },
        Auth::Secret => {
            let because = environment.because(SECRET, "secret");
            let secret = environment.needed(SECRET, &because)?;
            let credential = Credential::Secret(environment.app(&because)?, secret.trim().into());
            azure(credential, format!("the client secret ({SECRET})"))
        }
        Auth::Certificate => {
            let because = environment.because(CERTIFICATE, "certificate");
            let path = environment.needed(CERTIFICATE, &because)?;
            let words = format!("the certificate {path}");
            let credential = Credential::Certificate(environment.app(&because)?, path.into());
            azure(credential, words)
        }
        Auth::WorkloadIdentity => {
            let because = environment.because(FEDERATED, "workload-identity");
            let path = environment.needed(FEDERATED, &because)?;
            let credential = Credential::WorkloadIdentity(environment.app(&because)?, path.into());
            azure(credential, format!("the workload identity ({FEDERATED})"))
        }
        Auth::ManagedIdentity => {
            let client = environment.get(CLIENT);
            let words = client.as_ref().map_or_else(
                || "the host's managed identity".to_owned(),
                |client| format!("the managed identity {client} ({CLIENT})"),
            );
            azure(Credential::ManagedIdentity(client), words)
        }
        Auth::AzureCli => {
            let tenant = environment.get(TENANT).map(|id| id.trim().to_owned());
            azure(
                Credential::AzureCli(tenant),
                "the Azure CLI (az)".to_owned(),
            )
        }
    }
}

const NOTHING: &str = "there is nothing to sign in with: set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET \
                       (or AZURE_CLIENT_CERTIFICATE_PATH), or put a bearer token for \
                       https://api.securitycenter.microsoft.com into FLEETSWEEP_TOKEN or a --token-file; on an Azure \
                       host use --auth managed-identity; --mock needs none";

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

#[cfg(test)]
#[path = "credential_choice_tests.rs"]
mod tests;

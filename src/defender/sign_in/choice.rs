//! Which sign-in: what was asked for, or what is configured.
//!
//! `auto` takes the first of these that is configured; one that is configured by half is a mistake, and told:
//!
//! 1. a ready token: `--token-file`, or `FLEETSWEEP_TOKEN`
//! 2. a client secret: `AZURE_CLIENT_SECRET` (with `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`)
//! 3. a certificate: `AZURE_CLIENT_CERTIFICATE_PATH` (likewise)
//! 4. workload identity: `AZURE_FEDERATED_TOKEN_FILE` (likewise)
//! 5. managed identity, where the host announces it: `IDENTITY_ENDPOINT` or `MSI_ENDPOINT`; a virtual machine does not,
//!    there it takes `--auth managed-identity`
//! 6. the Azure CLI, where `az` is on the `PATH`

use std::{fmt, path::PathBuf, sync::Arc};

use secrecy::SecretString;

use super::{
    App, Authority, AzureSignIn, Credential, FixedToken, Renewing, SignInError, TokenFile,
    TokenSource, fetch::Time,
};
use crate::defender::Network;

/// The environment's bearer token.
pub const TOKEN: &str = "FLEETSWEEP_TOKEN";

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const SECRET: &str = "AZURE_CLIENT_SECRET";
const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
const FEDERATED: &str = "AZURE_FEDERATED_TOKEN_FILE";
const ANNOUNCEMENTS: [&str; 2] = ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"];

/// What can be asked for.
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
    /// Whoever is logged in to the Azure CLI.
    AzureCli,
    /// A ready token.
    Token,
}

/// The environment's variables, by name. An empty one counts as none.
pub struct Environment<'a>(pub &'a dyn Fn(&str) -> Option<String>);

/// What was configured and chosen.
#[derive(Debug, Clone)]
pub struct Choice {
    source: Source,
    /// What was taken, as in "the client secret (`AZURE_CLIENT_SECRET`)".
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

/// For whom, where and how tokens are asked for.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The sign-in service.
    pub authority: Authority,
    /// What the token is for.
    pub resource: String,
    /// How this computer reaches others.
    pub network: Network,
    /// The time.
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

impl Choice {
    /// Chooses; nothing is sent and no file is read.
    ///
    /// # Errors
    /// Nothing is configured, or what is asked for is not, or by half.
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
        let named = |name: &str| format!("{name} is set");
        let asked = |name: &str| format!("--auth {name} was asked for");
        let way = |variable: &str, option: &str| {
            if has(variable) {
                named(variable)
            } else {
                asked(option)
            }
        };
        let (source, words) = match auth {
            Auth::Auto => return Err(SignInError(NOTHING.to_owned())),
            Auth::Token => match (token_file, environment.get(TOKEN)) {
                (Some(file), _) => {
                    let words = format!("the token in {}", file.display());
                    (Source::File(file), words)
                }
                (None, Some(text)) => (Source::Fixed(text.into()), format!("the token in {TOKEN}")),
                (None, None) => {
                    let why = format!(
                        "{}, but there is none in {TOKEN}, and no --token-file",
                        asked("token")
                    );
                    return Err(SignInError(why));
                }
            },
            Auth::Secret => {
                let because = way(SECRET, "secret");
                let secret = environment.needed(SECRET, &because)?;
                let way = Credential::Secret(environment.app(&because)?, secret.trim().into());
                (Source::Azure(way), format!("the client secret ({SECRET})"))
            }
            Auth::Certificate => {
                let because = way(CERTIFICATE, "certificate");
                let path = environment.needed(CERTIFICATE, &because)?;
                let words = format!("the certificate {path}");
                let way = Credential::Certificate(environment.app(&because)?, path.into());
                (Source::Azure(way), words)
            }
            Auth::WorkloadIdentity => {
                let because = way(FEDERATED, "workload-identity");
                let path = environment.needed(FEDERATED, &because)?;
                let words = format!("the workload identity ({FEDERATED})");
                let way = Credential::WorkloadIdentity(environment.app(&because)?, path.into());
                (Source::Azure(way), words)
            }
            Auth::ManagedIdentity => {
                let client = environment.get(CLIENT);
                let words = client.as_ref().map_or_else(
                    || "the host's managed identity".to_owned(),
                    |client| format!("the managed identity {client} ({CLIENT})"),
                );
                (Source::Azure(Credential::ManagedIdentity(client)), words)
            }
            Auth::AzureCli => {
                let way = Credential::AzureCli(tenant.clone());
                (Source::Azure(way), "the Azure CLI (az)".to_owned())
            }
        };
        Ok(Self {
            source,
            words,
            tenant,
        })
    }

    /// Whether it is a ready token, so that nothing is sent to get it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.source, Source::Fixed(_) | Source::File(_))
    }

    /// The application that will sign in, where it was named.
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

    /// The source of tokens; the first is fetched when it is asked for.
    ///
    /// # Errors
    /// The token cannot be one, or this computer's TLS or proxy settings cannot be used.
    pub fn source(&self, terms: &Terms) -> Result<Arc<dyn TokenSource>, SignInError> {
        Ok(match &self.source {
            Source::Fixed(text) => Arc::new(FixedToken::new(text, TOKEN)?),
            Source::File(path) => Arc::new(TokenFile::new(path)),
            Source::Azure(way) => {
                let Terms {
                    authority,
                    resource,
                    network,
                    time,
                } = terms.clone();
                let fetch = AzureSignIn::new(
                    way.clone(),
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
mod tests {
    use super::*;

    fn choice(auth: Auth, variables: &[(&str, &str)]) -> Result<String, String> {
        let get = |name: &str| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let made = Choice::make(auth, None, &Environment(&get));
        made.map(|choice| choice.words).map_err(|e| e.to_string())
    }

    const ALL: [(&str, &str); 7] = [
        (TOKEN, "t"),
        (SECRET, "s3cret"),
        (CERTIFICATE, "app.pem"),
        (FEDERATED, "federated"),
        ("IDENTITY_ENDPOINT", "http://127.0.0.1"),
        (TENANT, "contoso.example"),
        (CLIENT, "1b2c"),
    ];

    #[test]
    fn auto_takes_what_is_configured_in_the_documented_order() {
        for (from, words) in [
            (0, "the token in FLEETSWEEP_TOKEN"),
            (1, "the client secret (AZURE_CLIENT_SECRET)"),
            (2, "the certificate app.pem"),
            (3, "the workload identity (AZURE_FEDERATED_TOKEN_FILE)"),
            (4, "the managed identity 1b2c (AZURE_CLIENT_ID)"),
        ] {
            assert_eq!(choice(Auth::Auto, &ALL[from..]).unwrap(), words);
        }
        let told = choice(Auth::Auto, &ALL[5..]).unwrap_err();
        assert!(
            told.starts_with("there is nothing to sign in with"),
            "{told}"
        );
    }

    #[test]
    fn what_is_asked_for_is_taken_whatever_else_is_configured() {
        for (auth, words) in [
            (Auth::Token, "the token in FLEETSWEEP_TOKEN"),
            (
                Auth::WorkloadIdentity,
                "the workload identity (AZURE_FEDERATED_TOKEN_FILE)",
            ),
            (Auth::AzureCli, "the Azure CLI (az)"),
        ] {
            assert_eq!(choice(auth, &ALL).unwrap(), words);
        }
        assert_eq!(
            choice(Auth::ManagedIdentity, &[]).unwrap(),
            "the host's managed identity"
        );
    }

    #[test]
    fn half_a_configuration_is_told_and_never_passed_over() {
        let told = choice(
            Auth::Auto,
            &[(SECRET, "s3cret"), (CLIENT, "1b2c"), (TENANT, " ")],
        )
        .unwrap_err();
        assert_eq!(
            told,
            "AZURE_CLIENT_SECRET is set, but AZURE_TENANT_ID is not set; the application's page in the Entra admin \
             center shows it"
        );
        let told = choice(Auth::Certificate, &[]).unwrap_err();
        assert!(
            told.starts_with(
                "--auth certificate was asked for, but AZURE_CLIENT_CERTIFICATE_PATH is not"
            ),
            "{told}"
        );
        assert!(choice(Auth::Token, &[]).is_err());
    }

    #[test]
    fn no_secret_can_be_printed() {
        let get = |name: &str| {
            ALL.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        };
        let choice = Choice::make(Auth::Secret, None, &Environment(&get)).unwrap();
        assert!(!format!("{choice:?}").contains("s3cret"));
    }
}

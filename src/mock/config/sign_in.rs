//! Which tokens the tenant issues and takes.

use std::time::Duration;

/// How tokens are issued, and which are taken. Every `None` means that any value is right.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// How long a token is valid.
    pub expires_in: Duration,
    /// The right client secret.
    pub secret: Option<String>,
    /// Whether the right secret has expired.
    pub secret_expired: bool,
    /// The only directory that exists.
    pub tenant: Option<String>,
    /// The only application that exists, and the only user-assigned identity.
    pub client: Option<String>,
    /// The only resource that tokens are issued for.
    pub resource: Option<String>,
    /// The thumbprint (`x5t#S256`) of the registered certificate. Signatures are not checked.
    pub thumbprint: Option<String>,
    /// What App Service expects in `X-IDENTITY-HEADER`. `None` means that the metadata service is a virtual machine's.
    pub identity_header: Option<String>,
    /// Whether lifetimes are written as strings, as some endpoints do.
    pub lives_as_strings: bool,
    /// The directory that is written into tokens. `None` means the one that was asked for.
    pub token_tenant: Option<String>,
    /// The application's roles.
    pub roles: Vec<String>,
    /// Which bearer tokens are taken.
    pub tokens: Tokens,
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            expires_in: Duration::from_secs(3599),
            secret: None,
            secret_expired: false,
            tenant: None,
            client: None,
            resource: None,
            thumbprint: None,
            identity_header: None,
            lives_as_strings: false,
            token_tenant: None,
            roles: ["Machine.Scan", "Machine.Read.All", "Alert.Read.All"]
                .map(str::to_owned)
                .into(),
            tokens: Tokens::Any,
        }
    }
}

/// Which bearer tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokens {
    /// Any that is not empty.
    Any,
    /// Only this one.
    Only(String),
    /// Those that this tenant has issued, until they expire.
    Issued,
}

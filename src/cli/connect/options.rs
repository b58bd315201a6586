//! The options of the connection.

use std::path::PathBuf;

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::{
    cli::mock::ScenarioArgs,
    defender::{
        cloud::{Cloud, Region},
        sign_in::Auth,
    },
};

/// The options of the connection.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// Call a mock tenant inside this process instead of the API.
    ///
    /// Nothing leaves the computer.
    #[arg(long, conflicts_with_all = [
        "api_url", "token_file", "cloud", "region", "authority_url", "resource", "auth", "ca_cert",
    ])]
    pub mock: bool,

    #[command(flatten)]
    pub(in crate::cli) scenario: ScenarioArgs,

    /// The Microsoft cloud that the tenant is in. [default: commercial]
    #[arg(long, value_name = "CLOUD", value_parser = clouds(), hide_short_help = true)]
    pub(super) cloud: Option<Cloud>,

    /// The region of the commercial cloud whose host is called; the quota is the same.
    #[arg(long, value_name = "REGION", value_parser = regions(), hide_short_help = true)]
    pub(super) region: Option<Region>,

    /// The API's address, instead of that of --cloud and --region.
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub(super) api_url: Option<String>,

    /// The sign-in service's address, instead of that of --cloud.
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub(super) authority_url: Option<String>,

    /// The resource that the token is for, instead of that of --cloud.
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub(super) resource: Option<String>,

    /// How to sign in. [default: auto]
    #[arg(long, value_enum, value_name = "WAY", long_help = AUTH_HELP, hide_short_help = true)]
    pub(super) auth: Option<AuthArg>,

    /// A file with a bearer token. It is read again when it changes.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) token_file: Option<PathBuf>,

    /// Certificates (PEM) to trust besides the system's, as those of a company's own authority.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) ca_cert: Option<PathBuf>,
}

const AUTH_HELP: &str = "How to sign in. `auto` takes the first that is configured: a token (--token-file, \
     FLEETSWEEP_TOKEN), a secret (AZURE_CLIENT_SECRET), a certificate (AZURE_CLIENT_CERTIFICATE_PATH), a workload \
                         identity (AZURE_FEDERATED_TOKEN_FILE), a managed identity that the host announces \
                         (IDENTITY_ENDPOINT), the Azure CLI. [default: auto]";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AuthArg {
    Auto,
    Secret,
    Certificate,
    ManagedIdentity,
    WorkloadIdentity,
    AzureCli,
    Token,
}

fn clouds() -> impl TypedValueParser<Value = Cloud> {
    PossibleValuesParser::new(Cloud::ALL.map(Cloud::name)).try_map(|name| name.parse::<Cloud>())
}

fn regions() -> impl TypedValueParser<Value = Region> {
    PossibleValuesParser::new(Region::ALL.map(Region::name)).try_map(|name| name.parse::<Region>())
}

impl From<AuthArg> for Auth {
    fn from(auth: AuthArg) -> Self {
        match auth {
            AuthArg::Auto => Self::Auto,
            AuthArg::Secret => Self::Secret,
            AuthArg::Certificate => Self::Certificate,
            AuthArg::ManagedIdentity => Self::ManagedIdentity,
            AuthArg::WorkloadIdentity => Self::WorkloadIdentity,
            AuthArg::AzureCli => Self::AzureCli,
            AuthArg::Token => Self::Token,
        }
    }
}

//! The error messages of a failed sign-in: what happened, to what, and what to do. They never contain the secret.

use secrecy::ExposeSecret;

use super::{
    AzureSignIn, Credential, SignInError,
    fetch::FetchError,
    masking::masked,
    refusal::{Refusal, Wording, one_line},
    transport::Lost,
};

impl AzureSignIn {
    pub(super) fn refused(&self, refusal: &Refusal) -> FetchError {
        let app = self.way.app();
        let wording = Wording {
            tenant: app.map_or("", |app| &app.tenant),
            client: app.map_or("", |app| &app.client),
            resource: &self.resource,
        };
        let ahead = refusal
            .date
            .map(|date| self.time.wall().as_second() - date.as_second());
        let metadata = matches!(self.way, Credential::ManagedIdentity(_));
        let cure = refusal.cure(&wording, ahead);
        // Masked before it is shortened, because the shortened text could end within the secret.
        let said = refusal.said.as_deref();
        let said = said.map(|said| one_line(&self.masked(said)));
        let status = refusal.status;
        let name = self.way.name();
        let text = match (cure, said) {
            (Some(cure), Some(said)) => {
                format!("sign-in failed: {cure}\n  the service said: {said}")
            }
            (Some(cure), None) => format!("sign-in failed: {cure} (HTTP {status})"),
            (None, Some(said)) if metadata && status == 400 => format!(
                "sign-in with {name} failed: this host has no such identity; look at AZURE_CLIENT_ID, which names a \
                 user-assigned one, and at the host's Identity page\n  the service said: {said}"
            ),
            (None, Some(said)) => {
                format!("sign-in with {name} failed (HTTP {status})\n  the service said: {said}")
            }
            (None, None) => format!(
                "sign-in with {name} failed: what answered for {} (HTTP {status}) is not the sign-in service; look \
                 at the proxy, the firewall and --authority-url",
                if metadata {
                    "the metadata service".to_owned()
                } else {
                    self.authority.to_string()
                }
            ),
        };
        // An answer that does not come from the sign-in service comes from something in between.
        let obstacle = refusal.is_foreign() && !metadata;
        FetchError {
            passing: refusal.is_passing() || obstacle,
            obstacle,
            error: SignInError(text),
        }
    }

    pub(super) fn lost(&self, Lost { text, has_cure }: &Lost) -> FetchError {
        let name = self.way.name();
        if *has_cure {
            return FetchError {
                obstacle: true,
                ..FetchError::passing(format!("sign-in with {name} failed: {text}"))
            };
        }
        let cure = if matches!(self.way, Credential::ManagedIdentity(_)) {
            "a managed identity exists only on Azure's own hosts; look at --auth"
        } else {
            "look at the network, at HTTPS_PROXY and --ca-cert"
        };
        FetchError::passing(format!("sign-in with {name} failed: {text}; {cure}"))
    }

    /// The error of something that failed before a request was sent.
    pub(super) fn failed(&self, error: &azure_core::Error) -> FetchError {
        let text = error.to_string();
        let text = text.split("\nTo troubleshoot").next().unwrap_or_default();
        let text = text
            .split_once("authentication failed.")
            .map_or(text, |(_, rest)| rest);
        let text = one_line(&self.masked(text));
        let cure = match &self.way {
            Credential::AzureCli(_) if text.contains("not found on PATH") => {
                "; install the Azure CLI, or choose another --auth"
            }
            Credential::AzureCli(_) if !text.contains("az login") => {
                "; try `az account show`, and `az login` if it shows none"
            }
            Credential::WorkloadIdentity(..) => "; look at AZURE_FEDERATED_TOKEN_FILE",
            Credential::Secret(..) => {
                "; look at AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
            }
            _ => "",
        };
        FetchError::last(format!(
            "sign-in with {} failed: {text}{cure}",
            self.way.name()
        ))
    }

    fn masked(&self, text: &str) -> String {
        let secret = match &self.way {
            Credential::Secret(_, secret) => Some(secret.expose_secret()),
            _ => None,
        };
        masked(text, secret)
    }
}

//! Who would sign in, as far as that is known without signing in: a ready token names its tenant and application, and
//! the environment may name both. Nothing is sent.

use std::sync::Arc;

use super::{ConnectArgs, ConnectSettings, RowsTenant, UNKNOWN};
use crate::{
    cli::{ExitCode, Failure},
    defender::{ApiBase, sign_in::Claims},
    quota::SystemClock,
};

/// What is known of a connection without signing in.
pub struct Offline {
    /// The API's address.
    pub base: ApiBase,
    /// The API's address as a campaign records it.
    pub api: String,
    /// Tenant and application, or why they are not known.
    pub account: Result<(String, String), String>,
    /// The tenant that the rows of the input have to belong to.
    pub rows: RowsTenant,
}

impl ConnectArgs {
    /// Finds out who would sign in. It is no error if nobody could, because nothing is sent.
    ///
    /// # Errors
    /// An option cannot be used.
    pub async fn resolve_offline(&self) -> Result<Offline, Failure> {
        if self.mock {
            // The port does not matter, only that it is this computer.
            return Ok(Offline {
                base: ApiBase::parse("http://127.0.0.1").map_err(Failure::usage)?,
                api: "mock".to_owned(),
                account: Ok(("mock".to_owned(), "mock".to_owned())),
                rows: RowsTenant::Any,
            });
        }
        let (base, _) = self.base()?;
        let (account, named) = match self.settings(Arc::new(SystemClock)) {
            Ok(settings) => (account_of(&settings).await, settings.credential.tenant),
            Err(Failure {
                code: ExitCode::Tenant,
                why,
            }) => (Err(why), None),
            Err(failure) => return Err(failure),
        };
        let rows = match &account {
            Ok((tenant, _)) => {
                let by_token = (tenant != UNKNOWN).then_some(tenant.as_str());
                RowsTenant::of(by_token, named.as_deref())
            }
            Err(_) => RowsTenant::Any,
        };
        Ok(Offline {
            api: base.to_string(),
            base,
            account,
            rows,
        })
    }
}

/// The tenant and application that would sign in, or why they are not known.
async fn account_of(settings: &ConnectSettings) -> Result<(String, String), String> {
    let credential = &settings.credential;
    if credential.is_ready() {
        let source = credential
            .source(&settings.sign_in)
            .map_err(|e| e.to_string())?;
        let token = source.token().await.map_err(|e| e.to_string())?;
        // If the token does not name them, a run does not know them either.
        let claims = Claims::of(&token).unwrap_or_default();
        let known = |claim: Option<String>| claim.unwrap_or_else(|| UNKNOWN.to_owned());
        return Ok((known(claims.tenant), known(claims.application)));
    }
    match credential.app() {
        Some(app) if is_guid(&app.tenant) => {
            let id = |text: &str| text.to_ascii_lowercase();
            Ok((id(&app.tenant), id(&app.client)))
        }
        Some(app) => Err(format!(
            "AZURE_TENANT_ID is the name `{}` and not a GUID, and the tenant's id is known only after the sign-in",
            app.tenant
        )),
        None => Err(format!(
            "{} names its tenant and application only when it signs in",
            credential.words
        )),
    }
}

/// Whether the text is an id of the form `8-4-4-4-12`. A tenant's domain is not.
pub(super) fn is_guid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_from_a_domain() {
        assert!(is_guid("2F3B1c7e-0a5d-4f5e-9a53-7d4d3c2b1a00"));
        for text in [
            "contoso.example",
            "",
            "2f3b1c7e0a5d4f5e9a537d4d3c2b1a00",
            "2f3b1c7e-0a5d-4f5e-9a53-7d4d3c2b1a0g",
        ] {
            assert!(!is_guid(text), "{text}");
        }
    }
}

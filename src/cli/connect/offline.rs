//! Who would sign in, as far as that is known without signing in: a ready token says it of itself, and an application
//! is named by the environment. Nothing is sent.

use std::sync::Arc;

use super::{ConnectArgs, RowsTenant, Setup, UNKNOWN};
use crate::{
    cli::{ExitCode, Failure},
    defender::{ApiBase, sign_in::Claims},
    quota::SystemClock,
};

/// What a connection would be.
pub struct Offline {
    /// Where calls would go.
    pub base: ApiBase,
    /// The address by which a campaign knows its API.
    pub api: String,
    /// Tenant and application, or why they are not known.
    pub whose: Result<(String, String), String>,
    /// The tenant by which rows of another one are told.
    pub rows: RowsTenant,
}

impl ConnectArgs {
    /// Finds out what a connection would be. Being unable to sign in is no error for who only plans.
    ///
    /// # Errors
    /// An option cannot be used.
    pub async fn resolve_offline(&self) -> Result<Offline, Failure> {
        if self.mock {
            // Its port is any; what matters is that it is this computer itself.
            return Ok(Offline {
                base: ApiBase::parse("http://127.0.0.1").map_err(Failure::usage)?,
                api: "mock".to_owned(),
                whose: Ok(("mock".to_owned(), "mock".to_owned())),
                rows: RowsTenant::Any,
            });
        }
        let (base, _) = self.base()?;
        let (whose, named) = match self.setup(Arc::new(SystemClock)) {
            Ok(setup) => (whose(&setup).await, setup.choice.tenant),
            Err(Failure {
                code: ExitCode::Tenant,
                why,
            }) => (Err(why), None),
            Err(failure) => return Err(failure),
        };
        let rows = match &whose {
            Ok((tenant, _)) => {
                let told = (tenant != UNKNOWN).then_some(tenant.as_str());
                RowsTenant::of(told, named.as_deref())
            }
            Err(_) => RowsTenant::Any,
        };
        Ok(Offline {
            api: base.to_string(),
            base,
            whose,
            rows,
        })
    }
}

async fn whose(setup: &Setup) -> Result<(String, String), String> {
    let choice = &setup.choice;
    if choice.is_ready() {
        let source = choice.source(&setup.terms).map_err(|e| e.to_string())?;
        let token = source.token().await.map_err(|e| e.to_string())?;
        // Of a token that does not tell, a run knows no more either.
        let claims = Claims::of(&token).unwrap_or_default();
        let told = |claim: Option<String>| claim.unwrap_or_else(|| UNKNOWN.to_owned());
        return Ok((told(claims.tenant), told(claims.application)));
    }
    match choice.app() {
        Some(app) if is_guid(&app.tenant) => {
            let id = |text: &str| text.to_ascii_lowercase();
            Ok((id(&app.tenant), id(&app.client)))
        }
        Some(app) => Err(format!(
            "AZURE_TENANT_ID is the name `{}` and no GUID, whose id shows when it signs in",
            app.tenant
        )),
        None => Err(format!(
            "{} tells its tenant and application when it signs in, and not before",
            choice.words
        )),
    }
}

/// Whether it is an id of the form `8-4-4-4-12`, which a tenant's domain is not.
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

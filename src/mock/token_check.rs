//! Whether a token request is valid, and what the token endpoint answers if not (MDE-API.md, section 6).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    reply::{Reply, guid},
    request::TokenVersion,
    sign_in::{Now, TokenIssuer},
};

/// What the token endpoint answers instead of a token.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    error: &'static str,
    number: u32,
    text: String,
}

impl Refusal {
    fn new(status: u16, error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Self {
            status,
            error,
            number,
            text: text.into(),
        }
    }

    pub(super) fn reply(&self, trace: u128) -> Reply {
        // The service's own descriptions have a line break before the trace id.
        let description = format!(
            "AADSTS{}: {}\r\nTrace ID: {}",
            self.number,
            self.text,
            guid(trace)
        );
        let body = json!({"error": self.error, "error_description": description, "error_codes": [self.number]});
        Reply::json(self.status, &body)
    }
}

impl TokenIssuer {
    /// Checks the last form, and returns the audience that a token may be issued for.
    pub(super) fn check_form(
        &self,
        tenant: &str,
        version: TokenVersion,
        now: Now,
    ) -> Result<String, Refusal> {
        let config = &self.config;
        let differs = |right: &Option<String>, given: &str| {
            right.as_deref().is_some_and(|right| right != given)
        };
        if differs(&config.tenant, tenant) {
            return Err(Refusal::new(
                400,
                "invalid_request",
                90_002,
                format!(
                    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing \
                     into the correct cloud."
                ),
            ));
        }
        if self.field("grant_type") != "client_credentials" {
            let text = "The app requested an unsupported grant type.";
            return Err(Refusal::new(400, "unsupported_grant_type", 70_003, text));
        }
        let client = self.field("client_id");
        if differs(&config.client, client) {
            return Err(Refusal::new(
                400,
                "unauthorized_client",
                700_016,
                format!(
                    "Application with identifier '{client}' was not found in the directory '{tenant}'."
                ),
            ));
        }
        let assertion = self.field("client_assertion");
        if assertion.is_empty() {
            self.check_secret()?;
        } else {
            self.check_assertion(assertion, tenant, version, now)?;
        }
        self.check_audience(tenant, version)
    }

    /// What the token is to be for.
    fn check_audience(&self, tenant: &str, version: TokenVersion) -> Result<String, Refusal> {
        let audience = match version {
            TokenVersion::V1 => Some(self.field("resource").trim_end_matches('/')),
            TokenVersion::V2 => self.field("scope").strip_suffix("/.default"),
        };
        let Some(audience) = audience.filter(|audience| !audience.is_empty()) else {
            let (name, error, number) = match version {
                TokenVersion::V1 => ("resource", "invalid_resource", 500_013),
                TokenVersion::V2 => ("scope", "invalid_scope", 70_011),
            };
            let text = format!("The provided value for the input parameter '{name}' is not valid.");
            return Err(Refusal::new(400, error, number, text));
        };
        let right = self.config.resource.as_deref();
        if right.is_some_and(|right| right != audience) {
            return Err(Refusal::new(
                400,
                "invalid_resource",
                500_011,
                format!(
                    "The resource principal named {audience} was not found in the tenant named {tenant}."
                ),
            ));
        }
        Ok(audience.to_owned())
    }

    fn check_secret(&self) -> Result<(), Refusal> {
        let right = self.config.secret.as_deref();
        if right.is_some_and(|secret| secret != self.field("client_secret")) {
            let text = "Invalid client secret provided. Ensure the secret being sent in the request is the client \
                        secret value, not the client secret ID, for a secret added to app.";
            return Err(Refusal::new(401, "invalid_client", 7_000_215, text));
        }
        if self.config.secret_expired {
            let text = "The provided client secret keys for app are expired. Visit the Azure portal to create new keys \
                        for your app.";
            return Err(Refusal::new(401, "invalid_client", 7_000_222, text));
        }
        Ok(())
    }

    /// Any federated token of a workload is taken; an assertion that was signed with a certificate has to be right.
    fn check_assertion(
        &self,
        assertion: &str,
        tenant: &str,
        version: TokenVersion,
        now: Now,
    ) -> Result<(), Refusal> {
        let part = |at: usize| -> Value {
            let text = assertion.split('.').nth(at).unwrap_or_default();
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
            bytes
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default()
        };
        let (header, claims) = (part(0), part(1));
        let Some(thumbprint) = header["x5t#S256"].as_str() else {
            return Ok(());
        };
        let right = self.config.thumbprint.as_deref();
        if right.is_some_and(|right| right != thumbprint) || header["alg"] != "PS256" {
            let text = "The certificate with identifier used to sign the client assertion is not registered on \
                        application.";
            return Err(Refusal::new(401, "invalid_client", 700_027, text));
        }
        let number = |name: &str| claims[name].as_i64().unwrap_or_default();
        let wall = now.wall.as_second();
        // Entra ID allows clocks to differ by five minutes.
        if !(number("nbf") - 300..=number("exp") + 300).contains(&wall) {
            let text = "Client assertion is not within its valid time range. Current time, and the assertion's, differ \
                        too much.";
            return Err(Refusal::new(401, "invalid_client", 700_024, text));
        }
        let endpoint = match version {
            TokenVersion::V1 => format!("/{tenant}/oauth2/token"),
            TokenVersion::V2 => format!("/{tenant}/oauth2/v2.0/token"),
        };
        let for_us = claims["aud"]
            .as_str()
            .is_some_and(|aud| aud.ends_with(&endpoint));
        let client = self.field("client_id");
        if !for_us || claims["iss"] != client || claims["sub"] != client {
            let text = "Client assertion audience or subject claim does not match.";
            return Err(Refusal::new(401, "invalid_client", 700_023, text));
        }
        Ok(())
    }
}

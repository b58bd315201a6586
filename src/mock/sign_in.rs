//! The token endpoint, and who may call what (MDE-API.md, section 6).

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    config::{SignIn, Tokens},
    query::pairs,
    reply::{Error, Reply, guid},
    request::{Kind, Request, Route, TokenVersion},
};

/// Issues tokens, and checks those that calls present.
#[derive(Debug)]
pub(super) struct TokenIssuer {
    pub(super) config: SignIn,
    /// When each token expires that was issued.
    issued: HashMap<String, Duration>,
    last_form: HashMap<String, String>,
    last_token: String,
}

/// A moment on both of the server's clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) since_start: Duration,
    pub(super) wall: Timestamp,
}

impl TokenIssuer {
    pub(super) fn new(config: &SignIn) -> Self {
        Self {
            config: config.clone(),
            issued: HashMap::new(),
            last_form: HashMap::new(),
            last_token: String::new(),
        }
    }

    /// The fields of the last form.
    pub(super) const fn last_form(&self) -> &HashMap<String, String> {
        &self.last_form
    }

    /// The last token that was issued.
    pub(super) fn last_token(&self) -> &str {
        &self.last_token
    }

    /// Answers a form to the token endpoint.
    pub(super) fn issue(
        &mut self,
        tenant: &str,
        version: TokenVersion,
        form: &[u8],
        now: Now,
        trace: u128,
    ) -> Reply {
        self.last_form = pairs(&String::from_utf8_lossy(form)).collect();
        let audience = match self.check_form(tenant, version, now) {
            Ok(audience) => audience,
            Err(refusal) => return refusal.reply(trace),
        };
        let client = self.field("client_id").to_owned();
        let (token, life) = self.token(tenant, &client, &audience, now, trace);
        let end = now.wall.as_second().saturating_add_unsigned(life.as_secs());
        let seconds = life.as_secs().to_string();
        let body = match version {
            TokenVersion::V1 => json!({
                "token_type": "Bearer",
                "expires_in": seconds,
                "ext_expires_in": seconds,
                "expires_on": end.to_string(),
                "not_before": now.wall.as_second().to_string(),
                "resource": audience,
                "access_token": token,
            }),
            TokenVersion::V2 => {
                let life = self.life(life);
                json!({
                    "token_type": "Bearer",
                    "expires_in": life,
                    "ext_expires_in": life,
                    "access_token": token,
                })
            }
        };
        Reply::json(200, &body)
    }

    /// Answers a request to the host's metadata service.
    pub(super) fn identity(&mut self, request: &Request, now: Now, trace: u128) -> Reply {
        let query: HashMap<_, _> = pairs(&request.query).collect();
        let bad = |text: &str| {
            Reply::json(
                400,
                &json!({"error": "invalid_request", "error_description": text}),
            )
        };
        if request.identity_header != self.config.identity_header {
            return bad("The X-IDENTITY-HEADER header is not the host's");
        }
        if request.identity_header.is_none() && request.metadata.as_deref() != Some("true") {
            return bad("Required metadata header not specified");
        }
        let Some(resource) = query.get("resource") else {
            return bad("Required query variable 'resource' is missing");
        };
        let client = query
            .get("client_id")
            .map_or("the-hosts-own", String::as_str);
        let right = self.config.client.as_deref();
        if right.is_some_and(|right| right != client) {
            return bad("Identity not found");
        }
        let tenant = self
            .config
            .tenant
            .clone()
            .unwrap_or_else(|| "hosts-tenant".to_owned());
        let (token, life) = self.token(&tenant, client, resource, now, trace);
        let end = now.wall.as_second().saturating_add_unsigned(life.as_secs());
        Reply::json(
            200,
            &json!({
                "access_token": token,
                "client_id": client,
                "expires_in": life.as_secs().to_string(),
                "expires_on": end.to_string(),
                "resource": resource,
                "token_type": "Bearer",
            }),
        )
    }

    pub(super) fn field(&self, name: &str) -> &str {
        self.last_form.get(name).map_or("", String::as_str)
    }

    fn life(&self, life: Duration) -> Value {
        if self.config.lives_as_strings {
            life.as_secs().to_string().into()
        } else {
            life.as_secs().into()
        }
    }

    /// Issues a token, and returns how long it is valid.
    fn token(
        &mut self,
        tenant: &str,
        client: &str,
        audience: &str,
        now: Now,
        trace: u128,
    ) -> (String, Duration) {
        let life = self.config.expires_in;
        let issued_at = now.wall.as_second();
        let tenant = self.config.token_tenant.as_deref().unwrap_or(tenant);
        let claims = json!({
            "aud": audience,
            "iss": format!("https://sts.windows.net/{tenant}/"),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at.saturating_add_unsigned(life.as_secs()),
            "appid": client,
            "roles": self.config.roles,
            "tid": tenant,
            "uti": guid(trace),
            "ver": "1.0",
        });
        let header = BASE64_URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"none"}"#);
        let token = format!(
            "{header}.{}{SIGNATURE}",
            BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        // Expired tokens are removed here, so the map stays small however long a campaign runs.
        self.issued.retain(|_, until| *until > now.since_start);
        self.issued.insert(token.clone(), now.since_start + life);
        self.last_token.clone_from(&token);
        (token, life)
    }

    /// Whether a call has no token, or one that was not issued here. One that has expired was.
    pub(super) fn is_foreign(&self, authorization: Option<&str>, route: &Route) -> bool {
        let is_ours = bearer(authorization).is_some_and(|token| match &self.config.tokens {
            Tokens::Any => !token.trim().is_empty(),
            Tokens::Only(right) => token == right,
            Tokens::Issued => token.ends_with(SIGNATURE),
        });
        route.kind() != Kind::Token && !is_ours
    }

    /// Whether the bearer of this token may make a call of this kind.
    pub(super) fn admit(
        &self,
        authorization: Option<&str>,
        route: &Route,
        now: Now,
    ) -> Result<(), Error> {
        if route.kind() == Kind::Token {
            return Ok(());
        }
        let token = bearer(authorization);
        let known = token.is_some_and(|token| match &self.config.tokens {
            Tokens::Any => !token.trim().is_empty(),
            Tokens::Only(right) => token == right,
            Tokens::Issued => self
                .issued
                .get(token)
                .is_some_and(|until| *until > now.since_start),
        });
        if !known {
            return Err(Error::new(
                401,
                "Unauthorized",
                "The token is invalid or has expired.",
            ));
        }
        let (required, roles) = (route.roles(), &self.config.roles);
        if required.is_empty()
            || required
                .iter()
                .any(|needed| roles.iter().any(|role| role == needed))
        {
            return Ok(());
        }
        let message = format!(
            "Missing application roles. API required roles: {}, application roles: {}.",
            required.join(","),
            roles.join(",")
        );
        Err(Error::new(403, "Forbidden", message))
    }
}

/// How every token ends that is issued here.
const SIGNATURE: &str = ".mock";

/// The token of an `Authorization` header. The scheme may be in upper or lower case.
fn bearer(authorization: Option<&str>) -> Option<&str> {
    let (scheme, token) = authorization?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Where a client finds the token endpoint. `base` is the service's address as the client knows it.
pub(super) fn discovery(base: &str, tenant: &str, version: TokenVersion) -> Reply {
    let (path, issuer) = match version {
        TokenVersion::V1 => ("oauth2", format!("https://sts.windows.net/{tenant}/")),
        TokenVersion::V2 => ("oauth2/v2.0", format!("{base}/{tenant}/v2.0")),
    };
    let endpoint = |name: &str| format!("{base}/{tenant}/{path}/{name}");
    let body = json!({
        "issuer": issuer,
        "token_endpoint": endpoint("token"),
        "authorization_endpoint": endpoint("authorize"),
        "device_authorization_endpoint": endpoint("devicecode"),
        "end_session_endpoint": endpoint("logout"),
        "jwks_uri": format!("{base}/{tenant}/discovery/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code", "id_token", "token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
        "tenant_region_scope": null,
    });
    Reply::json(200, &body)
}

#[cfg(test)]
mod tests;

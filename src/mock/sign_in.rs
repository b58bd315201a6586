//! The token endpoint, and who may call what (MDE-API.md, section 6).

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use serde_json::json;

use super::{
    config::{SignIn, Tokens},
    query::pairs,
    reply::{Error, Reply, guid},
    request::Kind,
};

/// Issues tokens and looks at those that come back.
#[derive(Debug)]
pub(super) struct Desk {
    config: SignIn,
    /// Until when the tokens live that were issued.
    issued: HashMap<String, Duration>,
}

/// A moment on both of the server's clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) since_start: Duration,
    pub(super) wall: Timestamp,
}

impl Desk {
    pub(super) fn new(config: &SignIn) -> Self {
        Self {
            config: config.clone(),
            issued: HashMap::new(),
        }
    }

    /// Answers a form to the token endpoint.
    pub(super) fn issue(&mut self, tenant: &str, form: &[u8], now: Now, trace: u128) -> Reply {
        let form: HashMap<_, _> = pairs(&String::from_utf8_lossy(form)).collect();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let refuse = |status, error: &str, number: u32, text: &str| {
            let description = format!("AADSTS{number}: {text} Trace ID: {}", guid(trace));
            let body =
                json!({"error": error, "error_description": description, "error_codes": [number]});
            Reply::json(status, &body)
        };
        if field("grant_type") != "client_credentials" {
            return refuse(
                400,
                "unsupported_grant_type",
                70003,
                "The app requested an unsupported grant type.",
            );
        }
        if self
            .config
            .secret
            .as_deref()
            .is_some_and(|secret| secret != field("client_secret"))
        {
            let text = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                        value, not the client secret ID.";
            return refuse(401, "invalid_client", 7_000_215, text);
        }
        let Some(audience) = field("scope").strip_suffix("/.default") else {
            let text = "The provided value for the input parameter 'scope' is not valid.";
            return refuse(400, "invalid_scope", 70011, text);
        };
        let life = self.config.expires_in;
        let issued_at = now.wall.as_second();
        let claims = json!({
            "aud": audience,
            "iss": format!("https://sts.windows.net/{tenant}/"),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at.saturating_add_unsigned(life.as_secs()),
            "appid": field("client_id"),
            "roles": self.config.roles,
            "tid": tenant,
            "uti": guid(trace),
            "ver": "1.0",
        });
        let header = base64url(br#"{"typ":"JWT","alg":"none"}"#);
        let token = format!("{header}.{}.mock", base64url(claims.to_string().as_bytes()));
        // The old ones go when new ones come, so the map stays small in a campaign of any length.
        self.issued.retain(|_, until| *until > now.since_start);
        self.issued.insert(token.clone(), now.since_start + life);
        Reply::json(
            200,
            &json!({"token_type": "Bearer", "expires_in": life.as_secs(), "ext_expires_in": life.as_secs(), "access_token": token}),
        )
    }

    /// Whether the bearer of this header may make such a call.
    pub(super) fn admit(
        &self,
        authorization: Option<&str>,
        kind: Kind,
        now: Now,
    ) -> Result<(), Error> {
        if kind == Kind::Token {
            return Ok(());
        }
        let token = authorization.and_then(|header| header.strip_prefix("Bearer "));
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
        let (required, roles) = (required_roles(kind), &self.config.roles);
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

/// The roles of which a call needs one.
const fn required_roles(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Token => &[],
        Kind::Start | Kind::Cancel => &["Machine.Scan"],
        Kind::List | Kind::Get | Kind::Machines => &["Machine.Read.All", "Machine.ReadWrite.All"],
    }
}

/// Base64 with the alphabet of URLs, unpadded, as tokens are written in.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..=chunk.len() {
            let sextet = bits >> (18 - 6 * place) & 63;
            text.push(char::from(ALPHABET[sextet as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now {
        since_start: Duration::ZERO,
        wall: Timestamp::UNIX_EPOCH,
    };

    fn form(secret: &str) -> String {
        format!(
            "grant_type=client_credentials&client_id=app&client_secret={secret}&scope=https%3A%2F%2Fapi%2F.default"
        )
    }

    #[test]
    fn base64_is_that_of_urls() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("\u{3ff}\u{3ff}", "z7_Pvw"),
        ] {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn an_issued_token_is_taken_until_it_expires_and_no_other_is() {
        let mut desk = Desk::new(&SignIn {
            tokens: Tokens::Issued,
            secret: Some("right".into()),
            ..SignIn::default()
        });
        let refused = desk.issue("acme", form("wrong").as_bytes(), NOW, 1);
        assert_eq!(refused.status, 401);
        assert!(String::from_utf8_lossy(&refused.body).contains("AADSTS7000215"));

        let issued = desk.issue("acme", form("right").as_bytes(), NOW, 1);
        let body: serde_json::Value = serde_json::from_slice(&issued.body).unwrap();
        assert_eq!((issued.status, &body["expires_in"]), (200, &json!(3599)));
        let header = format!("Bearer {}", body["access_token"].as_str().unwrap());
        assert_eq!(desk.admit(Some(&header), Kind::Start, NOW), Ok(()));
        let later = Now {
            since_start: Duration::from_secs(3599),
            ..NOW
        };
        for (header, now) in [
            (Some(header.as_str()), later),
            (Some("Bearer x"), NOW),
            (None, NOW),
        ] {
            assert_eq!(
                desk.admit(header, Kind::Start, now).unwrap_err().status,
                401
            );
        }
    }

    #[test]
    fn a_missing_role_is_named_beside_those_that_are_there() {
        let desk = Desk::new(&SignIn {
            roles: vec!["Machine.Scan".into()],
            ..SignIn::default()
        });
        assert_eq!(desk.admit(Some("Bearer x"), Kind::Start, NOW), Ok(()));
        let error = desk.admit(Some("Bearer x"), Kind::List, NOW).unwrap_err();
        assert_eq!((error.status, error.code), (403, "Forbidden"));
        assert_eq!(
            error.message,
            "Missing application roles. API required roles: Machine.Read.All,Machine.ReadWrite.All, application roles: Machine.Scan."
        );
    }
}

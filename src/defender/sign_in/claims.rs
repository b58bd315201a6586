//! What a token says about itself. It is read only to report what is wrong before the first call; it is not trusted.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::Token;

/// The parts of a JWT's payload that matter here. The signature is not checked, since the service does that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// `aud`: what the token is for. A URL or an application's id.
    pub audience: Option<String>,
    /// `tid`: the directory.
    pub tenant: Option<String>,
    /// `appid`, or `azp` in tokens of version 2: the application that signed in.
    pub application: Option<String>,
    /// `roles`: what the application may do.
    pub roles: Vec<String>,
    /// `scp`: what the application may do on behalf of a user.
    pub scopes: Vec<String>,
    /// `exp`: when it expires.
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Payload {
    aud: Option<OneOrMany>,
    tid: Option<String>,
    appid: Option<String>,
    azp: Option<String>,
    roles: Option<OneOrMany>,
    scp: Option<String>,
    exp: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// Reads a token. `None` if it is not a JWT, which is not an error: such a token is used as it is.
    #[must_use]
    pub fn of(token: &Token) -> Option<Self> {
        let mut parts = token.secret.expose_secret().split('.');
        let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let payload = payload.trim_end_matches('=');
        let json = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
        let payload: Payload = serde_json::from_slice(&json).ok()?;
        Some(Self {
            audience: payload.aud.and_then(|aud| aud.list().into_iter().next()),
            tenant: payload.tid,
            application: payload.appid.or(payload.azp),
            roles: payload.roles.map(OneOrMany::list).unwrap_or_default(),
            scopes: payload
                .scp
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            expires: payload.exp.and_then(moment),
        })
    }
}

impl OneOrMany {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// The time from seconds since 1970. The standard allows fractions. `None` if it is out of range.
fn moment(seconds: f64) -> Option<Timestamp> {
    let span = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(span).ok()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn claims(payload: &str) -> Option<Claims> {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
        read(&format!("eyJhbGciOiJub25lIn0.{payload}.c2ln"))
    }

    fn read(text: &str) -> Option<Claims> {
        Claims::of(&Token {
            secret: SecretString::from(text),
            serial: 1,
        })
    }

    #[test]
    fn an_applications_token_says_who_it_is_and_what_it_may() {
        let told = claims(
            r#"{"aud":"https://api.securitycenter.microsoft.com","tid":"t","appid":"a",
                "roles":["Machine.Scan","Machine.Read.All"],"exp":1729510009,"other":{}}"#,
        );
        let told = told.unwrap();
        assert_eq!(
            told.audience.as_deref(),
            Some("https://api.securitycenter.microsoft.com")
        );
        assert_eq!(told.tenant.as_deref(), Some("t"));
        assert_eq!(told.application.as_deref(), Some("a"));
        assert_eq!(told.roles, ["Machine.Scan", "Machine.Read.All"]);
        assert_eq!(
            told.expires,
            Some(Timestamp::from_second(1_729_510_009).unwrap())
        );
    }

    #[test]
    fn other_shapes_are_read_too() {
        let told =
            claims(r#"{"aud":["x","y"],"azp":"a","roles":"Machine.Scan","scp":"A B","exp":1e300}"#);
        let told = told.unwrap();
        assert_eq!(told.audience.as_deref(), Some("x"));
        assert_eq!(told.application.as_deref(), Some("a"));
        assert_eq!(told.roles, ["Machine.Scan"]);
        assert_eq!(told.scopes, ["A", "B"]);
        assert_eq!(told.expires, None);
        assert_eq!(claims("{}"), Some(Claims::default()));
    }

    #[test]
    fn what_is_no_jwt_is_nothing() {
        for text in ["", "mock-token", "a.b", "a.b.c", "a.%%%.c", "a.e30.c.d"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(claims("[]"), None);
        assert_eq!(claims(r#"{"aud":5}"#), None);
    }
}

//! What the sign-in service says when it refuses, and what to do about it (MDE-API.md, section 6).

use jiff::Timestamp;
use serde::Deserialize;

use crate::plain_text;

/// An answer that is not a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The service's clock.
    pub(super) date: Option<Timestamp>,
    /// The number in `AADSTS…`.
    pub(super) code: Option<u32>,
    /// The service's own text, unchanged.
    pub(super) said: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    error_codes: Vec<u32>,
}

/// The longest text in a message, in characters. Longer ones are probably a gateway's page.
const LONGEST: usize = 600;

impl Refusal {
    pub(super) fn read(status: u16, date: Option<Timestamp>, body: &[u8]) -> Self {
        let body: Option<Body> = serde_json::from_slice(body).ok();
        let description = body.as_ref().and_then(|body| {
            body.error_description
                .clone()
                .or_else(|| body.error.clone())
        });
        let code = body
            .as_ref()
            .and_then(|body| body.error_codes.first().copied())
            .or_else(|| code_in(description.as_deref()?));
        Self {
            status,
            date,
            code,
            said: description,
        }
    }

    /// Whether a retry may succeed.
    pub(super) const fn is_passing(&self) -> bool {
        // 50196 is a loop that the service has detected; 90033 and 90055 are temporary errors of the service.
        matches!(self.status, 408 | 429 | 500..=599)
            || matches!(self.code, Some(50_196 | 90_033 | 90_055))
    }

    /// Whether the answer does not come from a sign-in service, judging by its format, and is not a 5xx.
    pub(super) const fn is_foreign(&self) -> bool {
        self.code.is_none() && self.said.is_none() && self.status < 500
    }

    /// What to do, if that is known. `ahead_s` is by how many seconds this computer's clock is ahead of the service's.
    pub(super) fn cure(&self, way: &Wording<'_>, ahead_s: Option<i64>) -> Option<String> {
        let Wording { tenant, client, .. } = way;
        Some(match self.code? {
            7_000_215 => "the client secret is wrong: AZURE_CLIENT_SECRET must hold the secret's Value, not its \
                          Secret ID"
                .to_owned(),
            7_000_222 => "the client secret has expired: make a new one (Entra admin center, App registrations, \
                          Certificates & secrets) and put its Value into AZURE_CLIENT_SECRET"
                .to_owned(),
            700_016 => format!(
                "there is no application {client} in the tenant {tenant}: look at AZURE_CLIENT_ID (the Application \
                 (client) ID, not the Object ID) and AZURE_TENANT_ID"
            ),
            90_002 | 900_023 | 50_059 => format!(
                "there is no tenant {tenant} in this cloud: look at AZURE_TENANT_ID and --cloud"
            ),
            500_011 | 650_057 => format!(
                "the tenant knows no resource {}: this is the wrong --cloud, or the tenant has no Defender for \
                 Endpoint",
                way.resource
            ),
            70_011 | 1_002_012 => format!(
                "the scope is wrong: look at --resource, which is {}",
                way.resource
            ),
            700_027 => "the certificate is not registered with the application, or its key is another: upload the \
                        certificate (not the key) under App registrations, Certificates & secrets"
                .to_owned(),
            700_024 => match ahead_s {
                Some(ahead) if ahead.abs() > 60 => format!(
                    "this computer's clock is {} the sign-in service's: set it right",
                    format_skew(ahead)
                ),
                _ => {
                    "the assertion is not valid at this time: set this computer's clock right".to_owned()
                }
            },
            code => return policy_cure(code, way),
        })
    }
}

/// What to do about a sign-in that the tenant's administrators have to permit.
fn policy_cure(code: u32, way: &Wording<'_>) -> Option<String> {
    let Wording { tenant, client, .. } = way;
    Some(match code {
        7_000_112 => format!(
            "the application {client} is disabled in the tenant {tenant}: have it enabled in the Entra admin center \
             (Enterprise applications, Properties, Enabled for users to sign-in)"
        ),
        7_000_229 => format!(
            "the application {client} is registered, but has no service principal in the tenant {tenant}: have an \
             administrator of that tenant consent to it (Enterprise applications), or look at AZURE_TENANT_ID"
        ),
        50_105 => "who signs in is not assigned to the application: assign it in the Entra admin center (Enterprise \
                   applications, Users and groups), or set \"Assignment required\" to No there"
            .to_owned(),
        50_012 => "the certificate or its signature was not accepted: look whether the certificate has expired, and \
                   whether the application has this very one (App registrations, Certificates & secrets)"
            .to_owned(),
        530_035 => "the tenant's security defaults block this sign-in: sign in with an application (secret or \
                    certificate), or ask the tenant's administrators"
            .to_owned(),
        53_011 => "the account is blocked because of a risk in its home tenant: have its administrators look at it in \
                   Entra ID Protection and dismiss the risk, or sign in otherwise"
            .to_owned(),
        500_213 => format!(
            "the tenant {tenant} lets nobody of your tenant in (its cross-tenant access settings, inbound): sign in \
             with an application of that tenant, or have it changed there"
        ),
        53_003 | 50_076 | 50_079 => "a Conditional Access policy forbids this sign-in: sign in with an application \
                                     (secret or certificate), or ask for an exception"
            .to_owned(),
        _ => return None,
    })
}

/// The names that occur in messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording<'a> {
    pub(super) tenant: &'a str,
    pub(super) client: &'a str,
    pub(super) resource: &'a str,
}

/// A clock's skew as text: "2 h 3 min ahead of", "45 s behind".
pub(crate) fn format_skew(ahead_s: i64) -> String {
    let s = ahead_s.unsigned_abs();
    let span = match (s / 86_400, s / 3600 % 24, s / 60 % 60) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    };
    if ahead_s < 0 {
        format!("{span} behind")
    } else {
        format!("{span} ahead of")
    }
}

/// The number in a text such as `AADSTS7000215: …`.
fn code_in(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("AADSTS")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A text, shortened to fit into a message of one line.
pub(super) fn one_line(text: &str) -> String {
    let plain = plain_text::one_line(text);
    let words: Vec<_> = plain.split_whitespace().collect();
    let mut line = words.join(" ");
    if let Some((at, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(at);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAY: Wording<'_> = Wording {
        tenant: "contoso.example",
        client: "1b2c",
        resource: "https://api.securitycenter.microsoft.com",
    };

    fn refusal(body: &str) -> Refusal {
        Refusal::read(401, None, body.as_bytes())
    }

    #[test]
    fn the_code_comes_from_the_list_or_from_the_text() {
        let listed =
            refusal(r#"{"error":"x","error_description":"AADSTS1: a","error_codes":[7000215,2]}"#);
        assert_eq!(listed.code, Some(7_000_215));
        let told = refusal(
            r#"{"error":"x","error_description":"AADSTS700016: Application \u0027x\u0027\r\nTrace ID: 1"}"#,
        );
        assert_eq!(told.code, Some(700_016));
        assert_eq!(
            one_line(&told.said.unwrap()),
            "AADSTS700016: Application 'x' Trace ID: 1"
        );
        let bare = refusal(r#"{"error":"invalid_request"}"#);
        assert_eq!(
            (bare.code, bare.said.as_deref()),
            (None, Some("invalid_request"))
        );
        for nothing in ["", "<html>", "[]", "5"] {
            assert_eq!((refusal(nothing).code, refusal(nothing).said), (None, None));
        }
        let endless = refusal(&format!(r#"{{"error":"{}"}}"#, "é".repeat(5000)));
        let told = one_line(&endless.said.unwrap());
        assert_eq!(told.chars().count(), 601);
    }

    #[test]
    fn a_clock_is_ahead_or_behind() {
        assert_eq!(format_skew(45), "45 s ahead of");
        assert_eq!(format_skew(-300), "5 min behind");
        assert_eq!(format_skew(7380), "2 h 3 min ahead of");
        assert_eq!(format_skew(-90_000), "1 d 1 h behind");
    }

    #[test]
    fn each_known_code_has_its_cure_and_an_unknown_one_none() {
        for code in [
            7_000_215, 7_000_222, 700_016, 90_002, 500_011, 70_011, 1_002_012, 700_027, 700_024,
            7_000_112, 7_000_229, 50_105, 50_012, 530_035, 53_011, 500_213,
        ] {
            let refusal = refusal(&format!(r#"{{"error":"x","error_codes":[{code}]}}"#));
            let cure = refusal.cure(&WAY, None).unwrap();
            // One sentence: what is wrong, and what to do.
            assert!(
                cure.contains(": ") && !cure.contains(". "),
                "{code}: {cure}"
            );
            assert!(!refusal.is_passing(), "{code}");
        }
        assert_eq!(
            refusal(r#"{"error":"x","error_codes":[1]}"#).cure(&WAY, None),
            None
        );
        assert!(Refusal::read(503, None, b"").is_passing());
    }
}

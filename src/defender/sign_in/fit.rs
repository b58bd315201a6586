//! Whether a token is sufficient for what is about to be done, judging by its claims, so that a wrong token is
//! reported before the first call.

use super::{Claims, SignInError};

/// The role that starts scans.
pub const SCAN: &str = "Machine.Scan";

/// The role that lists scans and machines; `Machine.ReadWrite.All` includes it.
pub const READ: &str = "Machine.Read.All";

/// The role that lists alerts; `Alert.ReadWrite.All` includes it.
pub const ALERTS: &str = "Alert.Read.All";

/// Other names of the API as an audience: its application id (in tokens of version 2), and an old name.
const ALSO_THE_API: [&str; 2] = [
    "fc780465-2017-40d4-a0c5-307022471b92",
    "https://securitycenter.onmicrosoft.com/windowsatpservice",
];

/// The API's other host. As an audience it has no `Machine.*` roles.
const NO_MACHINES: &str = "https://api.security.microsoft.com";

/// With this scope a user's token may do what the user may do, which its payload does not say.
const AS_THE_PERSON: &str = "user_impersonation";

/// The warning about a token whose claims cannot be read.
pub const NO_JWT: &str =
    "the token is no JWT, so its tenant, audience and roles cannot be read; it is used as it is";

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Start scans, and perhaps look them up.
    Scan,
    /// Start scans, and list machines before that.
    ScanAndRead,
    /// Only list something.
    Read,
    /// List alerts.
    Alerts,
}

/// Whether the token is of the tenant that was asked for. A domain is not checked, since the sign-in service has
/// resolved it.
///
/// # Errors
/// The token is of another tenant.
pub fn tenant(claims: &Claims, asked: Option<&str>) -> Result<(), SignInError> {
    let (Some(asked), Some(is)) = (asked, claims.tenant.as_deref()) else {
        return Ok(());
    };
    if !is_guid(asked) || asked.eq_ignore_ascii_case(is) {
        return Ok(());
    }
    Err(SignInError(format!(
        "the token is of the tenant {is}, but AZURE_TENANT_ID asks for {asked}: sign in to that tenant, or correct \
         AZURE_TENANT_ID"
    )))
}

/// Whether the token is for this API.
///
/// # Errors
/// The token is for another API.
pub fn audience(claims: &Claims, resource: &str) -> Result<(), SignInError> {
    let Some(is) = claims.audience.as_deref() else {
        return Ok(());
    };
    let same = |a: &str, b: &str| {
        a.trim_end_matches('/')
            .eq_ignore_ascii_case(b.trim_end_matches('/'))
    };
    if same(is, resource) || ALSO_THE_API.iter().any(|name| same(is, name)) {
        return Ok(());
    }
    let cure = if same(is, NO_MACHINES) {
        "that audience has no Machine.* roles, although the calls go to a host of that name"
    } else {
        "look at --cloud and --resource"
    };
    Err(SignInError(format!(
        "the token is for {is}, but the API takes tokens for {resource} ({cure}); get one as \
         `az account get-access-token --resource {resource}` does"
    )))
}

/// Whether the token's roles are sufficient. Returns a warning if only part of the work will be possible.
///
/// # Errors
/// A required role is missing.
pub fn roles(claims: &Claims, need: Need) -> Result<Option<String>, SignInError> {
    let has = |wanted: &str| {
        claims
            .roles
            .iter()
            .chain(&claims.scopes)
            .any(|role| role == wanted)
    };
    if has(AS_THE_PERSON) {
        return Ok(None);
    }
    let reads = [
        READ,
        "Machine.ReadWrite.All",
        "Machine.Read",
        "Machine.ReadWrite",
    ]
    .into_iter()
    .any(has);
    let finds = [
        ALERTS,
        "Alert.ReadWrite.All",
        "Alert.Read",
        "Alert.ReadWrite",
    ]
    .into_iter()
    .any(has);
    match need {
        Need::Scan | Need::ScanAndRead if !has(SCAN) => Err(missing(claims, SCAN)),
        Need::Read | Need::ScanAndRead if !reads => Err(missing(claims, READ)),
        Need::Alerts if !finds => Err(missing(claims, ALERTS)),
        Need::Scan if !reads => Ok(Some(format!(
            "the token lacks {READ}: scans can be started, but one whose answer was lost cannot be looked up (it \
             ends as unsure), and following, --skip-busy, --max-running and `fleetsweep machines` will not work; {}",
            grant(claims, READ)
        ))),
        Need::Scan | Need::ScanAndRead | Need::Read | Need::Alerts => Ok(None),
    }
}

fn missing(claims: &Claims, role: &str) -> SignInError {
    let mut there: Vec<&str> = claims
        .roles
        .iter()
        .chain(&claims.scopes)
        .map(String::as_str)
        .collect();
    there.sort_unstable();
    let there = if there.is_empty() {
        "no roles at all".to_owned()
    } else {
        there.join(", ")
    };
    SignInError(format!(
        "the token lacks the role {role}: it has {there}; {}",
        grant(claims, role)
    ))
}

fn grant(claims: &Claims, role: &str) -> String {
    let application = claims.application.as_deref().unwrap_or("the application");
    format!(
        "grant it in the Entra admin center: App registrations, {application}, API permissions, WindowsDefenderATP, \
         Application permissions, {role}, then \"Grant admin consent\""
    )
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                c == '-'
            } else {
                c.is_ascii_hexdigit()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    const RESOURCE: &str = "https://api.securitycenter.microsoft.com";

    fn claims(roles: &[&str]) -> Claims {
        Claims {
            audience: Some(RESOURCE.into()),
            tenant: Some(TENANT.into()),
            application: Some("1b2c".into()),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            ..Claims::default()
        }
    }

    #[test]
    fn another_tenant_is_told_and_a_domain_is_not_guessed_at() {
        let claims = claims(&[]);
        for fine in [None, Some(TENANT), Some("contoso.example")] {
            assert_eq!(tenant(&claims, fine), Ok(()));
        }
        let other = "99999999-2222-3333-4444-555555555555";
        assert_eq!(
            tenant(&claims, Some(other)).unwrap_err().to_string(),
            "the token is of the tenant 11111111-2222-3333-4444-555555555555, but AZURE_TENANT_ID asks for \
             99999999-2222-3333-4444-555555555555: sign in to that tenant, or correct AZURE_TENANT_ID"
        );
        assert_eq!(tenant(&Claims::default(), Some(other)), Ok(()));
    }

    #[test]
    fn the_audience_is_the_resource_or_another_name_of_it() {
        let for_whom = |audience: &str| Claims {
            audience: Some(audience.into()),
            ..claims(&[])
        };
        for fine in [
            RESOURCE,
            "https://api.securitycenter.microsoft.com/",
            "fc780465-2017-40d4-a0c5-307022471b92",
        ] {
            assert_eq!(audience(&for_whom(fine), RESOURCE), Ok(()), "{fine}");
        }
        assert_eq!(
            audience(&for_whom("https://api.security.microsoft.com"), RESOURCE)
                .unwrap_err()
                .to_string(),
            "the token is for https://api.security.microsoft.com, but the API takes tokens for \
             https://api.securitycenter.microsoft.com (that audience has no Machine.* roles, although the \
             calls go to a host of that name); get one as `az account get-access-token --resource \
             https://api.securitycenter.microsoft.com` does"
        );
        let told = audience(&for_whom("https://graph.microsoft.com"), RESOURCE).unwrap_err();
        assert!(told.to_string().contains("--resource"), "{told}");
    }

    #[test]
    fn a_missing_role_is_told_with_what_is_there_and_where_to_grant_it() {
        assert_eq!(roles(&claims(&[SCAN, READ]), Need::Scan), Ok(None));
        assert_eq!(
            roles(&claims(&["Machine.ReadWrite.All"]), Need::Read),
            Ok(None)
        );
        assert_eq!(
            roles(&claims(&[READ, "Alert.Read.All"]), Need::Scan)
                .unwrap_err()
                .to_string(),
            "the token lacks the role Machine.Scan: it has Alert.Read.All, Machine.Read.All; grant it in the \
             Entra admin center: App registrations, 1b2c, API permissions, WindowsDefenderATP, Application \
             permissions, Machine.Scan, then \"Grant admin consent\""
        );
        let told = roles(&claims(&[]), Need::Read).unwrap_err().to_string();
        assert!(
            told.contains("Machine.Read.All: it has no roles at all"),
            "{told}"
        );
        let warned = roles(&claims(&[SCAN]), Need::Scan).unwrap().unwrap();
        assert!(
            warned.contains("unsure") && warned.contains("fleetsweep machines"),
            "{warned}"
        );
    }

    #[test]
    fn a_users_token_is_checked_by_its_scopes() {
        let person = |scope: &str| Claims {
            scopes: vec![scope.into()],
            ..claims(&[])
        };
        assert_eq!(roles(&person("user_impersonation"), Need::Scan), Ok(None));
        assert_eq!(roles(&person("Machine.Read"), Need::Read), Ok(None));
        assert!(roles(&person("Machine.Read"), Need::Scan).is_err());
    }
}

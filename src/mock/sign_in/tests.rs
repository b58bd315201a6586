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

fn start() -> Route {
    let machine = "aa".to_owned();
    Route::Start { machine }
}

#[test]
fn each_mistake_has_its_number() {
    let some = |text: &str| Some(text.to_owned());
    let right = SignIn {
        secret: some("right"),
        tenant: some("acme"),
        client: some("app"),
        resource: some("https://api"),
        ..SignIn::default()
    };
    let answer = |config: &SignIn, tenant: &str, form: String| {
        let issued =
            TokenIssuer::new(config).issue(tenant, TokenVersion::V2, form.as_bytes(), NOW, 1);
        String::from_utf8_lossy(&issued.body).into_owned()
    };
    assert!(answer(&right, "acme", form("right")).contains("access_token"));
    let expired = SignIn {
        secret_expired: true,
        ..right.clone()
    };
    for (config, tenant, form, number) in [
        (&right, "acme", form("wrong"), 7_000_215),
        (&expired, "acme", form("right"), 7_000_222),
        (&right, "else", form("right"), 90_002),
        (
            &right,
            "acme",
            form("right").replace("=app", "=other"),
            700_016,
        ),
        (
            &right,
            "acme",
            form("right").replace("%2Fapi%2F", "%2Fother%2F"),
            500_011,
        ),
        (
            &right,
            "acme",
            form("right").replace(".default", ""),
            70_011,
        ),
    ] {
        let told = answer(config, tenant, form);
        assert!(told.contains(&format!("AADSTS{number}: ")), "{told}");
    }
}

#[test]
fn the_metadata_service_wants_its_header_and_answers_in_strings() {
    let mut issuer = TokenIssuer::new(&SignIn::default());
    let mut request = Request::get("/metadata/identity/oauth2/token?resource=https://api", "");
    assert_eq!(issuer.identity(&request, NOW, 1).status, 400);
    request.metadata = Some("true".to_owned());
    let answer = issuer.identity(&request, NOW, 1);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&body["expires_in"], &body["expires_on"]),
        (&json!("3599"), &json!("3599"))
    );
}

#[test]
fn an_issued_token_is_taken_until_it_expires_and_no_other_is() {
    let mut issuer = TokenIssuer::new(&SignIn {
        tokens: Tokens::Issued,
        secret: Some("right".into()),
        ..SignIn::default()
    });
    let refused = issuer.issue("acme", TokenVersion::V2, form("wrong").as_bytes(), NOW, 1);
    assert_eq!(refused.status, 401);
    assert!(String::from_utf8_lossy(&refused.body).contains("AADSTS7000215"));

    let answer = issuer.issue("acme", TokenVersion::V2, form("right").as_bytes(), NOW, 1);
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &body["expires_in"]), (200, &json!(3599)));
    let header = format!("Bearer {}", body["access_token"].as_str().unwrap());
    assert_eq!(issuer.admit(Some(&header), &start(), NOW), Ok(()));
    let later = Now {
        since_start: Duration::from_secs(3599),
        ..NOW
    };
    for (header, now) in [
        (Some(header.as_str()), later),
        (Some("Bearer x"), NOW),
        (None, NOW),
    ] {
        assert_eq!(issuer.admit(header, &start(), now).unwrap_err().status, 401);
    }
}

#[test]
fn a_missing_role_is_named_beside_those_that_are_there() {
    let issuer = TokenIssuer::new(&SignIn {
        roles: vec!["Machine.Scan".into()],
        ..SignIn::default()
    });
    assert_eq!(issuer.admit(Some("Bearer x"), &start(), NOW), Ok(()));
    let error = issuer
        .admit(Some("Bearer x"), &Route::List, NOW)
        .unwrap_err();
    assert_eq!((error.status, error.code), (403, "Forbidden"));
    assert_eq!(
        error.message,
        "Missing application roles. API required roles: Machine.Read.All,Machine.ReadWrite.All, application roles: \
         Machine.Scan."
    );
}

//! Which credential is chosen, and what half a configuration is answered with.

use super::*;

fn choice(auth: Auth, variables: &[(&str, &str)]) -> Result<String, String> {
    let get = |name: &str| {
        let found = variables.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let made = CredentialChoice::make(auth, None, &Environment(&get));
    made.map(|choice| choice.words).map_err(|e| e.to_string())
}

const ALL: [(&str, &str); 7] = [
    (TOKEN, "t"),
    (SECRET, "s3cret"),
    (CERTIFICATE, "app.pem"),
    (FEDERATED, "federated"),
    ("IDENTITY_ENDPOINT", "http://127.0.0.1"),
    (TENANT, "contoso.example"),
    (CLIENT, "1b2c"),
];

#[test]
fn auto_takes_what_is_configured_in_the_documented_order() {
    for (from, words) in [
        (0, "the token in FLEETSWEEP_TOKEN"),
        (1, "the client secret (AZURE_CLIENT_SECRET)"),
        (2, "the certificate app.pem"),
        (3, "the workload identity (AZURE_FEDERATED_TOKEN_FILE)"),
        (4, "the managed identity 1b2c (AZURE_CLIENT_ID)"),
    ] {
        assert_eq!(choice(Auth::Auto, &ALL[from..]).unwrap(), words);
    }
    let told = choice(Auth::Auto, &ALL[5..]).unwrap_err();
    assert!(
        told.starts_with("there is nothing to sign in with"),
        "{told}"
    );
}

#[test]
fn what_is_asked_for_is_taken_whatever_else_is_configured() {
    for (auth, words) in [
        (Auth::Token, "the token in FLEETSWEEP_TOKEN"),
        (
            Auth::WorkloadIdentity,
            "the workload identity (AZURE_FEDERATED_TOKEN_FILE)",
        ),
        (Auth::AzureCli, "the Azure CLI (az)"),
    ] {
        assert_eq!(choice(auth, &ALL).unwrap(), words);
    }
    assert_eq!(
        choice(Auth::ManagedIdentity, &[]).unwrap(),
        "the host's managed identity"
    );
}

#[test]
fn half_a_configuration_is_an_error() {
    let told = choice(
        Auth::Auto,
        &[(SECRET, "s3cret"), (CLIENT, "1b2c"), (TENANT, " ")],
    )
    .unwrap_err();
    assert_eq!(
        told,
        "AZURE_CLIENT_SECRET is set, but AZURE_TENANT_ID is not set; the application's page in the Entra admin center \
         shows it"
    );
    let told = choice(Auth::Certificate, &[]).unwrap_err();
    assert!(
        told.starts_with(
            "--auth certificate was asked for, but AZURE_CLIENT_CERTIFICATE_PATH is not"
        ),
        "{told}"
    );
    assert!(choice(Auth::Token, &[]).is_err());
}

#[test]
fn no_secret_can_be_printed() {
    let get = |name: &str| {
        ALL.iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| (*v).to_owned())
    };
    let choice = CredentialChoice::make(Auth::Secret, None, &Environment(&get)).unwrap();
    assert!(!format!("{choice:?}").contains("s3cret"));
}

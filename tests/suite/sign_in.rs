//! Signing in, each way, over real HTTP against the mock's own token and metadata endpoints.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use fleetsweep::{
    client::token_clock::SignInTime,
    defender::{
        Network,
        sign_in::{
            Auth, Authority, Claims, CredentialChoice, Environment, SignInOptions, Token,
            TokenSource,
        },
    },
    mock::{self, Kind as Call, MockConfig, SignIn, Tenant, Tokens},
    quota::{Clock, TokioClock},
};
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;

use crate::rig::{closed_port, over_loopback};

pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const CLIENT: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
pub(crate) const SECRET: &str = "s3cret-Value~1";
pub(crate) const RESOURCE: &str = "https://api.securitycenter.microsoft.com";

/// A desk that takes one application of one tenant, and an API that takes only its tokens.
pub(crate) fn strict() -> SignIn {
    SignIn {
        tenant: Some(TENANT.into()),
        client: Some(CLIENT.into()),
        secret: Some(SECRET.into()),
        resource: Some(RESOURCE.into()),
        tokens: Tokens::Issued,
        ..SignIn::default()
    }
}

/// A tenant that is served in this runtime, and where it is.
pub(crate) async fn served(config: MockConfig) -> (Arc<Tenant>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let tenant = Tenant::new(config);
    tokio::spawn(mock::serve(
        listener,
        Arc::clone(&tenant),
        std::future::pending(),
    ));
    (tenant, base)
}

/// A certificate with its key in one PEM file, made by openssl, and its thumbprint as openssl knows it.
pub(crate) fn certificate(folder: &Path) -> (PathBuf, String) {
    let at = |name: &str| folder.join(name).display().to_string();
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=fleetsweep test",
        "-keyout",
        &at("key.pem"),
        "-out",
        &at("cert.pem"),
    ]);
    let der = openssl(&["x509", "-in", &at("cert.pem"), "-outform", "der"]);
    std::fs::write(folder.join("cert.der"), der).unwrap();
    let digest = openssl(&["dgst", "-sha256", "-binary", &at("cert.der")]);
    let both = ["key.pem", "cert.pem"].map(|name| std::fs::read(folder.join(name)).unwrap());
    std::fs::write(folder.join("both.pem"), both.concat()).unwrap();
    (
        folder.join("both.pem"),
        BASE64_URL_SAFE_NO_PAD.encode(digest),
    )
}

pub(crate) fn openssl(args: &[&str]) -> Vec<u8> {
    let done = Command::new("openssl").args(args).output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "openssl {args:?}: {told}");
    done.stdout
}

pub(crate) fn app(more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("AZURE_TENANT_ID", TENANT.to_owned()),
        ("AZURE_CLIENT_ID", CLIENT.to_owned()),
    ];
    all.extend_from_slice(more);
    all
}

pub(crate) fn source(
    auth: Auth,
    variables: &[(&'static str, String)],
    base: &str,
    clock: Arc<TokioClock>,
) -> Arc<dyn TokenSource> {
    let get = |name: &str| {
        let found = variables.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.clone())
    };
    let terms = SignInOptions {
        authority: Authority::parse(base).unwrap(),
        resource: RESOURCE.into(),
        network: Network::default(),
        time: Arc::new(SignInTime(clock)),
    };
    let choice = CredentialChoice::make(auth, None, &Environment(&get)).unwrap();
    choice.source(&terms).unwrap()
}

async fn signed_in(
    auth: Auth,
    variables: &[(&'static str, String)],
    config: SignIn,
) -> (Result<Token, String>, Arc<Tenant>) {
    let started = MockConfig::default().started;
    let (tenant, base) = served(MockConfig {
        sign_in: config,
        ..MockConfig::default()
    })
    .await;
    let clock = Arc::new(TokioClock::starting_at(started));
    let tokens = source(auth, variables, &base, clock);
    (tokens.token().await.map_err(|e| e.to_string()), tenant)
}

fn claims(token: &Token) -> (Option<String>, Option<String>, Option<String>) {
    let claims = Claims::of(token).unwrap();
    (claims.tenant, claims.application, claims.audience)
}

#[tokio::test]
async fn a_secret_is_exchanged_for_a_token_of_the_api_whatever_way_lives_are_written() {
    for lives_as_strings in [false, true] {
        let config = SignIn {
            lives_as_strings,
            ..strict()
        };
        let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
        let (token, tenant) = signed_in(Auth::Auto, &variables, config).await;
        let token = token.unwrap();
        assert_eq!(
            claims(&token),
            (
                Some(TENANT.to_owned()),
                Some(CLIENT.to_owned()),
                Some(RESOURCE.to_owned())
            )
        );
        assert_eq!(tenant.last_form()["scope"], format!("{RESOURCE}/.default"));
    }
}

#[tokio::test]
async fn a_certificates_assertion_holds_before_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, thumbprint) = certificate(folder.path());
    let config = SignIn {
        thumbprint: Some(thumbprint),
        ..strict()
    };
    let variables = app(&[("AZURE_CLIENT_CERTIFICATE_PATH", pem.display().to_string())]);
    let (token, tenant) = signed_in(Auth::Auto, &variables, config).await;
    assert_eq!(claims(&token.unwrap()).1, Some(CLIENT.to_owned()));

    let form = tenant.last_form();
    assert!(!form.contains_key("client_secret"));
    let (message, signature) = form["client_assertion"].rsplit_once('.').unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("message"), message).unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    std::fs::write(at("signature"), signature).unwrap();
    let path = |name: &str| at(name).display().to_string();
    let key = openssl(&["x509", "-in", &path("cert.pem"), "-pubkey", "-noout"]);
    std::fs::write(at("public.pem"), key).unwrap();
    let told = openssl(&[
        "dgst",
        "-sha256",
        "-verify",
        &path("public.pem"),
        "-signature",
        &path("signature"),
        "-sigopt",
        "rsa_padding_mode:pss",
        "-sigopt",
        "rsa_pss_saltlen:32",
        &path("message"),
    ]);
    assert_eq!(String::from_utf8_lossy(&told).trim(), "Verified OK");
}

#[tokio::test]
async fn a_pods_federated_token_is_read_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("federated");
    std::fs::write(&file, "pods.federated.token").unwrap();
    let variables = app(&[("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string())]);
    let (token, tenant) = signed_in(Auth::Auto, &variables, strict()).await;
    assert_eq!(claims(&token.unwrap()).0, Some(TENANT.to_owned()));
    assert_eq!(
        tenant.last_form()["client_assertion"],
        "pods.federated.token"
    );

    std::fs::remove_file(&file).unwrap();
    let (told, _) = signed_in(Auth::Auto, &variables, strict()).await;
    let told = told.unwrap_err();
    assert!(told.contains("AZURE_FEDERATED_TOKEN_FILE"), "{told}");
}

#[tokio::test]
async fn a_virtual_machines_identity_is_its_own_or_an_assigned_one() {
    let any = SignIn {
        tokens: Tokens::Issued,
        ..SignIn::default()
    };
    let (token, _) = signed_in(Auth::ManagedIdentity, &[], any).await;
    assert_eq!(claims(&token.unwrap()).1, Some("the-hosts-own".to_owned()));

    let assigned = [("AZURE_CLIENT_ID", CLIENT.to_owned())];
    let (token, _) = signed_in(Auth::ManagedIdentity, &assigned, strict()).await;
    assert_eq!(claims(&token.unwrap()).1, Some(CLIENT.to_owned()));

    let wrong = [("AZURE_CLIENT_ID", "another".to_owned())];
    let (told, _) = signed_in(Auth::ManagedIdentity, &wrong, strict()).await;
    assert_eq!(
        told.unwrap_err(),
        "sign-in with the managed identity failed: this host has no such identity; look at AZURE_CLIENT_ID, which \
         names a user-assigned one, and at the host's Identity page\n  \
         the service said: Identity not found"
    );
}

#[test]
fn off_azure_a_managed_identity_gives_up_soon() {
    over_loopback(async {
        let (_closed, address) = closed_port();
        let base = format!("http://{address}");
        let clock = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
        let tokens = source(Auth::ManagedIdentity, &[], &base, Arc::clone(&clock));
        let before = clock.now();
        let told = tokens.token().await.unwrap_err().to_string();
        assert!(told.contains("only on Azure's own hosts"), "{told}");
        assert!(clock.now().since(before).as_secs() < 20);
    });
}

#[tokio::test]
async fn each_refusal_has_its_words() {
    let wrong = |change: fn(&mut SignIn)| {
        let mut config = strict();
        change(&mut config);
        config
    };
    let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
    for (config, words) in [
        (
            wrong(|c| c.secret = Some("another".into())),
            "the client secret is wrong: AZURE_CLIENT_SECRET must hold the secret's Value, not its Secret ID\n  \
             the service said: AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the \
             request is the client secret value, not the client secret ID, for a secret added to app.",
        ),
        (
            wrong(|c| c.secret_expired = true),
            "the client secret has expired: make a new one (Entra admin center, App registrations, Certificates & \
             secrets) and put its Value into AZURE_CLIENT_SECRET\n  \
             the service said: AADSTS7000222: The provided client secret keys for app are expired. Visit the Azure \
             portal to create new keys for your app.",
        ),
        (
            wrong(|c| c.tenant = Some("another".into())),
            "there is no tenant 11111111-2222-3333-4444-555555555555 in this cloud: look at AZURE_TENANT_ID and \
             --cloud\n  \
             the service said: AADSTS90002: Tenant '11111111-2222-3333-4444-555555555555' not found. Check to make \
             sure you have the correct tenant ID and are signing into the correct cloud.",
        ),
        (
            wrong(|c| c.client = Some("another".into())),
            "there is no application aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee in the tenant \
             11111111-2222-3333-4444-555555555555: look at AZURE_CLIENT_ID (the Application (client) ID, not the \
             Object ID) and AZURE_TENANT_ID\n  \
             the service said: AADSTS700016: Application with identifier 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee' was \
             not found in the directory '11111111-2222-3333-4444-555555555555'.",
        ),
        (
            wrong(|c| c.resource = Some("another".into())),
            "the tenant knows no resource https://api.securitycenter.microsoft.com: this is the wrong --cloud, or the \
             tenant has no Defender for Endpoint\n  \
             the service said: AADSTS500011: The resource principal named https://api.securitycenter.microsoft.com \
             was not found in the tenant named 11111111-2222-3333-4444-555555555555.",
        ),
    ] {
        let (told, tenant) = signed_in(Auth::Auto, &variables, config).await;
        let told = told.unwrap_err();
        assert!(!told.contains(SECRET), "{told}");
        let calls = tenant.recorder().calls(Call::Token);
        assert_eq!(calls, 1, "a refusal is no failure: {told}");
        assert_eq!(without_trace(&told), format!("sign-in failed: {words}"));
    }
}

/// What the service says, without the ids of this very call.
fn without_trace(told: &str) -> &str {
    told.split(" Trace ID").next().unwrap_or_default()
}

#[tokio::test]
async fn a_clock_that_is_off_and_a_foreign_certificate_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, _) = certificate(folder.path());
    let variables = app(&[("AZURE_CLIENT_CERTIFICATE_PATH", pem.display().to_string())]);
    let foreign = SignIn {
        thumbprint: Some("another".into()),
        ..strict()
    };
    let (told, _) = signed_in(Auth::Auto, &variables, foreign).await;
    let foreign = told.unwrap_err();

    let (_tenant, base) = served(MockConfig {
        sign_in: strict(),
        ..MockConfig::default()
    })
    .await;
    let clock = TokioClock::starting_at(MockConfig::default().started);
    clock.move_wall(SignedDuration::from_secs(7380));
    let tokens = source(Auth::Auto, &variables, &base, Arc::new(clock));
    let skewed = tokens.token().await.unwrap_err().to_string();
    assert_eq!(
        without_trace(&foreign),
        "sign-in failed: the certificate is not registered with the application, or its key is another: upload the \
         certificate (not the key) under App registrations, Certificates & secrets\n  \
         the service said: AADSTS700027: The certificate with identifier used to sign the client assertion is not \
         registered on application."
    );
    assert_eq!(
        without_trace(&skewed),
        "sign-in failed: this computer's clock is 2 h 3 min ahead of the sign-in service's: set it right\n  \
         the service said: AADSTS700024: Client assertion is not within its valid time range. Current time, and the \
         assertion's, differ too much."
    );
}

#[test]
fn an_outage_is_told_with_what_to_look_at() {
    over_loopback(async {
        let (_closed, address) = closed_port();
        let base = format!("http://{address}");
        let clock = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
        let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
        let tokens = source(Auth::Auto, &variables, &base, clock);
        let told = tokens.token().await.unwrap_err().to_string();
        let told = told.replace(&base, "http://mock");
        assert_eq!(
            told,
            "sign-in with the client secret failed: no connection to http://mock: tcp connect error: \
         Connection refused (os error 111); look at the network, at HTTPS_PROXY and --ca-cert"
        );
    });
}

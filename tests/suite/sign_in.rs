//! Signing in, each way, over real HTTP against the mock's own token and metadata endpoints; and campaigns that outlive
//! their tokens.

use std::{
    fmt::Write as _,
    io::Cursor,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use fleetsweep::{
    campaign::{
        dispatcher::{Dispatcher, Settings},
        engine::{Ending, Engine},
        intake::take_in,
        journal::Journal,
        outcome::{Outcome, Tally},
        retry::Policy,
        sign_in_time::SignInTime,
        stop::StopReason,
        tag::CampaignId,
    },
    defender::{
        ApiBase, HttpDefender, Network,
        http::HttpOptions,
        sign_in::{Auth, Authority, Choice, Claims, Environment, Terms, Token, TokenSource},
    },
    mock::{self, Fault, Kind as Call, MockConfig, Rule, SignIn, Tenant, Tokens},
    monitor::Silent,
    quota::{Clock, Pacer, Quota, TokioClock},
    results::Layout,
    roster::{Options, Roster},
    store::{Identity, Run},
};
use jiff::{SignedDuration, Timestamp};
use tokio::{net::TcpListener, sync::mpsc};

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

fn app(more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("AZURE_TENANT_ID", TENANT.to_owned()),
        ("AZURE_CLIENT_ID", CLIENT.to_owned()),
    ];
    all.extend_from_slice(more);
    all
}

fn source(
    auth: Auth,
    variables: &[(&'static str, String)],
    base: &str,
    clock: Arc<TokioClock>,
) -> Arc<dyn TokenSource> {
    let get = |name: &str| {
        let found = variables.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.clone())
    };
    let terms = Terms {
        authority: Authority::parse(base).unwrap(),
        resource: RESOURCE.into(),
        network: Network::default(),
        time: Arc::new(SignInTime(clock)),
    };
    let choice = Choice::make(auth, None, &Environment(&get)).unwrap();
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

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
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
        assert_eq!(claims(&token), (some(TENANT), some(CLIENT), some(RESOURCE)));
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
    assert_eq!(claims(&token.unwrap()).1, some(CLIENT));

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
    assert_eq!(claims(&token.unwrap()).0, some(TENANT));
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
    assert_eq!(claims(&token.unwrap()).1, some("the-hosts-own"));

    let assigned = [("AZURE_CLIENT_ID", CLIENT.to_owned())];
    let (token, _) = signed_in(Auth::ManagedIdentity, &assigned, strict()).await;
    assert_eq!(claims(&token.unwrap()).1, some(CLIENT));

    let wrong = [("AZURE_CLIENT_ID", "another".to_owned())];
    let (told, _) = signed_in(Auth::ManagedIdentity, &wrong, strict()).await;
    insta::assert_snapshot!(told.unwrap_err(), @r"
    sign-in with the managed identity failed: this host has no such identity; look at AZURE_CLIENT_ID, which names a user-assigned one, and at the host's Identity page
      the service said: Identity not found
    ");
}

#[tokio::test]
async fn each_refusal_has_its_words() {
    let wrong = |change: fn(&mut SignIn)| {
        let mut config = strict();
        change(&mut config);
        config
    };
    let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
    let mut all = String::new();
    for (what, config) in [
        ("wrong secret", wrong(|c| c.secret = Some("another".into()))),
        ("expired secret", wrong(|c| c.secret_expired = true)),
        (
            "unknown tenant",
            wrong(|c| c.tenant = Some("another".into())),
        ),
        (
            "unknown application",
            wrong(|c| c.client = Some("another".into())),
        ),
        (
            "wrong cloud",
            wrong(|c| c.resource = Some("another".into())),
        ),
    ] {
        let (told, tenant) = signed_in(Auth::Auto, &variables, config).await;
        let told = told.unwrap_err();
        assert!(!told.contains(SECRET), "{told}");
        assert_eq!(
            tenant.witness().calls(Call::Token),
            1,
            "{what}: a refusal is no failure"
        );
        let (told, _trace) = told.split_once(" Trace ID").unwrap();
        writeln!(all, "{what}: {told}").unwrap();
    }
    insta::assert_snapshot!(all, @r"
    wrong secret: sign-in failed: the client secret is wrong: AZURE_CLIENT_SECRET must hold the secret's Value, not its Secret ID
      the service said: AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app.
    expired secret: sign-in failed: the client secret has expired: make a new one (Entra admin center, App registrations, Certificates & secrets) and put its Value into AZURE_CLIENT_SECRET
      the service said: AADSTS7000222: The provided client secret keys for app are expired. Visit the Azure portal to create new keys for your app.
    unknown tenant: sign-in failed: there is no tenant 11111111-2222-3333-4444-555555555555 in this cloud: look at AZURE_TENANT_ID and --cloud
      the service said: AADSTS90002: Tenant '11111111-2222-3333-4444-555555555555' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.
    unknown application: sign-in failed: there is no application aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee in the tenant 11111111-2222-3333-4444-555555555555: look at AZURE_CLIENT_ID (the Application (client) ID, not the Object ID) and AZURE_TENANT_ID
      the service said: AADSTS700016: Application with identifier 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee' was not found in the directory '11111111-2222-3333-4444-555555555555'.
    wrong cloud: sign-in failed: the tenant knows no resource https://api.securitycenter.microsoft.com: this is the wrong --cloud, or the tenant has no Defender for Endpoint
      the service said: AADSTS500011: The resource principal named https://api.securitycenter.microsoft.com was not found in the tenant named 11111111-2222-3333-4444-555555555555.
    ");
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
    let short = |told: &str| {
        told.split(" Trace ID")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    insta::assert_snapshot!(format!("{}\n{}", short(&foreign), short(&skewed)), @r"
    sign-in failed: the certificate is not registered with the application, or its key is another: upload the certificate (not the key) under App registrations, Certificates & secrets
      the service said: AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on application.
    sign-in failed: this computer's clock is 2 h 3 min ahead of the sign-in service's: set it right
      the service said: AADSTS700024: Client assertion is not within its valid time range. Current time, and the assertion's, differ too much.
    ");
}

#[tokio::test]
async fn an_outage_is_told_with_what_to_look_at() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    tokio::time::pause();
    let clock = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
    let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
    let tokens = source(Auth::Auto, &variables, &base, clock);
    let told = tokens.token().await.unwrap_err().to_string();
    let told = told.replace(&base, "http://mock");
    insta::assert_snapshot!(told, @r"sign-in with the client secret failed: no connection to http://mock: tcp connect error: Connection refused (os error 111); look at the network, at HTTPS_PROXY and --ca-cert");
}

/// In memory where that is to be had: thousands of commits that are waited for are the disk's test, not ours.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// What became of a campaign.
struct Came {
    ending: Ending,
    tenant: Arc<Tenant>,
    _folder: tempfile::TempDir,
}

/// A campaign over real HTTP, in virtual time, with tokens of this life from a desk that is down at times.
async fn campaign(machines: u64, life: Duration, down: Option<Range<Duration>>) -> Came {
    let faults = down.map(|span| Rule::new(Fault::CutBefore).kind(Call::Token).during(span));
    let (tenant, base) = served(MockConfig {
        latency: Duration::from_millis(20)..=Duration::from_millis(400),
        sign_in: SignIn {
            expires_in: life,
            ..strict()
        },
        faults: faults.into_iter().collect(),
        ..MockConfig::default()
    })
    .await;
    let clock = Arc::new(TokioClock::starting_at(MockConfig::default().started));
    let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
    let tokens = source(Auth::Auto, &variables, &base, Arc::clone(&clock));
    let folder = scratch();
    let campaign = CampaignId::random(&mut fastrand::Rng::with_seed(7));
    let (journal, targets) = journal(machines, folder.path(), &campaign, clock.wall());
    let quota = Quota::documented();
    let engine = Engine {
        defender: Arc::new(
            HttpDefender::new(HttpOptions {
                base: ApiBase::parse(&base).unwrap(),
                request_timeout: Duration::from_secs(30),
                workers: 100,
                network: Network::default(),
            })
            .unwrap(),
        ),
        tokens,
        pacer: Pacer::new(&quota, clock.clone()),
        clock: clock.clone(),
        monitor: Arc::new(Silent),
        workers: 100,
        campaign: campaign.clone(),
    };
    let settings = Settings {
        campaign,
        scan_type: "Quick",
        comment: "sweep".into(),
        policy: Policy::default(),
        capacity: 100,
        seed: 7,
    };
    let dispatcher = Dispatcher::new(settings, targets, Tally::default());
    let (_signal, signals) = mpsc::channel(1);
    let ending = engine.run(dispatcher, journal, signals).await;
    Came {
        ending,
        tenant,
        _folder: folder,
    }
}

fn journal(machines: u64, folder: &Path, campaign: &CampaignId, wall: Timestamp) -> (Journal, u64) {
    let mut csv = String::from("machine_id\n");
    for n in 1..=machines {
        writeln!(csv, "{n:040x}").unwrap();
    }
    let options = Options::default();
    let roster = Roster::open("fleet.csv", Cursor::new(csv.into_bytes()), &options).unwrap();
    let identity = Identity {
        campaign: campaign.as_str().to_owned(),
        created: wall,
        tenant: TENANT.into(),
        api: "mock".into(),
        scan_type: "quick".into(),
        comment: "sweep".into(),
        columns: Vec::new(),
    };
    let intake = take_in(roster, &folder.join("state.db"), identity).unwrap();
    let targets = intake.counts.rows();
    let layout = Layout::new(&intake.store.identity().columns, false);
    let run = Run {
        os_user: String::new(),
        host: String::new(),
        version: String::new(),
        command: String::new(),
        tenant: TENANT.into(),
        application: CLIENT.into(),
        started: wall,
    };
    let mut store = intake.store;
    let run = store.begin_run(&run).unwrap();
    let journal = Journal::begin(store, run, &folder.join("results.csv"), &layout).unwrap();
    (journal, targets)
}

/// How many were accepted in a campaign that nothing stopped.
async fn accepted(came: Came) -> (u64, Arc<Tenant>) {
    let stop = came.ending.stop.as_ref().map(StopReason::to_string);
    assert_eq!(stop, None);
    let finished = came
        .ending
        .journal
        .finish(Timestamp::UNIX_EPOCH, "done")
        .await
        .unwrap();
    (finished.tally.of(Outcome::Accepted), came.tenant)
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn three_thousand_machines_outlive_seventy_tokens_of_a_minute() {
    let (accepted, tenant) = accepted(campaign(3000, MINUTE, None).await).await;
    assert_eq!(accepted, 3000);
    let fetched = tenant.witness().calls(Call::Token);
    assert!((15..120).contains(&fetched), "{fetched} tokens");
    assert_eq!(tenant.witness().throttled(Call::Start), 0);
    assert_eq!(
        tenant.witness().machines_scanned_more_than_once(),
        Vec::<String>::new()
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_is_down_for_a_minute_fails_nobody() {
    let down = 5 * MINUTE..6 * MINUTE;
    let (accepted, tenant) = accepted(campaign(3000, MINUTE, Some(down)).await).await;
    assert_eq!(accepted, 3000);
    // Waiting for a token sends nothing, so nothing is refused either.
    let starts = tenant.witness().calls(Call::Start);
    assert!(starts < 3050, "{starts} calls for 3000 machines");
    assert_eq!(
        tenant.witness().machines_scanned_more_than_once(),
        Vec::<String>::new()
    );
}

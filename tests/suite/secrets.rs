//! Nothing that is written in a run at the most verbose level holds a secret; and what is wrong with a sign-in is told
//! before any scan call.

use std::{fs, path::Path, sync::Arc};

use fleetsweep::{
    mock::{Fault, Kind, MockConfig, QuotaConfig, Rule, SignIn, Tenant},
    quota::{Clock, SystemClock},
};
use jiff::SignedDuration;

use crate::{
    shell::{Done, at, fleetsweep},
    sign_in::{SECRET, app, certificate, served, strict},
    token_life::desk,
};

async fn tenant(
    sign_in: SignIn,
    ahead: SignedDuration,
    faults: Vec<Rule>,
) -> (Arc<Tenant>, String) {
    served(MockConfig {
        sign_in,
        started: SystemClock.wall().checked_add(ahead).unwrap(),
        quota: QuotaConfig::none(),
        faults,
        ..MockConfig::default()
    })
    .await
}

async fn run(folder: &Path, base: &str, more: &str, variables: &[(&str, String)]) -> Done {
    let ids: Vec<_> = (1..=5).map(|n| format!("{n:040x}")).collect();
    fs::write(folder.join("fleet.csv"), ids.join("\n")).unwrap();
    let args = format!("run fleet.csv {} {more}", at(base));
    fleetsweep(folder, &args, variables).await
}

/// Everything under a folder, as it lies on the disk.
fn written(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(written(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    all
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

#[tokio::test]
async fn neither_secret_nor_token_nor_assertion_is_written_anywhere() {
    let keys = tempfile::tempdir().unwrap();
    let (pem, _) = certificate(keys.path());
    for (what, variables) in [
        ("secret", app(&[("AZURE_CLIENT_SECRET", SECRET.into())])),
        (
            "certificate",
            app(&[("AZURE_CLIENT_CERTIFICATE_PATH", pem.display().to_string())]),
        ),
    ] {
        // A 401 in the middle, so that the renewal speaks too; then a desk that is down for the third sign-in.
        let faults = vec![
            Rule::new(Fault::Status(401, "{}".into()))
                .kind(Kind::Start)
                .nth(2),
            Rule::new(Fault::Status(503, "<html>".into()))
                .kind(Kind::Token)
                .nth(2),
        ];
        let (tenant, base) = tenant(strict(), SignedDuration::ZERO, faults).await;
        let folder = tempfile::tempdir().unwrap();
        let mut variables = variables;
        variables.push(("RUST_LOG", "trace".to_owned()));
        let more = "-vvv --log-file log.txt --summary summary.json --progress lines";
        let done = run(folder.path(), &base, more, &variables).await;
        assert_eq!(done.code, 0, "{}", done.err);
        assert_eq!(tenant.recorder().scans(), 5);

        let form = tenant.last_form();
        let token = tenant.last_token();
        // As it is, and as a form carries it.
        let mut secrets = vec![
            SECRET.to_owned(),
            SECRET.replace('~', "%7E"),
            token.clone(),
            token.rsplit('.').nth(1).unwrap().to_owned(),
        ];
        secrets.extend(form.get("client_assertion").cloned());
        secrets.extend(
            form.get("client_assertion")
                .and_then(|a| a.rsplit('.').next())
                .map(str::to_owned),
        );
        let mut all = written(folder.path());
        all.push(("stdout".to_owned(), done.out.into_bytes()));
        all.push(("stderr".to_owned(), done.err.into_bytes()));
        let log = all
            .iter()
            .find(|(name, _)| name.ends_with("log.txt"))
            .unwrap();
        for wire in ["TRACE", "hyper"] {
            assert!(
                holds(&log.1, wire),
                "the log is not as verbose as it gets: no {wire}"
            );
        }
        for (name, bytes) in &all {
            for secret in &secrets {
                assert!(!holds(bytes, secret), "{what}: {name} holds {secret}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_sign_in_costs_no_scan_call() {
    let keys = tempfile::tempdir().unwrap();
    let (pem, _) = certificate(keys.path());
    let secret = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
    let signed = app(&[("AZURE_CLIENT_CERTIFICATE_PATH", pem.display().to_string())]);
    let wrong = |change: fn(&mut SignIn)| {
        let mut config = strict();
        change(&mut config);
        config
    };
    let none = SignedDuration::ZERO;
    for (config, variables, ahead, words) in [
        (
            wrong(|c| c.secret = Some("another".into())),
            &secret,
            none,
            "AADSTS7000215",
        ),
        (
            wrong(|c| c.secret_expired = true),
            &secret,
            none,
            "AADSTS7000222",
        ),
        (
            wrong(|c| c.tenant = Some("another".into())),
            &secret,
            none,
            "AADSTS90002",
        ),
        (
            wrong(|c| c.resource = Some("another".into())),
            &secret,
            none,
            "AADSTS500011",
        ),
        (
            wrong(|c| c.roles = vec!["Machine.Read.All".into()]),
            &secret,
            none,
            "lacks the role Machine.Scan",
        ),
        (
            wrong(|c| c.token_tenant = Some("99999999-2222-3333-4444-555555555555".into())),
            &secret,
            none,
            "AZURE_TENANT_ID asks for",
        ),
        (
            strict(),
            &signed,
            SignedDuration::from_hours(-2),
            "AADSTS700024",
        ),
    ] {
        let (tenant, base) = tenant(config, ahead, Vec::new()).await;
        let folder = tempfile::tempdir().unwrap();
        let done = run(folder.path(), &base, "", variables).await;
        assert_eq!(done.code, 4, "{words}: {}", done.err);
        assert!(done.err.contains(words), "{}", done.err);
        assert!(!done.err.contains(SECRET), "{}", done.err);
        assert!(done.err.lines().count() <= 4, "{}", done.err);
        assert_eq!(tenant.recorder().calls(Kind::Start), 0);
        // Nothing was begun either.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{words}");
    }
}

#[tokio::test]
async fn a_second_refusal_stops_the_campaign_with_the_services_words() {
    let refusal = r#"{"error":{"code":"Unauthorized","message":"Account mode is inactive"}}"#;
    let faults = vec![Rule::new(Fault::Status(401, refusal.into())).kind(Kind::Start)];
    let (tenant, base) = tenant(strict(), SignedDuration::ZERO, faults).await;
    let folder = tempfile::tempdir().unwrap();
    let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
    let done = run(folder.path(), &base, "", &variables).await;
    assert_eq!(done.code, 4, "{}", done.err);
    assert!(
        done.err.contains("Account mode is inactive"),
        "{}",
        done.err
    );
    let calls = |kind| tenant.recorder().calls(kind);
    assert_eq!((calls(Kind::Start), calls(Kind::Token)), (2, 2));
}

#[tokio::test]
async fn a_missing_role_for_looking_up_is_a_warning_that_names_what_will_not_work() {
    let config = SignIn {
        roles: vec!["Machine.Scan".into()],
        ..strict()
    };
    let (tenant, base) = tenant(config, SignedDuration::ZERO, Vec::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
    let done = run(folder.path(), &base, "", &variables).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let words = ["lacks Machine.Read.All", "following", "Grant admin consent"];
    assert!(
        words.iter().all(|word| done.err.contains(word)),
        "{}",
        done.err
    );
    assert_eq!(tenant.recorder().scans(), 5);
}

#[tokio::test]
async fn a_token_that_says_nothing_is_used_with_one_warning() {
    let (tenant, base) = tenant(SignIn::default(), SignedDuration::ZERO, Vec::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let variables = [("FLEETSWEEP_TOKEN", "opaque".to_owned())];
    let done = run(folder.path(), &base, "", &variables).await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(done.err.matches("no JWT").count(), 1, "{}", done.err);
    assert_eq!(tenant.recorder().scans(), 5);
}

#[tokio::test]
async fn a_sign_in_service_that_quotes_the_secret_is_quoted_without_it() {
    let in_a_form = SECRET.replace('~', "%7E");
    let long = "x".repeat(520);
    let words =
        format!("AADSTS7000215: not {SECRET}, nor client_secret={in_a_form}, {long}{SECRET}");
    let refusal =
        serde_json::json!({"error": "invalid_client", "error_description": words}).to_string();
    let (base, _) = desk("401 Unauthorized", refusal).await;
    let folder = tempfile::tempdir().unwrap();
    let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
    let done = run(folder.path(), &base, "", &variables).await;
    assert_eq!(done.code, 4, "{}", done.err);
    assert!(
        done.err
            .contains("not [secret], nor client_secret=[secret],"),
        "{}",
        done.err
    );
    // Nor is its beginning left where a long text is cut.
    assert!(!done.err.contains(&SECRET[..5]), "{}", done.err);
}

//! `fleetsweep doctor`: each step, and the cure for what failed.

use std::{fs, sync::Arc};

use fleetsweep::{
    mock::{Kind, MockConfig, SignIn, Tenant},
    quota::{Clock, SystemClock},
};
use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    shell::{Done, at, fleetsweep},
    sign_in::{SECRET, app, certificate, openssl, served, strict},
};

pub(crate) fn secret() -> Vec<(&'static str, String)> {
    app(&[("AZURE_CLIENT_SECRET", SECRET.into())])
}

/// A tenant whose clock is right, or ahead by so much.
pub(crate) async fn tenant(sign_in: SignIn, ahead: SignedDuration) -> (Arc<Tenant>, String) {
    let started = SystemClock.wall().checked_add(ahead).unwrap();
    served(MockConfig {
        sign_in,
        started,
        ..MockConfig::default()
    })
    .await
}

pub(crate) async fn doctor(base: &str, more: &str, variables: &[(&str, String)]) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let args = format!("doctor {} {more}", at(base));
    fleetsweep(folder.path(), &args, variables).await
}

/// Step by step: `state step`.
pub(crate) fn steps(done: &Done) -> Vec<String> {
    let lines = done.out.lines();
    let words = lines.map(|line| {
        let mut words = line.split_whitespace();
        format!("{} {}", words.next().unwrap(), words.next().unwrap())
    });
    words.collect()
}

#[tokio::test]
async fn a_healthy_connection_is_told_step_by_step_with_one_call() {
    let (tenant, base) = tenant(strict(), SignedDuration::ZERO).await;
    let done = doctor(&base, "", &secret()).await;
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{}", done.out);
    let expected = [
        "ok configuration",
        "ok sign-in",
        "ok audience",
        "ok roles",
        "ok clock",
        "ok reachability",
        "ok list",
        "ok alerts",
    ];
    assert_eq!(steps(&done), expected);
    assert!(!done.out.contains(SECRET));
    let calls = |kind| tenant.recorder().calls(kind);
    assert_eq!(
        (calls(Kind::Token), calls(Kind::List), calls(Kind::Start)),
        (1, 1, 0)
    );

    let done = doctor(&base, "--json", &secret()).await;
    let told: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(told["ok"], true);
    assert_eq!(told["steps"][3]["state"], "ok");
    assert_eq!(
        told["steps"][3]["detail"],
        "Alert.Read.All, Machine.Read.All, Machine.Scan"
    );
}

#[tokio::test]
async fn a_failed_sign_in_leaves_the_network_to_be_looked_at() {
    let wrong = SignIn {
        secret: Some("another".into()),
        ..strict()
    };
    let (tenant, base) = tenant(wrong, SignedDuration::ZERO).await;
    let done = doctor(&base, "", &secret()).await;
    assert_eq!(done.code, 4);
    let expected = [
        "ok configuration",
        "FAILED sign-in",
        "- audience",
        "- roles",
        "ok clock",
        "ok reachability",
        "- list",
        "- alerts",
    ];
    let told: Vec<_> = steps(&done)
        .into_iter()
        .filter(|line| !line.starts_with("the "))
        .collect();
    assert_eq!(told, expected, "{}", done.out);
    assert!(done.out.contains("AADSTS7000215") && done.out.contains("not its Secret ID"));
    assert_eq!(tenant.recorder().calls(Kind::Start), 0);
}

#[tokio::test]
async fn missing_roles_fail_or_warn() {
    for (roles, code, expected) in [
        (vec!["Machine.Read.All"], 4, "FAILED roles"),
        (vec!["Machine.Scan"], 0, "warning roles"),
    ] {
        let config = SignIn {
            roles: roles.into_iter().map(str::to_owned).collect(),
            ..strict()
        };
        let (_tenant, base) = tenant(config, SignedDuration::ZERO).await;
        let done = doctor(&base, "", &secret()).await;
        assert_eq!(done.code, code, "{}", done.out);
        assert_eq!(steps(&done)[3], expected);
        assert!(done.out.contains("Grant admin consent"), "{}", done.out);
    }
}

#[tokio::test]
async fn a_clock_that_is_off_fails_with_how_much() {
    let (_tenant, base) = tenant(strict(), SignedDuration::from_mins(125)).await;
    let done = doctor(&base, "", &secret()).await;
    assert_eq!(done.code, 4);
    assert_eq!(steps(&done)[4], "FAILED clock");
    let off = [
        "2 h 4 min behind the service's",
        "2 h 5 min behind the service's",
    ];
    assert!(off.iter().any(|off| done.out.contains(off)), "{}", done.out);
}

#[tokio::test]
async fn without_a_configuration_it_says_what_to_set_and_calls_nobody() {
    let (tenant, base) = tenant(strict(), SignedDuration::ZERO).await;
    let done = doctor(&base, "", &[]).await;
    assert_eq!(done.code, 4);
    assert_eq!(steps(&done)[0], "FAILED configuration");
    assert!(done.out.contains("AZURE_CLIENT_SECRET") && done.out.contains("managed-identity"));
    assert!(
        Kind::ALL
            .iter()
            .all(|kind| tenant.recorder().calls(*kind) == 0)
    );
}

#[tokio::test]
async fn a_rehearsal_is_healthy() {
    let folder = tempfile::tempdir().unwrap();
    let done = fleetsweep(folder.path(), "doctor --mock", &[]).await;
    assert_eq!((done.code, steps(&done).len()), (0, 8), "{}", done.out);
    assert!(steps(&done).iter().all(|step| step.starts_with("ok ")));
}

#[tokio::test]
async fn wrong_options_are_wrong_usage() {
    for (args, word) in [
        ("--cloud gcc --region eu", "no regions"),
        ("--authority-url http://login.example", "https://"),
        ("--ca-cert no-such.pem", "no-such.pem"),
        ("--auth guess", "azure-cli"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let done = fleetsweep(folder.path(), &format!("doctor {args}"), &secret()).await;
        assert_eq!(done.code, 2, "{args}: {}", done.err);
        assert!(done.err.contains(word), "{args}: {}", done.err);
    }
}

#[tokio::test]
async fn app_service_is_asked_with_its_own_header() {
    let config = SignIn {
        identity_header: Some("h3ader".into()),
        client: None,
        ..strict()
    };
    let (_tenant, base) = tenant(config, SignedDuration::ZERO).await;
    let variables = [
        (
            "IDENTITY_ENDPOINT",
            format!("{base}/metadata/identity/oauth2/token"),
        ),
        ("IDENTITY_HEADER", "h3ader".to_owned()),
    ];
    let done = doctor(&base, "", &variables).await;
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(
        done.out.contains("the host's managed identity"),
        "{}",
        done.out
    );
    assert!(!done.out.contains("h3ader"));
}

#[cfg(unix)]
#[tokio::test]
async fn the_azure_cli_is_asked_for_a_token_of_the_api() {
    use std::os::unix::fs::PermissionsExt;
    let (_tenant, base) = tenant(SignIn::default(), SignedDuration::ZERO).await;
    let folder = tempfile::tempdir().unwrap();
    let az = folder.path().join("az");
    let until = SystemClock.wall().as_second() + 3000;
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {}/asked\necho \
         '{{\"accessToken\":\"clis.token\",\"expires_on\":{until},\"tokenType\":\"Bearer\"}}'\n",
        folder.path().display()
    );
    fs::write(&az, script).unwrap();
    fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).unwrap();
    let args = format!("doctor {}", at(&base));
    let done = fleetsweep(folder.path(), &args, &[]).await;
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(done.out.contains("the Azure CLI (az)"), "{}", done.out);
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    assert!(
        asked.contains("https://api.securitycenter.microsoft.com/.default"),
        "{asked}"
    );

    fs::write(
        &az,
        "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n",
    )
    .unwrap();
    let done = fleetsweep(folder.path(), &args, &[]).await;
    assert_eq!(done.code, 4);
    assert!(done.out.contains("az login"), "{}", done.out);
    assert!(!done.out.contains("aka.ms"), "{}", done.out);
}

#[tokio::test]
async fn a_certificate_signs_in_from_the_command_line_and_a_pfx_gets_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, thumbprint) = certificate(folder.path());
    let config = SignIn {
        thumbprint: Some(thumbprint),
        ..strict()
    };
    let (_tenant, base) = tenant(config, SignedDuration::ZERO).await;
    let path = |path: &std::path::Path| {
        app(&[("AZURE_CLIENT_CERTIFICATE_PATH", path.display().to_string())])
    };
    let done = doctor(&base, "--auth certificate", &path(&pem)).await;
    assert_eq!(done.code, 0, "{}", done.out);

    let pfx = folder.path().join("app.pfx");
    openssl(&[
        "pkcs12",
        "-export",
        "-in",
        &pem.display().to_string(),
        "-out",
        &pfx.display().to_string(),
        "-passout",
        "pass:",
    ]);
    let done = doctor(&base, "", &path(&pfx)).await;
    assert_eq!(done.code, 4);
    assert!(done.out.contains("openssl pkcs12 -in"), "{}", done.out);
}

//! The mock tenant as a program that judges its clients.

use std::{fs, process::Output};

use super::program::{Server, fleet, fleetsweep};

#[test]
fn a_strict_mock_ends_with_exit_code_1_after_a_call_that_none_may_make() {
    for (path, code, verdict) in [
        ("/mock/witness", 0, "verdict: nothing wrong"),
        ("/api/nothing", 1, "verdict: 1 call malformed"),
    ] {
        let server = Server::start(&["--strict"]);
        server.saw(path);
        let (said, ended) = server.end();
        assert_eq!(ended, Some(code), "{said}");
        assert_eq!(said.lines().last(), Some(verdict));
    }
}

#[test]
fn by_https_its_clients_sign_in_and_scan_if_they_trust_the_authority_that_it_has_written() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("fleet.csv"), fleet(3)).unwrap();
    let ca = place.path().join("ca.pem");
    let ca_out = ca.to_str().unwrap();
    let server = Server::start(&["--tls", "--ca-out", ca_out, "--token-life", "1h"]);
    let url = server.url();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let pem = fs::read_to_string(&ca).unwrap();
    let labels: Vec<_> = pem.lines().filter(|line| line.contains("BEGIN")).collect();
    assert_eq!(labels, ["-----BEGIN CERTIFICATE-----"]);

    let client = |args: &str| -> Output {
        let mut command = fleetsweep(place.path());
        command.args(args.split_whitespace());
        command.args(["--api-url", &url, "--authority-url", &url]);
        for name in ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"] {
            command.env(name, "any");
        }
        command.output().unwrap()
    };
    for (args, code) in [
        ("doctor", 4),
        ("doctor --ca-cert ca.pem", 0),
        ("run fleet.csv --ca-cert ca.pem", 0),
    ] {
        let output = client(args);
        assert_eq!(output.status.code(), Some(code), "{args}: {output:?}");
    }
    let (said, code) = server.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("scans: 3 started on 3 machines"), "{said}");
}

#[test]
fn the_authority_is_written_for_https_only_and_where_one_can_write() {
    let place = tempfile::tempdir().unwrap();
    for (args, text) in [
        ("mock --ca-out ca.pem", "--tls"),
        (
            "mock --listen 127.0.0.1:0 --tls --ca-out none/ca.pem",
            "--ca-out none/ca.pem: ",
        ),
    ] {
        let mut command = fleetsweep(place.path());
        let output = command.args(args.split_whitespace()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(text), "{said}");
    }
    assert!(!place.path().join("ca.pem").exists());
}

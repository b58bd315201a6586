//! Brakes in the real program: exit codes, summary, status, and the question above 500 machines where there is no
//! terminal.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use super::program::{Server, fleet, fleetsweep};

fn run(folder: &Path, server: &Server, words: &[&str]) -> Output {
    run_against(folder, &server.url(), words)
}

fn run_against(folder: &Path, url: &str, words: &[&str]) -> Output {
    let mut command: Command = fleetsweep(folder);
    command.env("FLEETSWEEP_TOKEN", "mock");
    command.args(["run", "fleet.csv", "--api-url", url]);
    command.args(["--limit", "none", "--summary", "-", "-q"]);
    command.args(words);
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn summary(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn status(folder: &Path) -> String {
    let output = fleetsweep(folder).args(["status", "fleet.csv"]).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

fn scans(server: &Server) -> u64 {
    server.saw("/mock/witness")["scans"]["total"]
        .as_u64()
        .unwrap()
}

fn folder(machines: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fleet.csv"), fleet(machines)).unwrap();
    folder
}

#[test]
fn a_brake_is_exit_code_3_and_its_reason_is_in_summary_and_status() {
    let server = Server::start(&["--limit", "none"]);
    let folder = folder(40);
    let place = folder.path();
    for _ in 0..2 {
        let stopped = run(place, &server, &["--max-machines", "15"]);
        assert_eq!(code(&stopped), 3, "{stopped:?}");
        let summary = summary(&stopped);
        let why = summary["stopped"].as_str().unwrap();
        assert!(why.starts_with("--max-machines 15: 15 machines"), "{why}");
        assert_eq!(summary["exit_code"], 3);
        assert_eq!(summary["outcomes"]["not_attempted"], 25);
        assert!(status(place).contains("not finished (--max-machines 15: "));
        assert_eq!(scans(&server), 15);
    }
    let gone_on = run(place, &server, &["--max-machines", "40"]);
    assert_eq!(code(&gone_on), 0, "{gone_on:?}");
    assert_eq!(scans(&server), 40);
}

#[test]
fn failures_and_deadlines_are_brakes_too() {
    let restricted = [3, 30].map(|n| format!("{n:040x}"));
    let restricted = restricted.iter().flat_map(|id| ["--restricted", id]);
    let server = Server::start(&restricted.collect::<Vec<_>>());
    let url = server.url();
    let place = folder(60);
    let stopped = run_against(place.path(), &url, &["--max-failures", "2"]);
    assert_eq!(code(&stopped), 3, "{stopped:?}");
    let why = summary(&stopped)["stopped"].as_str().unwrap().to_owned();
    assert!(why.starts_with("--max-failures 2: "), "{why}");

    // Nobody is there any more: that is no machine's fault.
    drop(server);
    let place = folder(60);
    let stopped = run_against(place.path(), &url, &["--give-up-after", "3s"]);
    assert_eq!(code(&stopped), 3, "{stopped:?}");
    let summary_now = summary(&stopped);
    let why = summary_now["stopped"].as_str().unwrap();
    assert!(why.starts_with("--give-up-after: "), "{why}");
    assert_eq!(summary_now["calls"], 0, "nothing was ever sent");

    let place = folder(60);
    let words = ["--not-after", "2020-01-01T00:00:00Z"];
    let stopped = run_against(place.path(), &url, &words);
    assert_eq!(code(&stopped), 3, "{stopped:?}");
    assert_eq!(summary(&stopped)["calls"], 0);
}

#[test]
fn above_500_machines_a_yes_is_needed_where_nobody_can_be_asked() {
    let server = Server::start(&["--limit", "none", "--scan-time", "1ms"]);
    let few = folder(500);
    assert_eq!(code(&run(few.path(), &server, &[])), 0);
    let before = scans(&server);

    let many = folder(501);
    let place = many.path();
    for words in [&[][..], &["--yes=500"], &["--yes", "500"]] {
        let refused = run(place, &server, words);
        assert_eq!(code(&refused), 2, "{refused:?}");
        let said = said(&refused);
        assert!(
            said.contains("--yes, or --yes=501") || said.contains("--yes=501, or --yes"),
            "{said}"
        );
        assert!(!place.join("fleet.campaign.db").exists(), "a state is left");
        assert!(!place.join("fleet.results.csv").exists());
    }
    assert_eq!(scans(&server), before);

    // Another campaign may be meant now; and a resume counts what is left.
    let words = ["--scan-type", "full", "--max-machines", "10"];
    assert_eq!(
        code(&run(place, &server, &words)),
        3,
        "ten machines ask nobody"
    );
    let words = ["--scan-type", "full", "--yes", "491"];
    assert_eq!(code(&run(place, &server, &words)), 0, "491 are left");
    assert_eq!(scans(&server), before + 501);
}

#[test]
fn a_yes_without_a_number_stands_before_the_input_too() {
    let server = Server::start(&["--limit", "none"]);
    let place = folder(501);
    let mut command = fleetsweep(place.path());
    command.env("FLEETSWEEP_TOKEN", "mock");
    command.args(["run", "--yes", "fleet.csv", "-q", "--limit", "none"]);
    command.args(["--api-url", &server.url()]);
    assert_eq!(code(&command.output().unwrap()), 0);
}

#[test]
fn a_campaign_that_was_there_stays_when_it_is_refused() {
    let server = Server::start(&["--limit", "none"]);
    let place = folder(900);
    assert_eq!(
        code(&run(place.path(), &server, &["--max-machines", "5"])),
        3
    );
    assert_eq!(code(&run(place.path(), &server, &[])), 2, "895 are left");
    assert!(status(place.path()).contains("5 of 900 rows have ended"));
    assert_eq!(code(&run(place.path(), &server, &["--yes"])), 0);
    assert_eq!(scans(&server), 900);
}

#[test]
fn a_finished_campaign_keeps_its_place_when_another_over_it_is_refused() {
    let server = Server::start(&["--limit", "none", "--scan-time", "1ms"]);
    let place = folder(501);
    assert_eq!(code(&run(place.path(), &server, &["--yes"])), 0);
    let finished = status(place.path());
    let refused = run(place.path(), &server, &["--again"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert_eq!(status(place.path()), finished);
    assert!(place.path().join("fleet.results.csv").exists());
    let again = run(place.path(), &server, &["--yes"]);
    assert_eq!(code(&again), 6, "it had finished before: {again:?}");
    assert_eq!(scans(&server), 501);
}

#[test]
fn a_rehearsal_never_asks() {
    let place = folder(501);
    let mut command = fleetsweep(place.path());
    command.args(["run", "fleet.csv", "--mock", "-q", "--limit", "none"]);
    assert!(matches!(code(&command.output().unwrap()), 0 | 1));
}

#[test]
fn brakes_that_cannot_be_meant_are_refused_in_words() {
    let place = folder(1);
    for (words, why) in [
        (["--max-failures", "0"], "whole percentage"),
        (["--max-failures", "101%"], "whole percentage"),
        (["--canary", "0"], "0 is not in"),
        (["--max-machines", "0"], "0 is not in"),
        (["--not-after", "tomorrow"], "write a time as in 18:00"),
        (
            ["--window", "22:00-22:00"],
            "which could be the whole day or none",
        ),
        (["--window", "22:00-06:00@Berlin"], "no time zone `Berlin`"),
    ] {
        let mut command = fleetsweep(place.path());
        let output = command
            .args(["run", "fleet.csv", "--mock"])
            .args(words)
            .output();
        let output = output.unwrap();
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(said(&output).contains(why), "{words:?}: {}", said(&output));
    }
}

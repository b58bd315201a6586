//! The real program, in folders of its own: what it says, where, and with which exit code.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

#[cfg(unix)]
use super::program::interrupt;
use super::{
    program::{BINARY, Server, fleet, fleetsweep, state_home},
    readme::copy_samples,
};

/// Three ids that look like Defender's.
const IDS: &str = "machine_id,name\n\
    078db7af58d2b2b0736456bea2ac4988d3d450fb,one\n\
    e95ffa4736beb99627a3f64f33fd9db11ff91a0f,two\n\
    df70cb8f44fb06dc6cd87dc2e6c7af967dc0d833,three\n";

/// A folder with a fleet in it.
pub(super) struct Place(pub(super) tempfile::TempDir);

impl Place {
    pub(super) fn new(fleet: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("fleet.csv"), fleet).unwrap();
        Self(folder)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// `fleetsweep run` with these words.
    pub(super) fn run(&self, words: &[&str]) -> Output {
        let mut command = fleetsweep(self.0.path());
        command.arg("run").args(words).output().unwrap()
    }

    /// The same against a mock of its own process, with a token.
    pub(super) fn run_against(&self, server: &Server, words: &[&str]) -> Command {
        let mut command = fleetsweep(self.0.path());
        command
            .args(["run", "--api-url", &server.url()])
            .args(words)
            .env("FLEETSWEEP_TOKEN", "mock");
        command
    }
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
pub(super) fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
}

#[track_caller]
pub(super) fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

/// Outcome by outcome, in the order of the file.
pub(super) fn outcomes(results: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(results.as_bytes());
    let rows = reader.records().map(|row| row.unwrap()[1].to_owned());
    rows.collect()
}

#[test]
fn the_readmes_first_command_works_twice_in_a_row() {
    let folder = tempfile::tempdir().unwrap();
    copy_samples(folder.path());
    for _ in 0..2 {
        let output = fleetsweep(folder.path())
            .args(["run", "sample-inputs/fleet-60.csv", "--mock"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(output.stdout.is_empty());
    }
    let results = folder.path().join("sample-inputs/fleet-60.results.csv");
    assert_eq!(outcomes(&fs::read_to_string(results).unwrap()).len(), 60);
}

#[test]
fn a_row_that_ends_badly_is_exit_code_1() {
    let place = Place::new(&format!("{IDS}no good id,four\n"));
    let output = place.run(&["fleet.csv", "--mock"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(
        outcomes(&place.read("fleet.results.csv")),
        ["accepted", "accepted", "accepted", "invalid"]
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_name_and_the_way_out() {
    let place = Place::new(IDS);
    fs::write(place.path("columns.csv"), "name,os\na,b\n").unwrap();
    let guids = "machine_id\nefa460c9-8ba2-49e1-91c0-992b499846e1\n";
    fs::write(place.path("guids.csv"), guids).unwrap();
    fs::write(place.path("letter.results.csv"), "Dear Sir,\n").unwrap();
    for (words, expected) in [
        (&["nowhere.csv", "--mock"][..], &["nowhere.csv"][..]),
        (
            &["columns.csv", "--mock"],
            &["columns.csv", "--id-column", "`name`, `os`"],
        ),
        (
            &["guids.csv", "--mock"],
            &["guids.csv", "line 2", "--any-id"],
        ),
        (
            &["fleet.csv", "--mock", "--id-column", "none"],
            &["fleet.csv", "`none`"],
        ),
        (
            &["fleet.csv", "--mock", "--where", "os=x"],
            &["fleet.csv", "`os`"],
        ),
        (&["-", "--mock"], &["-o"]),
        (
            &["fleet.csv", "--mock", "-o", "letter.results.csv"],
            &["letter.results.csv", "--force"],
        ),
        (&["fleet.csv", "--mock", "--limit", "many"], &["--limit"]),
        (
            &["fleet.csv", "--mock", "--headroom", "100%"],
            &["--headroom"],
        ),
        (
            &["fleet.csv", "--mock", "--comment", "[fleetsweep:x]"],
            &["--comment"],
        ),
        (
            &["fleet.csv", "--mock", "--pending-delay", "0s"],
            &["--pending-delay"],
        ),
        (
            &["fleet.csv", "--mock", "--api-url", "http://127.0.0.1:1"],
            &["--api-url", "--mock"],
        ),
    ] {
        assert_refused(&place.run(words), 2, expected);
    }
    assert_eq!(place.read("letter.results.csv"), "Dear Sir,\n");
    assert!(!place.path("fleet.results.csv").exists());
}

#[test]
fn a_tenant_of_strangers_trips_the_brake_after_25_machines() {
    let server = Server::start(&["--unknown", "100%"]);
    let place = Place::new(&fleet(200));
    let output = place
        .run_against(
            &server,
            &["fleet.csv", "--max-attempts", "1", "--workers", "5"],
        )
        .output()
        .unwrap();
    assert_refused(&output, 3, &["25"]);
    let results = outcomes(&place.read("fleet.results.csv"));
    assert_eq!(results.len(), 200);
    assert!(
        results
            .iter()
            .filter(|outcome| *outcome == "not_attempted")
            .count()
            > 100
    );
}

#[test]
fn without_a_token_the_refusal_says_where_one_goes() {
    let output = Place::new(IDS).run(&["fleet.csv"]);
    assert_refused(&output, 4, &["FLEETSWEEP_TOKEN", "--token-file", "--mock"]);
}

#[test]
fn an_empty_token_is_refused_before_anything_is_sent() {
    let place = Place::new(IDS);
    fs::write(place.path("token"), " \n").unwrap();
    let output = place.run(&[
        "fleet.csv",
        "--api-url",
        "http://127.0.0.1:1",
        "--token-file",
        "token",
    ]);
    assert_refused(&output, 4, &["token"]);
}

#[test]
fn a_token_goes_over_plain_http_to_this_computer_only() {
    let place = Place::new(IDS);
    for url in [
        "http://api.security.microsoft.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1:8080",
    ] {
        let mut command = fleetsweep(place.0.path());
        let output = command
            .args(["run", "fleet.csv", "--api-url", url])
            .env("FLEETSWEEP_TOKEN", "mock")
            .output()
            .unwrap();
        assert_refused(&output, 2, &["--api-url", "https://"]);
    }
}

#[test]
fn more_than_the_documented_limits_needs_a_yes() {
    let place = Place::new(IDS);
    for limit in ["none", "101/1m", "1000/1s"] {
        let mut command = fleetsweep(place.0.path());
        let output = command
            .args(["run", "fleet.csv", "--limit", limit])
            .env("FLEETSWEEP_TOKEN", "mock")
            .output()
            .unwrap();
        assert_refused(&output, 2, &["--limit", "100/1m", "--yes"]);
    }
}

/// An address that counts who calls; it never answers.
fn lonely_address() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn paths_that_cannot_be_written_are_refused_before_the_first_call() {
    let (listener, url) = lonely_address();
    let place = Place::new(IDS);
    fs::create_dir(place.path("folder")).unwrap();
    for words in [
        ["-o", "no/such/folder.csv"],
        ["-o", "folder"],
        ["--state", "no/such/folder.db"],
        ["--summary", "no/such/folder.json"],
    ] {
        let mut command = fleetsweep(place.0.path());
        let output = command
            .args(["run", "fleet.csv", "--api-url", &url])
            .args(words)
            .env("FLEETSWEEP_TOKEN", "mock")
            .output()
            .unwrap();
        assert_refused(&output, 5, &["folder"]);
    }
    assert!(listener.accept().is_err(), "somebody called");
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_stops_the_sending_and_leaves_whole_results() {
    let server = Server::start(&["--limit", "none"]);
    let place = Place::new(&fleet(5000));
    let run = place.run_against(&server, &["fleet.csv", "--limit", "none", "--yes"]);
    // No file may grow past this many blocks of 1 kB: room for the reserve and some of the journal, not for all of it.
    let mut command = Command::new("bash");
    command
        .args([
            "-c",
            "ulimit -f 1300; trap '' XFSZ; exec \"$0\" \"$@\"",
            BINARY,
        ])
        .args(run.get_args())
        .current_dir(place.0.path())
        .env("XDG_STATE_HOME", state_home(place.0.path()))
        .env("FLEETSWEEP_TOKEN", "mock")
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_refused(&output, 5, &[]);
    let ended = outcomes(&place.read("fleet.results.csv"));
    let count = |word: &str| ended.iter().filter(|outcome| *outcome == word).count();
    assert_eq!(ended.len(), 5000);
    assert!(count("accepted") > 0 && count("not_attempted") > 0);
    assert_eq!(
        count("accepted") + count("not_attempted") + count("unsure"),
        5000
    );
    let saw = server.stop();
    assert!(saw.contains("0 machines scanned more than once"), "{saw}");
}

#[test]
fn a_list_from_standard_input_goes_where_o_says() {
    let place = Place::new("");
    let mut command = fleetsweep(place.0.path());
    let mut child = command
        .args(["run", "-", "--mock", "-q", "-o", "out.csv"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(IDS.as_bytes())
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(outcomes(&place.read("out.csv")), ["accepted"; 3]);
}

#[test]
fn the_summary_is_all_that_stdout_ever_gets() {
    let place = Place::new(IDS);
    let output = place.run(&["fleet.csv", "--mock", "-vvv", "--summary", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["targets"], 3);
    assert_eq!(summary["outcomes"]["accepted"], 3);
    assert_eq!(summary["exit_code"], 0);
    let silent = place.run(&["fleet.csv", "--mock", "-q"]);
    assert!(silent.stdout.is_empty(), "{silent:?}");
    assert_eq!(
        said(&silent),
        "results: fleet.results.csv (a rehearsal: no machine was scanned)\n"
    );
}

#[test]
fn a_quiet_run_says_why_it_stopped_and_where_the_results_are() {
    let place = Place::new(IDS);
    let brake = place.run(&["fleet.csv", "--mock", "-q", "--max-machines", "1"]);
    assert_eq!(brake.status.code(), Some(3));
    let told: Vec<_> = said(&brake).lines().map(str::to_owned).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("fleetsweep: --max-machines 1: "),
        "{told:?}"
    );
    assert_eq!(
        told[1],
        "results: fleet.results.csv (a rehearsal: no machine was scanned)"
    );

    let server = Server::start(&["--roles", "Machine.Read.All"]);
    let words = ["fleet.csv", "-q", "-o", "tenant.csv"];
    let tenant = place.run_against(&server, &words).output().unwrap();
    assert_eq!(tenant.status.code(), Some(4), "{tenant:?}");
    let told = said(&tenant);
    assert!(
        told.starts_with("fleetsweep: the service forbids it (") && told.contains("Machine.Scan"),
        "{told}"
    );
    assert!(told.ends_with("\nresults: tenant.csv\n"), "{told}");
}

#[test]
fn excel_gets_its_mark_its_semicolons_and_its_line_ends() {
    let place = Place::new(IDS);
    place.run(&["fleet.csv", "--mock", "--excel"]);
    let results = place.read("fleet.results.csv");
    assert!(
        results.starts_with("\u{feff}machine_id;outcome;"),
        "{results}"
    );
    assert_eq!(results.matches("\r\n").count(), 4);
    assert_eq!(results.matches('\n').count(), 4);
}

#[test]
fn rows_that_where_leaves_out_are_counted_and_no_failure() {
    let place = Place::new(IDS);
    let output = place.run(&["fleet.csv", "--mock", "--where", "name=one,three"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        outcomes(&place.read("fleet.results.csv")),
        ["accepted", "not_attempted", "accepted"]
    );
}

#[test]
fn a_token_is_in_no_stream_and_in_no_file() {
    const SECRET: &str = "s3cr3tS3cr3ts3cr3t";
    let server = Server::start(&["--busy", "20%", "--busy-shape", "mixed"]);
    for in_file in [false, true] {
        let place = Place::new(&fleet(20));
        let mut command = place.run_against(
            &server,
            &[
                "fleet.csv",
                "-vvv",
                "--log-file",
                "log.txt",
                "--summary",
                "summary.json",
            ],
        );
        command
            .env("RUST_LOG", "trace")
            .env("FLEETSWEEP_TOKEN", SECRET);
        let elsewhere = tempfile::tempdir().unwrap();
        if in_file {
            let token = elsewhere.path().join("token");
            fs::write(&token, SECRET).unwrap();
            command
                .env_remove("FLEETSWEEP_TOKEN")
                .arg("--token-file")
                .arg(token);
        }
        let output = command.output().unwrap();
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}",
            said(&output)
        );
        assert!(
            place.read("log.txt").len() > 10_000,
            "trace logs were expected"
        );
        let mut searched = vec![output.stdout, output.stderr];
        for folder in [place.0.path(), &place.path("state-home/fleetsweep")] {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    searched.push(fs::read(entry.path()).unwrap());
                }
            }
        }
        assert!(
            searched.len() >= 8,
            "fleet, results, state, log, summary and ledger were expected"
        );
        for bytes in searched {
            let found = bytes
                .windows(SECRET.len())
                .any(|window| window == SECRET.as_bytes());
            assert!(
                !found,
                "the token is in {}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}

/// Reads the lines of a run until one of them says this.
pub(super) fn wait_for(lines: &mut impl BufRead, words: &str) {
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert!(
            lines.read_line(&mut line).unwrap() > 0,
            "the run ended without saying {words:?}"
        );
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_drains_and_the_results_are_whole() {
    let server = Server::start(&["--latency", "200ms"]);
    let place = Place::new(&fleet(500));
    let mut child = place
        .run_against(&server, &["fleet.csv", "-vv"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut lines, ": 500 targets");
    interrupt(&child);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("interrupted"), "{rest}");
    let ended = outcomes(&place.read("fleet.results.csv"));
    assert_eq!(ended.len(), 500);
    assert!(
        ended
            .iter()
            .all(|outcome| outcome == "accepted" || outcome == "not_attempted")
    );
    let accepted = ended
        .iter()
        .filter(|outcome| *outcome == "accepted")
        .count();
    let saw = server.stop();
    assert!(
        saw.contains(&format!("{accepted} started")),
        "{accepted} accepted, but: {saw}"
    );
}

#[test]
fn a_reader_who_has_read_enough_is_no_failure() {
    let place = Place::new(IDS);
    let mut command = fleetsweep(place.0.path());
    let mut child = command
        .args(["run", "fleet.csv", "--mock", "-q", "--summary", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut command = fleetsweep(place.0.path());
    let mut child = command
        .arg("--help")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn no_file_is_written_that_is_another_one_under_a_second_name() {
    let place = Place::new(IDS);
    fs::hard_link(place.path("fleet.csv"), place.path("hard.csv")).unwrap();
    fs::write(place.path("token"), "mock").unwrap();
    let mut aliases = vec!["fleet.csv", "hard.csv", "./fleet.csv"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("fleet.csv", place.path("soft.csv")).unwrap();
        aliases.push("soft.csv");
    }
    let refused = |command: &str, words: &[&str], named: &[&str]| {
        let mut program = fleetsweep(place.0.path());
        program.arg(command).args(words);
        program.env("FLEETSWEEP_TOKEN", "mock");
        let output = program.output().unwrap();
        assert_refused(&output, 2, named);
        assert_eq!(place.read("fleet.csv"), IDS, "{command} {words:?}");
        assert_eq!(place.read("token"), "mock", "{command} {words:?}");
    };
    for alias in aliases {
        for command in ["run", "plan"] {
            for (option, named) in [
                ("-o", "the results (-o)"),
                ("--state", "the state (--state)"),
                ("--summary", "the summary (--summary)"),
                ("--log-file", "the log (--log-file)"),
                ("--quota-file", "the quota ledger (--quota-file)"),
            ] {
                let words = ["fleet.csv", "--force", option, alias];
                refused(command, &words, &["the input", named, alias]);
            }
        }
    }
    let ledger = "state-home/fleetsweep/quota.db";
    for (option, file, named) in [
        ("--summary", ledger, "the quota ledger"),
        ("--log-file", ledger, "the quota ledger"),
        ("--log-file", "fleet.campaign.db", "the state"),
        ("--log-file", "fleet.campaign.db-wal", "beside the state"),
        ("--summary", "fleet.campaign.db.lock", "beside the state"),
        ("--log-file", "fleet.results.csv", "the results"),
        ("--log-file", "token", "the token (--token-file)"),
    ] {
        let words = ["fleet.csv", "--token-file", "token", option, file];
        refused("run", &words, &[named, option, file]);
        assert!(!place.path("fleet.results.csv").exists());
    }
    let words = ["--token-file", "token", "-o", "token"];
    refused("machines", &words, &["the token", "the machines (-o)"]);
    let words = ["--token-file", "token", "--log-file", "token"];
    refused("doctor", &words, &["the token", "the log (--log-file)"]);
}

#[test]
fn the_log_of_follow_and_cancel_is_no_file_of_the_campaigns() {
    let server = Server::start(&[]);
    let place = Place::new(IDS);
    let ran = place.run_against(&server, &["fleet.csv"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let files = ["fleet.csv", "fleet.results.csv", "fleet.campaign.db"];
    let before = files.map(|name| fs::read(place.path(name)).unwrap());
    for command in ["follow", "cancel"] {
        for file in files {
            let mut program = fleetsweep(place.0.path());
            program.args([command, "fleet.csv", "--yes", "--log-file", file]);
            let output = program.output().unwrap();
            assert_refused(&output, 2, &["the log (--log-file)", file]);
        }
    }
    assert_eq!(
        files.map(|name| fs::read(place.path(name)).unwrap()),
        before
    );
}

#[cfg(unix)]
#[test]
fn results_that_are_written_through_a_link_on_purpose_stay_allowed() {
    let place = Place::new(IDS);
    fs::create_dir(place.path("share")).unwrap();
    fs::write(place.path("share/out.csv"), "").unwrap();
    std::os::unix::fs::symlink("share/out.csv", place.path("out.csv")).unwrap();
    let words = ["fleet.csv", "--mock", "-o", "out.csv"];
    let output = place.run(&words);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(outcomes(&place.read("share/out.csv")), ["accepted"; 3]);
}

#[test]
fn rows_of_two_tenants_go_nowhere_unless_it_is_known_whose_the_token_is() {
    const OURS: &str = "aaaaaaaa-0000-4000-8000-000000000001";
    const THEIRS: &str = "bbbbbbbb-0000-4000-8000-000000000002";
    let list = |tenants: &[&str]| {
        let rows = tenants.iter().enumerate();
        let rows = rows.map(|(n, tenant)| format!("{n:040x},{tenant}\n"));
        format!("machine_id,tenant_id\n{}", rows.collect::<String>())
    };
    let server = Server::start(&[]);
    let posts = || server.saw("/mock/witness")["scans"]["total"].as_u64();
    let place = Place::new(&list(&[OURS, THEIRS, OURS]));
    // Nothing of a token can be read that is no JWT.
    let refused = place.run_against(&server, &["fleet.csv"]).output().unwrap();
    let ways = ["--where tenant_id=", "AZURE_TENANT_ID", OURS, THEIRS];
    assert_refused(&refused, 2, &ways);
    let mut plan = fleetsweep(place.0.path());
    plan.args(["plan", "fleet.csv", "--api-url", &server.url()]);
    let planned = plan.env("FLEETSWEEP_TOKEN", "mock").output().unwrap();
    assert_refused(&planned, 2, &ways);
    // A name is no id, and cannot be compared with one.
    let mut named = place.run_against(&server, &["fleet.csv"]);
    named.env("AZURE_TENANT_ID", "contoso.example");
    assert_refused(&named.output().unwrap(), 2, &ways);
    assert_eq!(posts(), Some(0));
    assert!(!place.path("fleet.results.csv").exists());
    let mut told = place.run_against(&server, &["fleet.csv"]);
    let told = told.env("AZURE_TENANT_ID", OURS.to_uppercase()).output();
    assert_eq!(told.unwrap().status.code(), Some(1));
    let results = place.read("fleet.results.csv");
    assert_eq!(outcomes(&results), ["accepted", "invalid", "accepted"]);
    assert_eq!(posts(), Some(2));

    let place = Place::new(&list(&[OURS, "", OURS]));
    let one = place.run_against(&server, &["fleet.csv"]).output().unwrap();
    assert_eq!(one.status.code(), Some(0), "{}", said(&one));
    let lines = said(&one);
    let lines = lines.lines().filter(|line| line.contains(OURS));
    assert_eq!(lines.count(), 1, "{}", said(&one));
    // Nothing leaves the computer.
    let place = Place::new(&list(&[OURS, THEIRS]));
    let rehearsed = place.run(&["fleet.csv", "--mock"]);
    assert_eq!(rehearsed.status.code(), Some(0), "{}", said(&rehearsed));
}

//! Going on after a signal, a kill, or beside a run that lives.

use std::{
    io::{BufReader, Read},
    process::{Command, Stdio},
};

use super::{
    super::{
        command_line::{Place, assert_code, assert_refused, outcomes, wait_for},
        program::{Server, fleet, interrupt, state_home},
    },
    count, machine, run, start,
};

#[test]
fn the_command_that_a_run_leaves_can_be_pasted_and_goes_on_where_it_stopped() {
    let server = Server::start(&["--latency", "50ms", "--limit", "none"]);
    let place = Place::new(&fleet(200));
    let words = [
        "fleet.csv",
        "--workers=10",
        "--limit=none",
        "--comment",
        "it's \"a\" $HOME `sweep`",
    ];
    let mut child = start(&place, &server, &words, 30);
    interrupt(&child);
    let mut said_at_its_end = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said_at_its_end)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said_at_its_end}");
    let ended = place.read("fleet.results.csv");
    assert_eq!(outcomes(&ended).len(), 200);
    let accepted = count(&ended, "accepted");
    assert!((30..200).contains(&accepted));

    let next = said_at_its_end
        .lines()
        .find_map(|line| line.strip_prefix("to go on: "))
        .unwrap_or_else(|| panic!("{said_at_its_end}"));
    let mut shell = Command::new("sh");
    let paste = |shell: &mut Command| {
        shell
            .args(["-c", next])
            .current_dir(place.0.path())
            .env("XDG_STATE_HOME", state_home(place.0.path()))
            .env("FLEETSWEEP_TOKEN", "mock")
            .output()
            .unwrap()
    };
    assert_code(&paste(&mut shell), 0);
    let ended = place.read("fleet.results.csv");
    assert_eq!(outcomes(&ended), vec!["accepted"; 200]);
    let rows = |text: &str| {
        text.lines()
            .skip(1)
            .map(|line| line[..40].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&ended), (0..200).map(machine).collect::<Vec<_>>());

    let again = paste(&mut Command::new("sh"));
    assert_refused(&again, 6, &["finished", "--again", "--retry"]);
    assert_eq!(place.read("fleet.results.csv"), ended);
    let saw = server.stop();
    assert!(saw.contains("start: 200 calls"), "{saw}");
}

#[test]
fn a_second_process_is_refused_while_the_first_lives_and_takes_over_when_it_is_killed() {
    let server = Server::start(&["--latency", "200ms"]);
    let place = Place::new(&fleet(60));
    let words = [
        "fleet.csv",
        "--workers=10",
        "--limit=none",
        "--request-timeout=2s",
    ];
    let mut child = start(&place, &server, &words, 10);
    let second = run(&place, &server, &["--workers=10"]);
    assert_refused(&second, 2, &["another fleetsweep", "fleet.campaign.db"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let told = outcomes(&place.read("fleet.results.csv"));
    assert!(told.len() < 60 && told.iter().all(|outcome| outcome == "accepted"));

    // Calls that were on their way are in doubt; they are looked up in one listing before anything is sent there.
    let output = run(&place, &server, &["--workers=10"]);
    assert_code(&output, 0);
    assert_eq!(
        outcomes(&place.read("fleet.results.csv")),
        vec!["accepted"; 60]
    );
    let saw = server.stop();
    assert!(saw.contains("list: 1 call"), "{saw}");
    assert!(saw.contains("scans: 60 started on 60 machines"), "{saw}");
}

#[test]
fn where_nothing_may_be_listed_calls_in_doubt_end_as_unsure_until_the_risk_is_taken() {
    let server = Server::start(&[
        "--latency",
        "200ms",
        "--roles",
        "Machine.Scan",
        // The risk is that the scan has ended by then; in this test none has.
        "--scan-time",
        "1h",
    ]);
    let place = Place::new(&fleet(40));
    let words = [
        "fleet.csv",
        "--workers=10",
        "--limit=none",
        "--request-timeout=2s",
    ];
    let mut child = start(&place, &server, &words, 10);
    child.kill().unwrap();
    child.wait().unwrap();

    assert_code(&run(&place, &server, &[]), 1);
    let results = place.read("fleet.results.csv");
    let unsure = count(&results, "unsure");
    assert!(unsure > 0, "{results}");
    assert_eq!(count(&results, "accepted"), 40 - unsure);
    for line in results.lines().filter(|line| line.contains(",unsure,")) {
        assert!(
            line.contains("Machine.Read.All") && line.contains("--retry unsure"),
            "{line}"
        );
        assert!(!line.contains("\"; "), "{line}");
    }
    assert_code(&run(&place, &server, &[]), 6);
    let output = run(&place, &server, &["--retry", "unsure"]);
    assert_code(&output, 0);
    let results = place.read("fleet.results.csv");
    assert_eq!(count(&results, "unsure"), 0);
    // Whose answer was lost is being scanned by us, as the service says by refusing the second scan.
    assert_eq!(
        count(&results, "accepted") + count(&results, "already_pending"),
        40
    );
    let saw = server.stop();
    assert!(saw.contains("0 machines scanned more than once"), "{saw}");
}

#[test]
fn delays_and_holds_outlive_the_process() {
    // The tenant has a smaller quota than the client knows of: its 429 holds all calls for some seconds.
    let server = Server::start(&["--limit", "5/6s", "--busy", "100%"]);
    let place = Place::new(&fleet(8));
    let words = [
        "fleet.csv",
        "-vv",
        "--limit=20/1s",
        "--workers=1",
        "--on-pending=retry",
        "--pending-delay=2s",
        "--pending-tries=2",
    ];
    for _ in 0..4 {
        let mut child = place
            .run_against(&server, &words)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        wait_for(&mut lines, ": 8 targets");
        interrupt(&child);
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        assert!(
            matches!(child.wait().unwrap().code(), Some(130 | 0)),
            "{rest}"
        );
    }
    let output = place.run_against(&server, &words).output().unwrap();
    assert_code(&output, 0);
    let results = place.read("fleet.results.csv");
    assert_eq!(outcomes(&results), ["already_pending"; 8]);
    let saw = server.stop();
    assert!(saw.contains(", 0 before Retry-After had passed"), "{saw}");
}

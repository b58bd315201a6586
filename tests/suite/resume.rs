//! Going on: what an earlier run left, what a later command may change, and what it may not.

#[cfg(unix)]
mod rows;
#[cfg(unix)]
mod stopped;

use std::{
    fs,
    io::Read,
    process::{Child, Output, Stdio},
};

use super::{
    command_line::{Place, assert_code, assert_refused, outcomes, said},
    program::{Server, fleet, fleetsweep, look_again},
};

/// Machine `n` of a fleet of the real program's tests.
fn machine(n: u32) -> String {
    format!("{n:040x}")
}

/// A run without limits that has ended. A call that is not answered is given up soon, because a lookup waits for that.
fn run(place: &Place, server: &Server, words: &[&str]) -> Output {
    let run = ["fleet.csv", "--limit", "none", "--request-timeout", "2s"];
    let mut command = place.run_against(server, &run);
    command.args(words).output().unwrap()
}

/// Starts a run that has reported `ended` machines when this returns, and is still at work.
pub(super) fn start(place: &Place, server: &Server, words: &[&str], ended: usize) -> Child {
    let mut child = place
        .run_against(server, words)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    loop {
        let results = fs::read_to_string(place.path("fleet.results.csv")).unwrap_or_default();
        if results.lines().count() > ended {
            return child;
        }
        if let Some(status) = child.try_wait().unwrap() {
            let mut said = String::new();
            child.stderr.unwrap().read_to_string(&mut said).unwrap();
            panic!("the run ended with {status}: {said}");
        }
        look_again();
    }
}

fn count(results: &str, outcome: &str) -> usize {
    outcomes(results)
        .iter()
        .filter(|word| *word == outcome)
        .count()
}

#[test]
fn what_makes_a_campaign_is_refused_by_name_and_nothing_is_sent() {
    let header = "machine_id,scan_type,comment,priority\n";
    let row = |n: u32, rest: &str| format!("{},{rest}\n", machine(n));
    let first = format!("{header}{}{}", row(1, "quick,mine,1"), row(2, ",,"));
    let server = Server::start(&[]);
    let other = Server::start(&[]);
    let place = Place::new(&first);
    assert_code(&run(&place, &server, &[]), 0);

    let inputs = [
        (
            row(1, "full,mine,1"),
            row(2, ",,"),
            ["line 2", "`full`", "`quick`"],
        ),
        (
            row(1, "quick,yours,1"),
            row(2, ",,"),
            ["line 2", "`yours`", "`mine`"],
        ),
        (
            row(1, "quick,mine,2"),
            row(2, ",,"),
            ["line 2", "`2`", "`1`"],
        ),
        (
            row(1, "quick,mine,"),
            row(2, ",,"),
            ["line 2", "none", "`1`"],
        ),
        (
            row(1, "quick,mine,1"),
            row(3, ",,"),
            ["line 3", &machine(3), &machine(2)],
        ),
        (
            row(2, ",,"),
            row(1, "quick,mine,1"),
            ["line 2", &machine(2), &machine(1)],
        ),
        (
            row(1, "quick,mine,1"),
            String::new(),
            ["ends before", &machine(2), "target 2"],
        ),
        (
            row(1, "quick,mine,1"),
            row(2, ",,") + &row(3, ",,"),
            ["line 4", "an additional row", &machine(3)],
        ),
    ]
    .map(|(one, two, words)| (format!("{header}{one}{two}"), words.map(str::to_owned)));
    let results = place.read("fleet.results.csv");
    for (input, words) in inputs {
        fs::write(place.path("fleet.csv"), input).unwrap();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let output = run(&place, &server, &[]);
        assert_refused(&output, 2, &words);
        assert_refused(&output, 2, &["--extend", "-o", "--state", "--again"]);
    }
    fs::write(place.path("fleet.csv"), &first).unwrap();
    for (words, expected) in [
        (["--scan-type", "full"], ["scan type", "`full`", "`quick`"]),
        (
            ["--comment", "ours"],
            ["comment", "`ours`", "antivirus scan by fleetsweep"],
        ),
    ] {
        assert_refused(&run(&place, &server, &words), 2, &expected);
    }
    let url = other.url();
    let output = run(&place, &other, &[]);
    assert_refused(
        &output,
        2,
        &["API's address", url.trim_start_matches("http://")],
    );
    // {"tid":"contoso","appid":"app","roles":["Machine.Scan"]}
    let output = place
        .run_against(&server, &["fleet.csv"])
        .env(
            "FLEETSWEEP_TOKEN",
            "e30.eyJ0aWQiOiJjb250b3NvIiwiYXBwaWQiOiJhcHAiLCJyb2xlcyI6WyJNYWNoaW5lLlNjYW4iXX0.x",
        )
        .output()
        .unwrap();
    assert_refused(&output, 2, &["tenant", "`contoso`", "`unknown`"]);
    assert_eq!(place.read("fleet.results.csv"), results);
    // Everything else may change; this campaign has finished.
    let words = [
        "--workers",
        "3",
        "--max-attempts",
        "2",
        "--on-pending",
        "retry",
        "--excel",
    ];
    assert_code(&run(&place, &server, &words), 6);
    #[cfg(unix)]
    for (server, calls) in [(server, "start: 2 calls"), (other, "scans: 0 started")] {
        let saw = server.stop();
        assert!(saw.contains(calls), "{saw}");
    }
}

#[test]
fn again_goes_on_with_an_unfinished_campaign_and_begins_anew_over_a_finished_one() {
    let server = Server::start(&["--scan-time", "1ms"]);
    let place = Place::new(&fleet(3));
    let mut kept = 0;
    for day in 1..=3 {
        assert_code(&run(&place, &server, &["--again"]), 0);
        assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 3]);
        let names: Vec<_> = fs::read_dir(place.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        kept = names
            .iter()
            .filter(|name| name.ends_with(".results.csv"))
            .count();
        assert_eq!(kept, day, "{names:?}");
        let states = names
            .iter()
            .filter(|name| name.ends_with(".campaign.db"))
            .count();
        assert_eq!(states, day, "{names:?}");
    }
    // An input that cannot be meant leaves everything where it is.
    let results = place.read("fleet.results.csv");
    let id = outcomes_column(&results, "campaign");
    for bad in ["", "name\nx\n", "machine_id\nno good id\n"] {
        fs::write(place.path("fleet.csv"), bad).unwrap();
        assert_refused(&run(&place, &server, &["--again"]), 2, &["fleet.csv"]);
        assert_eq!(place.read("fleet.results.csv"), results);
        assert!(place.path("fleet.campaign.db").exists());
        assert!(!place.path(&format!("fleet.{id}.campaign.db")).exists());
    }
    // A stranger's file is nobody's to rename.
    fs::write(place.path("fleet.csv"), fleet(3)).unwrap();
    fs::write(place.path("fleet.results.csv"), "Dear Sir,\n").unwrap();
    assert_refused(&run(&place, &server, &["--again"]), 2, &["--force"]);
    assert_eq!(place.read("fleet.results.csv"), "Dear Sir,\n");
    assert_code(&run(&place, &server, &["--again", "--force"]), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 3]);
    assert_eq!(kept, 3);
}

fn outcomes_column(results: &str, column: &str) -> String {
    let mut reader = csv::Reader::from_reader(results.as_bytes());
    let at = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == column)
        .unwrap();
    reader.records().next().unwrap().unwrap()[at].to_owned()
}

#[cfg(unix)]
#[test]
fn retry_reopens_by_outcome_and_looks_up_first() {
    let failing = Server::start(&["--unknown", "100%"]);
    let listen = failing.url().replace("http://", "");
    let place = Place::new(&fleet(3));
    assert_code(&run(&place, &failing, &[]), 1);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["not_found"; 3]);
    assert_code(&run(&place, &failing, &[]), 6);
    assert_code(&run(&place, &failing, &["--retry", "unsure,refused"]), 6);
    for (word, way) in [
        ("accepted", "--again"),
        ("invalid", "fix the input"),
        ("duplicate", "fix the input"),
    ] {
        let output = run(&place, &failing, &["--retry", &format!("not_found,{word}")]);
        assert_refused(&output, 2, &[word, way]);
    }
    assert_refused(
        &run(&place, &failing, &["--retry", "broken"]),
        2,
        &["broken", "failed"],
    );
    // Nothing was reopened by what was refused.
    assert_code(&run(&place, &failing, &[]), 6);

    drop(failing);
    let well = Server::start(&["--listen", &listen]);
    assert_code(&run(&place, &well, &["--retry", "not_found,unsure"]), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 3]);
    let saw = well.stop();
    assert!(
        saw.contains("list: 1 call") && saw.contains("start: 3 calls"),
        "{saw}"
    );
}

#[test]
fn retry_needs_a_campaign() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    assert_refused(
        &run(&place, &server, &["--retry", "failed"]),
        2,
        &["--retry", "no campaign"],
    );
    assert!(!place.path("fleet.campaign.db").exists());
}

#[test]
fn only_status_takes_the_rows_of_a_results_file_whose_scans_ended_so() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(4));
    assert_code(&run(&place, &server, &[]), 0);
    let results = place.read("fleet.results.csv");
    let mut ended = ["Succeeded", "Failed", "TimeOut", "Cancelled"].into_iter();
    let followed: String = results
        .lines()
        .map(|line| {
            if line.contains("Pending") {
                line.replace("Pending", ended.next().unwrap()) + "\n"
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    fs::write(place.path("followed.csv"), followed).unwrap();
    let place_of = |words: &[&str]| {
        let mut command = place.run_against(&server, &["followed.csv", "--limit", "none"]);
        command.args(words).output().unwrap()
    };
    let output = place_of(&["--only-status", "Failed,TimeOut"]);
    assert_code(&output, 0);
    let results = outcomes(&place.read("followed.results.csv"));
    assert_eq!(results[0], "not_attempted");
    assert_eq!(results[3], "not_attempted");
    assert!(
        results[1..3]
            .iter()
            .all(|outcome| outcome != "not_attempted"),
        "{results:?}"
    );
    assert_refused(
        &run(&place, &server, &["--only-status", "Failed"]),
        2,
        &["action_status"],
    );
}

#[test]
fn results_of_another_campaign_and_of_strangers_need_force_in_a_resume_too() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    assert_code(&run(&place, &server, &[]), 0);
    let ours = place.read("fleet.results.csv");
    let foreign = ours.replace(&outcomes_column(&ours, "campaign"), "0000000000");
    for text in ["Dear Sir,\n", &foreign] {
        fs::write(place.path("fleet.results.csv"), text).unwrap();
        fs::write(place.path("fleet.csv"), fleet(4)).unwrap();
        let output = run(&place, &server, &["--extend"]);
        assert_refused(&output, 2, &["fleet.results.csv", "--force", "-o"]);
        assert_eq!(place.read("fleet.results.csv"), text);
    }
    assert_code(&run(&place, &server, &["--extend", "--force"]), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 4]);
}

#[test]
fn a_finished_campaign_whose_results_are_gone_writes_them_again() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    assert_code(&run(&place, &server, &[]), 0);
    let results = place.read("fleet.results.csv");
    fs::remove_file(place.path("fleet.results.csv")).unwrap();
    assert_code(&run(&place, &server, &[]), 0);
    assert_eq!(place.read("fleet.results.csv"), results);
    assert_code(&run(&place, &server, &[]), 6);
}

#[test]
fn what_a_removed_campaign_left_beside_it_does_not_get_into_a_new_one() {
    let server = Server::start(&["--latency", "100ms"]);
    let place = Place::new(&fleet(50));
    let words = ["fleet.csv", "--workers=5", "--limit=none"];
    let mut child = start(&place, &server, &words, 5);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.path("fleet.campaign.db-wal").exists());
    fs::remove_file(place.path("fleet.campaign.db")).unwrap();
    fs::remove_file(place.path("fleet.results.csv")).unwrap();
    let ids = (100..103).map(machine).collect::<Vec<_>>().join("\n");
    fs::write(place.path("fleet.csv"), format!("machine_id\n{ids}\n")).unwrap();
    // Its mark tells of it, so it is not forgotten, and has to be given up by its id.
    let mark = place.read("fleet.campaign.db.mark");
    let id = mark.split_whitespace().nth(3).unwrap();
    assert_refused(
        &run(&place, &server, &[]),
        5,
        &[id, "--recover", "--abandon"],
    );
    assert_code(&run(&place, &server, &["--abandon", id]), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 3]);
}

#[test]
fn a_refused_command_leaves_the_summary_of_the_run_before() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    assert_code(&run(&place, &server, &["--summary", "s.json"]), 0);
    let summary = place.read("s.json");
    assert!(summary.contains("\"accepted\":3"));
    assert_code(&run(&place, &server, &["--summary", "s.json"]), 6);
    assert_eq!(place.read("s.json"), summary);
}

#[test]
fn a_state_file_that_is_not_ours_is_refused_in_words() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    for bytes in [&b""[..], b"SQLite format 3\0 and then not", b"Dear Sir,\n"] {
        fs::write(place.path("fleet.campaign.db"), bytes).unwrap();
        let output = run(&place, &server, &[]);
        assert_refused(&output, 5, &["fleet.campaign.db"]);
        assert_eq!(fs::read(place.path("fleet.campaign.db")).unwrap(), bytes);
        let mut command = fleetsweep(place.0.path());
        let output = command
            .args(["status", "fleet.campaign.db"])
            .output()
            .unwrap();
        assert!(
            matches!(output.status.code(), Some(2 | 5)),
            "{}",
            said(&output)
        );
    }
}

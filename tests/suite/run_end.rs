//! What a run writes besides its results when it ends, and cannot: each time the person is told, the exit code says so
//! everywhere alike, and the command that is advised works.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Child,
};

use serde_json::Value;

use super::{
    command_line::{Place, assert_code, outcomes, said},
    program::{Server, fleet, fleetsweep, interrupt},
};

/// A run that has begun, and writes all that a run can write.
struct Run {
    child: Child,
    events: Box<dyn Iterator<Item = String>>,
}

const ALL: &str = "--xlsx sub/a.xlsx --report sub/a.html --summary s.json --log-file run.log --progress json --on-end";

impl Run {
    /// Begins one whose first calls are on their way for two seconds.
    fn begin(place: &Place, server: &Server, words: &str) -> Self {
        let words: Vec<_> = words
            .split(' ')
            .chain(["cp /dev/stdin notice.json"])
            .collect();
        let mut child = place
            .run_against(server, &words)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut run = Self {
            child,
            events: Box::new(events.map(Result::unwrap)),
        };
        run.wait_for("\"began\"");
        run
    }

    #[track_caller]
    fn wait_for(&mut self, word: &str) {
        let seen = self.events.any(|event| event.contains(word));
        assert!(seen, "it ended without {word}");
    }

    /// Waits for its end, and checks that the process, the summary, the log and the notice tell the same exit code.
    /// Returns what was not written.
    #[track_caller]
    fn ends(mut self, place: &Place, code: i32) -> Vec<String> {
        let said: Vec<_> = self.events.collect();
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{said:?}");
        let notice: Value = serde_json::from_str(&place.read("notice.json")).unwrap();
        assert_eq!(notice["exit_code"], code, "{notice}");
        assert_eq!(notice["summary"]["exit_code"], code, "{notice}");
        let log = place.read("run.log");
        let over = log
            .lines()
            .find(|line| line.contains(r#"event="over""#))
            .unwrap();
        assert!(over.contains(&format!("exit_code={code}")), "{over}");
        let missing = notice["summary"]["not_written"].as_array().cloned();
        let missing: Vec<_> = missing.unwrap_or_default();
        let missing: Vec<_> = missing
            .iter()
            .map(|why| why.as_str().unwrap().to_owned())
            .collect();
        for why in &missing {
            assert!(notice["text"].as_str().unwrap().contains(why), "{notice}");
            assert!(said.iter().any(|said| said.contains(why)), "{said:?}");
        }
        missing
    }
}

/// Does what a message advises.
#[track_caller]
fn follow(place: &Place, advice: &str) {
    let (_, command) = advice.split_once("This writes it: ").unwrap();
    let words = shlex::split(command).unwrap();
    let mut command = fleetsweep(place.0.path());
    command.args(&words[1..]);
    assert_code(&command.output().unwrap(), 0);
}

fn place() -> Place {
    let place = Place::new(&fleet(2));
    fs::create_dir(place.path("sub")).unwrap();
    place
}

fn server() -> Server {
    Server::start(&["--latency", "2s"])
}

#[test]
fn what_cannot_be_written_costs_nothing_but_itself_and_is_written_later() {
    let (place, server) = (place(), server());
    let run = Run::begin(&place, &server, &format!("fleet.csv {ALL}"));
    fs::remove_dir(place.path("sub")).unwrap();
    let missing = run.ends(&place, 5);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 2]);
    let summary: Value = serde_json::from_str(&place.read("s.json")).unwrap();
    assert_eq!(summary["not_written"].as_array().unwrap().len(), 2);
    fs::create_dir(place.path("sub")).unwrap();
    for (why, file) in missing.iter().zip(["sub/a.xlsx", "sub/a.html"]) {
        assert!(why.contains("the results are whole"), "{why}");
        follow(&place, why);
        assert!(place.path(file).exists(), "{why}");
    }
}

#[test]
fn whoever_stops_at_once_waits_for_neither_and_has_both_later() {
    let (place, server) = (place(), server());
    let mut run = Run::begin(&place, &server, &format!("fleet.csv -vv {ALL}"));
    run.wait_for(r#""event":"sent""#);
    interrupt(&run.child);
    run.wait_for("Ctrl-C again");
    interrupt(&run.child);
    let missing = run.ends(&place, 130);
    assert_eq!(missing.len(), 2);
    for (why, file) in missing.iter().zip(["sub/a.xlsx", "sub/a.html"]) {
        assert!(!place.path(file).exists(), "{why}");
        follow(&place, why);
        assert!(place.path(file).exists(), "{why}");
    }
}

#[test]
fn a_report_that_somebody_elses_has_come_before_is_no_wrong_usage() {
    let (place, server) = (place(), server());
    fs::write(place.path("other.csv"), fleet(1)).unwrap();
    let other = ["other.csv", "-q", "--report", "other.html"];
    let other = place.run_against(&server, &other).output().unwrap();
    assert_code(&other, 0);
    let run = Run::begin(&place, &server, &format!("fleet.csv {ALL}"));
    fs::copy(place.path("other.html"), place.path("sub/a.html")).unwrap();
    let missing = run.ends(&place, 5);
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(
        missing[0].contains("sub/a.html is the report of campaign"),
        "{missing:?}"
    );
    follow(&place, &missing[0]);
    assert_eq!(place.read("sub/a.html"), place.read("other.html"));
}

#[test]
fn without_results_there_is_no_workbook_and_it_is_said() {
    let (place, server) = (place(), server());
    let files = ALL.replace("sub/", "");
    let words = format!("fleet.csv -o sub/r.csv --state fleet.campaign.db {files}");
    let run = Run::begin(&place, &server, &words);
    fs::remove_dir_all(place.path("sub")).unwrap();
    let missing = run.ends(&place, 5);
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(
        missing[0].contains("workbook a.xlsx is not written"),
        "{missing:?}"
    );
    let log = place.read("run.log");
    assert!(log.contains("cause=\"disk\""), "{log}");
}

/// A device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_summary_that_cannot_be_written_is_no_reason_why_the_run_stopped() {
    let (place, server) = (place(), server());
    let words = ALL.replace("s.json", "/dev/full");
    let run = Run::begin(&place, &server, &format!("fleet.csv {words}"));
    let missing = run.ends(&place, 5);
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(
        missing[0].contains("cannot write the summary"),
        "{missing:?}"
    );
    let notice = place.read("notice.json");
    assert!(notice.contains("done; accepted 2"), "{notice}");
}

#[test]
fn a_simulation_that_keeps_no_results_names_none() {
    let place = Place::new(&fleet(2));
    for words in ["--summary s.json", "--summary s.json --report no/such.html"] {
        let mut command = fleetsweep(place.0.path());
        command
            .args(["simulate", "fleet.csv"])
            .args(words.split(' '));
        let output = command.output().unwrap();
        assert!(
            !said(&output).contains("fleetsweep-mock-"),
            "{}",
            said(&output)
        );
    }
    assert!(!place.read("s.json").contains("fleetsweep-mock-"));
}

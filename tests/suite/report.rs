//! `fleetsweep report` and `run --report`, as a person uses them. That its counts are those of everything else that
//! tells of a campaign is judged in `agreement`.

use std::{fs, process::Output};

use serde_json::Value;

use super::{
    command_line::{Place, assert_refused, said},
    program::{Server, fleet, fleetsweep},
};

fn report(place: &Place, words: &[&str]) -> Output {
    let mut command = fleetsweep(place.0.path());
    command.args(["report", "fleet.csv"]).args(words);
    command.output().unwrap()
}

fn facts(place: &Place) -> Value {
    let output = report(place, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_run_leaves_a_report_and_the_state_makes_another_at_any_time() {
    let server = Server::start(&["--limit", "none", "--unsupported", "40%", "--seed", "7"]);
    let place = Place::new(&fleet(30));
    let words = [
        "fleet.csv",
        "-q",
        "--report",
        "by-run.html",
        "--max-machines",
        "20",
    ];
    let ran = place.run_against(&server, &words).output().unwrap();
    assert_eq!(ran.status.code(), Some(3), "{}", said(&ran));
    assert!(said(&ran).contains("report: by-run.html"), "{}", said(&ran));
    let by_run = place.read("by-run.html");
    assert!(by_run.contains("The campaign is not finished: 10 rows have not ended."));

    let made = report(&place, &[]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let made = place.read("fleet.report.html");
    assert!(made.contains("href=\"./fleet.results.csv\""));
    let to_stdout = report(&place, &["-o", "-"]);
    assert!(
        String::from_utf8(to_stdout.stdout)
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );

    let facts = facts(&place);
    assert_eq!(
        (&facts["open"], &facts["targets"]),
        (&10.into(), &30.into())
    );
    let trouble = &facts["troubles"][0];
    assert_eq!(trouble["outcome"], "unsupported");
    let again = trouble["again"].as_str().unwrap();
    assert!(
        again.ends_with("--max-machines 20 --retry unsupported"),
        "{again}"
    );
    let settings = facts["settings"].as_array().unwrap();
    let of = |option: &str| settings.iter().find(|setting| setting["option"] == option);
    assert_eq!(of("--max-machines").unwrap()["given"], true);
    assert_eq!(of("--max-attempts").unwrap()["value"], "5");
    assert_eq!(facts["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_not_a_report_is_never_overwritten_and_the_input_least_of_all() {
    let server = Server::start(&["--limit", "none"]);
    let place = Place::new(&fleet(3));
    fs::write(place.path("mine.html"), "mine").unwrap();
    for file in ["mine.html", "fleet.csv", "no/such/folder.html"] {
        let refused = place.run_against(&server, &["fleet.csv", "--report", file]);
        let refused = { refused }.output().unwrap();
        assert!(
            matches!(refused.status.code(), Some(2 | 5)),
            "{}",
            said(&refused)
        );
        assert!(
            !place.path("fleet.results.csv").exists(),
            "{file}: something was begun"
        );
    }
    let ran = place.run_against(&server, &["fleet.csv", "-q"]).status();
    assert_eq!(ran.unwrap().code(), Some(0));
    for file in [
        "mine.html",
        "fleet.csv",
        "fleet.results.csv",
        "fleet.campaign.db",
    ] {
        assert_refused(&report(&place, &["-o", file]), 2, &[file]);
    }
    assert_eq!(place.read("mine.html"), "mine");
    // A report is replaced by the next one.
    for _ in 0..2 {
        let made = report(&place, &["-o", "one.html"]);
        assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    }
}

#[test]
fn a_simulated_campaign_uses_the_limits_to_the_last_call_and_tells_what_it_waited_for() {
    let place = Place::new(&fleet(1_700));
    let mut command = fleetsweep(place.0.path());
    command.args(["simulate", "fleet.csv", "-q", "--report", "s.html", "--yes"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let page = place.read("s.html");
    for words in [
        "The most in any minute was 100; the limit, the dashed line, is 100.",
        "The most in any hour was 1,500; the limit, the dashed line, is 1,500.",
        "minute window full",
        "hour window full",
        "This was a rehearsal",
    ] {
        assert!(page.contains(words), "{words}");
    }
    // It names no file that is gone by now.
    assert!(!page.contains("fleetsweep-mock-"));
}

#[test]
fn the_report_of_a_campaign_whose_files_were_renamed_names_no_command_of_another() {
    let server = Server::start(&["--limit", "none", "--unsupported", "50%", "--seed", "3"]);
    let place = Place::new(&fleet(10));
    let run = |words: &[&str]| place.run_against(&server, words).output().unwrap();
    run(&["fleet.csv", "-q", "--report", "all.html"]);
    let first = facts(&place);
    assert!(first["troubles"][0]["again"].is_string(), "{first}");
    run(&["fleet.csv", "-q", "--again", "--report", "all.html"]);
    // The report of the one before is replaced by that of the one that follows.
    let second = facts(&place)["campaign"].as_str().unwrap().to_owned();
    assert!(place.read("all.html").contains(&second));

    let id = first["campaign"].as_str().unwrap();
    let state = format!("fleet.{id}.campaign.db");
    let renamed = |words: &[&str]| {
        let mut command = fleetsweep(place.0.path());
        command.args(["report", &state]).args(words);
        command.output().unwrap()
    };
    let output = renamed(&["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["campaign"], id);
    assert_eq!(
        (&report["results"], &report["next"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(report["troubles"][0]["again"], Value::Null);
    assert!(
        report["warning"].as_str().unwrap().contains("no longer"),
        "{report}"
    );
    // Its page has a name of its own, and does not take the place of the other's.
    renamed(&[]);
    assert!(place.read(&format!("fleet.{id}.report.html")).contains(id));
    assert_refused(
        &renamed(&["-o", "all.html"]),
        2,
        &[&second, "not overwritten"],
    );
    let mut rehearsal = fleetsweep(place.0.path());
    rehearsal.args([
        "run",
        "fleet.csv",
        "--mock",
        "--report",
        "all.html",
        "-o",
        "mock.csv",
    ]);
    assert_refused(
        &rehearsal.output().unwrap(),
        2,
        &[&second, "not overwritten"],
    );
}

#[cfg(unix)]
#[test]
fn a_state_of_the_first_format_has_a_report_too() {
    let place = Place::new(&fleet(1));
    let state = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/suite/formats/campaign-1.db"
    );
    fs::copy(state, place.path("old.campaign.db")).unwrap();
    let mut command = fleetsweep(place.0.path());
    command.args(["report", "old.campaign.db", "-o", "-"]);
    let output = command.output().unwrap();
    let page = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(page.trim_end().ends_with("</html>"), "{}", said(&output));
}

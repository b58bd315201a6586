//! `fleetsweep status`: from another terminal while a run goes on, after it, and after it was killed.

use std::{collections::BTreeMap, fs, path::Path, process::Output, time::SystemTime};

use serde_json::Value;

use super::{
    command_line::{Place, Server, assert_refused, fleet, fleetsweep, outcomes, said},
    resume::start,
};

fn status(place: &Place, words: &[&str]) -> Output {
    let mut command = fleetsweep(place.0.path());
    command.arg("status").args(words).output().unwrap()
}

fn in_words(place: &Place, words: &[&str]) -> String {
    let output = status(place, words);
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn as_json(place: &Place, state: &str) -> Value {
    serde_json::from_str(&in_words(place, &[state, "--json"])).unwrap()
}

/// Every file of the folder with what is in it and when it was changed.
fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let entries = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let of = |entry: fs::DirEntry| {
        let changed = entry.metadata().unwrap().modified().unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, (fs::read(entry.path()).unwrap(), changed))
    };
    entries.map(of).collect()
}

#[test]
fn while_a_run_goes_on_it_tells_how_things_stand_and_does_not_disturb() {
    let server = Server::start(&["--latency", "50ms"]);
    let place = Place::new(&fleet(80));
    let words = ["fleet.csv", "--limit=20/1s", "--limit=90/1h"];
    let mut child = start(&place, &server, &words, 10);
    let mut seen = 0;
    for named in ["fleet.csv", "fleet.results.csv", "fleet.campaign.db"] {
        let told = as_json(&place, named);
        assert_eq!(told["running"], true, "{told}");
        assert_eq!(told["targets"], 80);
        let accepted = told["outcomes"]["accepted"].as_u64().unwrap();
        assert!(accepted >= 10.max(seen), "{told}");
        assert_eq!(accepted + told["open"].as_u64().unwrap(), 80);
        assert!(told["eta_s"].as_f64().unwrap() >= 0.0);
        let kinds = told["quota"].as_array().unwrap();
        let start = kinds.iter().find(|kind| kind["kind"] == "start").unwrap();
        assert_eq!(start["windows"][0]["limit"], 20, "{told}");
        assert_eq!(start["windows"][1]["limit"], 90, "{told}");
        assert!(
            start["windows"][1]["in_use"].as_u64().unwrap() >= 10,
            "{told}"
        );
        assert!(
            told["run"]["command"]
                .as_str()
                .unwrap()
                .contains("--limit=20/1s")
        );
        seen = accepted;
    }
    let told = in_words(&place, &["fleet.csv"]);
    assert!(told.contains(": running; "), "{told}");
    assert!(told.contains("start calls: "), "{told}");
    assert!(!told.contains("to go on"), "{told}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 80]);
}

#[test]
fn after_a_run_it_changes_nothing() {
    let server = Server::start(&["--unknown", "100%"]);
    let place = Place::new(&fleet(3));
    let mut command = place.run_against(&server, &["fleet.csv", "--max-attempts", "1"]);
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    let before = files(place.0.path());
    let told = in_words(&place, &["fleet.csv"]);
    assert!(told.contains("finished; 3 of 3 rows have ended"), "{told}");
    assert!(told.contains("last errors:\n  line "), "{told}");
    assert!(!told.contains("to go on"), "{told}");
    let json = as_json(&place, "fleet.csv");
    assert_eq!(json["running"], false);
    assert_eq!(json["last_errors"].as_array().unwrap().len(), 3);
    assert!(files(place.0.path()) == before, "a file has changed");
}

#[test]
fn after_a_kill_it_names_the_calls_in_doubt_and_the_command_that_goes_on() {
    let server = Server::start(&["--latency", "300ms"]);
    let place = Place::new(&fleet(60));
    let words = ["fleet.csv", "--workers=10", "--limit=none"];
    let mut child = start(&place, &server, &words, 10);
    child.kill().unwrap();
    child.wait().unwrap();
    let results = fs::read(place.path("fleet.results.csv")).unwrap();
    let told = in_words(&place, &["fleet.csv"]);
    for words in [
        "not finished (its last run was killed)",
        "unsure:\n",
        "to be looked up: no answer was kept",
        "\nto go on: ",
        " fleet.csv --workers=10 --limit=none",
    ] {
        assert!(told.contains(words), "{words:?} is not in: {told}");
    }
    assert_eq!(in_words(&place, &["fleet.csv"]), told);
    assert_eq!(fs::read(place.path("fleet.results.csv")).unwrap(), results);
    let json = as_json(&place, "fleet.csv");
    assert_eq!(json["running"], false);
    assert!(!json["unsure"].as_array().unwrap().is_empty());
    let reported = String::from_utf8(results).unwrap().lines().count() as u64 - 1;
    assert!(json["outcomes"]["accepted"].as_u64().unwrap() >= reported);
}

#[test]
fn where_no_campaign_is_it_says_so_and_makes_no_file() {
    let place = Place::new(&fleet(3));
    for named in ["fleet.csv", "nowhere.campaign.db"] {
        assert_refused(&status(&place, &[named]), 2, &[named, "no campaign"]);
    }
    assert_eq!(files(place.0.path()).len(), 1);
}

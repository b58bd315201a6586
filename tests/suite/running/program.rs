//! The options in the real program: what is refused, and what `plan` and `simulate` say.

use std::process::Output;

use super::super::{
    command_line::{Place, assert_refused, said},
    program::{Server, fleetsweep},
};

const FLEET: &str = "machine_id,Site,os\n\
    0000000000000000000000000000000000000001,Ulm,w\n\
    0000000000000000000000000000000000000002,Ulm,w\n\
    0000000000000000000000000000000000000003,Bonn,w\n\
    0000000000000000000000000000000000000004,Ulm,l\n";

fn in_place(place: &Place, words: &[&str]) -> Output {
    let mut command = fleetsweep(place.0.path());
    command.args(words).output().unwrap()
}

#[test]
fn a_column_that_is_not_there_is_refused_before_anything_is_sent_or_kept() {
    let server = Server::start(&[]);
    let place = Place::new(FLEET);
    let words = ["fleet.csv", "--max-running-per", "Town=3"];
    let output = place.run_against(&server, &words).output().unwrap();
    assert_refused(&output, 2, &["--max-running-per Town", "`Site`, `os`"]);
    assert!(!place.path("fleet.campaign.db").exists());
    assert_eq!(
        server.saw("/mock/witness")["kinds"]["start"]["calls"],
        0,
        "{}",
        said(&output)
    );
    let plan = in_place(
        &place,
        &["plan", "fleet.csv", "--mock", "--max-running-per", "Town=3"],
    );
    assert_refused(&plan, 2, &["--max-running-per Town", "`Site`, `os`"]);
    let words = [
        "fleet.csv",
        "--max-running-per",
        "site=3",
        "--max-running-per",
        "SITE=2",
    ];
    let output = place.run_against(&server, &words).output().unwrap();
    assert_refused(&output, 2, &["SITE", "twice"]);
}

#[test]
fn a_timeout_of_nothing_and_numbers_that_cannot_be_meant_are_refused() {
    let place = Place::new(FLEET);
    let run = |words: &[&str]| in_place(&place, &[&["run", "fleet.csv", "--mock"], words].concat());
    let idle = run(&["--running-timeout", "1h"]);
    assert_refused(&idle, 2, &["--running-timeout", "--max-running"]);
    for words in [
        ["--max-running", "0"],
        ["--max-running", "some"],
        ["--max-running-per", "Site"],
        ["--max-running-per", "Site=0"],
    ] {
        assert_refused(&run(&words), 2, &[words[0]]);
    }
}

#[test]
fn a_plan_says_what_the_limits_may_come_to() {
    let place = Place::new(FLEET);
    let plan = |words: &[&str]| {
        let output = in_place(&place, &[&["plan", "fleet.csv", "--mock"], words].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    let told = plan(&["--max-running", "2", "--max-running-per", "site=1"]);
    let whole = "--max-running 2 may decide the length: 4 machines take about 10 min if each scan takes 5 min, \
        and 1 h if it takes 30 min";
    let per = "--max-running-per site=1 may decide the length: 3 machines take about 15 min if each scan takes 5 min, \
        and 1 h 30 min if it takes 30 min";
    assert!(told.contains(whole) && told.contains(per), "{told}");
    // Where all may be under way at once, the limit decides nothing.
    assert!(!plan(&["--max-running", "4"]).contains("may decide"));
    assert!(
        plan(&["--max-running", "1", "--scan-type", "full"]).contains("if each scan takes 2 h")
    );
}

#[test]
fn a_simulation_keeps_to_them_and_says_how_long_that_takes() {
    let place = Place::new(FLEET);
    let output = in_place(
        &place,
        &[
            "simulate",
            "fleet.csv",
            "--what-if",
            "max-running=1,4",
            "--json",
        ],
    );
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&output)));
    let text = report.to_string();
    let lengths: Vec<f64> = text
        .split("\"elapsed_s\":")
        .skip(1)
        .map(|rest| rest.split([',', '}']).next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(lengths.len(), 2, "{text}");
    assert!(lengths[0] > lengths[1] + 60.0, "{lengths:?}");
}

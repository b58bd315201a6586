//! What people do in an incident: they name the file that they see, copy a list, and paste what they are told.

use std::fs;

use super::{
    command_line::{Place, assert_code, assert_refused, outcomes, said},
    program::{Server, fleet, fleetsweep},
};

/// Runs another command than `run`.
fn command(place: &Place, server: &Server, words: &str) -> std::process::Output {
    let mut command = fleetsweep(place.0.path());
    let words = words.split(' ').chain(["--api-url"]).map(str::to_owned);
    command.args(words.chain([server.url()]));
    command.env("FLEETSWEEP_TOKEN", "mock").output().unwrap()
}

#[test]
fn a_campaign_may_be_named_by_its_results() {
    let (server, place) = (Server::start(&[]), Place::new(&fleet(3)));
    let run = place
        .run_against(&server, &["fleet.csv", "-q", "-o", "out.csv"])
        .output();
    assert_code(&run.unwrap(), 0);
    assert_code(&command(&place, &server, "cancel --yes out.csv"), 0);
    let written = fs::read(place.path("out.csv")).unwrap();
    fs::remove_file(place.path("out.csv")).unwrap();
    fs::write(place.path("out.csv"), "").unwrap();
    let mut anew = fleetsweep(place.0.path());
    assert_code(&anew.args(["results", "out.csv"]).output().unwrap(), 0);
    assert_eq!(fs::read(place.path("out.csv")).unwrap(), written);
}

#[test]
fn a_list_of_machines_is_never_written_over_a_campaign() {
    let (server, place) = (Server::start(&[]), Place::new(&fleet(3)));
    let run = place.run_against(&server, &["fleet.csv", "-q"]).output();
    assert_code(&run.unwrap(), 0);
    for file in ["fleet.campaign.db", "fleet.results.csv"] {
        let before = fs::read(place.path(file)).unwrap();
        let refused = command(&place, &server, &format!("machines -o {file}"));
        assert_refused(&refused, 2, &[file, "is not overwritten", "-o"]);
        assert_eq!(fs::read(place.path(file)).unwrap(), before);
    }
    // Another list is.
    for _ in 0..2 {
        assert_code(&command(&place, &server, "machines -o m.csv"), 0);
    }
}

#[test]
fn a_copy_of_the_list_of_a_lost_campaign_is_not_scanned_unasked() {
    let (server, place) = (Server::start(&["--limit", "none"]), Place::new(&fleet(9)));
    let run = ["fleet.csv", "-q", "--max-machines", "4"];
    assert_code(&place.run_against(&server, &run).output().unwrap(), 3);
    for lost in ["gone", "damaged"] {
        fs::remove_file(place.path("fleet.campaign.db")).unwrap();
        if lost == "damaged" {
            fs::write(place.path("fleet.campaign.db"), "no state").unwrap();
        }
        fs::copy(place.path("fleet.csv"), place.path("copy.csv")).unwrap();
        let copy = ["copy.csv", "-q"];
        let refused = place.run_against(&server, &copy).output().unwrap();
        assert_refused(
            &refused,
            2,
            &[
                "any of these machines may stand",
                "is gone or damaged",
                "--yes",
            ],
        );
        fs::write(place.path("fleet.campaign.db"), "").unwrap();
    }
    let saw = server.stop();
    assert!(saw.contains("start: 4 calls"), "{saw}");
}

#[test]
fn who_has_edited_the_results_is_not_led_to_scan_the_fleet_again() {
    let (server, place) = (Server::start(&["--limit", "none"]), Place::new(&fleet(6)));
    let run = ["fleet.csv", "-q", "--max-machines", "2"];
    assert_code(&place.run_against(&server, &run).output().unwrap(), 3);
    fs::write(place.path("fleet.results.csv"), "my notes\n").unwrap();
    let again = ["fleet.csv", "-q"];
    let refused = place.run_against(&server, &again).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    let told = said(&refused);
    let (_, advice) = told.trim_end().rsplit_once(": fleetsweep ").unwrap();
    let mut anew = fleetsweep(place.0.path());
    assert_code(&anew.args(advice.split(' ')).output().unwrap(), 0);
    assert_code(&place.run_against(&server, &again).output().unwrap(), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 6]);
    let saw = server.stop();
    assert!(saw.contains("start: 6 calls"), "{saw}");
}

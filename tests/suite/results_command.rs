//! `fleetsweep results`: results that were lost, and files that are somebody else's.

use std::{fs, process::Output};

use fleetsweep::store::Lock;

use super::{
    command_line::{Place, assert_refused, said},
    program::{Server, fleet, fleetsweep},
};

fn results(place: &Place, words: &[&str]) -> Output {
    let mut command = fleetsweep(place.0.path());
    command.args(["results", "fleet.csv"]).args(words);
    command.output().unwrap()
}

/// A campaign over three machines that has come to its end, and its results.
fn finished() -> (Place, String) {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    let ran = place.run_against(&server, &["fleet.csv", "-q"]).status();
    assert_eq!(ran.unwrap().code(), Some(0));
    let before = place.read("fleet.results.csv");
    (place, before)
}

#[test]
fn lost_or_edited_results_are_written_as_they_were() {
    let (place, before) = finished();
    fs::remove_file(place.path("fleet.results.csv")).unwrap();
    let output = results(&place, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).ends_with("fleet.results.csv\n"),
        "{}",
        said(&output)
    );
    assert_eq!(place.read("fleet.results.csv"), before);

    let cut = before.lines().take(2).collect::<Vec<_>>().join("\n");
    fs::write(place.path("fleet.results.csv"), cut).unwrap();
    results(&place, &[]);
    assert_eq!(place.read("fleet.results.csv"), before);

    results(&place, &["-o", "copy.csv"]);
    assert_eq!(place.read("copy.csv"), before);
    results(&place, &["-o", "excel.csv", "--excel"]);
    assert!(place.read("excel.csv").starts_with("\u{feff}machine_id;"));
}

#[test]
fn what_is_somebody_elses_or_in_use_is_left_alone() {
    let (place, before) = finished();
    fs::write(place.path("mine.csv"), "a,b\n1,2\n").unwrap();
    assert_refused(&results(&place, &["-o", "mine.csv"]), 2, &["--force"]);
    assert_eq!(place.read("mine.csv"), "a,b\n1,2\n");
    let id = campaign(&place);
    fs::write(place.path("other.csv"), before.replace(&id, "zzzzzzzzzz")).unwrap();
    for words in [&["-o", "other.csv"][..], &["-o", "other.csv", "--force"]] {
        assert_refused(&results(&place, words), 2, &["campaign zzzzzzzzzz"]);
    }
    assert_refused(
        &results(&place, &["-o", "fleet.csv", "--force"]),
        2,
        &["fleet.csv"],
    );
    let at_work = Lock::take(&place.path("fleet.campaign.db")).unwrap();
    assert_refused(&results(&place, &[]), 2, &["at work on the campaign"]);
    drop(at_work);
    assert_eq!(
        results(&place, &["-o", "mine.csv", "--force"])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(place.read("mine.csv"), before);
}

#[test]
fn where_no_campaign_is_nothing_is_written() {
    let place = Place::new(&fleet(3));
    assert_refused(&results(&place, &[]), 2, &["there is no campaign"]);
    assert!(!place.path("fleet.results.csv").exists());
}

/// The campaign's id, as its results have it.
fn campaign(place: &Place) -> String {
    let mut results = csv::Reader::from_path(place.path("fleet.results.csv")).unwrap();
    let headers = results.headers().unwrap().clone();
    let at = headers.iter().position(|name| name == "campaign").unwrap();
    results.records().next().unwrap().unwrap()[at].to_owned()
}

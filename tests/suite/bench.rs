//! `fleetsweep bench`: that it measures, and whom it does not measure. How fast is not a test's question.

use serde_json::Value;

use super::program::{Server, fleetsweep};

#[test]
fn three_subjects_are_measured_with_every_call_in_their_latencies() {
    let folder = tempfile::tempdir().unwrap();
    for options in ["", "--tls", "--tls --http1"] {
        let done = fleetsweep(folder.path())
            .args([
                "bench",
                "--calls",
                "200",
                "--rounds",
                "1",
                "--workers",
                "10",
                "--json",
            ])
            .args(options.split_whitespace())
            .output()
            .unwrap();
        assert!(done.status.success(), "{options}: {done:?}");
        let told: Value = serde_json::from_slice(&done.stdout).unwrap();
        let scheme = if options.is_empty() {
            "http://"
        } else {
            "https://"
        };
        assert!(told["url"].as_str().unwrap().starts_with(scheme));
        let subjects = told["subjects"].as_array().unwrap();
        let names: Vec<_> = subjects.iter().map(|subject| &subject["subject"]).collect();
        let expected = [
            "bare HTTP client",
            "fleetsweep, without durability",
            "fleetsweep",
        ];
        assert_eq!(names, expected);
        for subject in subjects {
            let number = |key: &str| subject[key].as_f64().unwrap();
            assert!(number("calls_per_second") > 0.0, "{subject}");
            assert!(
                number("p50_ms") > 0.0 && number("p50_ms") <= number("p999_ms"),
                "{subject}"
            );
        }
        assert_eq!(subjects[0]["of_bare"], 1.0);
    }
}

#[test]
fn a_table_and_a_histogram_are_printed_and_nothing_is_left_behind() {
    let (folder, server) = (
        tempfile::tempdir().unwrap(),
        Server::start(&["--limit", "none"]),
    );
    let done = fleetsweep(folder.path())
        .args(["bench", "--calls", "50", "--rounds", "1", "--folder", "."])
        .args(["--url", &server.url()])
        .output()
        .unwrap();
    let table = String::from_utf8(done.stdout).unwrap();
    assert!(
        table.contains("calls/s") && table.contains("up to"),
        "{table}"
    );
    // Locks are kept in the user's folder for state.
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["state-home"]);
}

#[test]
fn another_computer_is_not_measured() {
    let folder = tempfile::tempdir().unwrap();
    let done = fleetsweep(folder.path())
        .args(["bench", "--url", "https://api.security.microsoft.com"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2), "{done:?}");
}

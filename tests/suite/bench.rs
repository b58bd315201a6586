//! `fleetsweep bench`: that it measures, and whom it does not measure. How fast is not a test's question.

use serde_json::Value;

use super::program::{Server, fleetsweep, look_again};

#[test]
fn all_subjects_are_measured_with_every_call_in_their_latencies() {
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
            "fleetsweep, without limits",
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

#[test]
fn a_scenario_refuses_some_machines_and_their_calls_count_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = "[quota]\nlimits = [\"1/1m\"]\n[scans]\nbusy = \"50%\"\n";
    std::fs::write(folder.path().join("s.toml"), scenario).unwrap();
    let done = fleetsweep(folder.path())
        .args(["bench", "--calls", "200", "--rounds", "1", "--json"])
        .args(["--scenario", "s.toml"])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    for subject in told["subjects"].as_array().unwrap() {
        let accepted = subject["accepted"].as_u64().unwrap();
        assert!((50..150).contains(&accepted), "{subject}");
    }
    std::fs::write(folder.path().join("s.toml"), "[limits]").unwrap();
    let done = fleetsweep(folder.path())
        .args(["bench", "--scenario", "s.toml"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2), "{done:?}");
}

// By what Linux tells of a process's children.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_the_mock_too_and_leaves_no_file() {
    for name in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = fleetsweep(folder.path())
            .args(["bench", "--rounds", "99", "--folder", "."])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let id = bench.id().to_string();
        let children = || {
            let file = format!("/proc/{id}/task/{id}/children");
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let ids = text.split_whitespace();
            ids.map(str::to_owned).collect::<Vec<_>>()
        };
        // The mock, and a round.
        let mut both = children();
        while both.len() < 2 {
            assert_eq!(bench.try_wait().unwrap(), None);
            look_again();
            both = children();
        }
        super::program::signal(&bench, name);
        let mut said = String::new();
        let mut stderr = bench.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
        assert_eq!(bench.wait().unwrap().code(), Some(130), "{said}");
        assert!(said.contains("interrupted"), "{said}");
        // They are killed, and the system takes a moment.
        let is_gone = |id: &String| !std::path::Path::new(&format!("/proc/{id}/exe")).exists();
        while !both.iter().all(is_gone) {
            look_again();
        }
        let left = std::fs::read_dir(folder.path()).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| name == "state-home"), "{left:?}");
    }
}

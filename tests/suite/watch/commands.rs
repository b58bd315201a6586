//! `--on-end`.

use super::*;

fn facts(folder: &Path) -> Value {
    let facts = fs::read_to_string(folder.join("facts.json")).unwrap();
    assert_eq!(facts.lines().count(), 1, "{facts}");
    serde_json::from_str(&facts).unwrap()
}

#[test]
fn the_command_gets_the_summary_after_it_was_written() {
    let place = folder(5);
    let words = [
        "--mock",
        "--summary",
        "s.json",
        "--on-end",
        "sh -c 'cp s.json seen.json; cat > facts.json; echo out'",
    ];
    let done = run(place.path(), &words).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(done.stdout.is_empty(), "{done:?}");
    let facts = facts(place.path());
    let seen = fs::read_to_string(place.path().join("seen.json")).unwrap();
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(facts["summary"], seen);
    assert_eq!(facts["outcomes"], seen["outcomes"]);
    assert_eq!(facts["campaign"], seen["campaign"]);
    assert_eq!((&facts["v"], &facts["event"]), (&1.into(), &"end".into()));
    assert_eq!((&facts["targets"], &facts["ended"]), (&5.into(), &5.into()));
    assert_eq!(
        (&facts["exit_code"], &facts["stopped"]),
        (&0.into(), &Value::Null)
    );
    let text = facts["text"].as_str().unwrap();
    assert!(text.contains(": done (a rehearsal"), "{text}");
    assert!(text.ends_with("; exit code 0"), "{text}");
}

#[test]
fn a_run_that_is_refused_has_an_end_too() {
    let place = folder(1);
    fs::remove_file(place.path().join("fleet.csv")).unwrap();
    let words = ["--mock", "--on-end", "sh -c 'cat > facts.json'"];
    let done = run(place.path(), &words).output().unwrap();
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    let said = String::from_utf8(done.stderr).unwrap();
    // Once, and not once more after the command.
    assert_eq!(said.matches("fleetsweep: ").count(), 1, "{said}");
    let facts = facts(place.path());
    assert_eq!(facts["exit_code"], 2);
    assert_eq!(
        (&facts["campaign"], &facts["summary"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        said.contains(facts["stopped"].as_str().unwrap()),
        "{said} {facts}"
    );
}

#[test]
fn a_command_that_fails_is_told_and_changes_nothing() {
    let place = folder(5);
    for (command, words) in [
        (
            "sh -c 'echo no such room >&2; exit 9'",
            "--on-end: sh ended with exit status: 9: no such room",
        ),
        (
            "sh -c 'kill -9 $$'",
            "--on-end: sh ended with signal: 9 (SIGKILL)",
        ),
    ] {
        let done = run(place.path(), &["--mock", "--on-end", command])
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(said.contains(words), "{said}");
    }
    for command in ["sh 'a", "", "./none"] {
        let done = run(place.path(), &["--mock", "--on-end", command])
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(2), "{done:?}");
    }
}

#[test]
fn two_interrupts_end_the_wait_for_a_command_that_never_ends() {
    let place = folder(5);
    let command = "sh -c 'echo $$ > id.part; mv id.part id; sleep 1000; true'";
    let words = ["--mock", "--progress", "none", "--on-end", command];
    let mut running = Running::start(run(place.path(), &words));
    running.line("results: ");
    while !place.path().join("id").exists() {
        look_again();
    }
    interrupt(&running.child);
    running.line("waiting for --on-end and --notify; Ctrl-C again ends that");
    interrupt(&running.child);
    let (code, rest) = running.end();
    assert_eq!(code, Some(0), "{rest}");
    assert!(rest.contains("nobody is waited for any longer"), "{rest}");
    let id = fs::read_to_string(place.path().join("id")).unwrap();
    let is_there = || {
        let state = Command::new("ps")
            .args(["-o", "state=", "-p", id.trim()])
            .output();
        let state = state.unwrap().stdout;
        !state.is_empty() && !state.starts_with(b"Z")
    };
    while is_there() {
        look_again();
    }
}

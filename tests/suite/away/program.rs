//! The options in the real program: what is refused, and what `plan`, `run` and `simulate` say.

use std::process::{Output, Stdio};

use super::super::{
    command_line::{Place, assert_refused, said},
    program::fleetsweep,
};

const SCENARIO: &str = "[fleet]\nmachines = 60\noffline = \"100%\"\naway-for = \"1h-2h\"\n";

fn in_place(place: &Place, words: &[&str]) -> Output {
    let mut command = fleetsweep(place.0.path());
    command.args(words).output().unwrap()
}

/// What it printed, results and notes.
fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes))
        .concat()
}

/// The machines of the scenario's inventory, and one that it does not list.
fn fleet_of_scenario() -> Place {
    let place = Place::new("");
    std::fs::write(place.path("s.toml"), SCENARIO).unwrap();
    let list = in_place(
        &place,
        &[
            "machines",
            "--mock",
            "--scenario",
            "s.toml",
            "-o",
            "fleet.csv",
        ],
    );
    assert!(list.status.success(), "{}", said(&list));
    let mut ids = std::fs::read_to_string(place.path("fleet.csv")).unwrap();
    let first = ids.lines().nth(1).unwrap();
    let other = first.replacen(&first[..40], &"7".repeat(40), 1);
    assert!(ids.lines().count() > 30, "{ids}");
    ids.push_str(&other);
    ids.push('\n');
    std::fs::write(place.path("fleet.csv"), ids).unwrap();
    place
}

#[test]
fn a_time_without_deferral_is_refused() {
    let place = Place::new("machine_id\n0000000000000000000000000000000000000001\n");
    let words = ["run", "fleet.csv", "--mock", "--offline-after", "3h"];
    assert_refused(
        &in_place(&place, &words),
        2,
        &["--offline-after", "--when-offline defer"],
    );
}

#[test]
fn a_plan_counts_those_that_are_away_and_a_run_sends_to_them_last() {
    let place = fleet_of_scenario();
    let mock = ["fleet.csv", "--mock", "--scenario", "s.toml"];
    let with =
        |command: &str, words: &[&str]| in_place(&place, &[&[command], &mock[..], words].concat());
    let defer = ["--when-offline", "defer"];
    let plan = with("plan", &[&defer[..], &["--json"]].concat());
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let due = plan["due"].as_u64().unwrap();
    assert_eq!(plan["away"], due - 1, "{plan}");
    let plan = printed(&with("plan", &defer));
    let line = format!("{}  of them away, and behind all others", due - 1);
    assert!(plan.contains(&line), "{plan}");
    let plan = printed(&with("plan", &[]));
    assert!(!plan.contains("them away"), "{plan}");
    // Ten years later they are no longer counted as away.
    let patient = [&defer[..], &["--offline-after", "3650d"]].concat();
    let plan = printed(&with("plan", &patient));
    assert!(!plan.contains("them away"), "{plan}");

    let run = with("run", &defer);
    assert!(run.status.success(), "{}", printed(&run));
    let told = printed(&run);
    assert!(
        told.contains(&format!(
            "{} machines are away and go behind all others",
            due - 1
        )),
        "{told}"
    );
    assert!(told.contains("nobody else is left"), "{told}");
}

/// What `status` says of the campaign whose state is `c.db`.
fn status(place: &Place) -> serde_json::Value {
    let status = in_place(place, &["status", "c.db", "--json"]);
    serde_json::from_slice(&status.stdout).unwrap_or_default()
}

#[test]
fn status_counts_those_that_are_away_while_a_run_is_at_work_and_after_it_was_killed() {
    let place = fleet_of_scenario();
    let mut command = fleetsweep(place.0.path());
    let run = [
        "run",
        "fleet.csv",
        "--mock",
        "--scenario",
        "s.toml",
        "--state",
        "c.db",
        "--when-offline",
        "defer",
        "--not-after",
        "2099-01-01 00:00",
    ];
    let mut run = command.args(run).stderr(Stdio::null()).spawn().unwrap();
    // The only machine that counts as there has ended by then.
    let at_work = loop {
        assert!(run.try_wait().unwrap().is_none(), "it waits for machines");
        let status = status(&place);
        if status["outcomes"]["accepted"] == 1 {
            break status;
        }
    };
    let away = at_work["open"].as_u64().unwrap();
    assert!(away > 20 && at_work["running"] == true, "{at_work}");
    assert_eq!(at_work["away"], away, "{at_work}");
    let since = at_work["away_since"].as_str().unwrap();
    let text = printed(&in_place(&place, &["status", "c.db"]));
    let line = format!("away: {away} machines since");
    assert!(text.contains(&line), "{text}");

    run.kill().unwrap();
    run.wait().unwrap();
    let killed = status(&place);
    assert_eq!(killed["running"], false);
    assert_eq!(killed["away"], away, "{killed}");
    assert_eq!(killed["away_since"], since);
    let text = printed(&in_place(&place, &["status", "c.db"]));
    let line = format!(": {away} machines; the same command asks anew");
    let is_told = text.contains("away, as the last run noted at ") && text.contains(&line);
    assert!(is_told, "{text}");

    // Without the option they are sent to as others are, and none is away.
    let words = ["run", "fleet.csv", "--mock", "--scenario", "s.toml"];
    let done = in_place(&place, &[&words[..], &["--state", "c.db"]].concat());
    assert!(done.status.success(), "{}", printed(&done));
    let done = status(&place);
    assert_eq!(done["away"], 0, "{done}");
    assert_eq!(done["away_since"], serde_json::Value::Null);
}

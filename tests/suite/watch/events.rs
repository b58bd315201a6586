//! `--progress json`: each line on stderr is an event or a line of the log, whatever becomes of the command.

use std::fs;

use serde_json::Value;

use crate::{
    command_line::Place,
    program::{fleet, fleetsweep},
};

#[test]
fn each_line_is_an_object_and_the_last_one_is_the_end_also_of_what_is_refused() {
    let place = Place::new(&fleet(3));
    fs::write(place.path("names.csv"), "pc-1\npc-2\n").unwrap();
    for (line, code) in [
        ("run fleet.csv --mock -v", 0),
        ("run fleet.csv --mock -q --max-machines 1", 3),
        ("run names.csv --mock", 2),
        ("run nowhere.csv --mock", 2),
        ("run fleet.csv --mock --no-such-option", 2),
        ("run fleet.csv --mock --log-file fleet.csv", 2),
        ("follow fleet.csv", 2),
        ("doctor --mock", 0),
    ] {
        let mut command = fleetsweep(place.0.path());
        command.args(line.split(' ')).args(["--progress", "json"]);
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        let events = told.lines().map(|event| {
            serde_json::from_str::<Value>(event).unwrap_or_else(|e| panic!("{line}: {e}: {event}"))
        });
        let events: Vec<Value> = events.collect();
        let last = events.last().unwrap_or_else(|| panic!("{line}: nothing"));
        assert_eq!(last["event"], "end", "{line}: {told}");
        assert_eq!(last["exit_code"], code, "{line}: {told}");
        assert_eq!(output.status.code(), Some(code), "{line}");
    }
}

#[test]
fn a_simulation_tells_nobody_and_minds_no_address() {
    let place = Place::new(&fleet(3));
    let mut command = fleetsweep(place.0.path());
    command.args(["simulate", "fleet.csv"]);
    let done = command.env("FLEETSWEEP_NOTIFY", "no address").output();
    assert_eq!(done.unwrap().status.code(), Some(0));
}

//! Simulations in virtual time, in the real program: each scenario, twice the same, and several at once.

use std::{fs, path::Path, process::Output};

use serde_json::Value;

use super::{
    program::{fleet, fleetsweep},
    rig::short_or_long,
};

const SCENARIOS: [&str; 8] = [
    "calm",
    "busy-fleet",
    "flaky-network",
    "shared-application",
    "long-outage",
    "hostile",
    "office",
    "infected",
];

fn scenario(name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("{root}/sample-inputs/scenarios/{name}.toml")
}

fn simulate(folder: &Path, options: &str) -> Output {
    fleetsweep(folder)
        .args(["simulate", "fleet.csv"])
        .args(options.split_whitespace())
        .output()
        .unwrap()
}

fn folder(machines: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fleet.csv"), fleet(machines)).unwrap();
    folder
}

fn json(done: &Output) -> Value {
    serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}"))
}

/// Three windows of a minute; seven in the long form.
#[test]
fn in_every_scenario_each_machine_has_an_outcome_and_the_mock_finds_nothing_wrong() {
    let machines = short_or_long(250, 700);
    for name in SCENARIOS {
        let folder = folder(machines);
        let file = scenario(name);
        let options = format!("--json -o r.csv --on-pending retry --follow --scenario {file}");
        let done = simulate(folder.path(), &options);
        let told = &json(&done)["simulations"][0];
        assert_eq!(told["mock"]["faults"], Value::Array(Vec::new()), "{name}");
        assert_eq!(told["run"]["stopped"], Value::Null, "{name}");
        assert_eq!(told["run"]["targets"], machines);
        let results = fs::read_to_string(folder.path().join("r.csv")).unwrap();
        assert_eq!(results.lines().count(), machines as usize + 1, "{name}");
        let outcomes = &told["run"]["outcomes"];
        assert_eq!(outcomes["not_attempted"], 0, "{name}: {outcomes}");
        // Lists that move while they are read cannot always be believed.
        assert!(
            name == "hostile" || outcomes["unsure"] == 0,
            "{name}: {outcomes}"
        );
    }
}

/// Two windows of a minute; three in the long form.
#[test]
fn the_same_seed_gives_the_same_results_to_the_byte_and_another_seed_others() {
    let folder = folder(short_or_long(130, 300));
    for name in SCENARIOS {
        let file = scenario(name);
        let results = |n: u32, seed: u32| {
            let options = format!(
                "-q -o {n}.csv --on-pending retry --follow --scenario {file} --seed {seed}"
            );
            simulate(folder.path(), &options);
            fs::read_to_string(folder.path().join(format!("{n}.csv"))).unwrap()
        };
        let (first, second, other) = (results(1, 5), results(2, 5), results(3, 6));
        assert!(
            first == second,
            "{name}: {}",
            first_difference(&first, &second)
        );
        assert!(first != other, "{name}");
    }
}

fn first_difference(one: &str, other: &str) -> String {
    let mut pairs = one.lines().zip(other.lines());
    let differing = pairs.find(|(a, b)| a != b);
    format!("{differing:?}")
}

#[test]
fn variants_are_every_combination_of_what_they_vary() {
    // More than half of an hour's quota.
    let folder = folder(1_000);
    let options = "--what-if pace=burst,even --what-if headroom=0,50%";
    let done = simulate(folder.path(), &format!("--json {options}"));
    let told = json(&done);
    let simulations = told["simulations"].as_array().unwrap();
    let what_if = |n: usize| simulations[n]["what_if"].to_string();
    assert_eq!(simulations.len(), 4);
    assert_eq!(what_if(0), r#"{"headroom":"0","pace":"burst"}"#);
    assert_eq!(what_if(3), r#"{"headroom":"50%","pace":"even"}"#);
    let accepted = |n: usize, hour: usize| simulations[n]["accepted_by_hour"][hour].as_u64();
    assert!(
        accepted(0, 0) > accepted(1, 0),
        "half of the quota is half as fast"
    );
    let few = self::folder(20);
    let table = simulate(few.path(), options);
    let table = String::from_utf8(table.stdout).unwrap();
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.starts_with("what if"), "{table}");
    // Nothing is left behind.
    for folder in [folder, few] {
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_variant_is_what_the_same_command_with_that_option_is() {
    let folder = folder(300);
    let file = scenario("shared-application");
    for (option, values) in [
        ("window", ["22:00-06:00@UTC", "06:30-08:00@UTC"]),
        ("canary", ["3", "10"]),
        ("scenario", [file.as_str(), "none.toml"]),
    ] {
        fs::write(folder.path().join("none.toml"), "").unwrap();
        let what_if = format!("--json --what-if {option}={}", values.join(","));
        let told = json(&simulate(folder.path(), &what_if));
        for (n, value) in values.into_iter().enumerate() {
            let alone = json(&simulate(
                folder.path(),
                &format!("--json --{option} {value}"),
            ));
            let mut variant = told["simulations"][n].clone();
            variant["what_if"] = alone["simulations"][0]["what_if"].clone();
            // They have the exit code of a campaign that was stopped or is incomplete, too.
            assert_eq!(variant, alone["simulations"][0], "{option}={value}");
        }
        fs::remove_file(folder.path().join("none.toml")).unwrap();
    }
}

#[test]
fn what_variants_cannot_share_or_have_is_refused_in_words() {
    let folder = folder(1);
    for (options, words) in [
        ("--what-if pace", "expected an option and its values"),
        ("--what-if pace=slow", "invalid value 'slow' for '--pace"),
        (
            "--what-if summary=a,b",
            "only options that change the course",
        ),
        ("--what-if pace=even -o r.csv", "--results names one file"),
        ("--what-if seed=1,2", "only options that change the course"),
        (
            "--what-if pending-delay=5m,15m",
            "pending-delay=5m: --pending-delay has no effect",
        ),
        ("--json --summary -", "would both write to standard output"),
        ("--scenario nowhere.toml", "--scenario nowhere.toml: "),
    ] {
        let done = simulate(folder.path(), options);
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{options}: {said}");
        assert!(said.contains(words), "{options}: {said}");
    }
}

#[test]
fn the_sample_of_names_fits_the_office_and_waits_for_those_who_come_late() {
    let folder = tempfile::tempdir().unwrap();
    let names = "sample-inputs/office-names.csv";
    let names = Path::new(env!("CARGO_MANIFEST_DIR")).join(names);
    fs::copy(names, folder.path().join("fleet.csv")).unwrap();
    let options = "--json --resolve --when-offline defer --starts 2026-11-24T07:00:00Z \
        --not-after 2026-11-24T18:00:00Z";
    let file = scenario("office");
    let done = simulate(folder.path(), &format!("{options} --scenario {file}"));
    let told = &json(&done)["simulations"][0];
    assert_eq!(told["mock"]["faults"], Value::Array(Vec::new()));
    let outcomes = &told["run"]["outcomes"];
    for (outcome, rows) in [
        ("accepted", 19),
        ("refused", 1),
        ("invalid", 4),
        ("duplicate", 2),
    ] {
        assert_eq!(outcomes[outcome], rows, "{outcomes}");
    }
    let by_hour = told["accepted_by_hour"].as_array().unwrap();
    let in_the_first = by_hour[0].as_u64().unwrap();
    assert!(in_the_first < 19 && by_hour.len() > 8, "{by_hour:?}");
}

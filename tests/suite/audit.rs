//! The log as the audit trail of a run: what is in it, where, and that nothing is missing.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::Value;

use super::{
    command_line::{Place, said},
    program::{BINARY, Server, fleet, state_home},
};

/// The fields of each event of the trail, in order.
fn trail(log: &str) -> Vec<Value> {
    let events = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    let trail = events.filter(|event| event["target"] == "fleetsweep::audit");
    trail.map(|event| event["fields"].clone()).collect()
}

fn named<'a>(trail: &'a [Value], name: &str) -> Vec<&'a Value> {
    trail
        .iter()
        .filter(|event| event["event"] == name)
        .collect()
}

/// The tally of the last run, from the events alone, as `docs/LOG.md` tells.
fn rebuilt(trail: &[Value]) -> BTreeMap<String, u64> {
    let mut tally = BTreeMap::new();
    for event in trail {
        let count = match event["event"].as_str().unwrap() {
            "ended" => 1,
            "ended_before" | "left" => event["count"].as_u64().unwrap(),
            "campaign" => {
                tally.clear();
                continue;
            }
            _ => continue,
        };
        *tally
            .entry(event["outcome"].as_str().unwrap().to_owned())
            .or_default() += count;
    }
    tally
}

/// What the recipe in `docs/LOG.md` says of the log in this folder; nothing where its programs are not installed.
fn by_the_recipe(folder: &Path) -> Option<BTreeMap<String, u64>> {
    let jq = Command::new("jq").arg("--version").output();
    jq.ok().filter(|output| output.status.success())?;
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/LOG.md"));
    let text = text.unwrap();
    let (recipe, _) = text.split_once("```sh\n")?.1.split_once("```")?;
    let output = Command::new("sh")
        .args(["-c", recipe])
        .current_dir(folder)
        .output();
    let counts = String::from_utf8(output.unwrap().stdout).unwrap();
    let counts = counts.lines().map(|line| line.split_once(' ').unwrap());
    Some(
        counts
            .map(|(word, n)| (word.to_owned(), n.parse().unwrap()))
            .collect(),
    )
}

fn tally_in(summary: &str) -> BTreeMap<String, u64> {
    let summary: Value = serde_json::from_str(summary).unwrap();
    let outcomes = summary["outcomes"].as_object().unwrap().iter();
    let counts = outcomes.map(|(outcome, count)| (outcome.clone(), count.as_u64().unwrap()));
    counts.filter(|(_, count)| *count > 0).collect()
}

const LOG: [&str; 6] = [
    "--log-file",
    "log.json",
    "--log-format",
    "json",
    "--summary",
    "s.json",
];

#[test]
fn the_tally_can_be_rebuilt_from_the_log_of_each_run() {
    // Busy, unknown and unsupported machines, lost answers, bad and repeated rows, and a brake in the middle.
    let mut rows = fleet(60);
    rows += "no id at all\n,\nmachine_id\n0000000000000000000000000000000000000007\n";
    let place = Place::new(&rows);
    let faults = ["--busy", "10%", "--unknown", "10%", "--unsupported", "10%"];
    let server = Server::start(&[&faults[..], &["--latency", "1ms-5ms", "--seed", "3"]].concat());
    let mut so_far = 0;
    for (words, code) in [
        (&["--max-machines", "30"][..], 3),
        (&["--max-machines", "45", "-q"][..], 3),
        (&[][..], 1),
    ] {
        let words = [&["fleet.csv", "--limit", "none"][..], &LOG, words].concat();
        let ran = place.run_against(&server, &words).output().unwrap();
        assert_eq!(ran.status.code(), Some(code), "{}", said(&ran));
        let log = place.read("log.json");
        let all = trail(&log);
        let trail = &all[so_far..];
        so_far = all.len();
        // Of the whole file, to which each run appends.
        assert_eq!(rebuilt(&all), tally_in(&place.read("s.json")));
        if let Some(counts) = by_the_recipe(place.0.path()) {
            assert_eq!(counts, rebuilt(&all));
        }
        assert_eq!(named(trail, "over")[0]["exit_code"], code);
        assert_eq!(trail[0]["event"], "run", "{trail:?}");
        let notes = named(trail, "note");
        let passed_over = |note: &&&Value| note["text"].as_str().unwrap().contains("passed over");
        assert_eq!(notes.iter().filter(passed_over).count(), 1, "{trail:?}");
        assert_eq!(named(trail, "brake").len(), usize::from(code == 3));
        for ended in named(trail, "ended") {
            let of = |event: &&&Value| event["line"] == ended["line"];
            for event in ["sent", "attempt"] {
                let events = named(trail, event);
                assert!(events.iter().any(|event| of(&event)), "{ended}");
            }
        }
    }
    // One that is refused changes no count, and is in the log.
    let words = [&["fleet.csv", "--limit", "none"][..], &LOG].concat();
    let refused = place.run_against(&server, &words).output().unwrap();
    assert_eq!(refused.status.code(), Some(6), "{}", said(&refused));
    let all = trail(&place.read("log.json"));
    let last: Vec<_> = all[so_far..]
        .iter()
        .map(|event| event["event"].clone())
        .collect();
    assert!(
        last[0] == "run" && *last.last().unwrap() == "over",
        "{last:?}"
    );
    assert_eq!(rebuilt(&all), rebuilt(&all[..so_far]));
    // Results were written once where there were none.
    let acts: Vec<_> = named(&all, "file")
        .iter()
        .filter(|file| file["what"] == "results")
        .map(|file| file["act"].clone())
        .collect();
    assert_eq!(acts[0], "written", "{acts:?}");
    assert!(acts[1..].iter().all(|act| act == "replaced"), "{acts:?}");
    // Each machine ended once in all.
    let mut lines: Vec<_> = named(&trail(&place.read("log.json")), "ended")
        .iter()
        .map(|ended| ended["line"].as_u64().unwrap())
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, (2..62).collect::<Vec<_>>());
}

#[test]
fn an_attempt_tells_all_that_an_auditor_asks() {
    let place = Place::new(&fleet(3));
    let server = Server::start(&["--limit", "2/3s", "--unknown", "100%"]);
    let words = ["fleet.csv", "--limit", "2/3s", "--max-attempts", "2"];
    let words = [&words[..], &LOG].concat();
    place.run_against(&server, &words).output().unwrap();
    let log = place.read("log.json");
    let trail = trail(&log);
    let attempts = named(&trail, "attempt");
    assert_eq!(attempts.len(), 6, "{log}");
    for attempt in &attempts {
        assert_eq!(attempt["class"], "own");
        assert_eq!(attempt["verdict"], "not_found");
        assert_eq!(attempt["status"], 404);
        assert!(attempt["line"].as_u64().unwrap() >= 2);
        assert_eq!(attempt["machine"].as_str().unwrap().len(), 40);
        for number in ["ms", "wait_ms", "try"] {
            assert!(attempt[number].is_u64(), "{number}: {attempt}");
        }
        for text in ["code", "reason", "correlation_id"] {
            assert!(
                !attempt[text].as_str().unwrap().is_empty(),
                "{text}: {attempt}"
            );
        }
    }
    let waited = |event: &&&Value| event["wait_ms"].as_u64().unwrap() > 1000;
    assert!(attempts.iter().any(|event| waited(&event)), "{log}");
    assert_eq!(named(&trail, "retry").len(), 3, "{log}");
    let run = named(&trail, "run")[0];
    assert!(
        run["command"].as_str().unwrap().contains("fleet.csv"),
        "{run}"
    );
    for what in ["state", "results", "summary"] {
        let files = named(&trail, "file");
        assert!(
            files.iter().any(|file| file["what"] == what),
            "{what}: {log}"
        );
    }
}

#[test]
fn an_outage_says_what_waits_for_its_end() {
    let place = Place::new(&fleet(2));
    let server = Server::start(&["--limit", "none", "--outage", "0s-3s=refused"]);
    let words = [&["fleet.csv", "--limit", "none"][..], &LOG].concat();
    let ran = place.run_against(&server, &words).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let trail = trail(&place.read("log.json"));
    let outages = named(&trail, "outage");
    let told: Vec<_> = outages.iter().map(|o| [&o["phase"], &o["what"]]).collect();
    assert_eq!(
        told,
        [["begins", "starts"], ["ends", "starts"]],
        "{outages:?}"
    );
}

#[test]
fn user_and_computer_are_the_systems_and_no_variables() {
    let place = Place::new(&fleet(1));
    let mut command = super::program::fleetsweep(place.0.path());
    command.args(["run", "fleet.csv", "--mock"]).args(LOG);
    command
        .env("USER", "somebody else")
        .env("USERNAME", "somebody else")
        .env("HOSTNAME", "another")
        .env("COMPUTERNAME", "another");
    assert!(command.status().unwrap().success());
    let trail = trail(&place.read("log.json"));
    let run = named(&trail, "run")[0];
    for (field, wrong) in [("os_user", "somebody else"), ("host", "another")] {
        let told = run[field].as_str().unwrap();
        assert!(!told.is_empty() && told != wrong, "{run}");
    }
}

#[test]
fn the_terminal_hears_of_it_at_v_and_of_decisions_at_vv() {
    let place = Place::new(&fleet(3));
    let told =
        |words: &[&str]| said(&place.run(&[&["fleet.csv", "--mock", "--force"], words].concat()));
    let (plain, v, vv) = (told(&[]), told(&["-v"]), told(&["-vv"]));
    assert!(!plain.contains("fleetsweep::audit"), "{plain}");
    assert_eq!(v.matches("event=\"attempt\"").count(), 3, "{v}");
    assert!(!v.contains("goes next"), "{v}");
    assert_eq!(vv.matches("goes next").count(), 3, "{vv}");
    assert!(!vv.contains("hyper"), "{vv}");
}

#[test]
fn the_terminal_and_the_file_each_have_their_own() {
    let place = Place::new(&fleet(3));
    let told = |words: &[&str], filter: &str| {
        let mut command = super::program::fleetsweep(place.0.path());
        command.args([
            "run",
            "fleet.csv",
            "--mock",
            "--force",
            "--log-file",
            "log.json",
        ]);
        command.args(["--log-format", "json"]).args(words);
        let output = command.env("RUST_LOG", filter).output().unwrap();
        let log = place.read("log.json");
        fs::remove_file(place.path("log.json")).unwrap();
        for name in ["run", "over"] {
            assert_eq!(named(&trail(&log), name).len(), 1, "{filter}: {log}");
        }
        assert_eq!(named(&trail(&log), "ended").len(), 3, "{filter}: {log}");
        (said(&output), log)
    };
    let attempts = |text: &str| text.matches("event=\"attempt\"").count();
    assert_eq!(attempts(&told(&[], "").0), 0);
    assert_eq!(attempts(&told(&["-q"], "").0), 0);
    for bar in ["lines", "bar"] {
        let (stderr, log) = told(&["-v", "--progress", bar], "");
        assert_eq!(attempts(&stderr), 3, "{stderr}");
        assert!(!log.contains("goes next"), "{log}");
    }
    for filter in ["error", "off", "fleetsweep::audit=off"] {
        assert_eq!(attempts(&told(&["-v"], filter).0), 0, "{filter}");
    }
    let (stderr, log) = told(&[], "fleetsweep=debug");
    assert!(
        stderr.contains("goes next") && log.contains("goes next"),
        "{log}"
    );
}

#[cfg(unix)]
#[test]
fn log_state_mark_and_ledger_are_their_owners_alone_whatever_the_umask_is() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::new(&fleet(2));
    let server = Server::start(&[]);
    let ran = Command::new("sh")
        .args(["-c", "umask 0; exec \"$0\" \"$@\"", BINARY])
        .args(["run", "fleet.csv", "-q", "--log-file", "log.txt"])
        // A campaign that has come to its end keeps no mark.
        .args(["--max-machines", "1", "--api-url", &server.url()])
        .current_dir(place.0.path())
        .env("XDG_STATE_HOME", state_home(place.0.path()))
        .env("FLEETSWEEP_TOKEN", "mock")
        .env_remove("RUST_LOG")
        .status();
    assert_eq!(ran.unwrap().code(), Some(3));
    let ledger = state_home(place.0.path()).join("fleetsweep/quota.db");
    let files = ["log.txt", "fleet.campaign.db", "fleet.campaign.db.mark"];
    for file in files
        .map(|name| place.path(name))
        .into_iter()
        .chain([ledger])
    {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    assert!(place.read("log.txt").contains("event=\"ended\""));
}

/// The names that the sources give to events.
fn names_in(folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names_in(&path, names);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let events = text.split("audit!(").skip(1);
        let quoted = events.filter_map(|rest| rest.trim_start().strip_prefix('"'));
        names.extend(quoted.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    }
}

#[test]
fn every_event_is_documented_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/LOG.md")).unwrap();
    let (_, table) = text.split_once("| event | fields | when |").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut told: Vec<_> = rows
        .map(|row| row.split('`').next().unwrap().to_owned())
        .collect();
    let mut given = vec!["bug".to_owned()];
    names_in(&root.join("src"), &mut given);
    told.sort();
    given.sort();
    given.dedup();
    assert_eq!(told, given);
}

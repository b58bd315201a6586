//! `fleetsweep plan`: what a run would do, told without a call and without a file.

use std::{collections::BTreeMap, fs, path::Path, process::Output};

use serde_json::Value;

use super::{
    command_line::{Place, assert_refused, said},
    program::{Server, fleet, fleetsweep, state_home},
    resume::start,
};

const BAD: &str = "machine_id\n\
    078db7af58d2b2b0736456bea2ac4988d3d450fb\n\
    no good id\n\
    078DB7AF58D2B2B0736456BEA2AC4988D3D450FB\n\
    e95ffa4736beb99627a3f64f33fd9db11ff91a0f\n";

/// `fleetsweep plan` with these words and a token that does not tell whose it is.
fn plan(place: &Place, words: &[&str]) -> Output {
    let mut command = fleetsweep(place.0.path());
    command.arg("plan").args(words);
    command.env("FLEETSWEEP_TOKEN", "x").output().unwrap()
}

fn in_words(place: &Place, words: &[&str]) -> String {
    let output = plan(place, words);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(said(&output), "");
    String::from_utf8(output.stdout).unwrap()
}

fn as_json(place: &Place, words: &[&str]) -> Value {
    let words: Vec<_> = words.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&in_words(place, &words)).unwrap()
}

/// Every file below a folder with what is in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

/// When the call of this number goes, in seconds.
fn mark(told: &Value, call: u64) -> f64 {
    let marks = told["timeline"]["marks"].as_array().unwrap();
    let mark = marks.iter().find(|mark| mark["call"] == call);
    mark.unwrap_or_else(|| panic!("no call {call} in {told}"))["in_s"]
        .as_f64()
        .unwrap()
}

#[test]
fn it_tells_counts_refusals_and_times_and_leaves_no_trace() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(1_501));
    fs::write(place.path("bad.csv"), BAD).unwrap();
    let before = files(place.0.path());
    let url = server.url();
    let told = in_words(&place, &["bad.csv", "--api-url", &url]);
    for words in [
        "bad.csv: 4 rows, 2 to be sent\n",
        "          1  invalid\n             line 3: ",
        "          1  duplicate\n             line 4: the same machine stands in line 2\n",
        "quota spent: 0 of 100 calls in 1 min; 0 of 1500 calls in 1 h\n",
        "  call         2  at once\n",
        "nothing was sent\n",
    ] {
        assert!(told.contains(words), "{words:?} is not in: {told}");
    }
    let told = in_words(&place, &["fleet.csv", "--api-url", &url]);
    assert!(
        told.lines()
            .any(|line| line.starts_with("the last call goes out about ")
                && line.contains(", in 1 h: this is the least time")),
        "{told}"
    );
    assert!(told.lines().count() < 40, "more than a screen: {told}");

    let told = as_json(&place, &["bad.csv", "--api-url", &url]);
    assert_eq!((&told["rows"], &told["due"]), (&4.into(), &2.into()));
    assert_eq!(told["refusals"][0]["outcome"], "invalid");
    assert_eq!(told["refusals"][0]["first"][0]["line"], 3);
    assert_eq!(told["outcomes"]["duplicate"], 1);
    let told = as_json(&place, &["fleet.csv", "--api-url", &url]);
    assert_eq!(told["timeline"]["calls"], 1_501);
    for (call, secs) in [(1, 0.0), (100, 0.0), (1_501, 3_600.0)] {
        let at = mark(&told, call);
        assert!((at - secs).abs() < 1e-6, "{call}: {at}");
    }
    assert_eq!(told["campaign"], Value::Null);

    assert!(files(place.0.path()) == before, "a file was made");
    assert!(!state_home(place.0.path()).exists(), "a ledger was made");
    let recorder = server.saw("/mock/witness");
    for (kind, saw) in recorder["kinds"].as_object().unwrap() {
        assert_eq!(saw["calls"], 0, "{kind}: {recorder:#}");
    }
}

#[test]
fn it_counts_what_was_spent_and_goes_on_with_the_campaign_that_is_there() {
    let server = Server::start(&["--unknown", "100%"]);
    let place = Place::new(&fleet(3));
    fs::write(place.path("more.csv"), fleet(200)).unwrap();
    let url = server.url();
    let words = ["fleet.csv", "--max-attempts", "1"];
    let run = place.run_against(&server, &words).output().unwrap();
    assert_eq!(run.status.code(), Some(1), "{}", said(&run));
    let calls = server.saw("/mock/witness");
    let before = files(place.0.path());

    let words = ["more.csv", "--api-url", &url, "--limit", "100/1h"];
    let told = as_json(&place, &words);
    assert_eq!(told["quota"]["windows"][0]["in_use"], 3, "{told}");
    // The hundredth waits for the first of those that were spent, the next ones for the hour of the plan's own.
    let waits = mark(&told, 100);
    assert!(waits > 0.0 && waits <= 3_600.0, "{told}");
    assert!(mark(&told, 200) >= 3_600.0, "{told}");

    let told = in_words(&place, &["fleet.csv", "--api-url", &url]);
    assert!(told.contains(": 3 rows, 0 to be sent"), "{told}");
    assert!(told.contains(" has finished. "), "{told}");
    let again = as_json(&place, &["fleet.csv", "--api-url", &url, "--again"]);
    assert_eq!(again["due"], 3);
    assert_eq!(again["campaign"], Value::Null);
    let words = [
        "fleet.csv",
        "--api-url",
        &url,
        "--retry",
        "not_found,failed",
    ];
    let retry = as_json(&place, &words);
    assert_eq!((&retry["due"], &retry["in_doubt"]), (&3.into(), &3.into()));
    assert!(retry["campaign"].is_string());

    // Another campaign is refused as by a run.
    fs::write(place.path("fleet.csv"), fleet(4)).unwrap();
    let words = ["fleet.csv", "--api-url", &url];
    assert_refused(&plan(&place, &words), 2, &["line 5", "--extend"]);
    let extended = as_json(&place, &["fleet.csv", "--api-url", &url, "--extend"]);
    assert_eq!(
        (&extended["rows"], &extended["due"]),
        (&4.into(), &1.into())
    );
    fs::write(place.path("fleet.csv"), fleet(3)).unwrap();
    assert!(files(place.0.path()) == before, "a file has changed");
    assert_eq!(server.saw("/mock/witness"), calls, "something was sent");
}

#[test]
fn while_a_run_is_at_work_it_only_looks() {
    let server = Server::start(&["--latency", "50ms"]);
    let place = Place::new(&fleet(80));
    let words = ["fleet.csv", "--limit=20/1s", "--limit=90/1h"];
    let mut child = start(&place, &server, &words, 10);
    let told = as_json(&place, &["fleet.csv", "--api-url", &server.url()]);
    assert_eq!(told["running"], true, "{told}");
    let accepted = told["outcomes"]["accepted"].as_u64().unwrap();
    assert_eq!(accepted + told["due"].as_u64().unwrap(), 80);
    assert!(accepted >= 10, "{told}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let told = in_words(&place, &["fleet.csv", "--api-url", &server.url()]);
    assert!(told.contains("no call goes out\n"), "{told}");
}

#[test]
fn whose_quota_it_is_needs_no_sign_in() {
    let place = Place::new(&fleet(3));
    let mut command = fleetsweep(place.0.path());
    let tenant = "2F3B1C7E-0A5D-4F5E-9A53-7D4D3C2B1A00";
    command
        .args(["plan", "fleet.csv", "--json", "--auth", "secret"])
        .args(["--authority-url", "http://127.0.0.1:1"])
        .env("AZURE_TENANT_ID", tenant)
        .env("AZURE_CLIENT_ID", "1b2c")
        .env("AZURE_CLIENT_SECRET", "s3cret");
    let told: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(told["quota"]["tenant"], tenant.to_lowercase());
    assert_eq!(told["quota"]["application"], "1b2c");
    assert_eq!(told["notes"], Value::Array(Vec::new()));
    command.env("AZURE_TENANT_ID", "contoso.example");
    let told: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(told["quota"]["tenant"], "unknown");
    assert!(
        told["notes"][0]
            .as_str()
            .unwrap()
            .contains("contoso.example")
    );
}

#[test]
fn what_cannot_be_read_is_told_with_the_exit_code_of_a_run() {
    let place = Place::new(&fleet(3));
    assert_refused(&plan(&place, &["nowhere.csv"]), 2, &["nowhere.csv"]);
    assert_refused(&plan(&place, &["-"]), 2, &["-o"]);
    let words = ["fleet.csv", "--retry", "failed"];
    assert_refused(&plan(&place, &words), 2, &["no campaign"]);
    fs::write(place.path("quota.db"), "this is no ledger of any kind").unwrap();
    let words = ["fleet.csv", "--quota-file", "quota.db"];
    assert_refused(&plan(&place, &words), 5, &["quota.db"]);
    fs::write(place.path("fleet.campaign.db"), "no state").unwrap();
    assert_refused(&plan(&place, &["fleet.csv"]), 5, &["fleet.campaign.db"]);
}

#[test]
fn it_takes_the_command_line_of_a_run() {
    let place = Place::new(&fleet(30));
    let words = [
        "fleet.csv",
        "--mock",
        "--limit",
        "20/2s",
        "--workers",
        "5",
        "--summary",
        "-",
        "-q",
        "--follow",
        "--on-pending",
        "retry",
    ];
    let told = as_json(&place, &words);
    assert!((mark(&told, 30) - 2.0).abs() < 1e-6, "{told}");
    assert_eq!(told["quota"]["ledger"], Value::Null);
    assert_eq!(files(place.0.path()).len(), 1);
}

#[test]
fn a_yes_that_a_run_would_refuse_is_told() {
    let place = Place::new(&fleet(35));
    let refused = "--yes=3 is a yes for at most 3 machines, and 35 are still to be scanned: a run would refuse that";
    for (words, is_refused) in [
        (&["--yes", "3", "fleet.csv"][..], true),
        (&["--yes=35", "fleet.csv"], false),
        (&["--yes", "fleet.csv"], false),
        (&["fleet.csv", "--yes=3", "--max-machines", "3"], false),
    ] {
        let told = in_words(&place, words);
        assert!(told.contains("35 to be sent"), "{told}");
        assert_eq!(told.contains(refused), is_refused, "{told}");
    }
}

#[test]
fn its_summary_is_the_plan_as_json() {
    let place = Place::new(&fleet(30));
    let words = in_words(&place, &["fleet.csv", "--mock", "--summary", "s.json"]);
    assert!(words.contains("30 to be sent"), "{words}");
    let told: Value = serde_json::from_str(&place.read("s.json")).unwrap();
    assert_eq!(told["due"], 30);
    // A name that would turn the line round on a terminal.
    let turned = "\u{202e}turned.csv";
    fs::write(place.path(turned), fleet(3)).unwrap();
    in_words(&place, &[turned, "--mock", "--summary", "t.json"]);
    let told = place.read("t.json");
    assert!(told.contains("\\u202eturned.csv"), "{told}");
    assert!(!told.contains('\u{202e}'), "{told}");
    let told = in_words(&place, &["fleet.csv", "--mock", "--summary", "-"]);
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["due"], 30);
    let refused = plan(&place, &["fleet.csv", "--mock", "--summary", "no/s.json"]);
    assert_refused(&refused, 5, &["no/s.json", "--summary"]);
}

#[test]
fn what_bounds_a_run_bounds_its_plan() {
    let place = Place::new(&fleet(300));
    let told = as_json(&place, &["fleet.csv", "--mock", "--max-machines", "40"]);
    assert_eq!(told["timeline"]["stopped_by"], "max_machines", "{told}");
    assert!(mark(&told, 40) < 1.0, "{told}");
    let late = ["fleet.csv", "--mock", "--not-after", "2020-01-01T00:00:00Z"];
    let told = as_json(&place, &late);
    assert_eq!(told["timeline"]["stopped_by"], "not_after", "{told}");
    let told = in_words(&place, &["fleet.csv", "--mock", "--canary", "5"]);
    assert!(
        told.contains("--canary 5: the first 5 go out first"),
        "{told}"
    );
}

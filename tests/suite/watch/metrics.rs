//! `--metrics` and `/healthz`.

use super::*;

#[test]
fn the_metrics_add_up_in_the_middle_of_a_run_and_at_its_end() {
    let place = folder(60);
    let words = [
        "--mock",
        "--limit",
        "20/1s",
        "--metrics",
        "127.0.0.1:0",
        "--progress",
        "json",
        "--summary",
        "s.json",
        "--on-end",
        UNTIL_GO,
    ];
    let mut running = Running::start(run(place.path(), &words));
    let address = running.address();
    let mut in_the_middle = 0;
    loop {
        let scrape = Scrape::of(&address);
        let ended = sum(&scrape.counts("fleetsweep_targets"));
        let open = sum(&scrape.counts("fleetsweep_targets_open"));
        let (health, word) = ask(&address, "GET", "/healthz");
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
        assert_eq!(word, "ok\n");
        // Before the first state there is nothing to add up.
        assert!([0, 60].contains(&(ended + open)), "{ended} {open}");
        in_the_middle += u32::from(ended > 0 && open > 0);
        if ended == 60 {
            break;
        }
        look_again();
    }
    assert!(in_the_middle > 0);
    running.line("\"event\":\"summary\"");
    let scrape = Scrape::of(&address);
    let file = fs::read_to_string(place.path().join("s.json")).unwrap();
    let summary: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(
        scrape.counts("fleetsweep_targets"),
        counts(&summary["outcomes"])
    );
    assert_eq!(
        summary["calls"],
        sum(&scrape.counts("fleetsweep_calls_total"))
    );
    let durations = scrape.counts("fleetsweep_call_duration_seconds_count");
    assert_eq!(summary["calls"], sum(&durations));
    assert_eq!(scrape.counts("fleetsweep_quota_limit")["1s"], 20);
    assert!(
        scrape
            .value("fleetsweep_last_success_timestamp_seconds")
            .is_some()
    );
    assert_eq!(scrape.value("fleetsweep_hold_seconds"), Some(0.0));
    for (method, path, status) in [
        ("GET", "/", "404"),
        ("GET", "/metrics/", "404"),
        ("POST", "/metrics", "405"),
        ("DELETE", "/healthz", "405"),
    ] {
        let (head, _) = ask(&address, method, path);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {head}"
        );
    }
    fs::write(place.path().join("go"), "").unwrap();
    let (code, rest) = running.end();
    assert_eq!(code, Some(0), "{rest}");
    // Nobody listens there any more.
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn an_address_that_cannot_be_used_is_refused_before_anything_is_sent_or_written() {
    let place = folder(2);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let server = Server::start(&[]);
    for (address, words) in [
        (taken.as_str(), "port 0 takes any that is free"),
        ("0.0.0.0:0", "others than this computer can read"),
        ("[::]:9464", "others than this computer can read"),
    ] {
        let words_of = ["--api-url", &server.url(), "--metrics", address];
        let done = run(place.path(), &words_of).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    assert_eq!(server.saw("/mock/witness")["kinds"]["start"]["calls"], 0);
    let meant = ["--mock", "-q", "--yes", "--metrics", "0.0.0.0:0"];
    let done = run(place.path(), &meant).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_simulation_and_a_plan_serve_nothing_and_tell_nobody() {
    let place = folder(2);
    let receiver = Receiver::start(&[200]);
    let notify = format!("http://{}/", receiver.url);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let options = [
        "--on-end",
        "sh -c 'touch told'",
        "--notify",
        &notify,
        "--metrics",
        &taken,
    ];
    for name in ["simulate", "plan"] {
        let done = fleetsweep(place.path())
            .env("FLEETSWEEP_TOKEN", "mock")
            .args([name, "fleet.csv"])
            .args(options)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(0), "{name}: {done:?}");
    }
    assert!(receiver.posts().is_empty());
    assert!(!place.path().join("told").exists());
}

//! Machines that are excluded, and never sent to: in virtual time over random campaigns, and in the program.

/// The same by name, while the inventory changes.
mod by_name;
mod changing_tenant;

use std::{fs, process::Output, sync::Arc, time::Duration};

use fleetsweep::{
    campaign::stop::Signal,
    mock::{Chances, MockConfig},
    roster::Excluded,
    store::Store,
};
use tokio::time::sleep;

use super::{
    command_line::{Place, assert_refused, outcomes, said},
    program::{Server, fleet as program_fleet, fleetsweep},
    rig::{Rig, fleet, short_or_long},
};

const SECOND: Duration = Duration::from_secs(1);

/// A tenant that loses answers on either side of a scan, is slow, and shows new scans late.
fn faulty(seed: u64, excluded: &Excluded, extend: bool) -> Rig {
    Rig {
        seed,
        extend,
        excluded: excluded.clone(),
        ..Rig::against(MockConfig {
            seed,
            latency: (Duration::ZERO..=20 * SECOND).into(),
            listing_lag: Duration::ZERO..=5 * SECOND,
            chances: Chances {
                busy: 0.05,
                spurious_404: 0.03,
                error_before: 0.1,
                error_after: 0.05,
                reset_before: 0.1,
                reset_after: 0.05,
                ..Chances::default()
            },
            ..MockConfig::default()
        })
    }
}

/// A campaign that is stopped again and again while more and more of its machines are excluded, some of them with a
/// call on its way.
async fn stopped_and_excluded(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut machines = 120;
    let mut excluded = Excluded::default();
    let ground = Arc::new(faulty(seed, &excluded, false).ground());
    for round in 0..rng.u32(2..8) {
        let extend = round > 0 && rng.bool();
        machines += if extend { rng.u64(0..20) } else { 0 };
        for _ in 0..rng.u32(0..25) {
            excluded.add(&format!("{:040x}", rng.u64(1..machines + 5)));
        }
        if round > 0 && rng.bool() {
            let mut store = Store::open(&ground.state()).unwrap();
            for outcome in ["failed", "unsure", "not_found"] {
                store.reopen(outcome).unwrap();
            }
            store.close().unwrap();
        }
        let rig = faulty(seed, &excluded, extend);
        let sent_to = Arc::clone(&rig.sent_to);
        let running = rig.start_on(&ground, &fleet(machines)).await;
        sleep(Duration::from_millis(rng.u64(0..120_000))).await;
        if running.is_over() {
            running.end().await;
        } else if rng.bool() {
            running.kill().await;
        } else {
            running.signal(Signal::Drain).await;
            running.end().await;
        }
        assert_spared(&sent_to.lock().unwrap(), &excluded, seed);
    }
    let rig = faulty(seed, &excluded, true);
    let sent_to = Arc::clone(&rig.sent_to);
    let told = rig.start_on(&ground, &fleet(machines)).await.end().await;
    assert_spared(&sent_to.lock().unwrap(), &excluded, seed);
    assert_eq!(told.stop, None, "seed {seed}");
    told.assert_one_scan_each();
    for row in 1..=told.rows.len() {
        if told.cell(row, "attempts") == "0" && excluded.contains(told.cell(row, "machine_id")) {
            let cells = ["outcome", "message"].map(|name| told.cell(row, name));
            assert_eq!(cells, ["not_attempted", "excluded"], "seed {seed}");
        }
    }
}

#[track_caller]
fn assert_spared(sent_to: &[String], excluded: &Excluded, seed: u64) {
    let called = sent_to.iter().find(|machine| excluded.contains(machine));
    assert_eq!(called, None, "seed {seed}");
}

/// Six seeds; sixteen in the long form.
#[tokio::test(start_paused = true)]
async fn an_excluded_machine_is_never_called_whatever_becomes_of_the_campaign() {
    for seed in 1..=short_or_long(6, 16) {
        stopped_and_excluded(seed).await;
    }
}

fn run(place: &Place, server: &Server, words: &[&str]) -> Output {
    let words = [&["fleet.csv", "-q"], words].concat();
    place.run_against(server, &words).output().unwrap()
}

fn ends(place: &Place) -> Vec<String> {
    outcomes(&place.read("fleet.results.csv"))
}

#[test]
fn a_campaign_keeps_its_exclusions_until_they_are_lifted_and_so_does_its_successor() {
    let server = Server::start(&[]);
    let place = Place::new(&program_fleet(5));
    let (one, two) = (format!("{:040X}", 1), format!("{:040x}", 2));
    // In another case, in a CSV with other columns, and twice.
    fs::write(
        place.path("keep.csv"),
        format!("name,id\npc,{one}\npc,{one}\n"),
    )
    .unwrap();
    fs::write(place.path("standing.txt"), &two).unwrap();
    let first = ["--exclude", "keep.csv", "--max-machines", "1"];
    assert_eq!(run(&place, &server, &first).status.code(), Some(3));
    let mut standing = place.run_against(&server, &["fleet.csv", "-q"]);
    standing.env("FLEETSWEEP_EXCLUDE", "standing.txt");
    assert_eq!(standing.status().unwrap().code(), Some(0));
    let spared = [
        "accepted",
        "not_attempted",
        "not_attempted",
        "accepted",
        "accepted",
    ];
    assert_eq!(ends(&place), spared);

    assert_eq!(run(&place, &server, &["--again"]).status.code(), Some(0));
    let busy = ends(&place);
    assert_eq!(busy[1..3], ["not_attempted", "not_attempted"]);

    let lifted = run(&place, &server, &["--lift-exclusion", &one]);
    assert_eq!(lifted.status.code(), Some(0), "{}", said(&lifted));
    assert_eq!(ends(&place)[1..3], ["accepted", "not_attempted"]);
    assert_eq!(server.saw("/mock/witness")["scans"]["total"], 4);
}

#[test]
fn a_lost_state_does_not_lose_its_exclusions() {
    let server = Server::start(&[]);
    let place = Place::new(&program_fleet(3));
    fs::write(place.path("keep.txt"), format!("{:040x}", 1)).unwrap();
    run(
        &place,
        &server,
        &["--exclude", "keep.txt", "--max-machines", "1"],
    );
    for name in ["fleet.campaign.db", "fleet.campaign.db.mark"] {
        fs::remove_file(place.path(name)).unwrap();
    }
    let url = server.url();
    let mut plan = fleetsweep(place.0.path());
    plan.args([
        "plan",
        "fleet.csv",
        "--recover",
        "--api-url",
        &url,
        "--json",
    ]);
    plan.env("FLEETSWEEP_TOKEN", "mock");
    let plan = String::from_utf8(plan.output().unwrap().stdout).unwrap();
    assert!(plan.contains("as the results tell"), "{plan}");
    assert!(plan.contains("\"message\":\"excluded\""), "{plan}");
}

#[test]
fn neither_an_old_state_nor_giving_up_nor_the_results_as_input_reaches_an_excluded_machine() {
    let server = Server::start(&[]);
    let place = Place::new(&program_fleet(4));
    let spared = format!("{:040x}", 1);
    fs::write(place.path("keep.txt"), &spared).unwrap();
    run(&place, &server, &["--max-machines", "1"]);
    let old = fs::read(place.path("fleet.campaign.db")).unwrap();
    run(
        &place,
        &server,
        &["--exclude", "keep.txt", "--max-machines", "2"],
    );
    let url = server.url();
    let plan = |words: &[&str]| {
        let mut plan = fleetsweep(place.0.path());
        plan.args(["plan", "--api-url", &url, "--json"]).args(words);
        let output = plan.env("FLEETSWEEP_TOKEN", "mock").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let is_spared = "\"message\":\"excluded\"";

    let id = place.read("fleet.campaign.db.mark");
    let id = id.split_whitespace().nth(3).unwrap();
    let given_up = plan(&["fleet.csv", "--abandon", id]);
    assert!(given_up.contains(is_spared), "{given_up}");

    fs::copy(place.path("fleet.results.csv"), place.path("again.csv")).unwrap();
    let results = plan(&["again.csv", "--where", "outcome!=accepted"]);
    assert!(results.contains(is_spared), "{results}");

    fs::write(place.path("fleet.campaign.db"), old).unwrap();
    let recovered = plan(&["fleet.csv", "--recover"]);
    assert!(recovered.contains(is_spared), "{recovered}");
}

#[test]
fn a_lift_is_not_repeated_and_a_list_is_not_overwritten() {
    let server = Server::start(&[]);
    let place = Place::new(&program_fleet(4));
    let spared = format!("{:040x}", 1);
    fs::write(place.path("keep.txt"), &spared).unwrap();
    run(
        &place,
        &server,
        &["--exclude", "keep.txt", "--max-machines", "1"],
    );
    let words = [
        "fleet.csv",
        "--lift-exclusion",
        &spared,
        "--max-machines",
        "2",
    ];
    let stopped = place.run_against(&server, &words).output().unwrap();
    let next = said(&stopped);
    let next = next
        .lines()
        .find(|line| line.starts_with("to go on"))
        .unwrap();
    assert!(!next.contains("--lift-exclusion"), "{next}");

    for option in ["--summary", "--log-file"] {
        let refused = run(
            &place,
            &server,
            &["--exclude", "keep.txt", option, "keep.txt"],
        );
        assert_refused(&refused, 2, &["an exclusion list"]);
        assert_eq!(place.read("keep.txt"), spared);
    }
}

#[test]
fn a_list_that_cannot_be_read_whole_starts_nothing() {
    let server = Server::start(&[]);
    let place = Place::new(&program_fleet(3));
    let id = format!("{:040x}", 1);
    for (content, word) in [
        (format!("machine_id\n{id}\nN/A\n"), "line 3"),
        ("pc-1\npc-2\n".to_owned(), "names"),
        (format!("dc-01\n{id}\n"), "heading"),
        (String::new(), "empty"),
    ] {
        fs::write(place.path("keep.csv"), &content).unwrap();
        let refused = run(&place, &server, &["--exclude", "keep.csv"]);
        assert_refused(&refused, 2, &["--exclude", word, "nothing was sent"]);
    }
    let refused = run(&place, &server, &["--exclude", "nowhere.csv"]);
    assert_refused(&refused, 2, &["nowhere.csv"]);
    assert_eq!(server.saw("/mock/witness")["scans"]["total"], 0);
    assert!(!place.path("fleet.campaign.db").exists());
}

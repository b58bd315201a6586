//! `run --mock`: slips come out before the day, and neither kind of campaign touches the other's files.

use std::{
    fs,
    io::Read,
    process::{Output, Stdio},
};

use super::{
    command_line::{Place, assert_code, assert_refused, outcomes, said},
    program::{Server, fleet, fleetsweep, look_again},
};

const SOME: [&str; 3] = ["fleet.csv", "--limit", "none"];

fn rehearse(place: &Place, more: &[&str]) -> Output {
    place.run(&[&SOME[..], &["--mock"], more].concat())
}

fn really(place: &Place, server: &Server, more: &[&str]) -> Output {
    let words = [&SOME[..], more].concat();
    place.run_against(server, &words).output().unwrap()
}

#[test]
fn slips_are_unknown_to_a_rehearsal_as_they_are_to_the_service() {
    let ids = [
        "1e5bc9d7e413ddd7902c2932e418702b84d0cc07",
        "1E5BC9D7E413DDD7902C2932E418702B84D0CC08",
        "1e5bc9d7e413ddd7902c2932e418702b",
        // One digit less, a letter that is none, and a host's name.
        "1e5bc9d7e413ddd7902c2932e418702b84d0cc0",
        "1e5bc9d7e413ddd7902c2932e418702b84d0ccog",
        "host-17.example.com",
    ];
    let place = Place::new(&format!("machine_id\n{}\n", ids.join("\n")));
    let output = rehearse(&place, &["--any-id"]);
    assert_code(&output, 1);
    let results = outcomes(&place.read("fleet.results.csv"));
    for (n, outcome) in results.iter().enumerate() {
        let is_there = matches!(outcome.as_str(), "accepted" | "already_pending");
        assert_eq!(is_there, n < 3, "{results:?}");
    }
}

#[test]
fn the_mock_knows_ids_of_forty_digits_unless_an_inventory_says_otherwise() {
    let ids = |server: &Server, place: &Place| {
        let output = really(place, server, &["--any-id"]);
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}",
            said(&output)
        );
        outcomes(&place.read("fleet.results.csv"))
    };
    let (long, short) = (
        "1e5bc9d7e413ddd7902c2932e418702b84d0cc07",
        "1e5bc9d7e413ddd7902c2932e418702b",
    );
    let place = Place::new(&format!("machine_id\n{long}\n{short}\n"));
    assert_eq!(ids(&Server::start(&[]), &place), ["accepted", "not_found"]);

    let place = Place::new(&format!("machine_id\n{long}\n{short}\n"));
    let inventory = place.path("inventory.csv");
    fs::write(
        &inventory,
        format!("os,machine_id\nWindows11,{}\n", short.to_uppercase()),
    )
    .unwrap();
    let server = Server::start(&["--inventory", inventory.to_str().unwrap()]);
    assert_eq!(ids(&server, &place), ["not_found", "accepted"]);
    let mut command = fleetsweep(place.0.path());
    command.args(["machines", "--api-url", &server.url(), "--quota-file"]);
    command.arg(super::program::quota_file(place.0.path()));
    let listed = command.env("FLEETSWEEP_TOKEN", "x").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains(short), "{listed}");

    let mut command = fleetsweep(place.0.path());
    let refused = command
        .args(["mock", "--inventory", "no-such.csv"])
        .output()
        .unwrap();
    assert_refused(&refused, 2, &["--inventory no-such.csv"]);
}

#[test]
fn a_rehearsal_says_what_it_is_wherever_it_could_be_taken_for_more() {
    let place = Place::new(&fleet(3));
    let output = rehearse(&place, &["--summary", "-", "--state", "r.campaign.db"]);
    let told = said(&output);
    assert!(told.contains("(a rehearsal): 3 targets"), "{told}");
    assert!(
        told.contains("(a rehearsal: no machine was scanned)"),
        "{told}"
    );
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["rehearsal"], true);
    for row in place.read("fleet.results.csv").lines().skip(1) {
        assert!(row.split(',').nth(12).unwrap().starts_with("mock"), "{row}");
    }
    let status = |more: &[&str]| {
        let mut command = fleetsweep(place.0.path());
        let output = command
            .args(["status", "r.campaign.db"])
            .args(more)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(
        status(&[]).contains("(a rehearsal): finished"),
        "{}",
        status(&[])
    );
    assert!(
        status(&["--json"]).contains("\"rehearsal\":true"),
        "{}",
        status(&["--json"])
    );
    for command in [&["follow"][..], &["cancel", "--yes"]] {
        let words = ["r.campaign.db", "--api-url", "http://127.0.0.1:9"];
        let output = fleetsweep(place.0.path())
            .args(command)
            .args(words)
            .output()
            .unwrap();
        assert_refused(&output, 2, &["was a rehearsal"]);
    }
    // Stopped by a brake, it says so too, and promises to go on only where there is something to go on with.
    for quiet in [&[][..], &["-q"]] {
        let kept = ["--max-machines", "1", "--state", "kept.campaign.db"];
        let kept = said(&rehearse(&place, &[&kept, quiet].concat()));
        assert!(kept.contains("the same command goes on with"), "{kept}");
        fs::remove_file(place.path("kept.campaign.db")).unwrap();
        let braked = said(&rehearse(
            &place,
            &[&["--max-machines", "1"], quiet].concat(),
        ));
        assert!(
            braked.contains(
                "2 rows are left; the same command starts again from the beginning, because a"
            ) && !braked.contains("goes on"),
            "{braked}"
        );
    }
    let braked = rehearse(&place, &["--max-machines", "1"]);
    assert_code(&braked, 3);
    assert!(
        said(&braked).contains("(a rehearsal: no machine"),
        "{}",
        said(&braked)
    );
}

#[test]
fn a_yes_to_a_number_is_judged_in_a_rehearsal_as_it_is_on_the_day() {
    let place = Place::new(&fleet(3));
    let refused = rehearse(&place, &["--yes=2"]);
    assert_refused(&refused, 2, &["--yes=2", "3 are still to be scanned"]);
    assert!(!place.path("fleet.results.csv").exists());
    let mut plan = fleetsweep(place.0.path());
    let plan = plan.args(["plan", "fleet.csv", "--mock", "--yes=2"]);
    let planned = String::from_utf8(plan.output().unwrap().stdout).unwrap();
    assert!(planned.contains("a run would refuse that"), "{planned}");
    for yes in ["--yes=3", "--yes"] {
        assert_code(&rehearse(&place, &[yes]), 0);
    }
    assert_code(&rehearse(&place, &["--yes=2", "--max-machines", "2"]), 3);
}

#[test]
fn a_rehearsals_results_give_way_to_real_ones_and_never_the_other_way_round() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(4));
    for brake in [&["--max-machines", "2"][..], &[]] {
        rehearse(&place, brake);
        rehearse(&place, &[]);
    }
    assert!(
        !place
            .path("state-home")
            .join("fleetsweep/quota.db")
            .exists(),
        "it keeps a ledger"
    );
    // Unfinished and finished, the real results stay.
    for (brake, code) in [(&["--max-machines", "2"][..], 3), (&[][..], 0)] {
        assert_code(&really(&place, &server, brake), code);
        let real = place.read("fleet.results.csv");
        for force in [&[][..], &["--force"], &["--again"], &["--extend"]] {
            let refused = rehearse(&place, force);
            assert_refused(&refused, 2, &["real campaign", "-o"]);
            assert_eq!(place.read("fleet.results.csv"), real);
        }
        let id = real.lines().nth(1).unwrap().split(',').nth(12).unwrap();
        assert_refused(
            &rehearse(&place, &["--abandon", id]),
            2,
            &["--abandon", "real"],
        );
        assert_eq!(place.read("fleet.results.csv"), real);
        assert_code(&rehearse(&place, &["-o", "other.csv"]), 0);
    }
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 4]);
}

#[test]
fn neither_kind_goes_on_with_the_others_state() {
    let server = Server::start(&[]);
    let forms = [
        &[][..],
        &["--again"],
        &["--extend"],
        &["--again", "--extend"],
        &["--recover"],
        &["--force"],
    ];
    for is_finished in [false, true] {
        let brake = if is_finished {
            &[][..]
        } else {
            &["--max-machines", "2"]
        };
        let state = ["--state", "fleet.campaign.db"];
        for form in forms {
            let place = Place::new(&fleet(4));
            rehearse(&place, &[&state, brake].concat());
            let mut plan = fleetsweep(place.0.path());
            let plan = plan
                .args(["plan", "fleet.csv", "--api-url", &server.url()])
                .args(form);
            if form == ["--recover"] {
                let words = ["--recover", "there is no campaign"];
                assert_refused(&really(&place, &server, form), 2, &words);
                continue;
            }
            let planned = plan.output().unwrap();
            assert_code(&planned, 0);
            assert!(String::from_utf8_lossy(&planned.stdout).contains("4 rows, 4 to be sent"));
            assert_code(&really(&place, &server, form), 0);
            // The machines of the forms before are still being scanned.
            let ended = outcomes(&place.read("fleet.results.csv"));
            let is_scanned =
                |outcome: &String| ["accepted", "already_pending"].contains(&outcome.as_str());
            assert!(
                ended.len() == 4 && ended.iter().all(is_scanned),
                "{ended:?}"
            );
            let kept = fs::read_dir(place.0.path()).unwrap().any(|file| {
                let name = file.unwrap().file_name().into_string().unwrap();
                name.starts_with("fleet.mock") && name.ends_with(".campaign.db")
            });
            assert!(kept, "what was rehearsed is not lost");
        }

        let place = Place::new(&fleet(4));
        really(&place, &server, brake);
        let before = fs::read(place.path("fleet.campaign.db")).unwrap();
        for form in forms {
            let words = [&state, &["-o", "other.csv"], form].concat();
            assert_refused(&rehearse(&place, &words), 2, &["real campaign", "--state"]);
        }
        assert_eq!(fs::read(place.path("fleet.campaign.db")).unwrap(), before);
        assert!(!place.path("other.csv").exists());
    }
}

#[test]
fn a_rehearsal_that_a_real_campaign_overtakes_ends_beside_its_results() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(40));
    let words = ["fleet.csv", "--limit", "10/1s"];
    let mut command = fleetsweep(place.0.path());
    command.arg("run").args(words).arg("--mock");
    let mut rehearsal = command.stderr(Stdio::piped()).spawn().unwrap();
    let results = place.path("fleet.results.csv");
    let rows = || fs::read_to_string(&results).map_or(0, |text| text.lines().count());
    while rows() < 5 {
        look_again();
    }
    assert_code(&really(&place, &server, &[]), 0);
    let real = place.read("fleet.results.csv");
    let mut told = String::new();
    let mut stderr = rehearsal.stderr.take().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    assert_eq!(rehearsal.wait().unwrap().code(), Some(0), "{told}");
    assert_eq!(place.read("fleet.results.csv"), real);
    assert!(
        told.contains("fleet.results.1.csv") && told.contains("real campaign"),
        "{told}"
    );
    assert_eq!(outcomes(&place.read("fleet.results.1.csv")).len(), 40);
}

//! The real program over states that have lost their end or are gone, campaigns that overlap, disks that are full, and
//! answers that were given before.

#![expect(
    clippy::disallowed_methods,
    reason = "processes have no virtual time, and somebody has to wait for them"
)]

use std::{
    fs,
    process::{Output, Stdio},
    time::Duration,
};

use super::{
    command_line::{Place, assert_refused, outcomes, said},
    program::{BINARY, Server, fleet, fleetsweep, signal, state_home},
    resume::start,
};

/// A campaign that was killed when some of its machines had ended, and whose calls have all been carried out since.
fn killed(server: &Server, machines: u32, words: &[&str]) -> Place {
    let place = Place::new(&fleet(machines));
    let words = [&["fleet.csv"], words].concat();
    let child = start(&place, server, &words, 30);
    signal(&child, "-KILL");
    child.wait_with_output().unwrap();
    let mut before = scans(server);
    loop {
        // Each look is a call of its own, which comes behind those that were on their way.
        std::thread::sleep(LATENCY * 3);
        let now = scans(server);
        if now == before {
            return place;
        }
        before = now;
    }
}

/// How long the mock takes for each call.
const LATENCY: Duration = Duration::from_millis(20);

fn run(place: &Place, server: &Server, words: &[&str]) -> Output {
    let words = [&["fleet.csv"], words].concat();
    place.run_against(server, &words).output().unwrap()
}

fn other(place: &Place, words: &[&str]) -> Output {
    let mut command = fleetsweep(place.0.path());
    command.env("FLEETSWEEP_TOKEN", "mock");
    command.args(words).output().unwrap()
}

fn scans(server: &Server) -> u64 {
    let saw = server.saw("/mock/witness");
    saw["scans"]["total"].as_u64().unwrap()
}

/// The campaign's id, as the mark beside its state has it.
fn campaign(place: &Place) -> String {
    let mark = place.read("fleet.campaign.db.mark");
    mark.split_whitespace().nth(3).unwrap().to_owned()
}

#[test]
fn a_state_whose_journal_is_gone_sends_nothing_and_keeps_the_results() {
    let server = Server::start(&["--limit", "none", "--latency", "20ms"]);
    let limit = ["--limit", "none", "--workers", "4"];
    let place = killed(&server, 200, &limit);
    let (results, before) = (place.read("fleet.results.csv"), scans(&server));
    fs::remove_file(place.path("fleet.campaign.db-wal")).unwrap();

    for words in [&[][..], &["--extend"], &["--yes", "--force"]] {
        let output = run(&place, &server, &[&limit[..], words].concat());
        assert_refused(
            &output,
            5,
            &["lost its end", "--recover", "Nothing was sent"],
        );
    }
    let url = server.url();
    let plan = ["plan", "fleet.csv", "--api-url", &url, "--limit", "none"];
    assert_refused(&other(&place, &plan), 5, &["lost its end"]);
    let status = other(&place, &["status", "fleet.csv"]);
    assert_eq!(status.status.code(), Some(5));
    assert!(said(&status).contains("lost its end"), "{}", said(&status));
    assert_eq!(place.read("fleet.results.csv"), results);
    assert_eq!(scans(&server), before);

    // Without a mark, the results are the recorder.
    fs::remove_file(place.path("fleet.campaign.db.mark")).unwrap();
    let output = run(&place, &server, &limit);
    assert_refused(&output, 5, &["tell what became of machine", "--recover"]);
    assert_eq!(place.read("fleet.results.csv"), results);
    assert_eq!(scans(&server), before);
}

#[test]
fn a_state_that_is_gone_is_told_of_by_results_mark_and_ledger() {
    let server = Server::start(&["--latency", "20ms", "--limit", "none"]);
    let limit = ["--limit", "10000/1s", "--workers", "4"];
    let place = killed(&server, 200, &limit);
    let (results, before) = (place.read("fleet.results.csv"), scans(&server));
    let id = campaign(&place);
    for name in ["fleet.campaign.db", "fleet.campaign.db-wal"] {
        fs::remove_file(place.path(name)).unwrap();
    }
    let gone = |words: &[&str]| {
        let output = run(&place, &server, &[&limit[..], words].concat());
        assert_refused(
            &output,
            5,
            &[&id, "--recover", "--abandon", "Nothing was sent"],
        );
    };
    // Those that need its state tell of it as well, as long as mark or ledger do.
    let url = server.url();
    let others = || {
        for words in [
            &["status", "fleet.csv"][..],
            &["follow", "fleet.csv", "--api-url", &url],
            &["cancel", "fleet.csv", "--yes", "--api-url", &url],
        ] {
            assert_refused(&other(&place, words), 5, &[&id, "is gone", "--recover"]);
        }
    };
    gone(&["--yes"]);
    gone(&["--force", "--yes"]);
    others();
    fs::remove_file(place.path("fleet.campaign.db.mark")).unwrap();
    gone(&["--yes"]);
    others();
    fs::rename(place.path("fleet.results.csv"), place.path("kept")).unwrap();
    gone(&["--yes"]);
    assert_eq!(scans(&server), before);

    fs::rename(place.path("kept"), place.path("fleet.results.csv")).unwrap();
    assert_eq!(place.read("fleet.results.csv"), results);
    let another = run(
        &place,
        &server,
        &[&limit[..], &["--abandon", "zzzzzzzzzz"]].concat(),
    );
    assert_refused(&another, 5, &[&id]);
    // As long as nothing takes its place, it is not given up.
    let whole = place.read("fleet.csv");
    fs::write(place.path("fleet.csv"), "name,os\npc-1,Windows11\n").unwrap();
    let abandon = [&limit[..], &["--abandon", &id, "--yes"]].concat();
    assert_refused(&run(&place, &server, &abandon), 2, &["no column"]);
    fs::write(place.path("fleet.csv"), whole).unwrap();
    gone(&["--yes"]);
    let to_few = [&limit[..], &["--abandon", &id, "--yes=5"]].concat();
    assert_refused(&run(&place, &server, &to_few), 2, &["--yes=5"]);
    gone(&["--yes"]);
    assert_eq!(scans(&server), before);

    let output = run(&place, &server, &abandon);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        said(&output)
    );
    let kept = place.read(&format!("fleet.{id}.results.csv"));
    assert_eq!(kept, results, "the old results were kept");
}

#[test]
fn a_copy_of_a_state_does_not_run_beside_it_nor_after_it() {
    let server = Server::start(&["--latency", "20ms", "--limit", "none"]);
    let words = [
        "fleet.csv",
        "--limit",
        "10000/1s",
        "--workers",
        "2",
        "--yes",
    ];
    let place = Place::new(&fleet(800));
    let mut first = start(&place, &server, &words, 5);
    for ending in ["", "-wal"] {
        let from = place.path(&format!("fleet.campaign.db{ending}"));
        let _ = fs::copy(from, place.path(&format!("copy.campaign.db{ending}")));
    }
    let copy = |words: &[&str]| {
        let own = ["--state", "copy.campaign.db", "-o", "copy.results.csv"];
        run(&place, &server, &[words, &own].concat())
    };
    let limit = ["--limit", "10000/1s", "--yes"];
    assert_refused(&copy(&limit), 2, &["another fleetsweep is at work"]);
    let url = server.url();
    let plan = ["plan", "fleet.csv", "--api-url", &url];
    let plan = [
        &plan[..],
        &["--state", "copy.campaign.db", "-o", "copy.results.csv"],
    ];
    assert_refused(
        &other(&place, &plan.concat()),
        2,
        &["another fleetsweep is at work"],
    );
    first.wait().unwrap();
    let before = scans(&server);
    assert_eq!(before, 800);
    assert_refused(&copy(&limit), 5, &["lost its end"]);
    assert_eq!(scans(&server), before);
}

#[test]
fn a_plan_gives_up_rebuilds_and_refuses_what_a_run_would() {
    let server = Server::start(&["--limit", "none"]);
    let url = server.url();
    let place = Place::new(&fleet(60));
    let limit = ["--limit", "10000/1s"];
    let plan = |words: &[&str]| {
        let plan = ["plan", "fleet.csv", "--api-url", &url];
        other(&place, &[&plan[..], &limit, words].concat())
    };
    let planned = |words: &[&str]| {
        let output = plan(words);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let refused = |words: &[&str], code, why: &str| {
        assert_refused(&plan(words), code, &[why]);
        assert_refused(
            &run(&place, &server, &[&limit[..], words].concat()),
            code,
            &[why],
        );
    };
    refused(&["--recover"], 2, "there is no campaign");
    refused(&["--abandon", "zzzzzzzzzz"], 2, "nothing was changed");
    refused(&["-o", "no/such/results.csv"], 5, "no directory");

    let braked = [&limit[..], &["--max-machines", "10"]].concat();
    assert_eq!(run(&place, &server, &braked).status.code(), Some(3));
    let id = campaign(&place);
    refused(&["--abandon", "zzzzzzzzzz"], 2, "nothing was changed");
    assert!(planned(&[]).contains(": 60 rows, 50 to be sent"));
    let abandoned = planned(&["--abandon", &id]);
    let new = "fleet.csv: 60 rows, 60 to be sent";
    assert!(abandoned.contains(new), "{abandoned}");
    assert!(
        abandoned.contains("would be given up; a run would begin"),
        "{abandoned}"
    );

    let rebuilt = |is_lost: &str| {
        let rebuilt = planned(&["--recover"]);
        let rows = format!("campaign {id}: 60 rows, 60 to be sent");
        let note = format!("the state of campaign {id} is {is_lost}, and a run would rebuild it");
        assert!(
            rebuilt.contains(&rows) && rebuilt.contains(&note),
            "{rebuilt}"
        );
    };
    let state = place.path("fleet.campaign.db");
    let mut bytes = fs::read(&state).unwrap();
    let machine = format!("{:040x}", 7).into_bytes();
    let at = bytes.windows(40).position(|cell| cell == machine).unwrap();
    bytes[at] = b'1';
    fs::write(&state, bytes).unwrap();
    refused(&[], 5, "is damaged");
    rebuilt("damaged");
    fs::remove_file(&state).unwrap();
    refused(&[], 5, "--recover");
    rebuilt("gone");
    assert_eq!(scans(&server), 10);
}

#[test]
fn machines_of_an_unfinished_campaign_are_not_scanned_by_another_unasked() {
    let server = Server::start(&["--limit", "none"]);
    let limit = ["--limit", "10000/1s"];
    let place = Place::new(&fleet(60));
    let braked = [&limit[..], &["--max-machines", "10"]].concat();
    assert_eq!(run(&place, &server, &braked).status.code(), Some(3));
    let id = campaign(&place);
    let second = [&limit[..], &["-o", "second.csv"]].concat();
    assert_refused(
        &run(&place, &server, &second),
        2,
        &[&id, "60 of these machines", "--yes"],
    );
    assert!(!place.path("second.campaign.db").exists());
    assert_eq!(scans(&server), 10);

    let list = other(&place, &["status"]);
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(
        list.contains(&id) && list.contains("not finished, 10 of 60"),
        "{list}"
    );
    // The campaign itself is not another one; and once it has finished, nobody asks.
    assert_eq!(run(&place, &server, &limit).status.code(), Some(0));
    let list = other(&place, &["status", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(
        (&list[0]["how"], &list[0]["ended"]),
        (&"finished".into(), &60.into())
    );
    let output = run(&place, &server, &second);
    assert!(matches!(output.status.code(), Some(0)), "{}", said(&output));
}

#[test]
fn a_refused_overlap_is_not_forgotten_by_the_next_command() {
    let server = Server::start(&["--limit", "none"]);
    let limit = ["--limit", "10000/1s"];
    let place = Place::new(&fleet(60));
    let braked = [&limit[..], &["--max-machines", "10"]].concat();
    assert_eq!(run(&place, &server, &braked).status.code(), Some(3));
    // A campaign of one other machine, which is extended by those of the first.
    let other = format!("machine_id\n{}\n", "f".repeat(40));
    fs::write(place.path("other.csv"), &other).unwrap();
    let again = |words: &[&str]| {
        let words = [&["other.csv"], &limit[..], words].concat();
        place.run_against(&server, &words).output().unwrap()
    };
    assert_eq!(again(&[]).status.code(), Some(0));
    let more = other + fleet(60).split_once('\n').unwrap().1;
    fs::write(place.path("other.csv"), more).unwrap();
    for _ in 0..2 {
        assert_refused(&again(&["--extend"]), 2, &["60 of these machines"]);
        assert_refused(&again(&[]), 2, &["60 of these machines"]);
    }
    assert_eq!(scans(&server), 11);
    assert_eq!(again(&["--yes"]).status.code(), Some(0));
}

#[test]
fn a_state_that_lies_elsewhere_is_named_and_no_second_one_is_made() {
    let server = Server::start(&["--limit", "none"]);
    let place = Place::new(&fleet(60));
    let limit = ["--limit", "10000/1s"];
    let elsewhere = ["--state", "elsewhere.db"];
    let words = [&limit[..], &elsewhere, &["--max-machines", "10"]].concat();
    assert_eq!(run(&place, &server, &words).status.code(), Some(3));
    for words in [&[][..], &["--recover"]] {
        let output = run(&place, &server, &[&limit[..], words].concat());
        assert_refused(&output, 2, &["elsewhere.db", "--state", "nothing was sent"]);
        assert!(!place.path("fleet.campaign.db").exists());
    }
    let words = [&limit[..], &elsewhere].concat();
    assert_eq!(run(&place, &server, &words).status.code(), Some(0));
    assert_eq!(scans(&server), 60);
}

#[test]
fn a_no_to_the_canaries_holds_and_a_canary_without_effect_is_refused() {
    let server = Server::start(&["--limit", "none"]);
    let limit = ["--limit", "none"];
    let with = |place: &Place, words: &[&str]| run(place, &server, &[&limit[..], words].concat());

    // Eight were sent to without canaries.
    let place = Place::new(&fleet(60));
    assert_eq!(
        with(&place, &["--max-machines", "8"]).status.code(),
        Some(3)
    );
    assert_refused(
        &with(&place, &["--canary", "5"]),
        2,
        &["no effect", "8 machines"],
    );
    assert_eq!(scans(&server), 8);
    let output = with(&place, &["--canary", "5", "--canary-answer", "yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(scans(&server), 60);

    // A no is recorded, and holds for every later command.
    let place = Place::new(&fleet(60).replace("0000000", "000000a"));
    let output = with(&place, &["--canary", "5", "--canary-answer", "no"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    for words in [&["--canary", "5"][..], &[], &["--yes"], &["--canary", "9"]] {
        assert_refused(&with(&place, words), 3, &["was no", "--canary-answer yes"]);
    }
    assert_eq!(scans(&server), 65);
    let output = with(&place, &["--canary-answer", "yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // And the yes is remembered: nothing is left, and nobody is asked.
    assert_eq!(with(&place, &["--canary", "5"]).status.code(), Some(6));
    assert_eq!(scans(&server), 120);

    // A yes to the few of --max-machines is no yes to the rest: two more go first.
    let place = Place::new(&fleet(60).replace("0000000", "000000b"));
    let few = ["--canary", "2", "--canary-answer", "yes"];
    let output = with(&place, &[&few[..], &["--max-machines", "8"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(scans(&server), 128);
    let output = with(&place, &["--canary", "2", "--canary-answer", "no"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(scans(&server), 130);
}

/// A run none of whose files may grow past so many kilobytes.
fn run_on_a_small_disk(place: &Place, server: &Server, words: &[&str], kilobytes: u32) -> Output {
    let run = place.run_against(server, &[&["fleet.csv"], words].concat());
    let mut command = std::process::Command::new("bash");
    let script = format!("ulimit -f {kilobytes}; trap '' XFSZ; exec \"$0\" \"$@\"");
    command
        .args(["-c", &script, BINARY])
        .args(run.get_args())
        .current_dir(place.0.path())
        .env("XDG_STATE_HOME", state_home(place.0.path()))
        .env("FLEETSWEEP_TOKEN", "mock")
        .stdin(Stdio::null());
    command.output().unwrap()
}

/// The long form is `FLEETSWEEP_DISK_FAULTS=100 cargo test --test suite losses`.
#[test]
fn a_disk_that_fills_up_and_a_state_that_is_copied_scan_no_machine_twice() {
    let faults = std::env::var("FLEETSWEEP_DISK_FAULTS").ok();
    let faults = faults.and_then(|text| text.parse().ok()).unwrap_or(6);
    let server = Server::start(&["--latency", "2ms-30ms", "--limit", "none"]);
    // A call that is not answered is given up soon, because a lookup waits for that.
    let words = [
        "--limit",
        "10000/1s",
        "--workers",
        "8",
        "--request-timeout",
        "2s",
        "--yes",
    ];
    let (mut done, mut scanned, mut full) = (0, 0, 0);
    while done < faults {
        let ids = (1..=300).map(|n| format!("{done:032x}{n:08x}\n"));
        let place = Place::new(&format!("machine_id\n{}", ids.collect::<String>()));
        for most in [150..400, 300..1500, 300..2500] {
            let most = fastrand::u32(most);
            let output = run_on_a_small_disk(&place, &server, &words, most);
            let code = output.status.code().unwrap();
            assert!([0, 5, 6].contains(&code), "{most} kB: {}", said(&output));
            assert!(!said(&output).contains("--recover"), "{}", said(&output));
            full += u32::from(code == 5);
            done += 1;
        }

        // Killed, and gone on with from its own place and from a copy at once.
        let mut run = place.run_against(&server, &[&["fleet.csv"][..], &words].concat());
        let mut child = run.stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(fastrand::u64(1..1200)));
        // Without a state there is nothing to copy, and two campaigns would begin.
        let state = place.path("fleet.campaign.db");
        while !state.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        signal(&child, "-KILL");
        child.wait_with_output().unwrap();
        for ending in ["", "-wal", ".mark"] {
            let from = place.path(&format!("fleet.campaign.db{ending}"));
            if from.exists() {
                fs::copy(from, place.path(&format!("copy.db{ending}"))).unwrap();
            }
        }
        let copied = [&words[..], &["--state", "copy.db", "-o", "copy.csv"]].concat();
        let both = [&words[..], &copied].map(|words| {
            let mut command = place.run_against(&server, &[&["fleet.csv"], words].concat());
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        });
        let both = both.map(|child| child.wait_with_output().unwrap());
        done += 1;
        let ended = both.iter().position(|output| {
            let code = output.status.code().unwrap();
            assert!([0, 2, 5, 6].contains(&code), "{}", said(output));
            matches!(code, 0 | 6)
        });
        let results = match ended {
            Some(0) => "fleet.results.csv",
            Some(_) => "copy.csv",
            None => panic!("{} {}", said(&both[0]), said(&both[1])),
        };
        assert_eq!(outcomes(&place.read(results)), vec!["accepted"; 300]);
        scanned += 300;
        assert_eq!(scans(&server), scanned);
        let saw = server.saw("/mock/witness");
        assert_eq!(saw["scans"]["machines_scanned_more_than_once"], 0, "{saw}");
    }
    assert!(full > 0, "no disk was ever full");
}

#[test]
fn a_disk_without_room_is_found_out_before_the_first_call_each_time() {
    let server = Server::start(&["--limit", "none"]);
    let place = Place::new(&fleet(300));
    for _ in 0..3 {
        // There is room for the state, and none for what a burst writes.
        let words = ["--limit", "none", "--yes"];
        let output = run_on_a_small_disk(&place, &server, &words, 300);
        assert_refused(&output, 5, &["Make room", "same command"]);
        assert!(!said(&output).contains("--state"), "{}", said(&output));
    }
    assert_eq!(scans(&server), 0);
    let output = run(&place, &server, &["--limit", "none"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        outcomes(&place.read("fleet.results.csv")),
        vec!["accepted"; 300]
    );
    assert!(!place.path("fleet.campaign.db.reserve").exists());
    assert!(!place.path("fleet.campaign.db.mark").exists());
}

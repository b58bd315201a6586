//! Going on: what an earlier run left, what a later command may change, and what it may not.

use std::{
    fs,
    io::{BufReader, Read},
    process::{Child, Command, Output, Stdio},
};

use super::{
    command_line::{Place, assert_refused, outcomes, said, wait_for},
    program::{Server, fleet, fleetsweep, interrupt, state_home},
};

/// Machine `n` of a fleet of the real program's tests.
fn machine(n: u32) -> String {
    format!("{n:040x}")
}

/// A run without limits that has ended.
fn run(place: &Place, server: &Server, words: &[&str]) -> Output {
    let mut command = place.run_against(server, &["fleet.csv", "--limit", "none"]);
    command.args(words).output().unwrap()
}

#[track_caller]
fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
}

/// Starts a run that has reported `ended` machines when this returns, and is still at work.
pub(super) fn start(place: &Place, server: &Server, words: &[&str], ended: usize) -> Child {
    let mut child = place
        .run_against(server, words)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    loop {
        let results = fs::read_to_string(place.path("fleet.results.csv")).unwrap_or_default();
        if results.lines().count() > ended {
            return child;
        }
        if let Some(status) = child.try_wait().unwrap() {
            let mut said = String::new();
            child.stderr.unwrap().read_to_string(&mut said).unwrap();
            panic!("the run ended with {status}: {said}");
        }
        std::thread::yield_now();
    }
}

fn count(results: &str, outcome: &str) -> usize {
    outcomes(results)
        .iter()
        .filter(|word| *word == outcome)
        .count()
}

#[cfg(unix)]
#[test]
fn the_command_that_a_run_leaves_can_be_pasted_and_goes_on_where_it_stopped() {
    let server = Server::start(&["--latency", "50ms", "--limit", "none"]);
    let place = Place::new(&fleet(200));
    let words = [
        "fleet.csv",
        "--workers=10",
        "--limit=none",
        "--comment",
        "it's \"a\" $HOME `sweep`",
    ];
    let mut child = start(&place, &server, &words, 30);
    interrupt(&child);
    let mut said_at_its_end = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said_at_its_end)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said_at_its_end}");
    let ended = place.read("fleet.results.csv");
    assert_eq!(outcomes(&ended).len(), 200);
    let accepted = count(&ended, "accepted");
    assert!((30..200).contains(&accepted));

    let next = said_at_its_end
        .lines()
        .find_map(|line| line.strip_prefix("to go on: "))
        .unwrap_or_else(|| panic!("{said_at_its_end}"));
    let mut shell = Command::new("sh");
    let paste = |shell: &mut Command| {
        shell
            .args(["-c", next])
            .current_dir(place.0.path())
            .env("XDG_STATE_HOME", state_home(place.0.path()))
            .env("FLEETSWEEP_TOKEN", "mock")
            .output()
            .unwrap()
    };
    assert_code(&paste(&mut shell), 0);
    let ended = place.read("fleet.results.csv");
    assert_eq!(outcomes(&ended), vec!["accepted"; 200]);
    let rows = |text: &str| {
        text.lines()
            .skip(1)
            .map(|line| line[..40].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&ended), (0..200).map(machine).collect::<Vec<_>>());

    let again = paste(&mut Command::new("sh"));
    assert_refused(&again, 6, &["finished", "--again", "--retry"]);
    assert_eq!(place.read("fleet.results.csv"), ended);
    let saw = server.stop();
    assert!(saw.contains("start: 200 calls"), "{saw}");
}

#[cfg(unix)]
#[test]
fn a_second_process_is_refused_while_the_first_lives_and_takes_over_when_it_is_killed() {
    let server = Server::start(&["--latency", "200ms"]);
    let place = Place::new(&fleet(60));
    let words = ["fleet.csv", "--workers=10", "--limit=none"];
    let mut child = start(&place, &server, &words, 10);
    let second = run(&place, &server, &["--workers=10"]);
    assert_refused(&second, 2, &["another fleetsweep", "fleet.campaign.db"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let told = outcomes(&place.read("fleet.results.csv"));
    assert!(told.len() < 60 && told.iter().all(|outcome| outcome == "accepted"));

    // Calls that were on their way are in doubt; they are looked up in one listing before anything is sent there.
    let output = run(&place, &server, &["--workers=10"]);
    assert_code(&output, 0);
    assert_eq!(
        outcomes(&place.read("fleet.results.csv")),
        vec!["accepted"; 60]
    );
    let saw = server.stop();
    assert!(saw.contains("list: 1 calls"), "{saw}");
    assert!(saw.contains("scans: 60 started on 60 machines"), "{saw}");
}

#[cfg(unix)]
#[test]
fn where_nothing_may_be_listed_calls_in_doubt_end_as_unsure_until_the_risk_is_taken() {
    let server = Server::start(&[
        "--latency",
        "200ms",
        "--roles",
        "Machine.Scan",
        // The risk is that the scan has ended by then; in this test none has.
        "--scan-time",
        "1h",
    ]);
    let place = Place::new(&fleet(40));
    let words = ["fleet.csv", "--workers=10", "--limit=none"];
    let mut child = start(&place, &server, &words, 10);
    child.kill().unwrap();
    child.wait().unwrap();

    assert_code(&run(&place, &server, &[]), 1);
    let results = place.read("fleet.results.csv");
    let unsure = count(&results, "unsure");
    assert!(unsure > 0, "{results}");
    assert_eq!(count(&results, "accepted"), 40 - unsure);
    for line in results.lines().filter(|line| line.contains(",unsure,")) {
        assert!(
            line.contains("Machine.Read.All") && line.contains("--retry unsure"),
            "{line}"
        );
        assert!(!line.contains("\"; "), "{line}");
    }
    assert_code(&run(&place, &server, &[]), 6);
    let output = run(&place, &server, &["--retry", "unsure"]);
    assert_code(&output, 0);
    let results = place.read("fleet.results.csv");
    assert_eq!(count(&results, "unsure"), 0);
    // Whose answer was lost is being scanned by us, as the service says by refusing the second scan.
    assert_eq!(
        count(&results, "accepted") + count(&results, "already_pending"),
        40
    );
    let saw = server.stop();
    assert!(saw.contains("0 machines scanned more than once"), "{saw}");
}

#[test]
fn what_makes_a_campaign_is_refused_by_name_and_nothing_is_sent() {
    let header = "machine_id,scan_type,comment,priority\n";
    let row = |n: u32, rest: &str| format!("{},{rest}\n", machine(n));
    let first = format!("{header}{}{}", row(1, "quick,mine,1"), row(2, ",,"));
    let server = Server::start(&[]);
    let other = Server::start(&[]);
    let place = Place::new(&first);
    assert_code(&run(&place, &server, &[]), 0);

    let inputs = [
        (
            row(1, "full,mine,1"),
            row(2, ",,"),
            ["line 2", "`full`", "`quick`"],
        ),
        (
            row(1, "quick,yours,1"),
            row(2, ",,"),
            ["line 2", "`yours`", "`mine`"],
        ),
        (
            row(1, "quick,mine,2"),
            row(2, ",,"),
            ["line 2", "`2`", "`1`"],
        ),
        (
            row(1, "quick,mine,"),
            row(2, ",,"),
            ["line 2", "none", "`1`"],
        ),
        (
            row(1, "quick,mine,1"),
            row(3, ",,"),
            ["line 3", &machine(3), &machine(2)],
        ),
        (
            row(2, ",,"),
            row(1, "quick,mine,1"),
            ["line 2", &machine(2), &machine(1)],
        ),
        (
            row(1, "quick,mine,1"),
            String::new(),
            ["ends before", &machine(2), "target 2"],
        ),
        (
            row(1, "quick,mine,1"),
            row(2, ",,") + &row(3, ",,"),
            ["line 4", "a row more", &machine(3)],
        ),
    ]
    .map(|(one, two, words)| (format!("{header}{one}{two}"), words.map(str::to_owned)));
    let results = place.read("fleet.results.csv");
    for (input, words) in inputs {
        fs::write(place.path("fleet.csv"), input).unwrap();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let output = run(&place, &server, &[]);
        assert_refused(&output, 2, &words);
        assert_refused(&output, 2, &["--extend", "-o", "--state", "--again"]);
    }
    fs::write(place.path("fleet.csv"), &first).unwrap();
    for (words, expected) in [
        (["--scan-type", "full"], ["scan type", "`full`", "`quick`"]),
        (
            ["--comment", "ours"],
            ["comment", "`ours`", "antivirus scan by fleetsweep"],
        ),
    ] {
        assert_refused(&run(&place, &server, &words), 2, &expected);
    }
    let url = other.url();
    let output = run(&place, &other, &[]);
    assert_refused(
        &output,
        2,
        &["API's address", url.trim_start_matches("http://")],
    );
    // {"tid":"contoso","appid":"app","roles":["Machine.Scan"]}
    let output = place
        .run_against(&server, &["fleet.csv"])
        .env(
            "FLEETSWEEP_TOKEN",
            "e30.eyJ0aWQiOiJjb250b3NvIiwiYXBwaWQiOiJhcHAiLCJyb2xlcyI6WyJNYWNoaW5lLlNjYW4iXX0.x",
        )
        .output()
        .unwrap();
    assert_refused(&output, 2, &["tenant", "`contoso`", "`unknown`"]);
    assert_eq!(place.read("fleet.results.csv"), results);
    // Everything else may change; this campaign has finished.
    let words = [
        "--workers",
        "3",
        "--max-attempts",
        "2",
        "--on-pending",
        "retry",
        "--excel",
    ];
    assert_code(&run(&place, &server, &words), 6);
    #[cfg(unix)]
    for (server, calls) in [(server, "start: 2 calls"), (other, "scans: 0 started")] {
        let saw = server.stop();
        assert!(saw.contains(calls), "{saw}");
    }
}

/// Rows of two systems; machine 1 stands in two of them. Behind the first row, which is always asked for.
const TWO_SYSTEMS: &str = "machine_id,os\n\
    0000000000000000000000000000000000000009,z\n\
    0000000000000000000000000000000000000001,a\n\
    0000000000000000000000000000000000000001,b\n\
    0000000000000000000000000000000000000002,a\n\
    0000000000000000000000000000000000000003,b\n";

/// A run that the tenant stops at its first call: the campaign is there, and open.
fn begin_in_vain(place: &Place, server: &Server, words: &[&str]) {
    let mut command = place.run_against(server, &["fleet.csv", "--limit", "none"]);
    assert_code(&command.args(words).output().unwrap(), 4);
}

#[cfg(unix)]
#[test]
fn another_where_admits_and_leaves_out_and_never_scans_a_machine_twice() {
    let listen = |port: &str, roles: &str| {
        Server::start(&["--listen", &format!("127.0.0.1:{port}"), "--roles", roles])
    };
    for (first, second, expected) in [
        // Nothing was sent to these yet: what is admitted now is sent, once for each machine.
        (
            None,
            Some("os=a,z"),
            ["accepted", "duplicate", "accepted", "not_attempted"],
        ),
        (
            None,
            Some("os=b,z"),
            ["not_attempted", "accepted", "not_attempted", "accepted"],
        ),
        (
            Some("os=b,z"),
            None,
            ["accepted", "duplicate", "accepted", "accepted"],
        ),
        (
            Some("os=b,z"),
            Some("os=a,z"),
            ["accepted", "not_attempted", "accepted", "not_attempted"],
        ),
        (
            Some("os=a,z"),
            None,
            ["accepted", "duplicate", "accepted", "accepted"],
        ),
        (
            Some("os=a,z"),
            Some("os=b,z"),
            ["not_attempted", "accepted", "not_attempted", "accepted"],
        ),
    ] {
        let place = Place::new(TWO_SYSTEMS);
        let first: Vec<_> = first.map_or_else(Vec::new, |clause| vec!["--where", clause]);
        let second: Vec<_> = second.map_or_else(Vec::new, |clause| vec!["--where", clause]);
        let server = listen("0", "none");
        let port = server.url().rsplit_once(':').unwrap().1.to_owned();
        begin_in_vain(&place, &server, &first);
        drop(server);
        let server = listen(&port, "Machine.Scan,Machine.Read.All");
        let output = run(&place, &server, &second);
        assert_code(&output, 0);
        let results = place.read("fleet.results.csv");
        assert_eq!(
            outcomes(&results)[1..],
            expected,
            "{first:?}, then {second:?}"
        );
        // And back again: what was scanned stays scanned, and nothing twice.
        let last = run(&place, &server, &first);
        assert!(matches!(last.status.code(), Some(0 | 6)), "{}", said(&last));
        let all = run(&place, &server, &[]);
        assert!(matches!(all.status.code(), Some(0 | 6)), "{}", said(&all));
        let all = outcomes(&place.read("fleet.results.csv"));
        assert_eq!(
            all.iter().filter(|word| *word == "accepted").count(),
            4,
            "{all:?}"
        );
        assert_eq!(
            all.iter().filter(|word| *word == "duplicate").count(),
            1,
            "{all:?}"
        );
        let saw = server.stop();
        assert!(saw.contains("scans: 4 started on 4 machines"), "{saw}");
    }
}

/// [`TWO_SYSTEMS`] in another order, without machine 3's second row, and with machine 4 in two rows more.
const TWO_SYSTEMS_EXTENDED: &str = "machine_id,os\n\
    0000000000000000000000000000000000000003,b\n\
    0000000000000000000000000000000000000001,b\n\
    0000000000000000000000000000000000000001,a\n\
    0000000000000000000000000000000000000002,a\n\
    0000000000000000000000000000000000000009,z\n\
    0000000000000000000000000000000000000004,b\n\
    0000000000000000000000000000000000000004,a\n";

#[cfg(unix)]
#[test]
fn extend_judges_old_rows_anew_by_where_and_a_machine_is_due_if_one_of_its_rows_is() {
    let listen = |port: &str, roles: &str| {
        Server::start(&["--listen", &format!("127.0.0.1:{port}"), "--roles", roles])
    };
    // Machines 1, 1, 2, 3 and then 4, 4.
    for (first, second, expected) in [
        (
            None,
            Some("os=a,z"),
            "accepted duplicate accepted left left accepted",
        ),
        (
            None,
            Some("os=b,z"),
            "accepted duplicate left accepted accepted left",
        ),
        (
            Some("os=b,z"),
            Some("os=a,z"),
            "duplicate accepted accepted left left accepted",
        ),
        (
            Some("os=a,z"),
            Some("os=b,z"),
            "accepted duplicate left accepted accepted left",
        ),
        (
            Some("os=a,z"),
            None,
            "accepted duplicate accepted accepted accepted duplicate",
        ),
        (
            Some("os=z"),
            None,
            "accepted duplicate accepted accepted accepted duplicate",
        ),
        (None, Some("os=z"), "left duplicate left left left left"),
    ] {
        let place = Place::new(TWO_SYSTEMS);
        let clause = |clause: Option<&'static str>| {
            clause.map_or_else(Vec::new, |clause| vec!["--where", clause])
        };
        let (first, second) = (clause(first), clause(second));
        let server = listen("0", "none");
        let port = server.url().rsplit_once(':').unwrap().1.to_owned();
        begin_in_vain(&place, &server, &first);
        drop(server);
        let server = listen(&port, "Machine.Scan,Machine.Read.All");
        fs::write(place.path("fleet.csv"), TWO_SYSTEMS_EXTENDED).unwrap();
        let extended = |words: &[&'static str]| [&["--extend"], words].concat();
        assert_code(&run(&place, &server, &extended(&second)), 0);
        let results = place.read("fleet.results.csv");
        let expected = expected.replace("left", "not_attempted");
        assert_eq!(
            outcomes(&results)[1..].join(" "),
            expected,
            "{first:?}, then {second:?}"
        );
        // And back again: what was scanned stays scanned, and nothing twice.
        for words in [first, Vec::new()] {
            let output = run(&place, &server, &extended(&words));
            assert!(
                matches!(output.status.code(), Some(0 | 6)),
                "{}",
                said(&output)
            );
        }
        let all = place.read("fleet.results.csv");
        assert_eq!(count(&all, "accepted"), 5, "{all}");
        assert_eq!(count(&all, "duplicate"), 2, "{all}");
        let saw = server.stop();
        assert!(saw.contains("scans: 5 started on 5 machines"), "{saw}");
    }
}

#[test]
fn again_goes_on_with_an_unfinished_campaign_and_begins_anew_over_a_finished_one() {
    let server = Server::start(&["--scan-time", "1ms"]);
    let place = Place::new(&fleet(3));
    let mut kept = 0;
    for day in 1..=3 {
        assert_code(&run(&place, &server, &["--again"]), 0);
        assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 3]);
        let names: Vec<_> = fs::read_dir(place.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        kept = names
            .iter()
            .filter(|name| name.ends_with(".results.csv"))
            .count();
        assert_eq!(kept, day, "{names:?}");
        let states = names
            .iter()
            .filter(|name| name.ends_with(".campaign.db"))
            .count();
        assert_eq!(states, day, "{names:?}");
    }
    // An input that cannot be meant leaves everything where it is.
    let results = place.read("fleet.results.csv");
    let id = outcomes_column(&results, "campaign");
    for bad in ["", "name\nx\n", "machine_id\nno good id\n"] {
        fs::write(place.path("fleet.csv"), bad).unwrap();
        assert_refused(&run(&place, &server, &["--again"]), 2, &["fleet.csv"]);
        assert_eq!(place.read("fleet.results.csv"), results);
        assert!(place.path("fleet.campaign.db").exists());
        assert!(!place.path(&format!("fleet.{id}.campaign.db")).exists());
    }
    // A stranger's file is nobody's to rename.
    fs::write(place.path("fleet.csv"), fleet(3)).unwrap();
    fs::write(place.path("fleet.results.csv"), "Dear Sir,\n").unwrap();
    assert_refused(&run(&place, &server, &["--again"]), 2, &["--force"]);
    assert_eq!(place.read("fleet.results.csv"), "Dear Sir,\n");
    assert_code(&run(&place, &server, &["--again", "--force"]), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 3]);
    assert_eq!(kept, 3);
}

fn outcomes_column(results: &str, column: &str) -> String {
    let mut reader = csv::Reader::from_reader(results.as_bytes());
    let at = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == column)
        .unwrap();
    reader.records().next().unwrap().unwrap()[at].to_owned()
}

#[cfg(unix)]
#[test]
fn extend_adds_what_is_new_in_the_input_and_nothing_else() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    assert_code(&run(&place, &server, &["--extend"]), 0);
    assert_code(&run(&place, &server, &["--extend"]), 6);
    // Another order, one row gone, one repeated, two new ones of which one is repeated.
    let input = [4, 2, 0, 2, 5, 4].map(machine).join("\n");
    fs::write(place.path("fleet.csv"), format!("machine_id\n{input}\n")).unwrap();
    assert_refused(&run(&place, &server, &[]), 2, &["--extend"]);
    let output = run(&place, &server, &["--extend"]);
    assert_code(&output, 0);
    assert!(
        said(&output).contains("3 rows were added"),
        "{}",
        said(&output)
    );
    let mut expected = vec!["accepted"; 5];
    expected.push("duplicate");
    assert_eq!(outcomes(&place.read("fleet.results.csv")), expected);
    assert_code(&run(&place, &server, &["--extend"]), 6);
    fs::write(
        place.path("fleet.csv"),
        format!("machine_id,os\n{},a\n", machine(9)),
    )
    .unwrap();
    assert_refused(&run(&place, &server, &["--extend"]), 2, &["os", "columns"]);
    let saw = server.stop();
    assert!(saw.contains("scans: 5 started on 5 machines"), "{saw}");
    assert!(saw.contains("start: 5 calls"), "{saw}");
}

#[cfg(unix)]
#[test]
fn retry_reopens_by_outcome_and_looks_up_first() {
    // Nobody is there: surely nothing is sent.
    let failing = Server::start(&[]);
    let listen = failing.url().replace("http://", "");
    let failing = failing.gone();
    let place = Place::new(&fleet(3));
    assert_code(&run(&place, &failing, &["--max-attempts", "1"]), 1);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["failed"; 3]);
    assert_code(&run(&place, &failing, &[]), 6);
    assert_code(&run(&place, &failing, &["--retry", "unsure,refused"]), 6);
    for (word, way) in [
        ("accepted", "--again"),
        ("invalid", "mend"),
        ("duplicate", "mend"),
    ] {
        let output = run(&place, &failing, &["--retry", &format!("failed,{word}")]);
        assert_refused(&output, 2, &[word, way]);
    }
    assert_refused(
        &run(&place, &failing, &["--retry", "broken"]),
        2,
        &["broken", "not_found"],
    );
    // Nothing was reopened by what was refused.
    assert_code(&run(&place, &failing, &[]), 6);

    let well = Server::start(&["--listen", &listen]);
    assert_code(&run(&place, &well, &["--retry", "failed,unsure"]), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 3]);
    let saw = well.stop();
    assert!(
        saw.contains("list: 1 calls") && saw.contains("start: 3 calls"),
        "{saw}"
    );
}

#[test]
fn retry_needs_a_campaign() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    assert_refused(
        &run(&place, &server, &["--retry", "failed"]),
        2,
        &["--retry", "no campaign"],
    );
    assert!(!place.path("fleet.campaign.db").exists());
}

#[test]
fn only_status_takes_the_rows_of_a_results_file_whose_scans_ended_so() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(4));
    assert_code(&run(&place, &server, &[]), 0);
    let results = place.read("fleet.results.csv");
    let mut ended = ["Succeeded", "Failed", "TimeOut", "Cancelled"].into_iter();
    let followed: String = results
        .lines()
        .map(|line| {
            if line.contains("Pending") {
                line.replace("Pending", ended.next().unwrap()) + "\n"
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    fs::write(place.path("followed.csv"), followed).unwrap();
    let place_of = |words: &[&str]| {
        let mut command = place.run_against(&server, &["followed.csv", "--limit", "none"]);
        command.args(words).output().unwrap()
    };
    let output = place_of(&["--only-status", "Failed,TimeOut"]);
    assert_code(&output, 0);
    let results = outcomes(&place.read("followed.results.csv"));
    assert_eq!(results[0], "not_attempted");
    assert_eq!(results[3], "not_attempted");
    assert!(
        results[1..3]
            .iter()
            .all(|outcome| outcome != "not_attempted"),
        "{results:?}"
    );
    assert_refused(
        &run(&place, &server, &["--only-status", "Failed"]),
        2,
        &["action_status"],
    );
}

#[test]
fn results_of_another_campaign_and_of_strangers_need_force_in_a_resume_too() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    assert_code(&run(&place, &server, &[]), 0);
    let ours = place.read("fleet.results.csv");
    let foreign = ours.replace(&outcomes_column(&ours, "campaign"), "0000000000");
    for text in ["Dear Sir,\n", &foreign] {
        fs::write(place.path("fleet.results.csv"), text).unwrap();
        fs::write(place.path("fleet.csv"), fleet(4)).unwrap();
        let output = run(&place, &server, &["--extend"]);
        assert_refused(&output, 2, &["fleet.results.csv", "--force", "-o"]);
        assert_eq!(place.read("fleet.results.csv"), text);
    }
    assert_code(&run(&place, &server, &["--extend", "--force"]), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 4]);
}

#[test]
fn a_finished_campaign_whose_results_are_gone_writes_them_again() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    assert_code(&run(&place, &server, &[]), 0);
    let results = place.read("fleet.results.csv");
    fs::remove_file(place.path("fleet.results.csv")).unwrap();
    assert_code(&run(&place, &server, &[]), 0);
    assert_eq!(place.read("fleet.results.csv"), results);
    assert_code(&run(&place, &server, &[]), 6);
}

#[test]
fn what_a_removed_campaign_left_beside_it_does_not_get_into_a_new_one() {
    let server = Server::start(&["--latency", "100ms"]);
    let place = Place::new(&fleet(50));
    let words = ["fleet.csv", "--workers=5", "--limit=none"];
    let mut child = start(&place, &server, &words, 5);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.path("fleet.campaign.db-wal").exists());
    fs::remove_file(place.path("fleet.campaign.db")).unwrap();
    fs::remove_file(place.path("fleet.results.csv")).unwrap();
    let ids = (100..103).map(machine).collect::<Vec<_>>().join("\n");
    fs::write(place.path("fleet.csv"), format!("machine_id\n{ids}\n")).unwrap();
    assert_code(&run(&place, &server, &[]), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 3]);
}

#[test]
fn a_refused_command_leaves_the_summary_of_the_run_before() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    assert_code(&run(&place, &server, &["--summary", "s.json"]), 0);
    let summary = place.read("s.json");
    assert!(summary.contains("\"accepted\":3"));
    assert_code(&run(&place, &server, &["--summary", "s.json"]), 6);
    assert_eq!(place.read("s.json"), summary);
}

#[cfg(unix)]
#[test]
fn delays_and_holds_outlive_the_process() {
    // The tenant has a smaller quota than the client knows of: its 429 holds all calls for some seconds.
    let server = Server::start(&["--limit", "5/6s", "--busy", "100%"]);
    let place = Place::new(&fleet(8));
    let words = [
        "fleet.csv",
        "-vv",
        "--limit=20/1s",
        "--workers=1",
        "--on-pending=retry",
        "--pending-delay=2s",
        "--pending-tries=2",
    ];
    for _ in 0..4 {
        let mut child = place
            .run_against(&server, &words)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        wait_for(&mut lines, "campaign");
        interrupt(&child);
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        assert!(
            matches!(child.wait().unwrap().code(), Some(130 | 0)),
            "{rest}"
        );
    }
    let output = place.run_against(&server, &words).output().unwrap();
    assert_code(&output, 0);
    let results = place.read("fleet.results.csv");
    assert_eq!(outcomes(&results), ["already_pending"; 8]);
    let saw = server.stop();
    assert!(saw.contains(", 0 before Retry-After had passed"), "{saw}");
}

#[test]
fn a_state_file_that_is_not_ours_is_refused_in_words() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(3));
    for bytes in [&b""[..], b"SQLite format 3\0 and then not", b"Dear Sir,\n"] {
        fs::write(place.path("fleet.campaign.db"), bytes).unwrap();
        let output = run(&place, &server, &[]);
        assert_refused(&output, 5, &["fleet.campaign.db", "--state"]);
        assert_eq!(fs::read(place.path("fleet.campaign.db")).unwrap(), bytes);
        let mut command = fleetsweep(place.0.path());
        let output = command
            .args(["status", "fleet.campaign.db"])
            .output()
            .unwrap();
        assert!(
            matches!(output.status.code(), Some(2 | 5)),
            "{}",
            said(&output)
        );
    }
}

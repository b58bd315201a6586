//! Which rows a later command takes into a campaign, and which it leaves out: `--where` and `--extend`.

use std::fs;

use super::{
    super::{
        command_line::{Place, assert_code, assert_refused, outcomes, said},
        program::{Server, fleet},
    },
    count, machine, run,
};

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
    let saw = server.stop();
    assert!(saw.contains("scans: 5 started on 5 machines"), "{saw}");
    assert!(saw.contains("start: 5 calls"), "{saw}");
}

#[test]
fn which_cells_are_ids_is_what_the_campaign_began_with_and_no_later_command() {
    let server = Server::start(&[]);
    let place = Place::new("machine_id\nserial-1\nserial-2\n");
    assert_code(
        &run(&place, &server, &["--any-id", "--max-machines", "1"]),
        3,
    );
    assert_code(&run(&place, &server, &[]), 1);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["not_found"; 2]);

    let place = Place::new(&format!("{}serial-1\n", fleet(2)));
    assert_code(&run(&place, &server, &["--max-machines", "1"]), 3);
    let output = run(&place, &server, &["--any-id"]);
    assert_code(&output, 1);
    assert!(
        said(&output).contains("--any-id has no effect"),
        "{}",
        said(&output)
    );
    let results = place.read("fleet.results.csv");
    assert_eq!(outcomes(&results), ["accepted", "accepted", "invalid"]);
}

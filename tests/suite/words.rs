//! A word where a person needs one, in the real program: at Ctrl-C, at its end, and how to go on after a brake.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Command, Output, Stdio},
};

use super::{
    command_line::{Place, outcomes, said},
    program::{BINARY, Server, fleet, fleetsweep, look_again, signal},
};

/// A run that is stopped on its way.
struct Stopped {
    child: Child,
    lines: BufReader<ChildStderr>,
}

impl Stopped {
    /// Starts it, and waits until so many calls have arrived.
    fn after(place: &Place, server: &Server, words: &[&str], calls: u64) -> Self {
        let mut child = place
            .run_against(server, words)
            .args(["fleet.csv", "--limit", "none"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        while arrived(server) < calls {
            assert!(child.try_wait().unwrap().is_none(), "it has ended");
            look_again();
        }
        Self { child, lines }
    }

    fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Reads on to the line that contains this.
    fn line(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "{words}");
        }
        line.trim_end().to_owned()
    }

    fn end(mut self) -> (i32, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap(), rest)
    }
}

fn arrived(server: &Server) -> u64 {
    let calls = &server.saw("/mock/witness")["kinds"]["start"]["calls"];
    calls.as_u64().unwrap()
}

#[test]
fn the_first_ctrl_c_says_at_once_what_is_waited_for_and_for_how_long() {
    std::thread::scope(|all| {
        for (name, timeout, at_most) in [("-INT", "20s", "20 s"), ("-TERM", "90s", "1 min 30 s")] {
            all.spawn(move || says_what_is_waited_for(name, timeout, at_most));
        }
    });
}

fn says_what_is_waited_for(name: &str, timeout: &str, at_most: &str) {
    let server = Server::start(&["--limit", "none", "--latency", "4s"]);
    let place = Place::new(&fleet(60));
    // The first call goes alone.
    let words = ["--workers", "19", "--request-timeout", timeout];
    let mut run = Stopped::after(&place, &server, &words, 20);
    run.signal(name);
    let line = run.line("stopping");
    let expected =
        format!("stopping: 19 calls on their way, at most {at_most}; Ctrl-C again stops now");
    assert_eq!(line, expected);
    let (code, rest) = run.end();
    assert_eq!(code, 130, "{rest}");
    assert!(rest.contains("20 calls in "), "{rest}");
    assert!(!rest.contains("without an answer"), "{rest}");
    let accepted = outcomes(&place.read("fleet.results.csv"));
    assert_eq!(accepted.iter().filter(|o| *o == "accepted").count(), 20);
}

#[test]
fn the_second_says_what_is_unsure_and_the_same_command_looks_it_up() {
    let server = Server::start(&["--limit", "none", "--latency", "3s"]);
    let place = Place::new(&fleet(30));
    let words = ["--workers", "19"];
    let mut run = Stopped::after(&place, &server, &words, 20);
    run.signal("-INT");
    run.line("stopping");
    run.signal("-INT");
    let (code, rest) = run.end();
    assert_eq!(code, 130, "{rest}");
    for words in [
        "19 calls went out without an answer: whether a scan was started is looked up when the same command goes on",
        "20 calls in ",
        "       19  unsure",
        "to go on: ",
    ] {
        assert!(rest.contains(words), "{words:?} is not in: {rest}");
    }
    let status = fleetsweep(place.0.path())
        .args(["status", "fleet.csv"])
        .output();
    let status = String::from_utf8(status.unwrap().stdout).unwrap();
    assert!(status.contains("  and 14 more are unsure"), "{status}");
}

#[test]
fn the_second_says_how_many_are_unsure_to_those_who_want_to_hear_nothing_too() {
    let server = Server::start(&["--limit", "none", "--latency", "3s"]);
    let place = Place::new(&fleet(30));
    let words = "--workers 19 -q --log-file log.json --log-format json".split(' ');
    let run = Stopped::after(&place, &server, &words.collect::<Vec<_>>(), 20);
    run.signal("-INT");
    run.signal("-TERM");
    let (code, told) = run.end();
    assert_eq!(code, 130, "{told}");
    let words =
        "\n19 calls went out without an answer: whether a scan was started is looked up when";
    assert!(told.contains(words), "{told}");
    let log = place.read("log.json");
    for (event, times) in [("sent", 20), ("attempt", 1), ("left", 2), ("over", 1)] {
        let event = format!("\"event\":\"{event}\"");
        assert_eq!(log.matches(&event).count(), times, "{event}: {log}");
    }
}

#[test]
fn a_run_whose_last_answers_complete_the_campaign_is_done() {
    let server = Server::start(&["--limit", "none", "--latency", "2s"]);
    let place = Place::new(&fleet(5));
    let mut run = Stopped::after(&place, &server, &[], 5);
    run.signal("-INT");
    run.line("stopping: 4 calls on their way");
    let (code, rest) = run.end();
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("done: every row has its outcome"), "{rest}");
    assert!(!rest.contains("to go on"), "{rest}");
}

#[test]
fn status_foretells_no_call_that_a_brake_would_stop() {
    let server = Server::start(&["--limit", "none"]);
    let place = Place::new(&fleet(60));
    let words = ["fleet.csv", "--limit", "5/30s", "--max-machines", "5"];
    let mut run = place.run_against(&server, &words);
    assert_eq!(run.output().unwrap().status.code(), Some(3));
    let mut status = fleetsweep(place.0.path());
    let told = status.args(["status", "fleet.csv"]).output().unwrap();
    let braked = String::from_utf8(told.stdout).unwrap();
    assert!(
        braked.contains("not finished") && !braked.contains("last call"),
        "{braked}"
    );
}

/// What the line says behind "to go on", typed again.
fn advised(place: &Place, output: &Output, change: &str) -> Output {
    let said = said(output);
    let line = said
        .lines()
        .rfind(|line| line.starts_with("to go on"))
        .unwrap();
    let (words, command) = line.split_once(": ").unwrap();
    assert_eq!(words, format!("to go on {change}"), "{said}");
    let folder = std::path::Path::new(BINARY).parent().unwrap();
    let typed = Command::new("sh")
        .args(["-c", command])
        .current_dir(place.0.path())
        .envs(
            fleetsweep(place.0.path())
                .get_envs()
                .filter_map(|(k, v)| Some((k, v?))),
        )
        .env("FLEETSWEEP_TOKEN", "mock")
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .stdin(Stdio::null())
        .output();
    typed.unwrap()
}

fn run(place: &Place, server: &Server, words: &[&str]) -> Output {
    let mut command = place.run_against(server, words);
    command
        .args(["fleet.csv", "--limit", "none"])
        .output()
        .unwrap()
}

#[test]
fn after_a_brake_the_command_that_is_advised_goes_on() {
    let server = Server::start(&["--limit", "none"]);
    let place = Place::new(&fleet(30));
    let stopped = run(&place, &server, &["--max-machines=10"]);
    assert_eq!(stopped.status.code(), Some(3), "{}", said(&stopped));
    let on = advised(&place, &stopped, "with --max-machines 20");
    assert_eq!(on.status.code(), Some(3), "{}", said(&on));
    let on = advised(&place, &on, "with --max-machines 30");
    assert_eq!(on.status.code(), Some(0), "{}", said(&on));

    let place = Place::new(&fleet(30));
    let stopped = run(&place, &server, &["--not-after", "2020-01-01T00:00:00Z"]);
    assert_eq!(stopped.status.code(), Some(3), "{}", said(&stopped));
    let on = advised(&place, &stopped, "without --not-after");
    assert_eq!(on.status.code(), Some(0), "{}", said(&on));
}

#[test]
fn whoever_goes_by_steps_with_a_yes_to_a_number_is_told_of_the_next_step() {
    let server = Server::start(&["--limit", "none"]);
    let place = Place::new(&fleet(30));
    let mut told = run(&place, &server, &["--max-machines", "5", "--yes=5"]);
    for (max, yes, code) in [(10, 5, 3), (20, 10, 3), (30, 10, 0)] {
        assert_eq!(told.status.code(), Some(3), "{}", said(&told));
        let words = format!(" --max-machines {max} --yes={yes} ");
        assert!(said(&told).contains(&words), "{}", said(&told));
        told = advised(&place, &told, &format!("with --max-machines {max}"));
        assert_eq!(told.status.code(), Some(code), "{}", said(&told));
    }
}

#[test]
fn what_was_given_up_once_is_not_given_up_again_by_going_on() {
    let server = Server::start(&["--limit", "none"]);
    let place = Place::new(&fleet(30));
    let first = said(&run(&place, &server, &["--max-machines", "5"]));
    let (_, id) = first.split_once("campaign ").unwrap();
    let (id, _) = id.split_once(':').unwrap();
    let words = ["--max-machines", "5", "--yes", "--abandon", id];
    let stopped = run(&place, &server, &words);
    assert_eq!(stopped.status.code(), Some(3), "{}", said(&stopped));
    let mut status = fleetsweep(place.0.path());
    let status = status.args(["status", "fleet.csv"]).output().unwrap();
    assert!(!said(&status).contains("--abandon"), "{}", said(&status));
    let on = advised(&place, &stopped, "with --max-machines 10");
    assert_eq!(on.status.code(), Some(3), "{}", said(&on));
    assert!(
        said(&on).contains("--max-machines 10: 10 machines have been sent to"),
        "{}",
        said(&on)
    );
}

#[test]
fn after_a_canarys_no_the_command_that_is_advised_goes_on() {
    let server = Server::start(&["--limit", "none"]);
    let place = Place::new(&fleet(30));
    let words = ["--canary", "1", "--canary-answer", "no"];
    let stopped = run(&place, &server, &words);
    let told = said(&stopped);
    assert_eq!(stopped.status.code(), Some(3), "{told}");
    assert!(told.contains("1 canary was accepted"), "{told}");
    let on = advised(&place, &stopped, "with --canary-answer yes");
    assert_eq!(on.status.code(), Some(0), "{}", said(&on));
}

#[test]
fn after_too_many_failures_the_command_that_is_advised_goes_on() {
    let restricted: Vec<_> = [3, 5, 8].map(|n| format!("{n:040x}")).into();
    let mut words = vec!["--limit", "none"];
    for id in &restricted {
        words.extend(["--restricted", id]);
    }
    let server = Server::start(&words);
    for option in ["1", "5%"] {
        let place = Place::new(&fleet(60));
        // Few are on their way when it stops.
        let words = ["--workers", "2", "--max-failures", option];
        let stopped = run(&place, &server, &words);
        let told = said(&stopped);
        assert_eq!(stopped.status.code(), Some(3), "{told}");
        let line = told.lines().rfind(|line| line.starts_with("to go on"));
        let (words, _) = line.unwrap().split_once(": ").unwrap();
        let change = words.strip_prefix("to go on ").unwrap();
        assert!(change.starts_with("with --max-failures "), "{told}");
        let on = advised(&place, &stopped, change);
        assert!(!said(&on).contains("\n0 calls in"), "{}", said(&on));
    }
}

#[test]
fn an_option_that_would_change_nothing_is_refused() {
    let place = Place::new(&fleet(3));
    for (words, wants) in [
        (["--pending-delay", "5m"], "--on-pending retry"),
        (["--pending-tries", "3"], "--on-pending retry"),
        (["--follow-interval", "5m"], "--follow"),
        (["--follow-timeout", "5m"], "--follow"),
    ] {
        let refused = place.run(&["fleet.csv", "--mock", words[0], words[1]]);
        assert_eq!(refused.status.code(), Some(2));
        let told = said(&refused);
        assert!(told.contains(words[0]) && told.contains(wants), "{told}");
    }
    assert!(fs::read_dir(place.0.path()).unwrap().count() == 1);
}

#[test]
fn whoever_is_to_say_yes_is_told_to_what() {
    let server = Server::start(&[]);
    let place = Place::new(&fleet(1_501));
    let mut command = place.run_against(&server, &["fleet.csv", "--scan-type", "full"]);
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let told = said(&refused);
    for words in [
        "full scans on 1501 machines of tenant ",
        ", by application ",
        &format!(" at {}", server.url()),
        "The last call goes out no earlier than ",
        ", in 1 h",
    ] {
        assert!(told.contains(words), "{words:?} is not in: {told}");
    }
}

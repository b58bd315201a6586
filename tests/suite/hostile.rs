//! No byte of text of others that a terminal would act on reaches it, whatever prints: seen through a terminal of its
//! own.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::Read,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    process::{Command, Stdio},
};

use fleetsweep::mock::{Fault, Kind, MockConfig, QuotaConfig, Rule};
use proptest::{prelude::*, test_runner::Config};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use serde_json::json;

use super::{program::BINARY, rig::short_or_long, sign_in::served};

/// What a liar would like people to read at the beginning of a line.
const LIE: &str = "done, all accepted";

/// What a terminal acts on, and nobody but a liar writes.
const TRICKS: [&str; 18] = [
    "\x1b[2J\x1b[1;1H",
    "\x1b[31;1m",
    "\x1b[8m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\",
    "\x1b[?1049h",
    "\x1bc",
    "\u{9b}2J",
    "\u{9d}0;title\u{9c}",
    "\u{85}",
    "\r",
    "\n",
    "\t\x0b\x0c",
    "\x08\x08\x08",
    "\x7f",
    "\u{202e}\u{2066}",
    "\u{200b}\u{feff}\u{200d}",
    "\u{2028}\u{e0041}",
];

/// Tricks, lies, and any other character, but for NUL where a name cannot hold it.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => prop::sample::select(&TRICKS[..]).prop_map(str::to_owned),
        2 => Just(LIE.to_owned()),
        2 => prop::char::range('\u{1}', '\u{9f}').prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 1..8)
        .prop_map(|parts| format!("x{}", parts.concat()).replace('\0', " "))
}

/// The program on a terminal: all that it writes there.
fn on_a_terminal(folder: &Path, words: &[OsString], base: &str) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let size = Winsize {
        ws_row: 40,
        ws_col: 200,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, size).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let open = || {
        let path = OsStr::from_bytes(name.as_bytes());
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap()
    };
    let mut command = Command::new(BINARY);
    command
        .current_dir(folder)
        .args(words)
        .env("TERM", "xterm-256color")
        .env("XDG_STATE_HOME", folder.join("state-home"))
        .env("FLEETSWEEP_TOKEN", "mock")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(open())
        .stderr(open());
    if words.iter().any(|word| word == "doctor") {
        command
            .env_remove("FLEETSWEEP_TOKEN")
            .env("HTTPS_PROXY", base);
    }
    let mut child = command.spawn().unwrap();
    // The last end of the terminal that is ours, without which it would never end.
    drop(command);
    let mut told = Vec::new();
    // Linux ends it with an error.
    let _ = File::from(master).read_to_end(&mut told);
    child.wait().unwrap();
    String::from_utf8(told).unwrap()
}

/// What is left without what the bar draws with and the log's colours.
fn without_ours(told: &str) -> String {
    let mut plain = String::new();
    let mut rest = told;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain += before;
        let code = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let length = after.len() - code.len() + 1;
        let is_ours = matches!(
            &after[..length.min(after.len())],
            "J" | "1A" | "2A" | "3A" | "4A" | "5A" | "6A"
        ) || matches!(
            &after[..length.min(after.len())],
            "0m" | "2m" | "1m" | "3m" | "32m" | "33m" | "34m" | "35m" | "4m" | "31m"
        );
        if is_ours {
            plain.push('\n');
            rest = &after[length..];
        } else {
            plain += "\x1b[";
            rest = after;
        }
    }
    plain + rest
}

fn is_acted_on(c: char) -> bool {
    let is_ours = matches!(c, '\n' | '\r');
    let is_unseen = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
    (c.is_control() && !is_ours) || is_unseen
}

#[track_caller]
fn assert_plain(what: &str, told: &str) {
    let plain = without_ours(told);
    let bad = plain.chars().find(|c| is_acted_on(*c));
    assert!(bad.is_none(), "{what}: {bad:?} in {told:?}");
    let lines = plain.split(['\n', '\r']);
    for line in lines {
        assert!(!line.starts_with(LIE), "{what}: a lie in {told:?}");
    }
}

/// A command line: plain words, and one that is not.
fn words(plain: &str, hostile: &[&str]) -> Vec<OsString> {
    let plain = plain.split_whitespace().map(OsString::from);
    plain.chain(hostile.iter().map(OsString::from)).collect()
}

/// A tenant whose every word is this text; starts are answered with this status.
fn tenant(text: &str, status: u16) -> MockConfig {
    let error = json!({"error": {"code": text, "message": text, "target": text}}).to_string();
    let scan = json!({"id": text, "requestor": text, "requestorComment": text, "status": text});
    let machine =
        json!({"id": format!("{:040x}", 1), "computerDnsName": text, "machineTags": [text]});
    let answer = |kind, status, body: String| Rule::new(Fault::Status(status, body)).kind(kind);
    let to_start = if status == 201 {
        scan.to_string()
    } else {
        error.clone()
    };
    MockConfig {
        quota: QuotaConfig::none(),
        faults: vec![
            answer(Kind::Start, status, to_start),
            answer(Kind::Machines, 200, json!({"value": [machine]}).to_string()).nth(1),
            answer(Kind::Machines, 200, r#"{"value":[]}"#.to_owned()),
            answer(Kind::List, 400, error),
        ],
        ..MockConfig::default()
    }
}

/// Command lines of every command that prints text of others.
fn commands(text: &str, name: &str, base: &str) -> Vec<(&'static str, Vec<OsString>)> {
    let at = format!("--api-url {base}");
    // One of 200 characters at most is taken.
    let comment: String = text.chars().take(100).collect();
    vec![
        ("plan", words(&format!("plan {at}"), &[name])),
        (
            "run with a bar",
            words(&format!("run {at} -o r.csv"), &[name]),
        ),
        (
            "run with lines",
            words(
                &format!("run {at} -o l.csv --progress lines -v"),
                &["--comment", &comment, name],
            ),
        ),
        ("run -q", words(&format!("run {at} -o q.csv -q"), &[name])),
        (
            "run with json",
            words(
                &format!("run {at} -o j.csv --log-format json -vv --summary -"),
                &[name],
            ),
        ),
        (
            "run with events",
            words(
                &format!("run {at} -o e.csv --progress json -v"),
                &["--comment", &comment, name],
            ),
        ),
        (
            "a log",
            words(&format!("run {at} -o f.csv -q --log-file log.txt"), &[name]),
        ),
        (
            "the same again",
            words(&format!("run {at} -o r.csv"), &[name]),
        ),
        ("status", words("status r.campaign.db", &[])),
        ("status --json", words("status r.campaign.db --json", &[])),
        ("status of all", words("status", &[])),
        ("quota show", words("quota show", &[])),
        ("machines", words(&format!("machines {at}"), &[])),
        (
            "doctor",
            words(
                &format!("doctor {at} --auth secret"),
                &["--token-file", text],
            ),
        ),
        ("a file that is not there", words("run", &[text])),
        ("no option", words("run", &[&format!("--{text}")])),
        (
            "no host",
            words("run guids.txt --api-url", &[&format!("http://{text}/")]),
        ),
        (
            "no column",
            words("run guids.txt --mock --id-column", &[text]),
        ),
        ("no ids", words("run guids.txt --mock", &[])),
        ("no state", words("status", &[text])),
    ]
}

fn check(text: &str, status: u16) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_tenant, base) = runtime.block_on(served(tenant(text, status)));
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_owned();
    // A file's name holds no slash, and no more bytes than this.
    let mut bytes = 0;
    let fits = |c: &char| {
        bytes += c.len_utf8();
        bytes <= 200
    };
    let name: String = text.replace('/', " ").chars().take_while(fits).collect();
    let name = format!("{name}.csv");
    let cell = format!("\"{}\"", text.replace('"', "\"\""));
    let rows = [1, 2].map(|n| format!("{n:040x},{cell}\n")).concat();
    let fleet = format!("machine_id,{cell}\n{rows}{cell},{cell}\n");
    fs::write(folder.join(&name), fleet).unwrap();
    fs::write(folder.join("guids.txt"), format!("id,{cell}\n{cell},a\n")).unwrap();

    for (what, words) in commands(text, &name, &base) {
        let (folder, base) = (folder.clone(), base.clone());
        let running = runtime.spawn_blocking(move || on_a_terminal(&folder, &words, &base));
        let told = runtime.block_on(running).unwrap();
        assert!(!told.is_empty() || what == "a log", "{what} says nothing");
        assert_plain(what, &told);
        let quotes = [
            "plan",
            "run with a bar",
            "run with lines",
            "status",
            "machines",
        ];
        // A plan shows the file's name and nothing else of theirs.
        let there = if what == "plan" { &name } else { text };
        assert!(
            status != 400 || !there.contains(LIE) || !quotes.contains(&what) || told.contains(LIE),
            "{what} tells nothing of what others wrote: {told:?}"
        );
    }
    assert_plain(
        "the log",
        &fs::read_to_string(folder.join("log.txt")).unwrap(),
    );
    let results = fs::read_to_string(folder.join("r.csv")).unwrap();
    // Line ends and tabs of the input's own column stay in it.
    let results = results.replace(['\t', '\n', '\r'], " ");
    assert!(!results.contains(is_acted_on), "{results:?}");
}

#[test]
fn each_trick_ends_as_plain_text_wherever_it_is_printed() {
    let all = TRICKS.map(|trick| format!("{trick}{LIE}")).concat();
    for status in [400, 403, 201] {
        check(&format!("x{all}"), status);
    }
    // At the end of a name.
    check(&format!("x\u{1b}]8;;http://evil.example\u{1b}\\{LIE}"), 400);
}

proptest! {
    #![proptest_config(Config { cases: short_or_long(2, 6), max_shrink_iters: 20, ..Config::default() })]

    #[test]
    fn no_byte_of_others_that_a_terminal_would_act_on_reaches_it(
        text in hostile(),
        status in prop::sample::select(vec![400, 403, 410, 201]),
    ) {
        check(&text, status);
    }
}

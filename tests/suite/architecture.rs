//! Who imports whom: the rule of `src/lib.rs` and of the house, read from the sources.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A source file: its path below `src/`, and its code without tests and comments.
struct Source {
    path: String,
    code: String,
}

fn sources() -> Vec<Source> {
    fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    gather(&root, &mut found);
    found.sort();
    let sources = found.iter().map(|path| {
        let below = path.strip_prefix(&root).unwrap();
        let parts = below.iter().map(|part| part.to_string_lossy());
        Source {
            path: parts.collect::<Vec<_>>().join("/"),
            code: code(&fs::read_to_string(path).unwrap()),
        }
    });
    let sources: Vec<_> = sources.filter(|source| !is_test(&source.path)).collect();
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// Test modules in files of their own are no part of the program.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("tests.rs") || path.ends_with("tests/mod.rs")
}

/// Everything above the unit tests, without comments.
fn code(text: &str) -> String {
    let above = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = above
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules of this crate that some code names: `crate::quota::…`, and each branch of `crate::{quota::…, store}`.
fn modules_named(code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        // `pub(crate)` has no colons, and `$crate::` does not occur.
        let rest = &code[at + start.len()..];
        let mut depth = 0_usize;
        let mut word = String::new();
        let mut wanted = true;
        for c in rest.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if wanted && (c.is_alphanumeric() || c == '_') {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                named.insert(std::mem::take(&mut word));
                wanted = false;
            }
            // After a comma directly within the outer braces another module is named.
            if c == ',' && depth == 1 {
                wanted = true;
            }
            if depth == 0 {
                break;
            }
        }
    }
    named
}

/// Whether some code names this crate: `use name…`, or `name::` anywhere.
fn names_crate(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
    })
}

fn module_of(path: &str) -> &str {
    path.split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs")
}

#[test]
fn the_reader_of_use_lines_reads_them() {
    let code = "use crate::{\n    defender::{Call, wire},\n    quota,\n    store::Record,\n};\nfn f() { crate::monitor::span::g() }";
    let named: Vec<_> = modules_named(code).into_iter().collect();
    assert_eq!(named, ["defender", "monitor", "quota", "store"]);
    assert!(names_crate("use csv::Reader;", "csv"));
    assert!(!names_crate("use fleetsweep_csv::Reader; a::csv::b", "csv"));
}

#[test]
fn modules_import_only_what_lies_below_them() {
    let below: &[(&str, &[&str])] = &[
        (
            "campaign",
            &["quota", "defender", "roster", "results", "store", "monitor"],
        ),
        ("quota", &[]),
        ("defender", &[]),
        ("roster", &[]),
        ("results", &[]),
        ("store", &[]),
        ("monitor", &[]),
        ("mock", &["defender"]),
        ("plain_text", &[]),
        ("audit", &[]),
    ];
    for Source { path, code } in sources() {
        let module = module_of(&path);
        let Some((_, allowed)) = below.iter().find(|(name, _)| *name == module) else {
            assert!(
                ["cli", "lib", "main"].contains(&module),
                "which layer is {path} of?"
            );
            continue;
        };
        for named in modules_named(&code) {
            assert!(
                named == module
                    || ["plain_text", "audit"].contains(&named.as_str())
                    || allowed.contains(&named.as_str()),
                "{path} imports crate::{named}; it may import {allowed:?}"
            );
        }
    }
}

#[test]
fn the_mock_shares_nothing_with_the_client_but_wire_types() {
    for Source { path, code } in sources()
        .iter()
        .filter(|source| module_of(&source.path) == "mock")
    {
        for (at, start) in code.match_indices("crate::defender") {
            let rest = &code[at + start.len()..];
            assert!(
                rest.starts_with("::wire"),
                "{path} imports more of defender than its wire types"
            );
        }
        assert!(
            !code.contains("crate::{"),
            "{path}: write `use crate::defender::wire` out, so that this test can read it"
        );
    }
}

#[test]
fn nothing_reaches_the_terminal_but_by_one_door() {
    let doors = [
        // Commands; a panic; the bar, the lines and the logs, and who makes them.
        "cli/screen.rs",
        "cli/bug.rs",
        "cli/progress.rs",
        "monitor/",
    ];
    for Source { path, code } in sources() {
        for stream in ["io::stdout()", "io::stderr()"] {
            let mut uses = code.match_indices(stream);
            let writes = uses.any(|(at, _)| !code[at + stream.len()..].starts_with(".is_terminal"));
            assert!(
                !writes || doors.iter().any(|door| path.starts_with(door)),
                "{path} names {stream}: what is written there goes through cli/screen.rs or a monitor"
            );
        }
    }
}

#[test]
fn text_of_others_is_made_plain_in_one_place() {
    for Source { path, code } in sources() {
        // A token is refused for such a character, and an id.
        let may = ["plain_text.rs", "defender/sign_in/bearer.rs"];
        assert!(
            !code.contains("is_control") || may.contains(&path.as_str()),
            "{path} looks for control characters: plain_text.rs knows what else a terminal obeys"
        );
    }
}

#[test]
fn each_third_party_crate_has_one_place() {
    let places: &[(&str, &[&str])] = &[
        ("governor", &["quota/"]),
        ("reqwest", &["defender/"]),
        ("rusqlite", &["store/", "quota/ledger"]),
        ("csv", &["roster/", "results/"]),
        ("encoding_rs", &["roster/"]),
        ("encoding_rs_io", &["roster/"]),
        ("indicatif", &["monitor/"]),
        ("clap", &["cli/"]),
        ("same_file", &["cli/paths/"]),
        ("whoami", &["cli/run/record.rs"]),
        ("axum", &["mock/"]),
        ("hyper", &["mock/"]),
        ("hyper_util", &["mock/", "defender/network/"]),
        ("rustls", &["defender/network/"]),
        ("tower_service", &["mock/"]),
        (
            "rustix",
            &["quota/", "store/place.rs", "results/rewrite.rs"],
        ),
        ("azure_core", &["defender/sign_in/"]),
        ("azure_identity", &["defender/sign_in/"]),
        ("aws_lc_rs", &["defender/sign_in/"]),
        ("rustls_pki_types", &["defender/sign_in/"]),
    ];
    for Source { path, code } in sources() {
        for (name, allowed) in places {
            assert!(
                !names_crate(&code, name) || allowed.iter().any(|place| path.starts_with(place)),
                "{path} uses {name}, whose place is {allowed:?}"
            );
        }
    }
}

#[test]
fn what_is_pure_knows_no_runtime_no_files_and_no_clock() {
    let pure = [
        "quota/quota.rs",
        "quota/lanes.rs",
        "campaign/verdict.rs",
        "campaign/retry.rs",
        "campaign/outcome.rs",
    ];
    let sources = sources();
    for path in pure {
        let source = sources.iter().find(|source| source.path == path);
        let Source { code, .. } =
            source.unwrap_or_else(|| panic!("{path} is gone: name what is pure here"));
        for impure in [
            "tokio::",
            "std::fs",
            "std::io",
            "std::net",
            "std::thread",
            "SystemTime",
            "Instant::now",
            "Timestamp::now",
            "SystemClock",
            "async fn",
        ] {
            assert!(
                !code.contains(impure),
                "{path} is pure, and must not know {impure}"
            );
        }
    }
}

#[test]
fn a_bug_ends_the_program_in_words_from_its_first_line_on() {
    let main = sources()
        .into_iter()
        .find(|source| source.path == "main.rs")
        .unwrap();
    let (before, _) = main.code.split_once("cli::main(").unwrap();
    assert!(before.contains("bug::ends_the_process();"), "{before}");
    // An abort would be another end, with another exit code.
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    assert!(!manifest.lines().any(|line| line.starts_with("panic")));
}

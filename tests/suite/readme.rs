//! The README's own commands, run with the binary that cargo has built.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::command_line::{BINARY, Server, fleetsweep, state_home};

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(project().join("README.md")).unwrap()
}

/// Copies a folder of samples, without what earlier runs have left there.
pub(super) fn copy_samples(to: &Path) {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let target = to.join(&name);
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &target);
            } else if !name.to_string_lossy().ends_with(".results.csv") {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    copy(&project().join("sample-inputs"), &to.join("sample-inputs"));
}

#[test]
fn its_examples_do_what_they_show() {
    let place = tempfile::tempdir().unwrap();
    // Beside a file of this name trycmd looks for the folder to work in under this name.
    fs::copy(project().join("README.md"), place.path().join("README.md")).unwrap();
    copy_samples(&place.path().join("README.in"));
    trycmd::TestCases::new()
        .register_bin("fleetsweep", PathBuf::from(BINARY))
        .env("RUST_LOG", "")
        .env("FLEETSWEEP_TOKEN", "")
        .env("XDG_STATE_HOME", state_home(place.path()).to_string_lossy())
        .case(place.path().join("README.md"));
}

#[cfg(unix)]
#[test]
fn its_two_terminals_work_together() {
    let readme = readme();
    let line = |start: &str| {
        let line = readme.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("the README has no line that begins with {start}"))
    };
    let mock = line("fleetsweep mock ");
    // Its lost answers take a minute to be looked up: another test's business. Its port may be taken here.
    let options = mock
        .split_whitespace()
        .skip(2)
        .map(|word| match word {
            "127.0.0.1:8080" => "127.0.0.1:0",
            "2%" => "0%",
            word => word,
        })
        .collect::<Vec<_>>();
    let server = Server::start(&options);

    let place = tempfile::tempdir().unwrap();
    copy_samples(place.path());
    let run = line("FLEETSWEEP_TOKEN=mock fleetsweep run ")
        .replace("http://127.0.0.1:8080", &server.url());
    let mut command: Command = fleetsweep(place.path());
    command.env("FLEETSWEEP_TOKEN", "mock");
    command.args(run.split_whitespace().skip(2));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(server.stop().contains("0 machines scanned more than once"));
}

#[test]
fn it_names_every_outcome_column_and_exit_code() {
    use fleetsweep::campaign::outcome::Tally;
    let readme = readme();
    for (outcome, _) in Tally::default().iter() {
        let row = format!("\n| `{}` |", outcome.as_str());
        assert!(readme.contains(&row), "the README does not explain {row}");
    }
    for code in [0, 1, 2, 3, 4, 5, 6, 130] {
        let row = format!("\n| {code} |");
        assert!(readme.contains(&row), "the README does not explain {row}");
    }

    let place = tempfile::tempdir().unwrap();
    copy_samples(place.path());
    let mut command = fleetsweep(place.path());
    command.args(["run", "sample-inputs/fleet-60.csv", "--mock", "-q"]);
    assert!(command.status().unwrap().success());
    let results = place.path().join("sample-inputs/fleet-60.results.csv");
    let results = fs::read_to_string(results).unwrap();
    let header = results.lines().next().unwrap();
    let (own, _) = header.split_once(",computer_dns_name").unwrap();
    for column in own.split(',') {
        assert!(
            readme.contains(&format!("`{column}`")),
            "the README does not name the column {column}"
        );
    }
}

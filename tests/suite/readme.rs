//! The README's own commands, run with the binary that cargo has built.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::program::{BINARY, Server, fleetsweep, state_home};

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

/// A command in a `console` block, and what the README shows of it: `[..]` stands for anything within a line, `...` for
/// any number of lines.
#[cfg(unix)]
struct Example<'a> {
    command: &'a str,
    code: i32,
    shown: Vec<&'a str>,
}

#[cfg(unix)]
impl<'a> Example<'a> {
    fn all(readme: &'a str) -> Vec<Self> {
        let blocks = readme.split("```console\n").skip(1);
        let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
        let mut all: Vec<Self> = Vec::new();
        for line in blocks.flat_map(str::lines) {
            if let Some(command) = line.strip_prefix("$ ") {
                all.push(Self {
                    command,
                    code: 0,
                    shown: Vec::new(),
                });
                continue;
            }
            let example = all.last_mut().expect("a block begins with a command");
            let code = line.strip_prefix("[exit code ");
            match code.and_then(|code| code.strip_suffix(']')) {
                Some(code) => example.code = code.parse().unwrap(),
                None if line.is_empty() => {}
                None => example.shown.push(line),
            }
        }
        all
    }

    /// Types the command into a shell in `folder`, and compares all that it prints, as a terminal shows it.
    fn check(&self, folder: &Path) {
        let mut path = PathBuf::from(BINARY)
            .parent()
            .unwrap()
            .as_os_str()
            .to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let (mut screen, writer) = std::io::pipe().unwrap();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", self.command])
            .current_dir(folder)
            .env("PATH", path)
            .env("XDG_STATE_HOME", state_home(folder))
            .env_remove("RUST_LOG")
            .env_remove("FLEETSWEEP_TOKEN")
            .stdin(std::process::Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        let mut child = shell.spawn().unwrap();
        drop(shell);
        let mut printed = String::new();
        std::io::Read::read_to_string(&mut screen, &mut printed).unwrap();
        let code = child.wait().unwrap().code();
        let lines: Vec<_> = printed.lines().filter(|line| !line.is_empty()).collect();
        assert!(
            code == Some(self.code) && matches(&lines, &self.shown),
            "`{}` ends with {code:?} and prints\n{printed}\nwhere the README shows {} and\n{}",
            self.command,
            self.code,
            self.shown.join("\n")
        );
    }
}

/// Whether these lines are the ones that are shown.
fn matches(lines: &[&str], shown: &[&str]) -> bool {
    match (lines, shown) {
        (_, ["...", shown @ ..]) => (0..=lines.len()).any(|n| matches(&lines[n..], shown)),
        ([line, lines @ ..], [one, shown @ ..]) => is_shown(line, one) && matches(lines, shown),
        (lines, shown) => lines.is_empty() && shown.is_empty(),
    }
}

fn is_shown(line: &str, shown: &str) -> bool {
    let Some((first, rest)) = shown.split_once("[..]") else {
        return line == shown;
    };
    let Some(line) = line.strip_prefix(first) else {
        return false;
    };
    let mut ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    ends.any(|at| is_shown(&line[at..], rest))
}

#[test]
fn what_is_shown_is_compared_line_by_line() {
    let lines = ["60 calls in 0.3 s", "", "done"];
    assert!(matches(&lines, &["60 calls in [..] s", "...", "done"]));
    assert!(matches(&lines[..1], &["[..] in [..]"]));
    for wrong in [
        &["60 calls in [..] s"][..],
        &["61 calls in [..] s", "...", "done"],
        &["60 calls in [..] h", "...", "done"],
        &["...", "done", "more"],
    ] {
        assert!(!matches(&lines, wrong), "{wrong:?}");
    }
}

#[cfg(unix)]
#[test]
fn its_examples_do_what_they_show() {
    let place = tempfile::tempdir().unwrap();
    copy_samples(place.path());
    let readme = readme();
    let examples = Example::all(&readme);
    assert!(examples.len() > 10, "only {} were found", examples.len());
    for example in examples {
        example.check(place.path());
    }
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

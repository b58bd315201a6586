//! The README and the pages of `docs/`: their own commands, run with the binary that cargo has built, their links,
//! whether they name what there is, and whether the README's translation keeps to it.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::program::{BINARY, Server, fleetsweep, state_home};

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A page by its path in the project, such as `docs/MOCK.md`.
fn page(name: &str) -> String {
    let text = fs::read_to_string(project().join(name)).unwrap();
    // Git may have written it as Windows has it.
    text.replace("\r\n", "\n")
}

/// The README in Korean.
const KOREAN: &str = "README.ko.md";

/// The README, in both languages, and the pages of `docs/`.
fn pages() -> Vec<String> {
    let folder = fs::read_dir(project().join("docs")).unwrap();
    let files = folder.map(|entry| entry.unwrap().path());
    let mut pages = files
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .map(|path| format!("docs/{}", path.file_name().unwrap().display()))
        .collect::<Vec<_>>();
    pages.extend(["README.md", KOREAN].map(str::to_owned));
    pages.sort();
    pages
}

/// The lines between the fences of each block of this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<Vec<&'a str>> {
    let fence = format!("```{language}");
    let mut lines = page.lines();
    let mut blocks = Vec::new();
    while lines.any(|line| line == fence) {
        blocks.push(lines.by_ref().take_while(|line| *line != "```").collect());
    }
    blocks
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

/// A command in a `console` block, and what the page shows of it: `[..]` stands for anything within a line, `...` for
/// any number of lines.
#[cfg(unix)]
struct Example<'a> {
    command: &'a str,
    code: i32,
    shown: Vec<&'a str>,
}

#[cfg(unix)]
impl<'a> Example<'a> {
    fn all(page: &'a str) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for line in blocks(page, "console").concat() {
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

    /// Types the command into a shell in `folder`, which is also the home, and compares all that it prints, as a
    /// terminal shows it.
    fn check(&self, page: &str, folder: &Path) {
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
            .env("HOME", folder)
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
            "`{}` ends with {code:?} and prints\n{printed}\nwhere {page} shows {} and\n{}",
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

#[test]
fn a_page_is_read_block_by_block() {
    let page = "```sh\none\n```\n\n```console\n$ two\n2\n```\n\n```sh\nthree\nfour\n```\n";
    assert_eq!(blocks(page, "sh"), [vec!["one"], vec!["three", "four"]]);
    assert_eq!(blocks(page, "console"), [["$ two", "2"]]);
    assert!(blocks(page, "text").is_empty());
}

#[cfg(unix)]
#[test]
fn the_examples_of_each_page_do_what_they_show() {
    let mut count = 0;
    // The examples in Korean are the README's own, as another test sees.
    for name in pages().into_iter().filter(|name| name != KOREAN) {
        let text = page(&name);
        let examples = Example::all(&text);
        if examples.is_empty() {
            continue;
        }
        // A session for each page, where nobody has been before.
        let place = tempfile::tempdir().unwrap();
        copy_samples(place.path());
        count += examples.len();
        for example in examples {
            example.check(&name, place.path());
        }
    }
    assert!(count > 15, "only {count} were found");
}

/// `.ci/run` and everybody who has just cloned the repository begin with these.
#[test]
fn the_first_two_commands_of_the_readme_are_the_ones_that_everybody_begins_with() {
    let readme = page("README.md");
    let shell = blocks(&readme, "sh");
    assert_eq!(
        shell[..2],
        [
            ["cargo run --release -- run sample-inputs/fleet-60.csv --mock"],
            ["cargo test"]
        ]
    );
}

#[cfg(unix)]
#[test]
fn the_incident_in_five_lines_does_what_the_readme_says() {
    let readme = page("README.md");
    let blocks = blocks(&readme, "sh");
    let lines = blocks.iter().find(|block| block.len() == 5).unwrap();
    let server = Server::start(&["--limit", "none", "--scan-time", "1h"]);
    let place = tempfile::tempdir().unwrap();
    for line in lines {
        let line = line.split('#').next().unwrap();
        let mut command = fleetsweep(place.path());
        command
            .env("FLEETSWEEP_TOKEN", "mock")
            .args(line.split_whitespace().skip(1))
            .args(["--api-url", &server.url()]);
        if line.contains(" cancel ") {
            // Nobody is there to be asked.
            command.arg("--yes");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    }
    let results = fs::read_to_string(place.path().join("devices.results.csv")).unwrap();
    let machines = results.lines().count() - 1;
    assert!(machines > 50, "{results}");
    assert_eq!(results.matches(",Cancelled,").count(), machines);
    assert!(server.stop().contains("0 machines scanned more than once"));
}

#[cfg(unix)]
#[test]
fn the_two_terminals_of_the_mocks_page_work_together() {
    let page = page("docs/MOCK.md");
    let line = |start: &str| {
        let line = page.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("the page has no line that begins with {start}"))
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
fn the_reference_names_every_outcome_column_and_exit_code() {
    use fleetsweep::campaign::outcome::Tally;
    let reference = page("docs/REFERENCE.md");
    for (outcome, _) in Tally::default().iter() {
        let row = format!("\n| `{}` |", outcome.as_str());
        assert!(
            reference.contains(&row),
            "the reference does not explain {row}"
        );
    }
    for code in [0, 1, 2, 3, 4, 5, 6, 130] {
        let row = format!("\n| {code} |");
        assert!(
            reference.contains(&row),
            "the reference does not explain {row}"
        );
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
            reference.contains(&format!("`{column}`")),
            "the reference does not name the column {column}"
        );
    }
}

#[test]
fn the_reference_names_every_option_of_run() {
    let reference = page("docs/REFERENCE.md");
    let (_, section) = reference.split_once("\n## Options of `run`\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let help = fleetsweep(folder.path()).args(["run", "--help"]).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    let options = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let option = match line.split_once(", ") {
            Some((short, long)) if short.len() == 2 && short.starts_with('-') => long,
            _ => line,
        };
        let name = option.strip_prefix("--")?;
        let end = name.find(|c: char| c != '-' && !c.is_ascii_alphanumeric());
        Some(&name[..end.unwrap_or(name.len())])
    });
    let mut count = 0;
    for option in options.filter(|option| *option != "help") {
        count += 1;
        // As in `--yes`, `--yes=N` or `--state FILE`.
        let named = ['`', ' ', '='].map(|after| format!("`--{option}{after}"));
        assert!(
            named.iter().any(|words| section.contains(words)),
            "the reference does not name --{option}"
        );
    }
    assert!(count > 40, "only {count} were found: {help}");
}

/// A page without what stands between fences, nor in code within a line: there brackets are no links.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            // What is left out leaves its ticks, so that `[a]` beside (b) makes no link.
            let pieces = line.split('`').enumerate();
            let pieces = pieces.map(|(n, piece)| if n % 2 == 0 { piece } else { "``" });
            prose.extend(pieces);
            prose.push('\n');
        }
    }
    prose
}

/// Where the links and pictures of a page lead.
fn targets(page: &str) -> Vec<String> {
    let prose = prose(page);
    let links = prose.split("](").skip(1);
    let targets = links.filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of a page's headings, made as GitHub makes them.
fn anchors(page: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut fenced = false;
    for line in page.lines() {
        fenced ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let anchor: String = heading
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect::<String>()
            .to_lowercase();
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let mut names = std::iter::once(anchor.clone()).chain(again);
        let free = names.find(|name| !anchors.contains(name)).unwrap();
        anchors.insert(free);
    }
    anchors
}

#[test]
fn links_and_anchors_are_found() {
    let page = "# A `--b`, and c\n[x](one.md#two) `[y](no.md)`\n```sh\n# no heading\n[z](no.md)\n```\n\
                ![p](p.svg)\n## Same\n## Same\n";
    assert_eq!(targets(page), ["one.md#two", "p.svg"]);
    let expected = ["a---b-and-c", "same", "same-1"].map(str::to_owned);
    assert_eq!(anchors(page), HashSet::from(expected));
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let mut count = 0;
    let mut dead = Vec::new();
    for name in pages().into_iter().chain(["CONTRIBUTING.md".to_owned()]) {
        let text = page(&name);
        for target in targets(&text) {
            if target.starts_with("https://") {
                continue;
            }
            count += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = match file {
                "" => project().join(&name),
                file => project().join(&name).parent().unwrap().join(file),
            };
            let is_there = path.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&path).unwrap()).contains(anchor));
            if !is_there {
                dead.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(count > 50, "only {count} were found");
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

/// What a translation keeps of a page: the levels of its headings, the width of each row of a table, and its blocks
/// without the comments, all in their order; then the options that it names, and where its links lead, sorted.
fn kept_by_a_translation(page: &str) -> Vec<String> {
    let mut fenced = false;
    let mut kept = Vec::new();
    let mut options = BTreeSet::new();
    for line in page.lines() {
        let is_fence = line.starts_with("```");
        fenced ^= is_fence;
        if fenced || is_fence {
            let (command, _) = line.split_once(" #").unwrap_or((line, ""));
            kept.push(command.trim_end().to_owned());
            continue;
        }
        if line.starts_with('#') {
            kept.extend(line.split(' ').next().map(str::to_owned));
        } else if line.starts_with('|') {
            kept.push(format!("a row of {} cells", line.matches('|').count() - 1));
        }
        let code = line.split('`').skip(1).step_by(2);
        let words = code.flat_map(str::split_whitespace).map(str::to_owned);
        options.extend(words.filter(|word| word.starts_with("--")));
    }
    // The two pages lead to each other, and each to headings of its own.
    let mut links = targets(page);
    links.retain(|link| !link.starts_with("README") && !link.starts_with('#'));
    links.sort();
    kept.extend(options);
    kept.extend(links);
    kept
}

#[test]
fn a_translation_differs_in_its_words_only() {
    let page = "# One\n\n| a | b |\n|---|---|\n\n```sh\nrun x   # why\n```\n\n[`--b`](docs/B.md#c), `go --a 5`\n";
    let kept = kept_by_a_translation(page);
    for (words, others) in [("One", "하나"), ("| a |", "| 가 |"), ("# why", "# 이유")] {
        let translated = page.replace(words, others);
        assert_eq!(kept_by_a_translation(&translated), kept, "{others}");
    }
    for (part, other) in [
        ("# One", "## One"),
        ("# One", "# One\n\n## Two"),
        ("| b |", "| b | c |"),
        ("|---|---|", "|---|---|\n| c | d |"),
        ("```sh", "```console"),
        ("run x", "run y"),
        ("run x", "run x\nrun y"),
        ("--b", "--c"),
        ("--a 5", "5"),
        ("B.md#c", "B.md"),
    ] {
        let changed = page.replace(part, other);
        assert_ne!(kept_by_a_translation(&changed), kept, "{other}");
    }
}

#[test]
fn the_readme_in_korean_keeps_to_the_readme() {
    let [ours, korean] = ["README.md", KOREAN].map(|name| kept_by_a_translation(&page(name)));
    let mut pairs = ours.iter().zip(&korean);
    let differs = pairs.find(|(one, other)| one != other);
    assert!(
        ours == korean,
        "{KOREAN} has {} such things and the README {}; the first that differ are (README, {KOREAN}): {differs:?}",
        korean.len(),
        ours.len()
    );
    assert!(ours.len() > 80, "only {ours:?} were found");
}

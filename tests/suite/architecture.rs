//! Who imports whom: the rule of `src/lib.rs`, read from the sources as the compiler reads them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ExprMethodCall, Item, ItemUse, Macro, UseTree, Visibility,
    visit::{self, Visit},
};

/// A module's or an item's place, from the crate's root: `["quota", "ledger"]`.
type Names = Vec<String>;

/// A source file of the program, without its unit tests.
struct Source {
    /// Below `src/`, with slashes.
    path: String,
    module: Names,
    named: Named,
}

/// What a file names.
#[derive(Default)]
struct Named {
    /// Paths of two words and more, as they are written.
    paths: BTreeSet<Names>,
    /// What is imported only to be handed on: `pub use`.
    handed_on: BTreeSet<Names>,
    methods: BTreeSet<String>,
    modules: BTreeSet<String>,
    has_async: bool,
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    let mut cfg = attributes.iter().filter(|attr| attr.path().is_ident("cfg"));
    cfg.any(|attr| {
        attr.parse_args::<syn::Ident>()
            .is_ok_and(|word| word == "test")
    })
}

impl Named {
    fn imports(tree: &UseTree, above: &Names, found: &mut BTreeSet<Names>) {
        let with = |name: String| above.iter().cloned().chain([name]).collect::<Names>();
        match tree {
            UseTree::Path(path) => Self::imports(&path.tree, &with(path.ident.to_string()), found),
            UseTree::Name(name) if name.ident == "self" => drop(found.insert(above.clone())),
            UseTree::Name(name) => drop(found.insert(with(name.ident.to_string()))),
            UseTree::Rename(name) => drop(found.insert(with(name.ident.to_string()))),
            UseTree::Glob(_) => drop(found.insert(above.clone())),
            UseTree::Group(group) => {
                for tree in &group.items {
                    Self::imports(tree, above, found);
                }
            }
        }
    }

    /// The paths in a macro's arguments, which no parser knows: words with colons between them.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons < 2 {
                        self.end_of(&mut path);
                    }
                    path.push(word.to_string());
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => {
                    self.end_of(&mut path);
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end_of(&mut path),
            }
            colons = 0;
        }
        self.end_of(&mut path);
    }

    fn end_of(&mut self, path: &mut Names) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if is_for_tests(attributes) {
            return;
        }
        if let Item::Mod(module) = item {
            self.modules.insert(module.ident.to_string());
        }
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let found = match item.vis {
            Visibility::Inherited => &mut self.paths,
            Visibility::Public(_) | Visibility::Restricted(_) => &mut self.handed_on,
        };
        Self::imports(&item.tree, &Names::new(), found);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut words: Names = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        self.end_of(&mut words);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.methods.insert(call.method.to_string());
        // Whether a stream is a terminal may be asked anywhere.
        if call.method != "is_terminal" {
            visit::visit_expr_method_call(self, call);
        }
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.has_async |= signature.asyncness.is_some();
        visit::visit_signature(self, signature);
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The program's files, which all tests of this file share: to read them takes longer than to ask them anything.
fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_all);
    &SOURCES
}

fn read_all() -> Vec<Source> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    rust_files(&root, &mut found);
    found.sort();
    let sources = found.iter().filter_map(|file| {
        let below = file.strip_prefix(&root).unwrap();
        let parts = below.iter().map(|part| part.to_string_lossy());
        let path = parts.collect::<Vec<_>>().join("/");
        // Test modules in files of their own are no part of the program.
        let is_test = path.contains("/tests/") || path.ends_with("tests.rs");
        (!is_test).then(|| read(path, &fs::read_to_string(file).unwrap()))
    });
    let sources: Vec<_> = sources.collect();
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

fn read(path: String, text: &str) -> Source {
    let mut named = Named::default();
    named.visit_file(&syn::parse_file(text).unwrap_or_else(|e| panic!("{path}: {e}")));
    let module = path.trim_end_matches(".rs").split('/');
    let mut module: Names = module.map(str::to_owned).collect();
    if module
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        module.pop();
    }
    Source {
        path,
        module,
        named,
    }
}

impl Source {
    /// The folder of the crate's root that it lies in, or its own name there.
    fn layer(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    /// The items of this crate that it names, from the crate's root.
    fn names(&self) -> impl Iterator<Item = Names> + '_ {
        self.named
            .paths
            .iter()
            .filter_map(|path| self.absolute(path))
    }

    fn absolute(&self, path: &Names) -> Option<Names> {
        let mut from = self.module.clone();
        let mut rest = path.as_slice();
        match rest[0].as_str() {
            "crate" => return Some(rest[1..].to_vec()),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    from.pop();
                    rest = &rest[1..];
                }
            }
            child if self.named.modules.contains(child) => {}
            _ => return None,
        }
        from.extend_from_slice(rest);
        Some(from)
    }

    /// The crates, and modules in scope, whose items it names.
    fn roots(&self) -> impl Iterator<Item = &str> {
        let paths = self.named.paths.iter().chain(&self.named.handed_on);
        paths.map(|path| path[0].as_str())
    }

    /// Whether it names something of this crate or of another by these words.
    fn has(&self, words: &str) -> bool {
        let words: Vec<_> = words.split("::").collect();
        let mut paths = self.named.paths.iter().chain(&self.named.handed_on);
        paths.any(|path| path.windows(words.len()).any(|part| part == words))
    }
}

/// The file that each file names items of, other than by `pub use`.
fn arrows(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let by_module: BTreeMap<_, _> = sources
        .iter()
        .map(|source| (source.module.as_slice(), source.path.as_str()))
        .collect();
    let arrows = sources.iter().map(|source| {
        let named = source.names().filter_map(|names| {
            let of = (0..=names.len())
                .rev()
                .find_map(|n| by_module.get(&names[..n]));
            of.copied().filter(|of| *of != source.path)
        });
        (source.path.as_str(), named.collect())
    });
    arrows.collect()
}

#[test]
fn the_reader_of_sources_reads_them() {
    let source = read(
        "quota/mod.rs".to_owned(),
        "mod lanes;
         pub use lanes::Lane;
         use crate::{defender::{Call, wire}, store::Record as R};
         use super::monitor;
         fn f() { let _ = format!(\"{}\", crate::results::g()); io::stdout().is_terminal(); lanes::h::<csv::Reader>() }
         #[cfg(test)]
         mod tests { use crate::mock; }",
    );
    let named: Vec<_> = source.names().map(|names| names.join("::")).collect();
    let expected = [
        "defender::Call",
        "defender::wire",
        "results::g",
        "store::Record",
        "quota::lanes::h",
        "monitor",
    ];
    assert_eq!(named, expected);
    assert!(source.has("csv::Reader") && !source.has("io::stdout"));
}

#[test]
fn modules_import_only_what_lies_below_them() {
    let below: &[(&str, &[&str])] = &[
        (
            "cli",
            &[
                "report", "campaign", "client", "schedule", "quota", "defender", "roster",
                "results", "store", "monitor", "mock",
            ],
        ),
        (
            "report",
            &["campaign", "quota", "roster", "store", "monitor"],
        ),
        (
            "campaign",
            &[
                "client", "schedule", "quota", "defender", "roster", "results", "store", "monitor",
            ],
        ),
        ("client", &["quota", "defender", "store", "monitor"]),
        ("schedule", &["monitor"]),
        ("quota", &[]),
        ("defender", &[]),
        ("roster", &[]),
        ("results", &[]),
        ("store", &[]),
        ("monitor", &[]),
        ("mock", &["defender"]),
        ("plain_text", &[]),
        ("private_file", &[]),
        ("audit", &[]),
        ("main", &["cli"]),
        ("lib", &[]),
    ];
    for source in sources() {
        let layer = below.iter().find(|(name, _)| *name == source.layer());
        let (layer, allowed) =
            layer.unwrap_or_else(|| panic!("which layer is {} of?", source.path));
        for names in source.names() {
            let Some(named) = names.first() else {
                continue;
            };
            let everywhere = ["plain_text", "private_file", "audit"];
            assert!(
                named == layer
                    || everywhere.contains(&named.as_str())
                    || allowed.contains(&named.as_str()),
                "{} imports {}; it may import {allowed:?}",
                source.path,
                names.join("::")
            );
        }
    }
}

#[test]
fn no_arrows_run_in_a_circle_between_folders() {
    let sources = sources();
    let folder = |path: &str| {
        path.rsplit_once('/')
            .map_or("", |(folder, _)| folder)
            .to_owned()
    };
    let mut between: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in arrows(sources) {
        for to in to {
            let (from, to) = (folder(from), folder(to));
            // A folder and those in it are one house.
            let is_within =
                |a: &str, b: &str| a.is_empty() || format!("{b}/").starts_with(&format!("{a}/"));
            if !is_within(&from, &to) && !is_within(&to, &from) {
                between.entry(from).or_default().insert(to);
            }
        }
    }
    for start in between.keys() {
        let mut seen = BTreeSet::new();
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            for to in between.get(at).into_iter().flatten() {
                assert_ne!(
                    to, start,
                    "a circle: {start} imports {at}, or what imports it"
                );
                if seen.insert(to) {
                    open.push(to);
                }
            }
        }
    }
}

#[test]
fn no_two_files_import_each_other() {
    let sources = sources();
    let arrows = arrows(sources);
    for (from, named) in &arrows {
        for to in named {
            // A file may name what the file above it holds: its folder's `mod.rs`, or the file of its folder's name.
            let is_above = |a: &str, b: &str| {
                let folder = a.strip_suffix("/mod.rs").or(a.strip_suffix(".rs"));
                folder.is_some_and(|folder| b.starts_with(&format!("{folder}/"))) || a == "lib.rs"
            };
            assert!(
                !arrows[to].contains(from) || is_above(from, to) || is_above(to, from),
                "{from} and {to} import each other"
            );
        }
    }
}

#[test]
fn no_line_is_longer_than_a_screen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        rust_files(&root.join(folder), &mut files);
    }
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        // A trigger's text is part of the state's format.
        let lines = (1..).zip(text.lines());
        let lines = lines.filter(|(_, line)| !line.trim_start().starts_with("row_sum("));
        for (number, line) in lines {
            let length = line.chars().count();
            assert!(length <= 120, "{}:{number}: {line}", path.display());
        }
    }
}

#[test]
fn the_map_in_the_docs_names_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in ["docs/ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        let places = quoted.filter(|text| {
            ["src/", "tests/", "docs/", "benches/"]
                .iter()
                .any(|at| text.starts_with(at))
        });
        let places: Vec<_> = places.collect();
        assert!(places.len() > 3, "{page} names no files");
        for place in places {
            assert!(
                root.join(place).exists(),
                "{page} names {place}, which is not there"
            );
        }
    }
}

#[test]
fn the_mock_shares_nothing_with_the_client_but_wire_types() {
    for source in sources().iter().filter(|source| source.layer() == "mock") {
        for names in source
            .names()
            .filter(|names| names.first().is_some_and(|name| name == "defender"))
        {
            assert_eq!(
                names[1], "wire",
                "{} imports more of defender than its wire types",
                source.path
            );
        }
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
    for source in sources() {
        for stream in ["io::stdout", "io::stderr"] {
            assert!(
                !source.has(stream) || doors.iter().any(|door| source.path.starts_with(door)),
                "{} names {stream}: what is written there goes through cli/screen.rs or a monitor",
                source.path
            );
        }
    }
}

#[test]
fn text_of_others_is_made_plain_in_one_place() {
    for source in sources() {
        // A token is refused for such a character.
        let may = ["plain_text.rs", "defender/sign_in/bearer.rs"];
        assert!(
            !source.named.methods.contains("is_control") || may.contains(&source.path.as_str()),
            "{} looks for control characters: plain_text.rs knows what else a terminal obeys",
            source.path
        );
    }
}

#[test]
fn each_third_party_crate_has_one_place() {
    let places: &[(&str, &[&str])] = &[
        ("governor", &["quota/"]),
        ("smallvec", &["quota/"]),
        ("hdrhistogram", &["cli/bench/"]),
        ("toml", &["mock/scenario/"]),
        (
            "reqwest",
            &["defender/", "cli/bench/bare.rs", "cli/watch/webhook.rs"],
        ),
        ("rusqlite", &["store/", "quota/ledger"]),
        ("csv", &["roster/", "results/"]),
        ("calamine", &["roster/workbook/"]),
        ("rust_xlsxwriter", &["results/workbook/"]),
        ("zip", &["roster/workbook/", "results/workbook/"]),
        ("encoding_rs", &["roster/"]),
        ("encoding_rs_io", &["roster/"]),
        ("indicatif", &["monitor/"]),
        ("console", &["monitor/"]),
        ("clap", &["cli/"]),
        ("same_file", &["cli/paths/"]),
        ("whoami", &["cli/run/record.rs"]),
        ("axum", &["mock/", "cli/watch/server.rs"]),
        ("prometheus_client", &["monitor/metrics/"]),
        ("shlex", &["cli/watch/command.rs", "cli/shell_words.rs"]),
        ("askama", &["report/"]),
        ("flate2", &["report/"]),
        ("hyper", &["mock/"]),
        ("hyper_util", &["mock/", "defender/network/"]),
        ("rustls", &["defender/network/", "mock/tls.rs"]),
        ("tokio_rustls", &["mock/tls.rs"]),
        ("rcgen", &["mock/tls.rs"]),
        ("tower_service", &["mock/"]),
        ("form_urlencoded", &["mock/query.rs"]),
        ("percent_encoding", &["mock/query.rs"]),
        ("winnow", &["mock/filter/", "roster/where_clause.rs"]),
        (
            "base64",
            &["mock/", "defender/sign_in/", "report/packed.rs"],
        ),
        (
            "rustix",
            &[
                "quota/",
                "store/place.rs",
                "results/fresh.rs",
                "cli/bench/round.rs",
                "cli/watch/command.rs",
                "monitor/keys.rs",
            ],
        ),
        ("azure_core", &["defender/sign_in/"]),
        ("azure_identity", &["defender/sign_in/"]),
        ("aws_lc_rs", &["defender/sign_in/"]),
        ("rustls_pki_types", &["defender/sign_in/"]),
    ];
    for source in sources() {
        for (name, allowed) in places {
            assert!(
                !source.roots().any(|root| root == *name)
                    || allowed.iter().any(|place| source.path.starts_with(place)),
                "{} uses {name}, whose place is {allowed:?}",
                source.path
            );
        }
    }
}

#[test]
fn what_is_pure_knows_no_runtime_no_files_and_no_clock() {
    let pure = [
        "quota/quota.rs",
        "quota/lanes.rs",
        "schedule/",
        "campaign/engine/dispatcher/",
        "campaign/engine/verdict.rs",
        "campaign/forecast/course.rs",
        "campaign/retry.rs",
        "campaign/outcome.rs",
    ];
    let sources = sources();
    for place in pure {
        let mut there = sources
            .iter()
            .filter(|source| source.path.starts_with(place))
            .peekable();
        assert!(
            there.peek().is_some(),
            "{place} is gone: name what is pure here"
        );
        for source in there {
            assert!(
                !source.named.has_async,
                "{} is pure, and waits for nothing",
                source.path
            );
            for impure in [
                "tokio::task",
                "tokio::time",
                "tokio::sync",
                "std::fs",
                "std::io",
                "std::net",
                "std::thread",
                "SystemTime",
                "Instant::now",
                "Timestamp::now",
                "SystemClock",
            ] {
                assert!(
                    !source.has(impure),
                    "{} is pure, and must not know {impure}",
                    source.path
                );
            }
        }
    }
}

#[test]
fn a_bug_ends_the_program_in_words_from_its_first_line_on() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let main = fs::read_to_string(root.join("src/main.rs")).unwrap();
    let (before, _) = main.split_once("cli::main(").unwrap();
    assert!(before.contains("bug::exit_on_panic();"), "{before}");
    // An abort would be another end, with another exit code.
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(!manifest.lines().any(|line| line.starts_with("panic")));
}

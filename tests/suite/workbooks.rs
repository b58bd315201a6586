//! Workbooks as inputs and as results, in the real program.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
};

use calamine::{Data, DataType as _, Reader as _, Xlsx, open_workbook};
use proptest::prelude::*;
use rust_xlsxwriter::{Workbook, Worksheet};

use super::{
    command_line::{Place, assert_code, assert_refused, outcomes, said},
    program::{Server, fleetsweep},
};

fn id(n: u32) -> String {
    format!("{n:040x}")
}

/// Adds a sheet with these rows.
fn sheet<'a>(book: &'a mut Workbook, name: &str, rows: &[Vec<String>]) -> &'a mut Worksheet {
    let sheet = book.add_worksheet();
    sheet.set_name(name).unwrap();
    for (at, row) in (0..).zip(rows) {
        for (column, text) in (0..).zip(row) {
            sheet.write_string(at, column, text).unwrap();
        }
    }
    sheet
}

fn fleet(machines: u32) -> Vec<Vec<String>> {
    let header = vec!["Device ID".to_owned(), "Site".to_owned()];
    let rows = (1..=machines).map(|n| vec![id(n), format!("site {n}")]);
    [header].into_iter().chain(rows).collect()
}

/// A folder with this workbook in it, under a name that does not say what it is.
fn place_with(book: &mut Workbook) -> Place {
    let place = Place::new("");
    book.save(place.path("fleet.data")).unwrap();
    place
}

fn one_sheet(machines: u32) -> Place {
    let mut book = Workbook::new();
    sheet(&mut book, "Devices", &fleet(machines));
    place_with(&mut book)
}

/// The cells of a workbook's only sheet, as text.
fn cells(path: &Path) -> Vec<Vec<String>> {
    let mut book: Xlsx<_> = open_workbook(path).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    let text = |cell: &Data| cell.as_string().unwrap_or_default();
    range
        .rows()
        .map(|row| row.iter().map(text).collect())
        .collect()
}

/// The cells of a CSV.
fn csv_cells(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(path)
        .unwrap();
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect());
    rows.collect()
}

#[test]
fn a_campaign_from_a_workbook_stops_and_goes_on() {
    let (place, server) = (one_sheet(5), Server::start(&[]));
    let run = |more: &[&str]| {
        let words = [&["fleet.data", "--xlsx", "out.xlsx"], more].concat();
        place.run_against(&server, &words).output().unwrap()
    };
    let stopped = run(&["--max-machines", "2", "--sheet", "devices"]);
    assert_code(&stopped, 3);
    // What goes on reads the same sheet, and writes the same workbook.
    assert!(
        said(&stopped).contains("--sheet devices"),
        "{}",
        said(&stopped)
    );
    assert!(
        said(&stopped).contains("--xlsx out.xlsx"),
        "{}",
        said(&stopped)
    );
    assert!(
        said(&stopped).contains("workbook: out.xlsx"),
        "{}",
        said(&stopped)
    );
    let outcome = |rows: &[Vec<String>]| rows.iter().map(|row| row[1].clone()).collect::<Vec<_>>();
    let rows = cells(&place.path("out.xlsx"));
    assert_eq!(
        outcome(&rows[1..])
            .iter()
            .filter(|word| *word == "not_attempted")
            .count(),
        3
    );
    assert_code(&run(&[]), 0);
    assert_eq!(outcomes(&place.read("fleet.results.csv")), ["accepted"; 5]);
    let rows = cells(&place.path("out.xlsx"));
    assert_eq!(rows, csv_cells(&place.path("fleet.results.csv")));
    assert_eq!(rows[0][14], "Site");
    assert_eq!(rows[3][14], "site 3");
    assert_eq!(server.saw("/mock/witness")["scans"]["total"], 5);
    // The campaign is the sheet's rows: another sheet is another campaign.
    let mut book = Workbook::new();
    sheet(&mut book, "Devices", &fleet(5)[..4]);
    book.save(place.path("fleet.data")).unwrap();
    assert_refused(&run(&[]), 2, &["ends before target 4"]);
}

#[test]
fn ids_that_lost_their_digits_are_named_with_the_row_of_the_sheet() {
    let mut book = Workbook::new();
    let devices = sheet(&mut book, "Devices", &fleet(30));
    devices
        .write_number(31, 0, 1.234_567_890_123_456_8e39)
        .unwrap();
    devices.write_number(35, 0, 42.0).unwrap();
    let place = place_with(&mut book);
    let output = place.run(&["fleet.data", "--mock", "-o", "out.csv"]);
    assert_code(&output, 1);
    let results = place.read("out.csv");
    let lost = "a spreadsheet has turned this id into the number `1.23456789012346E+39`";
    assert!(
        results.contains(lost) && results.contains("`42` is a number"),
        "{results}"
    );
    let plan = fleetsweep(place.0.path())
        .args(["plan", "fleet.data", "--mock"])
        .output()
        .unwrap();
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(
        plan.contains("line 32") && plan.contains("line 36"),
        "{plan}"
    );
}

#[test]
fn which_sheet_is_read_is_never_guessed() {
    let mut book = Workbook::new();
    sheet(&mut book, "Read me", &[vec!["Ask Kim".to_owned()]]);
    sheet(&mut book, "A", &fleet(1));
    sheet(&mut book, "B", &fleet(2));
    sheet(&mut book, "C", &fleet(3)).set_hidden(true);
    let place = place_with(&mut book);
    let plan = |more: &[&str]| {
        let mut command = fleetsweep(place.0.path());
        command
            .args(["plan", "fleet.data", "--mock", "--json"])
            .args(more);
        command.output().unwrap()
    };
    assert_refused(&plan(&[]), 2, &["several sheets", "`A`, `B`", "--sheet"]);
    assert_refused(
        &plan(&["--sheet", "D"]),
        2,
        &["no sheet `D`", "`Read me`, `A`, `B`, `C`"],
    );
    for (name, rows) in [("b", 2), ("C", 3)] {
        let output = plan(&["--sheet", name]);
        assert_code(&output, 0);
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(plan["rows"], rows);
        let note = format!("sheet `{}` is read", name.to_uppercase());
        assert!(plan["notes"].to_string().contains(&note), "{plan}");
    }
    fs::write(place.path("fleet.csv"), format!("machine_id\n{}\n", id(1))).unwrap();
    let output = place.run(&["fleet.csv", "--mock", "--sheet", "A"]);
    assert_refused(&output, 2, &["fleet.csv", "no workbook", "--sheet"]);
}

#[test]
fn exclusion_lists_may_be_workbooks_with_one_list() {
    let place = one_sheet(3);
    let mut book = Workbook::new();
    sheet(&mut book, "Never", &fleet(2));
    book.save(place.path("never.xlsx")).unwrap();
    let words = ["fleet.data", "--mock", "--exclude", "never.xlsx"];
    assert_code(&place.run(&words), 0);
    let ended = outcomes(&place.read("fleet.results.csv"));
    assert_eq!(ended, ["not_attempted", "not_attempted", "accepted"]);
    // Nothing there is an id, and it may mean a machine all the same, hidden or not.
    let notes = [vec!["Ask Kim".to_owned()], vec!["dc01".to_owned()]];
    sheet(&mut book, "Later", &notes).set_hidden(true);
    book.save(place.path("never.xlsx")).unwrap();
    let refused = place.run(&words);
    let says = [
        "never.xlsx",
        "`Never`, `Later`",
        "a file of its own",
        "nothing was sent",
    ];
    assert_refused(&refused, 2, &says);
    assert!(!said(&refused).contains("hide"), "{}", said(&refused));
}

#[test]
fn a_workbook_comes_from_a_file_and_is_no_bomb() {
    let place = one_sheet(1);
    let mut command = fleetsweep(place.0.path());
    let book = fs::File::open(place.path("fleet.data")).unwrap();
    let piped = command
        .args(["run", "-", "--mock", "-o", "a.csv"])
        .stdin(book)
        .output()
        .unwrap();
    assert_refused(&piped, 2, &["standard input", "save it as a file"]);

    let mut bomb = zip::ZipWriter::new(fs::File::create(place.path("bomb.xlsx")).unwrap());
    for name in ["xl/workbook.xml", "xl/worksheets/sheet1.xml"] {
        let options = zip::write::SimpleFileOptions::default();
        bomb.start_file(name, options).unwrap();
        for _ in 0..256 {
            std::io::Write::write_all(&mut bomb, &vec![b' '; 1024 * 1024]).unwrap();
        }
    }
    bomb.finish().unwrap();
    assert!(fs::metadata(place.path("bomb.xlsx")).unwrap().len() < 1024 * 1024);
    let refused = place.run(&["bomb.xlsx", "--mock"]);
    assert_refused(&refused, 2, &["bomb.xlsx", "refused", "fill the memory"]);
}

#[test]
fn a_workbook_is_overwritten_only_where_it_is_ours() {
    let (place, server) = (one_sheet(2), Server::start(&[]));
    let run = |words: &[&str]| place.run_against(&server, words).output().unwrap();
    fs::copy(place.path("fleet.data"), place.path("theirs.xlsx")).unwrap();
    let theirs = fs::read(place.path("theirs.xlsx")).unwrap();
    for (words, says) in [
        (
            &["fleet.data", "--xlsx", "theirs.xlsx"][..],
            "not written by fleetsweep",
        ),
        (&["fleet.data", "--xlsx", "no/such/a.xlsx"], "no directory"),
        (&["fleet.data", "--xlsx", "a.csv"], "ends in .xlsx"),
        (
            &["fleet.data", "--xlsx", "b.xlsx", "--summary", "b.xlsx"],
            "name another file",
        ),
    ] {
        let refused = run(words);
        assert!(
            matches!(refused.status.code(), Some(2 | 5)),
            "{}",
            said(&refused)
        );
        assert!(
            said(&refused).contains(says) && said(&refused).contains("--xlsx"),
            "{}",
            said(&refused)
        );
    }
    assert_eq!(fs::read(place.path("theirs.xlsx")).unwrap(), theirs);
    assert!(!place.path("fleet.campaign.db").exists());
    assert_eq!(server.saw("/mock/witness")["scans"]["total"], 0);

    assert_code(&run(&["fleet.data", "--xlsx", "theirs.xlsx", "--force"]), 0);
    let ours = fs::read(place.path("theirs.xlsx")).unwrap();
    assert_ne!(ours, theirs);
    // Another campaign does not take its place, unless it begins in the place of that campaign.
    let other = [
        "fleet.data",
        "-o",
        "other.csv",
        "--xlsx",
        "theirs.xlsx",
        "--yes",
    ];
    assert_refused(&run(&other), 2, &["is that of campaign", "--force"]);
    let rehearsal = place.run(&[
        "fleet.data",
        "-o",
        "r.csv",
        "--xlsx",
        "theirs.xlsx",
        "--mock",
        "--force",
    ]);
    assert_refused(
        &rehearsal,
        2,
        &["a rehearsal (--mock) never takes its place"],
    );
    assert_eq!(fs::read(place.path("theirs.xlsx")).unwrap(), ours);
    assert_code(
        &run(&["fleet.data", "--xlsx", "theirs.xlsx", "--again", "--yes"]),
        0,
    );
    assert_ne!(fs::read(place.path("theirs.xlsx")).unwrap(), ours);
}

#[test]
fn results_writes_the_workbook_anew_and_a_rehearsal_writes_one_too() {
    let (place, server) = (one_sheet(2), Server::start(&[]));
    let ran = place
        .run_against(&server, &["fleet.data", "-q"])
        .output()
        .unwrap();
    assert_code(&ran, 0);
    let mut command = fleetsweep(place.0.path());
    let written = command
        .args(["results", "fleet.data", "--xlsx", "anew.xlsx"])
        .output()
        .unwrap();
    assert_code(&written, 0);
    assert!(
        said(&written).contains("workbook: anew.xlsx"),
        "{}",
        said(&written)
    );
    assert_eq!(
        cells(&place.path("anew.xlsx")),
        csv_cells(&place.path("fleet.results.csv"))
    );

    let words = [
        "fleet.data",
        "--mock",
        "-o",
        "m.csv",
        "--xlsx",
        "m.xlsx",
        "--summary",
        "-",
    ];
    let rehearsed = place.run(&words);
    assert_code(&rehearsed, 0);
    let summary: serde_json::Value = serde_json::from_slice(&rehearsed.stdout).unwrap();
    assert_eq!(summary["workbook"], "m.xlsx");
    assert_eq!(
        cells(&place.path("m.xlsx")),
        csv_cells(&place.path("m.csv"))
    );
}

#[test]
fn a_file_that_came_during_the_run_is_not_overwritten_and_it_is_said_why() {
    let (place, server) = (one_sheet(2), Server::start(&["--latency", "2s"]));
    let words = ["fleet.data", "--xlsx", "a.xlsx", "--progress", "json"];
    let mut running = place
        .run_against(&server, &words)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(running.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    // It comes while the first call is on its way.
    assert!(events.any(|event| event.contains("\"began\"")));
    fs::write(place.path("a.xlsx"), "somebody's").unwrap();
    let said = events.collect::<Vec<_>>().join("\n");
    assert_eq!(running.wait().unwrap().code(), Some(0), "{said}");
    assert_eq!(place.read("a.xlsx"), "somebody's");
    for word in ["was not written by fleetsweep", "the workbook is a.1.xlsx"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(cells(&place.path("a.1.xlsx")).len(), 3);
}

/// What other people may have put into a cell.
fn hostile() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        8 => any::<char>(),
        4 => proptest::char::range('\0', '\u{9f}'),
        2 => proptest::sample::select(vec!['=', '+', '-', '@', '_', 'x', '0', '"', '<', '&', '\r', '\n', '\t', ' ']),
        1 => Just('\u{ffff}'),
    ];
    let part = prop_oneof![
        4 => c.prop_map(String::from),
        1 => Just("_x000D_".to_owned()),
        1 => Just("]]><v>".to_owned()),
    ];
    proptest::collection::vec(part, 0..30).prop_map(|parts| parts.concat())
}

#[test]
fn whatever_is_in_a_cell_is_the_same_text_in_both_files() {
    let config = ProptestConfig {
        cases: 6,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let texts = proptest::collection::vec((hostile(), hostile()), 60);
    proptest!(config, |(texts in texts)| {
        let mut input = csv::Writer::from_writer(Vec::new());
        input.write_record(["machine_id", "one", "two"]).unwrap();
        for (n, (one, two)) in (0..).zip(&texts) {
            input.write_record([&id(n), one, two]).unwrap();
        }
        input.write_record([id(999), "long".to_owned(), "ab".repeat(20_000)]).unwrap();
        let place = Place::new(&String::from_utf8(input.into_inner().unwrap()).unwrap());
        assert_code(&place.run(&["fleet.csv", "--mock", "-q", "-o", "m.csv", "--xlsx", "m.xlsx"]), 0);
        let (mut csv, mut book) = (csv_cells(&place.path("m.csv")), cells(&place.path("m.xlsx")));
        let long = (csv.pop().unwrap(), book.pop().unwrap());
        // XML has no room for it, and nobody sees it.
        for cell in csv.iter_mut().flatten() {
            *cell = cell.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
        }
        prop_assert_eq!(book, csv);
        let (whole, cut) = (&long.0[15], &long.1[15]);
        prop_assert!(cut.chars().count() <= 32_767 && whole.starts_with(&cut[..32_000]));
        prop_assert!(cut.ends_with("the CSV has all of it)"), "{}", &cut[32_000..]);
    });
}

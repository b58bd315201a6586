//! Workbooks that are damaged, or made to do harm.

use super::{A, B, Book, cell, ids, only, read, refused, row, sheet, zipped};
use crate::roster::Options;

#[test]
fn a_workbook_cut_off_anywhere_is_refused_and_never_read_in_part() {
    let book = Book::of(&ids(&[A, B])).bytes();
    for end in 4..book.len() - 1 {
        let why = refused(&book[..end], &Options::default());
        assert!(!why.is_empty());
    }
    let why = refused(&book[..book.len() / 2], &Options::default());
    assert!(why.contains("damaged or cut off"), "{why}");
}

#[test]
fn a_damaged_byte_is_an_error_or_no_matter_and_never_a_panic() {
    let book = Book::of(&ids(&[A, B])).bytes();
    let whole = read(&book, &Options::default()).unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..500 {
        let mut damaged = book.clone();
        let at = rng.usize(..damaged.len());
        damaged[at] ^= 1 << rng.u8(..8);
        if let Ok(read) = read(&damaged, &Options::default()) {
            // Its parts have checksums. What has none is not what the rows are made of.
            assert_eq!(read.0, whole.0, "byte {at}");
        }
    }
}

#[test]
fn rubbish_between_the_tags_is_refused_in_words() {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut long = || (0..20_000).map(|_| rng.alphanumeric()).collect::<String>();
    let long: String = (0..450).map(|_| cell(&long())).collect();
    for rows in [
        // Out of order: what is in a row would not be what is said to be on its line.
        format!(
            "<row r=\"3\">{}</row><row r=\"2\">{}</row>",
            cell("machine_id"),
            cell(A)
        ),
        format!("<row r=\"1\"><c r=\"XFE1\" t=\"str\"><v>{A}</v></c></row>"),
        format!("<row r=\"4294967295\">{}</row>", cell(A)),
        "<row><c t=\"s\"><v>7</v></c></row>".to_owned(),
        // A place that is filled twice: one of the two would be lost.
        format!(
            "<row r=\"2\">{}</row><row r=\"2\">{}</row>",
            cell(A),
            cell(B)
        ),
        format!("<row>{}</row></sheetDato>", "<c t=\"str\"><v>x</v>"),
        format!("<row>{long}</row>"),
    ] {
        let why = refused(
            &Book::of(&(row(&["machine_id"]) + &rows)).bytes(),
            &Options::default(),
        );
        assert!(
            why.contains("damaged") || why.contains("too large"),
            "{why}"
        );
    }
}

/// What is inflated must not be kept: each of these is small, and would be large in memory.
#[test]
fn what_would_fill_the_memory_is_refused_before_it_is_read() {
    let zeros = vec![b' '; 65 * 1024 * 1024];
    let random = |mib: usize| {
        let mut rng = fastrand::Rng::with_seed(7);
        let words: Vec<_> = (0..64).map(|_| format!("{:016x}", rng.u64(..))).collect();
        let mut text = String::new();
        while text.len() < mib * 1024 * 1024 {
            text += &words[rng.usize(..64)];
        }
        text.into_bytes()
    };
    let plain = || Book::of(&ids(&[A]));
    let mut ratio = plain();
    ratio.more.push(("xl/worksheets/sheet9.xml", zeros));
    let mut odd = plain();
    odd.more.push(("xl/media/a.bin", random(65)));
    let mut declared = plain();
    declared.strings = "<sst uniqueCount=\"1000000000000\"></sst>".to_owned();
    let mut entities = plain();
    entities.strings = "<!DOCTYPE a [<!ENTITY b \"c\">]><sst><si><t>&b;</t></si></sst>".to_owned();
    let mut formats = plain();
    let (name, many) = ("n".repeat(30_000), "<xf fontId=\"0\"/>".repeat(20_000));
    formats.styles = format!(
        "<styleSheet><fonts><font><name val=\"{name}\"/></font></fonts><cellXfs>{many}</cellXfs></styleSheet>"
    );
    let names: Vec<_> = (0..10_001).map(|n| format!("xl/{n}.xml")).collect();
    for (book, says) in [
        (ratio.bytes(), "compressed bytes hold more than"),
        (odd.bytes(), "no plain XML"),
        (declared.bytes(), "declares 1000000000000 strings"),
        (entities.bytes(), "no plain XML"),
        (formats.bytes(), "formats of cells"),
        (
            zipped(
                names
                    .iter()
                    .map(|name| (name.as_str(), &b"<a/>"[..]))
                    .chain([("xl/workbook.xml", &b"<a/>"[..])]),
            ),
            "10002 parts",
        ),
    ] {
        let why = refused(&book, &Options::default());
        assert!(why.contains("refused") && why.contains(says), "{why}");
    }
}

#[test]
fn a_small_workbook_that_shares_one_long_text_is_read_row_by_row() {
    // A million bytes of text from some thousand: it is streamed, so that it is the CSV's length that counts.
    let mut book = Book::of("");
    let long = "x".repeat(30_000);
    book.strings =
        format!("<sst><si><t>machine_id</t></si><si><t>{A}</t></si><si><t>{long}</t></si></sst>");
    let share = |cells: &[u8]| {
        let cells = cells.iter();
        let cells = cells.map(|n| format!("<c t=\"s\"><v>{n}</v></c>"));
        let cells = cells.collect::<Vec<_>>().concat();
        format!("<row>{cells}</row>")
    };
    book.sheets[0].2 = share(&[0, 2]) + &share(&[1, 2]).repeat(100);
    let (rows, _) = read(&book.bytes(), &Options::default()).unwrap();
    assert_eq!(rows.len(), 100);
    assert!(
        rows.iter()
            .all(|(_, id, extra)| id == A && extra.len() == long.len())
    );
}

/// What a reader keeps grows with the number of tags, however little stands in them.
#[test]
fn what_takes_more_memory_than_bytes_is_refused_too() {
    let nested = Book::of(&(ids(&[A]) + &"<a>".repeat(1_100_000)));
    let mut strings = Book::of(&ids(&[A]));
    strings.strings = format!("<sst>{}</sst>", "<si/>".repeat(6_400_000));
    let mut sheets = Book::of(&ids(&[A]));
    sheets.entries = "<sheet name=\"a\" r:id=\"r1\"/>".repeat(10_001);
    let mut names = Book::of(&ids(&[A]));
    let defined = "<definedName name=\"a\">1</definedName>".repeat(10_001);
    names.entries = format!("</sheets><definedNames>{defined}</definedNames><sheets>");
    for (book, says) in [
        (nested, "no plain XML"),
        (strings, "strings or formats"),
        (sheets, "more than 10000 sheets"),
        (names, "more than 10000 sheets"),
    ] {
        // Deflate makes these small; that they are is not why they are refused.
        let why = refused(&book.loose(), &Options::default());
        assert!(why.contains(says), "{says}: {why}");
    }
    for declares in [
        "x:uniqueCount=\"1\" uniqueCount=\"99999999999\"",
        "a=\"uniqueCount\" uniqueCount = '900000000000000000'",
    ] {
        let mut book = Book::of(&ids(&[A]));
        book.strings = format!("<sst {declares}></sst>");
        let why = refused(&book.bytes(), &Options::default());
        assert!(why.contains("it declares"), "{why}");
    }
}

#[test]
fn a_few_bytes_do_not_become_endless_text() {
    let mut book = Book::of("");
    let long = "x".repeat(30_000);
    book.strings =
        format!("<sst><si><t>machine_id</t></si><si><t>{A}</t></si><si><t>{long}</t></si></sst>");
    let row = |id: u8| {
        let more = "<c t=\"s\"><v>2</v></c>".repeat(7);
        format!("<row><c t=\"s\"><v>{id}</v></c>{more}</row>")
    };
    book.sheets[0].2 = row(0) + &row(1).repeat(400);
    let why = refused(&book.bytes(), &Options::default());
    assert!(why.contains("more than 64 MiB of text"), "{why}");
}

#[test]
fn a_thousand_sheets_are_looked_at_and_no_more_and_a_named_one_always() {
    let entries = |sheets: usize| -> String {
        let names = 0..sheets;
        let entries = names.map(|n| format!("<sheet name=\"s{n}\" r:id=\"r1\"/>"));
        entries.collect::<Vec<_>>().concat()
    };
    let mut many = Book::of(&ids(&[A]));
    many.entries = entries(1000);
    // They share one part, which is large and has no text.
    let mut rng = fastrand::Rng::with_seed(9);
    let blank = (0..40_000).map(|_| format!("<row a=\"{:032x}\"/>", rng.u128(..)));
    let blank = blank.collect::<Vec<_>>().concat();
    let mut shared = Book::of(&blank);
    shared.entries = entries(900);
    for (book, says) in [(&many, "1001 sheets"), (&shared, "share")] {
        for options in [Options::default(), only()] {
            let why = refused(&book.bytes(), &options);
            assert!(why.contains(says) && why.contains("--sheet"), "{why}");
        }
    }
    assert_eq!(read(&many.bytes(), &sheet("s7")).unwrap().0.len(), 1);
}

/// Excel knows more errors than the reader does.
#[test]
fn an_unknown_error_in_a_cell_names_its_sheet_and_matters_only_there() {
    let cell = "<row><c t=\"e\"><v>#SPILL!</v></c></row>";
    let elsewhere = Book::of(&ids(&[A])).and("Stock", "visible", cell);
    let (rows, _) = read(&elsewhere.bytes(), &Options::default()).unwrap();
    assert_eq!(rows.len(), 1);
    let nowhere_else = Book::of(&row(&["a", "b"])).and("Stock", "visible", cell);
    let here = Book::of(&(ids(&[A]) + cell));
    for (book, options, name) in [
        (&here, Options::default(), "Devices"),
        (&elsewhere, sheet("Stock"), "Stock"),
        // It may be the sheet that is meant.
        (&nowhere_else, Options::default(), "Stock"),
        // A list of machines that are never scanned must not miss any.
        (&elsewhere, only(), "Stock"),
    ] {
        let why = refused(&book.bytes(), &options);
        let says = [&format!("the sheet `{name}`"), "#SPILL!", "clear that cell"];
        assert!(says.iter().all(|says| why.contains(says)), "{why}");
    }
}

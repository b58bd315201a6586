//! Workbooks that are damaged, or made to do harm.

use super::{A, B, Book, cell, ids, read, refused, row, zipped};
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
        "<row><c t=\"e\"><v>#WHAT</v></c></row>".to_owned(),
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

//! Which sheet of a workbook is read.

use super::{A, B, Book, ids, only, read, refused, row, sheet};
use crate::roster::Options;

#[test]
fn the_sheet_with_the_ids_is_read_and_it_is_said_which_one_that_is() {
    let book = Book::of(&row(&["Notes of last week"]))
        .and("Fleet", "visible", &ids(&[A]))
        .and(
            "Sites",
            "visible",
            &(row(&["Site", "id"]) + &row(&["Bonn", "17"])),
        )
        .and("Old", "hidden", &ids(&[B]));
    let (rows, notes) = read(&book.bytes(), &Options::default()).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].0, rows[0].1.as_str()), (2, A));
    assert_eq!(notes, ["sheet `Fleet` is read"]);
    let (rows, _) = read(&book.bytes(), &sheet("old ")).unwrap();
    assert_eq!(rows[0].1, B);
}

/// A list of machines that are never scanned must not miss any.
#[test]
fn an_exclusion_list_has_one_sheet_with_something_in_it_hidden_or_not() {
    let lost = row(&["Machine"]) + "<row><c><v>2.5E+39</v></c></row>";
    for (state, rows) in [
        ("visible", ids(&[B])),
        ("hidden", ids(&[B])),
        ("veryHidden", ids(&[B])),
        // Nothing in these would be taken for an id, and each means a machine.
        ("visible", lost),
        ("visible", row(&["Device name"]) + &row(&["dc01"])),
        ("visible", "<row><c><f>DC!A2</f></c></row>".to_owned()),
    ] {
        let book = Book::of(&ids(&[A])).and("DC", state, &rows);
        let why = refused(&book.bytes(), &only());
        assert!(why.contains("`Devices`, `DC`"), "{state}: {why}");
    }
    let blank = row(&[" ", ""]);
    let mut book = Book::of(&ids(&[A]))
        .and("Sheet2", "visible", "")
        .and("Sheet3", "hidden", &blank);
    assert_eq!(read(&book.bytes(), &only()).unwrap().0[0].1, A);
    book.sheets[0].1 = "hidden";
    assert_eq!(read(&book.bytes(), &only()).unwrap().0[0].1, A);
    let why = refused(&Book::of("").and("B", "visible", "").bytes(), &only());
    assert!(why.contains("empty"), "{why}");
}

#[test]
fn in_doubt_no_sheet_is_read() {
    let two = Book::of(&ids(&[A])).and("More", "visible", &ids(&[B]));
    let none =
        Book::of(&row(&["a", "b"]))
            .and("Empty", "visible", "")
            .and("X", "hidden", &ids(&[A]));
    let mut hidden = Book::of(&ids(&[A]));
    hidden.sheets[0].1 = "veryHidden";
    let headless = Book::of(&ids(&[A])).and("Raw", "visible", &row(&[B, "x"]));
    for (book, options, says) in [
        (
            &two,
            Options::default(),
            &["several sheets", "`Devices`, `More`", "--sheet"][..],
        ),
        (
            &headless,
            Options::default(),
            &["several sheets", "`Devices`, `Raw`"],
        ),
        (
            &none,
            Options::default(),
            &[
                "`Devices`, `Empty`; one is hidden",
                "--sheet",
                "columns seen: `a`, `b`",
            ],
        ),
        (
            &hidden,
            Options::default(),
            &["all sheets are hidden", "`Devices`", "--sheet"],
        ),
        (
            &two,
            sheet("Moor"),
            &["no sheet `Moor`", "`Devices`, `More`"],
        ),
        (
            &two,
            Options {
                delimiter: Some(";".parse().unwrap()),
                ..Options::default()
            },
            &["--delimiter"],
        ),
    ] {
        let why = refused(&book.bytes(), &options);
        assert!(says.iter().all(|says| why.contains(says)), "{why}");
    }
    let why = refused(b"machine_id\nab\n", &sheet("a"));
    assert!(
        why.contains("no workbook") && why.contains("--sheet"),
        "{why}"
    );
}

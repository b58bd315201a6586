//! Workbooks that the tests put together part by part, also such as no spreadsheet program writes.

mod choice;
mod hostile;

use std::{
    fmt::Write as _,
    io::{Cursor, Seek as _, SeekFrom, Write as _},
};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::roster::{Options, Roster, RosterError, Row, RowKind, SheetChoice};

const A: &str = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";
const B: &str = "2e5bc9d7e413ddd7902c2932e418702b84d0cc07";

/// A file with these parts.
fn zipped<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    zipped_by(CompressionMethod::Deflated, parts)
}

fn zipped_by<'a>(
    method: CompressionMethod,
    parts: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in parts {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A workbook of sheets, each with its name, its state (`visible`, `hidden`) and its rows as XML.
struct Book {
    sheets: Vec<(String, &'static str, String)>,
    strings: String,
    styles: String,
    /// Further entries in the list of sheets.
    entries: String,
    more: Vec<(&'static str, Vec<u8>)>,
}

impl Book {
    fn of(rows: &str) -> Self {
        Self {
            sheets: vec![("Devices".to_owned(), "visible", rows.to_owned())],
            strings: String::new(),
            styles: "<styleSheet><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/></cellXfs></styleSheet>".to_owned(),
            entries: String::new(),
            more: Vec::new(),
        }
    }

    fn and(mut self, name: &str, state: &'static str, rows: &str) -> Self {
        self.sheets.push((name.to_owned(), state, rows.to_owned()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        self.compressed(CompressionMethod::Deflated)
    }

    /// The same, not compressed.
    fn loose(&self) -> Vec<u8> {
        self.compressed(CompressionMethod::Stored)
    }

    fn compressed(&self, method: CompressionMethod) -> Vec<u8> {
        const REL: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let (mut book, mut rels) = (String::new(), String::new());
        let mut parts = Vec::new();
        for (number, (name, state, rows)) in (1..).zip(&self.sheets) {
            write!(
                book,
                "<sheet name=\"{name}\" sheetId=\"{number}\" state=\"{state}\" r:id=\"r{number}\"/>"
            )
            .unwrap();
            write!(
                rels,
                "<Relationship Id=\"r{number}\" Type=\"{REL}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
            )
            .unwrap();
            let sheet = format!(
                "<?xml version=\"1.0\"?><worksheet><sheetData>{rows}</sheetData></worksheet>"
            );
            parts.push((format!("xl/worksheets/sheet{number}.xml"), sheet));
        }
        let package = format!(
            "<Relationships><Relationship Id=\"r1\" Type=\"{REL}/officeDocument\" \
             Target=\"xl/workbook.xml\"/></Relationships>"
        );
        let mut add = |name: &str, text: String| parts.push((name.to_owned(), text));
        add("[Content_Types].xml", "<Types/>".to_owned());
        add("_rels/.rels", package);
        add(
            "xl/workbook.xml",
            format!(
                "<workbook><sheets>{book}{}</sheets></workbook>",
                self.entries
            ),
        );
        add(
            "xl/_rels/workbook.xml.rels",
            format!("<Relationships>{rels}</Relationships>"),
        );
        add("xl/styles.xml", self.styles.clone());
        if !self.strings.is_empty() {
            add("xl/sharedStrings.xml", self.strings.clone());
        }
        let parts = parts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_bytes()));
        let more = self.more.iter();
        let more = more.map(|(name, bytes)| (*name, bytes.as_slice()));
        zipped_by(method, parts.chain(more))
    }
}

/// A cell with this text.
fn cell(text: &str) -> String {
    format!("<c t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>")
}

fn row(cells: &[&str]) -> String {
    let cells: String = cells.iter().map(|text| cell(text)).collect();
    format!("<row>{cells}</row>")
}

fn ids(ids: &[&str]) -> String {
    let rows = ids.iter().map(|id| row(&[id, "x"]));
    row(&["machine_id", "Site"]) + &rows.collect::<String>()
}

type Read = (u64, String, String);

/// The line, the id, and the reason or the other cells of each row.
fn read(bytes: &[u8], options: &Options) -> Result<(Vec<Read>, Vec<String>), RosterError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut roster = Roster::open_file("fleet.xlsx", file, options)?;
    let mut rows = Vec::new();
    while let Some(Row {
        line,
        machine_id,
        kind,
        extra,
        ..
    }) = roster.next_row()?
    {
        let said = match kind {
            RowKind::Invalid(why) => why.to_string(),
            _ => extra.to_owned(),
        };
        rows.push((line, machine_id.to_owned(), said));
    }
    Ok((
        rows,
        roster.notes().iter().map(ToString::to_string).collect(),
    ))
}

fn refused(bytes: &[u8], options: &Options) -> String {
    read(bytes, options).expect_err("refused").to_string()
}

/// As for a list of machines that are never scanned.
fn only() -> Options {
    Options {
        sheet: SheetChoice::Only,
        ..Options::default()
    }
}

fn sheet(name: &str) -> Options {
    Options {
        sheet: SheetChoice::Named(name.to_owned()),
        ..Options::default()
    }
}

#[test]
fn a_line_is_the_row_of_the_sheet_and_cells_are_what_they_show() {
    let rows = format!(
        "<row r=\"2\"><c r=\"B2\" t=\"s\"><v>1</v></c><c r=\"A2\" t=\"s\"><v>0</v></c></row><row r=\"3\"/>\
         <row r=\"4\"><c r=\"A4\" t=\"str\"><f>B1</f><v>{A}</v></c><c r=\"B4\" t=\"s\"><v>2</v></c></row>\
         <row r=\"5\"><c r=\"A5\"><v>1.5E+39</v></c><c r=\"B5\" t=\"b\"><v>1</v></c></row>\
         <row r=\"7\"><c r=\"A7\" t=\"e\"><v>#N/A</v></c></row>\
         <row r=\"9\"><c r=\"A9\"><v>123456789012345</v></c><c r=\"C9\" s=\"1\"><v>45943.5</v></c></row>\
         <row r=\"1048576\">{}</row>",
        cell(&B.to_uppercase())
    );
    let mut book = Book::of(&rows);
    book.strings = "<sst uniqueCount=\"3\"><si><t>machine_id</t></si><si><r><t>Si</t></r><r><t>te</t></r></si>\
                    <si><t xml:space=\"preserve\"> a&lt;\"b\"\nc,\u{1f}</t></si></sst>"
        .replace('\u{1f}', "_x001F_");
    let (rows, notes) = read(&book.bytes(), &Options::default()).unwrap();
    let lines: Vec<_> = rows.iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [4, 5, 7, 9, 1_048_576]);
    assert_eq!(rows[0].1, A);
    assert_eq!(rows[0].2, "\" a<\"\"b\"\"\nc,\u{1f}\"");
    for (at, says) in [
        (1, "turned this id into the number `1.5E+39`"),
        (2, "`#N/A` is a placeholder"),
        (3, "`123456789012345` is a number"),
    ] {
        assert!(rows[at].2.contains(says), "{:?}", rows[at]);
    }
    assert_eq!(rows[4].1, B.to_uppercase());
    assert!(
        notes
            .iter()
            .any(|note| note.contains("more cells than the header")),
        "{notes:?}"
    );
}

#[test]
fn a_formula_whose_result_is_not_stored_is_not_an_empty_cell() {
    let formula = |more: &str| format!("<row><c{more}</c></row>");
    let rows = [
        "><f>DC!A2</f>",
        "><f t=\"shared\" si=\"0\"/>",
        "><f>DC!A3</f><v></v>",
        // Its result is an empty text.
        " t=\"str\"><f>IF(1,\"\",2)</f><v></v>",
    ];
    let rows: String = rows.map(formula).concat();
    let (rows, _) = read(&Book::of(&(ids(&[A]) + &rows)).bytes(), &Options::default()).unwrap();
    let lines: Vec<_> = rows.iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 5]);
    for (_, id, why) in &rows[1..] {
        assert_eq!(id, "formula without a stored result");
        assert!(why.contains("is a placeholder"), "{why}");
    }
}

#[test]
fn a_file_that_is_not_a_workbook_is_what_it_is() {
    for (parts, says) in [
        (&["xl/workbook.bin"][..], ".xlsb"),
        (&["mimetype", "content.xml"], "OpenDocument"),
        (&["devices.csv"], "an archive"),
    ] {
        let why = refused(
            &zipped(parts.iter().map(|name| (*name, &b"x"[..]))),
            &Options::default(),
        );
        assert!(why.contains(says), "{why}");
    }
}

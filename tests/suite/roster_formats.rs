//! Every file of `sample-inputs/`, and what the roster makes of it; and inputs at random.

use std::{fs, path::PathBuf};

use encoding_rs::WINDOWS_1252;
use fleetsweep::roster::{Fate, Options, Roster, RosterError, ScanType, split_extra};
use proptest::prelude::*;

/// The ids in the files of `formats/`, as the letters `a` to `f` below.
const IDS: [&str; 6] = [
    "078db7af58d2b2b0736456bea2ac4988d3d450fb",
    "e95ffa4736beb99627a3f64f33fd9db11ff91a0f",
    "df70cb8f44fb06dc6cd87dc2e6c7af967dc0d833",
    "32957d358c5c24b3102d50dc8e376233bd2da37d",
    "034f3b13ec02ad7e6e42ab2c24b4eeaeb18fac4c",
    "1134403a46160020a897bccf549a2ecdb61fd3d5",
];

/// Three rows from line 2 on: what most formats hold.
const THREE: &[&str] = &["2 a due", "3 b due", "4 c due"];

fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample-inputs")
}

/// What was read, in words.
#[derive(Debug, Default)]
struct Heard {
    columns: Vec<String>,
    /// Line, id and fate of each row.
    rows: Vec<String>,
    /// The other cells of each row.
    cells: Vec<Vec<String>>,
    notes: Vec<String>,
}

fn hear(name: &str, input: &[u8], options: &Options) -> Result<Heard, RosterError> {
    let mut roster = Roster::open(name, input, options)?;
    let mut heard = Heard {
        columns: roster.columns().to_vec(),
        ..Heard::default()
    };
    while let Some(row) = roster.next_row()? {
        assert_eq!(row.n, heard.rows.len() as u64 + 1);
        let fate = match &row.fate {
            Fate::Due => "due".to_owned(),
            Fate::LeftOut => "left out".to_owned(),
            Fate::Invalid(flaw) => format!("invalid: {flaw}"),
            Fate::Duplicate { first_line } => format!("repeats {first_line}"),
        };
        let id = row.machine_id.to_lowercase();
        let id = match IDS.iter().position(|&known| known == id) {
            Some(place) => &"abcdef"[place..=place],
            None => "?",
        };
        heard.rows.push(format!("{} {id} {fate}", row.line));
        heard.cells.push(split_extra(row.extra));
    }
    heard.notes = roster.notes().iter().map(ToString::to_string).collect();
    Ok(heard)
}

fn hear_file(name: &str, options: &Options) -> Result<Heard, RosterError> {
    hear(
        name,
        &fs::read(samples().join("formats").join(name)).unwrap(),
        options,
    )
}

fn id_column(name: &str) -> Options {
    Options {
        id_column: Some(name.to_owned()),
        ..Options::default()
    }
}

/// A file that is read: its name, its rows, its notes.
type Accepted = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const ACCEPTED: &[Accepted] = &[
    ("utf8-bom.csv", THREE, &[]),
    ("utf16le.csv", THREE, &[]),
    ("utf16be.csv", THREE, &[]),
    ("utf16-no-mark.csv", THREE, &[]),
    (
        "windows-1252.csv",
        THREE,
        &["not UTF-8, read as Windows-1252: 3 rows, the first on line 2"],
    ),
    ("crlf.csv", THREE, &[]),
    ("cr.csv", THREE, &[]),
    ("semicolon.csv", THREE, &[]),
    ("tab.tsv", THREE, &[]),
    ("sep-line.csv", &["3 a due", "4 b due", "5 c due"], &[]),
    (
        "quoted-line-ends.csv",
        &["2 a due", "5 b due", "8 c due"],
        &[],
    ),
    (
        "plain-list.txt",
        &["1 a due", "2 b due", "4 c due", "5 d due"],
        &[],
    ),
    (
        "heading-list.txt",
        &["2 a due", "3 b due"],
        &[
            "the machine ids are taken from column `Machines to scan`, for its values look like ids (line 1 is the header)",
        ],
    ),
    (
        "id-column-by-values.csv",
        &["2 a due", "3 b due"],
        &[
            "the machine ids are taken from column `asset`, for its values look like ids (line 1 is the header)",
        ],
    ),
    (
        "bad-and-repeated.csv",
        &[
            "2 a due",
            "3 ? invalid: the machine id is missing",
            "4 ? invalid: the machine id contains ' ', which no machine id does",
            "5 a repeats 2",
            "6 ? invalid: the machine id contains '/', which no machine id does",
            "7 b due",
            "8 ? due",
            "9 ? invalid: the machine id has 129 characters, at most 128 are possible",
            "10 ? invalid: the machine id contains 'é', which no machine id does",
            "11 a repeats 2",
        ],
        &["unusual machine ids (they normally have 40 hex digits): line 8"],
    ),
    (
        "scan-types-and-comments.csv",
        &[
            "2 a due",
            "3 b due",
            "4 c invalid: scan_type is `deep`: write `quick` or `full`, or leave it empty",
            "5 d due",
            "7 e invalid: the comment has 201 characters, at most 200 are possible",
            "8 f invalid: the comment contains `[fleetsweep:`, which is how the tool's own comments begin",
        ],
        &["priority is no whole number (`soon`), so these rows go last: line 5"],
    ),
    (
        "tenants.csv",
        &["2 a due", "3 b due", "4 c due", "5 d due"],
        &[],
    ),
    (
        "ragged.csv",
        &[
            "2 a due",
            "3 ? invalid: the machine id is missing",
            "4 b due",
            "5 c due",
        ],
        &["more cells than the header has columns, the surplus is dropped: line 4"],
    ),
    (
        "nul-bytes.csv",
        &[
            "2 a due",
            "3 ? invalid: the machine id contains '\\0', which no machine id does",
        ],
        &[],
    ),
    ("results.csv", &["2 a due", "3 b due"], &[]),
];

/// A file that is refused, and what the refusal says.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "id-column-needed.csv",
        &["--id-column", "`name`, `asset`, `os`"],
    ),
    ("no-id-column.csv", &["--id-column", "`name`, `os`"]),
    ("pipe.csv", &["--id-column", "`machine_id|name|site`"]),
    ("two-id-columns.csv", &["--id-column", "`asset`, `parent`"]),
    ("missing-header.csv", &["line 1", "`machine_id`"]),
    (
        "guids.csv",
        &["4 of 5 ids are GUIDs", "line 2", "--any-id", "--id-column"],
    ),
    ("unclosed-quote.csv", &["line 3", "never closed"]),
    ("empty.csv", &["is empty", "`machine_id`"]),
    ("blank-lines.csv", &["is empty", "`machine_id`"]),
    ("header-only.csv", &["no row below the header"]),
    (
        "all-invalid.csv",
        &["nothing is left to send", "2 rows are invalid", "line 2"],
    ),
];

#[test]
fn every_awkward_format_is_read_with_its_lines_and_notes() {
    for &(name, rows, notes) in ACCEPTED {
        let heard = hear_file(name, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(heard.rows, rows, "{name}");
        assert_eq!(heard.notes, notes, "{name}");
    }
}

#[test]
fn a_refusal_names_the_file_and_the_cure() {
    for (name, words) in REFUSED {
        let refusal = hear_file(name, &Options::default())
            .unwrap_err()
            .to_string();
        for word in [name].into_iter().chain(*words) {
            assert!(refusal.contains(word), "{word} is not in: {refusal}");
        }
    }
}

#[test]
fn every_sample_is_in_one_of_the_tables() {
    let mut there: Vec<_> = fs::read_dir(samples().join("formats"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let mut tested: Vec<_> = ACCEPTED
        .iter()
        .map(|case| case.0)
        .chain(REFUSED.iter().map(|case| case.0))
        .collect();
    there.sort();
    tested.sort_unstable();
    assert_eq!(there, tested);
}

#[test]
fn text_beyond_ascii_is_the_same_in_every_encoding() {
    for name in [
        "utf8-bom.csv",
        "utf16le.csv",
        "utf16be.csv",
        "crlf.csv",
        "cr.csv",
        "semicolon.csv",
        "tab.tsv",
        "sep-line.csv",
    ] {
        let heard = hear_file(name, &Options::default()).unwrap();
        assert_eq!(heard.columns, ["name", "site"], "{name}");
        assert_eq!(
            heard.cells,
            [["Zoë", "Köln"], ["Łukasz", "Köln"], ["Ana", "Köln"]],
            "{name}"
        );
    }
    let heard = hear_file("windows-1252.csv", &Options::default()).unwrap();
    assert_eq!(
        heard.cells,
        [["Zoë", "Köln"], ["José – 5 €", "Köln"], ["Ana", "Köln"]]
    );
}

#[test]
fn quoted_cells_keep_their_line_ends() {
    let heard = hear_file("quoted-line-ends.csv", &Options::default()).unwrap();
    assert_eq!(heard.columns, ["name", "remark"]);
    assert_eq!(
        heard.cells,
        [
            ["PC one", "first\r\nsecond, \"quoted\""],
            ["PC\r\n\r\ntwo", ""],
            ["PC three", "last\nline"]
        ]
    );
}

#[test]
fn the_fleets_are_wholly_due() {
    for (name, size) in [
        ("fleet-60.csv", 60),
        ("fleet-1000.csv", 1000),
        ("portal-export.csv", 40),
    ] {
        let heard = hear(
            name,
            &fs::read(samples().join(name)).unwrap(),
            &Options::default(),
        )
        .unwrap();
        assert_eq!(heard.rows.len(), size, "{name}");
        assert!(heard.rows.iter().all(|row| row.ends_with(" due")), "{name}");
        assert_eq!(heard.notes, [""; 0], "{name}");
    }
}

#[test]
fn a_row_has_a_scan_type_a_comment_and_a_priority_of_its_own() {
    let bytes = fs::read(samples().join("formats/scan-types-and-comments.csv")).unwrap();
    let mut roster = Roster::open("in.csv", &bytes[..], &Options::default()).unwrap();
    assert_eq!(roster.recognised(), ["scan_type", "comment", "priority"]);
    assert_eq!(roster.columns(), ["scan_type", "comment", "priority"]);
    let mut said = Vec::new();
    while let Some(row) = roster.next_row().unwrap() {
        if row.fate == Fate::Due {
            said.push((row.scan_type, row.comment.map(String::from), row.priority));
        }
    }
    let comment = |text: &str| Some(text.to_owned());
    assert_eq!(
        said,
        [
            (Some(ScanType::Full), comment("after the outbreak"), Some(1)),
            (Some(ScanType::Quick), None, Some(-2)),
            (None, comment("two lines"), None),
        ]
    );
}

#[test]
fn the_id_column_can_be_named_in_any_case() {
    let heard = hear_file("id-column-needed.csv", &id_column("ASSET")).unwrap();
    assert_eq!(heard.rows, ["2 a due", "3 ? due", "4 c due"]);
    assert_eq!(heard.columns, ["name", "os"]);
    let heard = hear_file("two-id-columns.csv", &id_column("parent")).unwrap();
    assert_eq!(heard.rows, ["2 b due", "3 d due"]);
}

#[test]
fn an_option_that_names_no_column_is_refused_with_the_columns() {
    let wheres = Options {
        wheres: vec!["grup=x".parse().unwrap()],
        ..Options::default()
    };
    for (options, option) in [(id_column("Serial"), "--id-column"), (wheres, "--where")] {
        let refusal = hear_file("crlf.csv", &options).unwrap_err().to_string();
        assert!(refusal.contains(option), "{refusal}");
        assert!(
            refusal.contains("`machine_id`, `name`, `site`"),
            "{refusal}"
        );
    }
}

#[test]
fn the_delimiter_can_be_given() {
    let options = Options {
        delimiter: Some("|".parse().unwrap()),
        ..Options::default()
    };
    assert_eq!(hear_file("pipe.csv", &options).unwrap().rows, THREE);
}

#[test]
fn guids_are_read_where_the_person_insists() {
    let options = Options {
        any_id: true,
        ..Options::default()
    };
    let heard = hear_file("guids.csv", &options).unwrap();
    assert_eq!(heard.rows.len(), 5);
    assert_eq!(
        heard.notes,
        ["unusual machine ids (they normally have 40 hex digits): 4 rows, the first on line 2"]
    );
}

#[test]
fn a_hundred_guids_are_refused_before_the_rest_is_read() {
    let mut input = "id\n".to_owned();
    for n in 0..100 {
        input.push_str(&format!("00000000-0000-4000-8000-{n:012}\n"));
    }
    input.push_str(&format!("{}\n", IDS[0]).repeat(500));
    let refusal = hear("in.csv", input.as_bytes(), &Options::default()).unwrap_err();
    assert!(
        matches!(
            refusal,
            RosterError::Guids {
                guids: 100,
                ids: 100,
                line: 2,
                ..
            }
        ),
        "{refusal}"
    );
}

#[test]
fn a_row_of_another_tenant_is_invalid_and_says_so() {
    let options = Options {
        tenant: Some("aaaaaaaa-0000-4000-8000-000000000001".to_owned()),
        ..Options::default()
    };
    let rows = hear_file("tenants.csv", &options).unwrap().rows;
    assert_eq!(
        (&*rows[0], &*rows[1], &*rows[3]),
        ("2 a due", "3 b due", "5 d due")
    );
    assert!(
        rows[2].starts_with("4 c invalid: the row is of tenant `bbbbbbbb-"),
        "{}",
        rows[2]
    );
}

#[test]
fn what_no_condition_admits_is_left_out_and_its_id_not_met() {
    let input = format!(
        "id,group,os\n{a},Test,win\n{a},SERVERS,win\n{b},dmz,mac\n{c},dmz,win\n",
        a = IDS[0],
        b = IDS[1],
        c = IDS[2]
    );
    let options = Options {
        wheres: vec![
            "Group=servers,DMZ".parse().unwrap(),
            "os=win".parse().unwrap(),
        ],
        ..Options::default()
    };
    let heard = hear("in.csv", input.as_bytes(), &options).unwrap();
    assert_eq!(
        heard.rows,
        ["2 a left out", "3 a due", "4 b left out", "5 c due"]
    );

    let none = Options {
        wheres: vec!["group=none".parse().unwrap()],
        ..Options::default()
    };
    let refusal = hear("in.csv", input.as_bytes(), &none)
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("--where leaves out 4 rows"), "{refusal}");
}

/// A cell as people have it: line ends, quotes and delimiters included.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9 ._-]{0,12}",
        1 => "[a-z,;\t\"éß\n\r|]{0,8}",
    ]
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Utf8,
    Utf8Mark,
    Utf16Le,
    Utf16Be,
    Windows1252,
}

impl Encoding {
    fn encode(self, text: &str) -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        match self {
            Self::Utf8 => text.into(),
            Self::Utf8Mark => marked.into(),
            Self::Utf16Le => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Windows1252 => WINDOWS_1252.encode(text).0.into(),
        }
    }
}

/// Line ends in a text, CRLF being one.
fn line_ends(text: &str) -> u64 {
    let ends = text
        .replace("\r\n", "\n")
        .chars()
        .filter(|&c| c == '\n' || c == '\r')
        .count();
    ends.try_into().unwrap()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = hear("in.csv", &bytes, &Options::default());
    }

    #[test]
    fn no_text_that_looks_like_a_csv_makes_it_panic(text in "(sep=.\n)?(machine_id|id|[a-f0-9]{40})?([a-f0-9]{40}|[,;\t\"\r\n\0é. ]|a){0,60}") {
        for options in [Options::default(), id_column("id")] {
            let _ = hear("in.csv", text.as_bytes(), &options);
        }
    }

    #[test]
    fn what_a_csv_writer_writes_comes_back_with_its_line_numbers(
        rows in proptest::collection::vec((cell(), cell()), 1..20),
        delimiter in prop_oneof![Just(b','), Just(b';'), Just(b'\t')],
        end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        blanks in 0..3_usize,
        encoding in prop_oneof![
            Just(Encoding::Utf8), Just(Encoding::Utf8Mark), Just(Encoding::Utf16Le), Just(Encoding::Utf16Be), Just(Encoding::Windows1252)
        ],
    ) {
        let mut text = String::new();
        let mut lines = Vec::new();
        let mut write = |cells: [&str; 3]| {
            lines.push(1 + line_ends(&text));
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
            writer.write_record(cells).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            text.push_str(line.strip_suffix('\n').unwrap());
            text.push_str(&end.repeat(1 + blanks));
        };
        write(["before", "machine_id", "after"]);
        for (n, (before, after)) in rows.iter().enumerate() {
            write([before, &format!("{n:040x}"), after]);
        }

        let heard = hear("in.csv", &encoding.encode(&text), &Options::default()).unwrap();
        let expected: Vec<_> = lines[1..].iter().map(|line| format!("{line} ? due")).collect();
        prop_assert_eq!(heard.rows, expected);
        let cells: Vec<_> = rows.iter().map(|(before, after)| vec![before.clone(), after.clone()]).collect();
        prop_assert_eq!(heard.cells, cells);
    }

    #[test]
    fn every_line_that_is_not_blank_is_one_row(lines in proptest::collection::vec("[a-f0-9;é ]{0,6}", 0..40)) {
        let text = format!("machine_id\n{}\n{}", IDS[0], lines.join("\n"));
        let rows = lines.iter().filter(|line| !line.trim().is_empty()).count() + 1;
        let heard = hear("in.csv", text.as_bytes(), &Options::default()).unwrap();
        prop_assert_eq!(heard.rows.len(), rows);
    }
}

//! Every file of `sample-inputs/`, and what the roster makes of it.

use std::{fs, path::PathBuf};

use fleetsweep::roster::{Options, Roster, RosterError, RowKind, split_extra};

/// The ids in the files of `formats/`, as the letters `a` to `f` below.
pub(super) const IDS: [&str; 6] = [
    "078db7af58d2b2b0736456bea2ac4988d3d450fb",
    "e95ffa4736beb99627a3f64f33fd9db11ff91a0f",
    "df70cb8f44fb06dc6cd87dc2e6c7af967dc0d833",
    "32957d358c5c24b3102d50dc8e376233bd2da37d",
    "034f3b13ec02ad7e6e42ab2c24b4eeaeb18fac4c",
    "1134403a46160020a897bccf549a2ecdb61fd3d5",
];

/// Three rows from line 2 on: what most formats hold.
pub(super) const THREE: &[&str] = &["2 a due", "3 b due", "4 c due"];

pub(super) fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample-inputs")
}

/// What was read, in words.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) columns: Vec<String>,
    /// Line, id and fate of each row.
    pub(super) rows: Vec<String>,
    /// The other cells of each row.
    pub(super) cells: Vec<Vec<String>>,
    pub(super) notes: Vec<String>,
}

pub(super) fn hear(name: &str, input: &[u8], options: &Options) -> Result<Heard, RosterError> {
    let mut roster = Roster::open(name, input, options)?;
    let mut heard = Heard {
        columns: roster.columns().to_vec(),
        ..Heard::default()
    };
    while let Some(row) = roster.next_row()? {
        assert_eq!(row.n, heard.rows.len() as u64 + 1);
        let fate = match &row.kind {
            RowKind::Due => "due".to_owned(),
            RowKind::LeftOut => "left out".to_owned(),
            RowKind::Skipped(why) => format!("skipped: {why}"),
            RowKind::Excluded => "excluded".to_owned(),
            RowKind::Invalid(flaw) => format!("invalid: {flaw}"),
            RowKind::Duplicate { first_line } => format!("repeats {first_line}"),
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

pub(super) fn hear_file(name: &str, options: &Options) -> Result<Heard, RosterError> {
    hear(
        name,
        &fs::read(samples().join("formats").join(name)).expect("a sample file"),
        options,
    )
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
            "the machine ids are taken from column `Machines to scan` because its values look like ids (line 1 is the \
             header)",
        ],
    ),
    (
        "id-column-by-values.csv",
        &["2 a due", "3 b due"],
        &[
            "the machine ids are taken from column `asset` because its values look like ids (line 1 is the header)",
        ],
    ),
    (
        "bad-and-repeated.csv",
        &[
            "2 a due",
            "3 ? invalid: the machine id is missing",
            "4 ? invalid: `bad id` is no machine id (an id has 40 hex digits here)",
            "5 a repeats 2",
            "6 ? invalid: `../e95ffa4736beb99627a3f64f33fd9db11ff91a0f` is no machine id (an id has 40 hex digits \
             here)",
            "7 b due",
            "8 ? invalid: the machine id has 39 hex digits instead of 40",
            "9 ? invalid: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is no machine id (an id has \
             40 hex digits here)",
            "10 ? invalid: the machine id contains 'é', which no machine id does",
            "11 a repeats 2",
        ],
        &[
            "the machine ids are taken from column `machine_id` for its name; machine ids among its first 9 values: 4",
        ],
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
        &[
            "the machine ids are taken from column `machine_id` for its name; machine ids among its first 2 values: 1",
        ],
    ),
    (
        "swallowing-quote.csv",
        &["2 a due", "4 c due"],
        &[
            "a quoted cell goes over several lines with machine ids in them, which are not rows (a `\"` may be \
             missing): line 2",
        ],
    ),
    ("pipe.csv", THREE, &[]),
];

/// A file that is refused, and what the refusal says.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "id-column-needed.csv",
        &["--id-column", "`name`, `asset`, `os`"],
    ),
    (
        "no-id-column.csv",
        &["--id-column", "`name`, `os`", "--resolve"],
    ),
    (
        "results.csv",
        &[
            "the results file of a campaign",
            "fleetsweep run INPUT.csv --retry failed,unsure",
            "fleetsweep run results.csv --only-status Failed,TimeOut",
        ],
    ),
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

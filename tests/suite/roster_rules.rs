//! What the options and a row's own columns change.

use std::fs;

use fleetsweep::roster::{Fate, Options, Roster, RosterError, ScanType};

use super::roster_formats::{IDS, THREE, hear, hear_file, samples};

pub(super) fn id_column(name: &str) -> Options {
    Options {
        id_column: Some(name.to_owned()),
        ..Options::default()
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
    let guids = (0..100).map(|n| format!("00000000-0000-4000-8000-{n:012}\n"));
    let input = format!(
        "id\n{}{}",
        guids.collect::<String>(),
        format!("{}\n", IDS[0]).repeat(500)
    );
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

//! What the options and a row's own columns change.

use std::fs;

use fleetsweep::roster::{Options, Roster, RosterError, RowKind, ScanType};

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
        if row.kind == RowKind::Due {
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
    assert_eq!(
        heard.rows,
        [
            "2 a due",
            "3 ? invalid: the machine id has 32 hex digits instead of 40",
            "4 c due"
        ]
    );
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
fn rows_of_several_tenants_are_refused_where_nobody_knows_which_one_they_go_to() {
    let heard = |rows: &[&str], wheres: &[&str]| {
        let rows = rows.iter().enumerate();
        let rows = rows.map(|(n, tenant)| format!("{n:040x},{tenant}\n"));
        let input = format!("machine_id,tenant_id\n{}", rows.collect::<String>());
        let wheres = wheres.iter().map(|clause| clause.parse().unwrap());
        let options = Options {
            wheres: wheres.collect(),
            one_tenant: true,
            ..Options::default()
        };
        let mut roster = Roster::open("in.csv", input.as_bytes(), &options).unwrap();
        while roster.next_row().map_err(|e| e.to_string())?.is_some() {}
        let notes = roster.notes().iter().map(ToString::to_string);
        Ok::<_, String>(notes.collect::<Vec<_>>())
    };
    let refusal = heard(&["aaaa", "", "AAAA", "bbbb", "cccc"], &[]).unwrap_err();
    for word in [
        "in.csv",
        "`aaaa` on line 2",
        "`bbbb` on line 5",
        "sign in so that the token tells",
        "AZURE_TENANT_ID",
        "--where tenant_id=aaaa",
    ] {
        assert!(refusal.contains(word), "{word:?}: {refusal}");
    }
    let notes = heard(&["aaaa", "", "AAAA", "bbbb"], &["tenant_id=aaaa"]).unwrap();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("tenant_id is `aaaa`"), "{notes:?}");
    assert!(
        notes[0].ends_with(": 2 rows, the first on line 2"),
        "{notes:?}"
    );
    assert_eq!(heard(&["", " "], &[]), Ok(Vec::new()));
    // A row that is invalid for another reason still tells of whom the file is.
    let input =
        "machine_id,tenant_id\nno id at all,bbbb\n078db7af58d2b2b0736456bea2ac4988d3d450fb,aaaa\n";
    let options = Options {
        one_tenant: true,
        ..id_column("machine_id")
    };
    assert!(matches!(
        hear("in.csv", input.as_bytes(), &options),
        Err(RosterError::Tenants { .. })
    ));
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
    assert!(
        refusal.contains("--where or --only-status leaves out 4 rows"),
        "{refusal}"
    );
}

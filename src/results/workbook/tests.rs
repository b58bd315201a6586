//! Writes workbooks and looks at their parts. `tests/suite/workbooks.rs` reads them as the roster does.

use std::fs;

use super::{owner::owner, *};
use crate::results::Owner;

const ABOUT: About<'_> = About {
    campaign: "abc123defg",
    created: 1_700_000_000,
    rows: 2,
};

fn parts(path: &Path) -> Vec<(String, String)> {
    let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let names: Vec<_> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    let part = |name: String| {
        let text = part_of(&mut archive, &name, u64::MAX).unwrap();
        (name, text)
    };
    names.into_iter().map(part).collect()
}

async fn write(path: &Path, rows: &[Row<'_>]) -> Installed {
    let layout = Layout::new(&["Site".to_owned()], false);
    let mut book = Workbook::start(path, &layout, ABOUT).unwrap();
    for row in rows {
        book.row(row).unwrap();
    }
    book.seal()
        .unwrap()
        .place(|_| None, |_| async {})
        .await
        .unwrap()
}

fn row<'a>(id: &'a str, extra: &'a [String]) -> Row<'a> {
    Row {
        machine_id: id,
        outcome: "accepted",
        http_status: Some(201),
        attempts: 1,
        campaign: "abc123defg",
        extra,
        ..Row::default()
    }
}

#[tokio::test]
async fn the_header_is_frozen_and_filtered_and_ids_are_texts_while_counts_are_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.xlsx");
    let extra = ["=1+1".to_owned()];
    let id = "1234567890123456789012345678901234567890";
    let placed = write(&path, &[row(id, &extra), row(id, &extra)]).await;
    assert_eq!(placed, Installed::There(path.clone()));
    let parts = parts(&path);
    let (_, sheet) = parts
        .iter()
        .find(|(name, _)| name == template::SHEET)
        .unwrap();
    for has in [
        "<pane ySplit=\"1\" topLeftCell=\"A2\"",
        "state=\"frozen\"",
        "<autoFilter ref=\"A1:O3\"/>",
        "</c></row></sheetData>",
        &format!("t=\"inlineStr\"><is><t xml:space=\"preserve\">{id}</t></is></c>"),
        "<c r=\"E2\"><v>201</v></c>",
        "<c r=\"H3\"><v>1</v></c>",
        ">'=1+1</t>",
    ] {
        assert!(sheet.contains(has), "{has}: {sheet}");
    }
    assert!(
        !sheet.contains("<f>") && !sheet.contains("<dimension"),
        "{sheet}"
    );
    assert_eq!(sheet.matches("<row ").count(), 3);
    assert!(!parts.iter().any(|(name, _)| name.contains("hyperlink")));
    assert_eq!(
        owner(&path).unwrap(),
        Owner::Campaign("abc123defg".to_owned())
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn the_same_rows_make_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("1.xlsx"), dir.path().join("2.xlsx"));
    for path in [&one, &other] {
        write(path, &[row("ab", &[])]).await;
    }
    assert!(fs::read(one).unwrap() == fs::read(other).unwrap());
}

#[tokio::test]
async fn a_workbook_that_cannot_be_replaced_is_written_beside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.xlsx");
    let layout = Layout::new(&[], false);
    let book = Workbook::start(&path, &layout, ABOUT).unwrap();
    // Nothing can be renamed over a folder.
    fs::create_dir(&path).unwrap();
    let placed = book
        .seal()
        .unwrap()
        .place(|_| None, |_| async {})
        .await
        .unwrap();
    let aside = dir.path().join("r.1.xlsx");
    assert!(matches!(placed, Installed::Aside { path, .. } if path == aside));
    assert_eq!(
        owner(&aside).unwrap(),
        Owner::Campaign("abc123defg".to_owned())
    );
}

#[tokio::test]
async fn a_workbook_that_may_not_be_replaced_any_more_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.xlsx");
    let book = Workbook::start(&path, &Layout::new(&[], false), ABOUT).unwrap();
    fs::write(&path, "somebody's").unwrap();
    let why_not = |path: &Path| Some(format!("it has {}", fs::read_to_string(path).unwrap()));
    let placed = book.seal().unwrap().place(why_not, |_| async {}).await;
    let aside = Installed::Aside {
        path: dir.path().join("r.1.xlsx"),
        why: "it has somebody's".to_owned(),
    };
    assert_eq!(placed.unwrap(), aside);
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's");
}

#[tokio::test]
async fn a_sheet_that_may_be_large_is_in_the_form_for_that_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.xlsx");
    // The size of the extra fields before the sheet: the form for large ones has some.
    let extra = |rows| {
        let (path, layout) = (path.clone(), Layout::new(&[], false));
        async move {
            let mut book = Workbook::start(&path, &layout, About { rows, ..ABOUT }).unwrap();
            book.row(&row("ab", &[])).unwrap();
            let sealed = book.seal().unwrap();
            sealed.place(|_| None, |_| async {}).await.unwrap();
            assert!(parts(&path).iter().any(|(_, text)| text.contains(">ab<")));
            let bytes = fs::read(&path).unwrap();
            let name = template::SHEET.as_bytes();
            let at = bytes.windows(name.len()).position(|found| found == name);
            bytes[at.unwrap() - 2]
        }
    };
    assert_eq!(extra(100_000).await, 0);
    assert_ne!(extra(MOST_ROWS).await, 0);
}

#[test]
fn what_is_dropped_leaves_nothing_and_the_old_file_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.xlsx");
    fs::write(&path, "old").unwrap();
    let layout = Layout::new(&[], false);
    let mut book = Workbook::start(&path, &layout, ABOUT).unwrap();
    book.row(&row("ab", &[])).unwrap();
    drop(book);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(owner(&path).unwrap(), Owner::Foreign);
}

#[test]
fn more_rows_than_a_sheet_can_have_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.xlsx");
    let about = About {
        rows: MOST_ROWS + 1,
        ..ABOUT
    };
    let refused = Workbook::start(&path, &Layout::new(&[], false), about)
        .err()
        .unwrap();
    assert!(refused.to_string().contains("1048575"), "{refused}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_bad_place_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    for (path, word) in [
        (dir.path().join("no/such/r.xlsx"), "no directory"),
        (dir.path().to_owned(), "no regular file"),
    ] {
        let told = owner::probe(&path).unwrap_err().to_string();
        assert!(told.contains(word) && told.contains("--xlsx"), "{told}");
    }
    owner::probe(&dir.path().join("r.xlsx")).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

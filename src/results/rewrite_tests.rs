//! Reads files back as a spreadsheet and the csv crate do, and tests replacements that are refused.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::results::{
    guard::{guarded, guarded_own},
    layout::COLUMNS,
    row::DeviceCells,
};

fn read(path: &Path, excel: bool) -> Vec<Vec<String>> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(if excel { b';' } else { b',' })
        .from_path(path)
        .unwrap()
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_has_the_documented_columns_and_plain_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.csv");
    let extra = ["Site".to_owned(), "=x".to_owned()];
    let layout = Layout::new(&extra, false);
    let mut file = Rewrite::start(&path, &layout).unwrap().install().unwrap();
    let cells = ["Bonn, Süd".to_owned(), "-5".to_owned()];
    file.append(&Row {
        machine_id: "AB",
        outcome: "accepted",
        action_id: "a1",
        action_status: "Pending",
        http_status: Some(201),
        attempts: 2,
        first_sent: Some("2024-10-21T11:26:49.6894208Z".parse().unwrap()),
        last_answer: Some("2024-10-21T11:26:50Z".parse().unwrap()),
        scan_type: "Quick",
        correlation_id: "c",
        campaign: "abc123defg",
        action_created: "2024-10-21T11:26:49.6894208Z",
        message: "=boo",
        error_code: "",
        device: DeviceCells::default(),
        extra: &cells,
    })
    .unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "machine_id,outcome,action_id,action_status,http_status,error_code,message,attempts,first_sent_utc,\
         last_answer_utc,scan_type,correlation_id,campaign,action_created_utc,Site,'=x\n\
         AB,accepted,a1,Pending,201,,'=boo,2,2024-10-21T11:26:49.689Z,2024-10-21T11:26:50.000Z,Quick,c,abc123defg,\
         2024-10-21T11:26:49.6894208Z,\"Bonn, Süd\",-5\n"
    );
}

#[test]
fn excel_gets_its_mark_its_semicolons_and_its_line_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.csv");
    let mut file = Rewrite::start(&path, &Layout::new(&[], true))
        .unwrap()
        .install()
        .unwrap();
    file.append(&Row {
        message: "a;b",
        ..Row::default()
    })
    .unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("\u{feff}machine_id;outcome;"), "{text}");
    assert!(
        text.ends_with(";action_created_utc\r\n;;;;;;\"a;b\";0;;;;;;\r\n"),
        "{text}"
    );
}

#[test]
fn a_row_with_too_few_or_too_many_cells_keeps_the_files_width() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.csv");
    let layout = Layout::new(&["a".to_owned()], false);
    let mut fresh = Rewrite::start(&path, &layout).unwrap();
    for cells in [vec![], vec!["x".to_owned(); 3]] {
        fresh
            .row(&Row {
                extra: &cells,
                ..Row::default()
            })
            .unwrap();
    }
    fresh.install().unwrap();
    // The reader refuses records of different lengths.
    let rows = read(&path, false);
    assert_eq!(rows[1][14], "");
    assert_eq!(rows[2][14], "x");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_in_the_cells_is_read_back_after_every_line(
        texts in prop::collection::vec(("\\PC*|[=+\\-@\t\r\n\",;' 0-9a-z\u{0}ä]{0,12}", any::<String>()), 1..6),
        excel: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.csv");
        let layout = Layout::new(&["extra".to_owned()], excel);
        let mut file = Rewrite::start(&path, &layout).unwrap().install().unwrap();
        for (at, (text, cell)) in texts.iter().enumerate() {
            let cells = [cell.clone()];
            let row = Row { machine_id: text, message: text, campaign: "c", extra: &cells, ..Row::default() };
            file.append(&row).unwrap();
            let rows = read(&path, excel);
            prop_assert_eq!(rows.len(), at + 2);
            for (row, (text, cell)) in rows[1..].iter().zip(&texts) {
                prop_assert_eq!(row.len(), COLUMNS.len() + 1);
                prop_assert_eq!(&*row[0], &*guarded(text));
                prop_assert_eq!(&*row[6], &*guarded(text));
                prop_assert_eq!(&*row[14], &*guarded_own(cell));
            }
        }
    }
}

#[tokio::test]
async fn a_finished_file_replaces_the_appended_one_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.csv");
    let mut file = Rewrite::start(&path, &Layout::new(&[], false))
        .unwrap()
        .install()
        .unwrap();
    let row = |machine_id| Row {
        machine_id,
        ..Row::default()
    };
    file.append(&row("b")).unwrap();
    drop(file);
    let mut whole = Rewrite::start(&path, &Layout::new(&[], false)).unwrap();
    whole.row(&row("a")).unwrap();
    assert_eq!(read(&path, false)[1][0], "b", "the old one until the end");
    whole.row(&row("b")).unwrap();
    let placed = whole.seal().unwrap().place(no_sleep).await.unwrap();
    assert_eq!(placed, Installed::There(path.clone()));
    assert_eq!(read(&path, false)[1][0], "a");
    assert_eq!(names(dir.path()), ["r.csv"]);
}

async fn no_sleep(_: Duration) {
    panic!("there is nothing to wait for");
}

/// A rename cannot replace a directory that is not empty, just like a file that Excel holds open.
fn held(path: &Path) {
    fs::create_dir(path).unwrap();
    fs::write(path.join("x"), "").unwrap();
}

#[tokio::test]
async fn a_refused_replacement_is_tried_for_ten_seconds_and_then_laid_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fleet.results.csv");
    held(&path);
    let mut waited = Duration::ZERO;
    for number in [1, 2] {
        let fresh = Rewrite::start(&path, &Layout::new(&[], false)).unwrap();
        let placed = fresh.seal().unwrap().place(|span| {
            waited += span;
            std::future::ready(())
        });
        let Installed::Aside { path, why } = placed.await.unwrap() else {
            panic!("it was put where nothing can be put");
        };
        let name = format!("fleet.results.{number}.csv");
        assert_eq!(path, dir.path().join(name));
        assert!(!why.is_empty());
        assert_eq!(read(&path, false).len(), 1);
    }
    assert_eq!(waited, Duration::from_secs(20));
    assert_eq!(
        names(dir.path()),
        [
            "fleet.results.1.csv",
            "fleet.results.2.csv",
            "fleet.results.csv"
        ]
    );
}

#[tokio::test]
async fn a_replacement_that_succeeds_at_last_is_where_it_should_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.csv");
    held(&path);
    let fresh = Rewrite::start(&path, &Layout::new(&[], false)).unwrap();
    let mut tries = 0;
    let placed = fresh.seal().unwrap().place(|_| {
        tries += 1;
        if tries == 3 {
            fs::remove_dir_all(&path).unwrap();
        }
        std::future::ready(())
    });
    assert_eq!(placed.await.unwrap(), Installed::There(path.clone()));
    assert_eq!(tries, 3);
}

#[test]
fn what_is_begun_and_dropped_leaves_the_old_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.csv");
    fs::write(&path, "old").unwrap();
    // Left by a process that was killed.
    fs::write(dir.path().join(".r.csv.tmp"), "litter").unwrap();
    drop(Rewrite::start(&path, &Layout::new(&[], false)).unwrap());
    let mut sealed = Rewrite::start(&path, &Layout::new(&[], false)).unwrap();
    sealed.row(&Row::default()).unwrap();
    drop(sealed.seal().unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(dir.path()), ["r.csv"]);
    let gone = dir.path().join("gone/r.csv");
    let told = Rewrite::start(&gone, &Layout::new(&[], false))
        .err()
        .unwrap();
    assert!(told.to_string().contains("gone"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_who_may_read_the_old_file_may_read_the_new_one() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("real.csv");
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    let link = dir.path().join("link.csv");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let file = Rewrite::start(&link, &Layout::new(&[], false)).unwrap();
    file.install().unwrap();
    let mode = fs::metadata(&real).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(link.is_symlink());
    assert!(
        fs::read_to_string(&real)
            .unwrap()
            .starts_with("machine_id,")
    );
}

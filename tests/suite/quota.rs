//! `fleetsweep quota`, and ledgers that are named and not there.

use std::fs;

use super::program::{fleet, fleetsweep, quota_file};

/// Exit code, and what was said on both outputs.
fn said(folder: &std::path::Path, words: &[&str]) -> (i32, String, String) {
    let output = fleetsweep(folder)
        .args(words)
        .env("FLEETSWEEP_TOKEN", "x")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn a_ledger_is_made_once_and_never_over_a_file_nor_with_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let create = |file: &str| said(folder.path(), &["quota", "create", file]);
    assert_eq!(create("new.db").0, 0);
    let made = fs::read(folder.path().join("new.db")).unwrap();
    let (code, _, why) = create("new.db");
    assert!(
        code == 2 && why.contains("new.db is there already"),
        "{why}"
    );
    assert_eq!(fs::read(folder.path().join("new.db")).unwrap(), made);
    let (code, _, why) = create("no/new.db");
    assert!(code == 5 && why.contains("no/new.db"), "{why}");
    assert!(!folder.path().join("no").exists());
}

#[test]
fn a_mistyped_ledger_is_refused_before_anything_is_sent_or_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fleet.csv"), fleet(3)).unwrap();
    let commands: [&[&str]; 6] = [
        &[
            "run",
            "fleet.csv",
            "--yes",
            "--api-url",
            "http://127.0.0.1:9",
        ],
        &["run", "fleet.csv", "--mock"],
        &["plan", "fleet.csv", "--api-url", "http://127.0.0.1:9"],
        &["machines", "--api-url", "http://127.0.0.1:9"],
        &["quota", "show"],
        &["quota", "lift", "all"],
    ];
    for command in commands {
        let words = [command, &["--quota-file", "typo/quota.db"]].concat();
        let (code, _, why) = said(folder.path(), &words);
        assert_eq!(code, 2, "{command:?}: {why}");
        for part in ["nothing was sent", "fleetsweep quota create typo/quota.db"] {
            assert!(why.contains(part), "{command:?}: {why}");
        }
        assert!(!folder.path().join("typo").exists(), "{command:?}");
    }
}

#[test]
fn a_ledger_shows_what_was_spent_and_that_nothing_is_held() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fleet.csv"), fleet(5)).unwrap();
    let (code, nothing, why) = said(folder.path(), &["quota", "show"]);
    assert!(code == 0 && nothing.contains("nothing is spent"), "{why}");
    assert!(!folder.path().join("state-home").exists());

    let file = ["--quota-file", quota_file(folder.path())];
    let run = [&["run", "fleet.csv", "--mock"][..], &file].concat();
    assert_eq!(said(folder.path(), &run).0, 0);
    let before = fs::read(folder.path().join("quota.db")).unwrap();
    let (code, shown, why) = said(folder.path(), &[&["quota", "show"][..], &file].concat());
    assert!(
        code == 0 && shown.contains("start calls: 5 of 100 in 1 min; 5 of 1500 in 1 h"),
        "{shown}{why}"
    );
    let json = [&["quota", "show", "--json"][..], &file].concat();
    let json: serde_json::Value = serde_json::from_str(&said(folder.path(), &json).1).unwrap();
    assert_eq!(
        json["accounts"][0]["kinds"][0]["windows"][0]["spent"], 5,
        "{json:#}"
    );
    assert_eq!(json["processes"], 0);
    assert_eq!(fs::read(folder.path().join("quota.db")).unwrap(), before);

    let (code, lifted, _) = said(
        folder.path(),
        &[&["quota", "lift", "start"][..], &file].concat(),
    );
    assert_eq!((code, &*lifted), (0, "nothing was held\n"));
}

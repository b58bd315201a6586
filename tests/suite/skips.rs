//! Machines that are left out before the start, because of what is known of them (`--skip-scanned-within`,
//! `--skip-unscannable`).

use std::{fs, path::Path, sync::Arc};

use fleetsweep::{
    mock::{Fault, Kind, MockConfig, Rule, SignIn, Tenant},
    quota::{Clock, SystemClock},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    shell::{Done, at, fleetsweep},
    sign_in::served,
};

fn id(n: u64) -> String {
    format!("{n:040x}")
}

/// So many days ago.
fn ago(days: i64) -> String {
    let then = SystemClock.wall() - SignedDuration::from_hours(24 * days);
    then.to_string()
}

/// What a machine reports: its mode, and how many days ago its last quick and full scan were.
fn report(n: u64, mode: &str, quick: Option<i64>, full: Option<i64>) -> Value {
    json!({
        "id": format!("row-{n}"), "machineId": id(n).to_uppercase(), "avMode": mode,
        "quickScanTime": quick.map(ago), "quickScanResult": quick.map(|_| "Completed"),
        "fullScanTime": full.map(ago), "fullScanResult": full.map(|_| "Completed"),
        "dataRefreshTimestamp": ago(0),
    })
}

async fn tenant(machines: &[Value], reports: &[Value]) -> (Arc<Tenant>, String) {
    let answer = |kind, rows: &[Value]| {
        let body = json!({"@odata.count": rows.len(), "value": rows}).to_string();
        Rule::new(Fault::Status(200, body)).kind(kind)
    };
    served(MockConfig {
        faults: vec![
            answer(Kind::Machines, machines),
            answer(Kind::Health, reports),
        ],
        ..MockConfig::default()
    })
    .await
}

async fn command(folder: &Path, base: &str, words: &str) -> Done {
    let token = [("FLEETSWEEP_TOKEN", "ready".to_owned())];
    fleetsweep(folder, &format!("{words} {}", at(base)), &token).await
}

/// Outcome and reason, row by row.
fn ends(folder: &Path) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_path(folder.join("in.results.csv")).unwrap();
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| (row[1].to_owned(), row[6].to_owned()))
        .collect()
}

#[track_caller]
fn assert_ends(folder: &Path, wanted: &[(&str, &str)]) {
    let ends = ends(folder);
    assert_eq!(ends.len(), wanted.len());
    for ((outcome, message), (is, says)) in ends.iter().zip(wanted) {
        assert_eq!(outcome, is, "{ends:?}");
        assert!(message.contains(says), "{says} is not in: {message}");
    }
}

#[tokio::test]
async fn what_was_scanned_lately_by_its_own_report_is_left_out_by_the_type_of_its_scan() {
    let reports = [
        report(1, "0", Some(1), None),
        report(2, "0", Some(9), None),
        report(3, "0", None, Some(1)),
        report(5, "0", Some(1), Some(9)),
        report(6, "0", None, Some(2)),
    ];
    let (tenant, base) = tenant(&[], &reports).await;
    let folder = tempfile::tempdir().unwrap();
    let list = format!(
        "machine_id,scan_type\n{},\n{},\n{},\n{},\n{},full\n{},full\n",
        id(1),
        id(2),
        id(3),
        id(4),
        id(5),
        id(6)
    );
    fs::write(folder.path().join("in.csv"), list).unwrap();
    let skipping = "in.csv --skip-scanned-within 3d";

    let plan = command(folder.path(), &base, &format!("plan {skipping} --json")).await;
    assert_eq!(plan.code, 0, "{}", plan.err);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!((&plan["rows"], &plan["due"]), (&json!(6), &json!(3)));
    assert_eq!(tenant.recorder().calls(Kind::Start), 0);

    let done = command(folder.path(), &base, &format!("run {skipping} -q")).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let started = ("accepted", "");
    assert_ends(
        folder.path(),
        &[
            ("not_attempted", "skipped: quick scan at "),
            started,
            ("not_attempted", "skipped: full scan at "),
            started,
            started,
            ("not_attempted", "skipped: full scan at "),
        ],
    );
    assert_eq!(tenant.recorder().calls(Kind::Health), 2);

    // As with --where, today's command decides.
    let done = command(folder.path(), &base, "run in.csv -q").await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert_ends(folder.path(), &[started; 6]);
    assert_eq!(tenant.recorder().scans(), 6);
}

#[tokio::test]
async fn what_cannot_be_scanned_is_left_out_and_says_why() {
    let machines = [
        json!({"id": id(1), "mergedIntoMachineId": id(9)}),
        json!({"id": id(2), "isExcluded": true, "exclusionReason": "InactiveDevice"}),
        json!({"id": id(3), "machineTags": ["pilot", "Restricted security operations"]}),
        json!({"id": id(4)}),
    ];
    let reports = [report(4, "2", None, None), report(5, "1", None, None)];
    let (tenant, base) = tenant(&machines, &reports).await;
    let folder = tempfile::tempdir().unwrap();
    let list: Vec<_> = (1..=5).map(id).collect();
    fs::write(folder.path().join("in.csv"), list.join("\n")).unwrap();
    let done = command(folder.path(), &base, "run in.csv --skip-unscannable -q").await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert_ends(
        folder.path(),
        &[
            ("not_attempted", &format!("merged into {}", id(9))),
            ("not_attempted", "excluded (InactiveDevice)"),
            ("not_attempted", "Restricted security operations"),
            ("not_attempted", "antivirus is disabled"),
            ("accepted", ""),
        ],
    );
    assert_eq!(tenant.recorder().scans(), 1);
}

#[tokio::test]
async fn a_fleet_that_needs_nothing_is_done_and_one_that_cannot_be_asked_about_is_not_begun() {
    let (tenant, base) = tenant(&[], &[report(1, "0", Some(1), None)]).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.csv"), id(1)).unwrap();
    let skipping = "run in.csv --skip-scanned-within 3d -q";
    let done = command(folder.path(), &base, skipping).await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert_ends(folder.path(), &[("not_attempted", "skipped: ")]);
    assert_eq!(tenant.recorder().calls(Kind::Start), 0);

    let (tenant, base) = served(MockConfig {
        sign_in: SignIn {
            roles: vec!["Machine.Scan".into()],
            ..SignIn::default()
        },
        ..MockConfig::default()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.csv"), id(1)).unwrap();
    let refused = command(folder.path(), &base, skipping).await;
    assert_eq!(refused.code, 4, "{}", refused.err);
    for word in [
        "Machine.Read.All",
        "--skip-scanned-within",
        "nothing was sent",
    ] {
        assert!(refused.err.contains(word), "{}", refused.err);
    }
    assert_eq!(tenant.recorder().calls(Kind::Start), 0);
    assert!(!folder.path().join("in.campaign.db").exists());
}

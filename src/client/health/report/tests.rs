//! What the report says about a machine, whatever was sent.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AvMode, DeviceHealth, HealthReport, ScanChoice, UpToDate};
use crate::defender::wire;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn read(rows: &[Value]) -> HealthReport {
    let body = serde_json::to_vec(&json!({ "value": rows })).unwrap();
    let page: wire::Page<wire::DeviceAvInfo> = wire::json(&body).unwrap();
    let mut report = HealthReport::default();
    for row in &page.value {
        report.add(row);
    }
    report
}

fn of(row: &Value) -> DeviceHealth {
    let mut row = row.clone();
    row["machineId"] = json!("ab");
    read(&[row]).of("ab").unwrap().clone()
}

#[test]
fn the_documented_row_is_read() {
    let row = json!({
        "id": "Sample Guid", "machineId": "AB01", "computerDnsName": "appblockstg1", "osKind": "windows",
        "avMode": "0", "avIsSignatureUpToDate": "True", "avIsEngineUpToDate": "False", "quickScanResult": "Completed",
        "quickScanError": "", "quickScanTime": "2022-08-02T18:40:15.882Z", "fullScanResult": "", "fullScanTime": null,
        "dataRefreshTimestamp": "2022-08-02T21:16:23Z", "rbacGroupId": 4415
    });
    let report = read(&[row]);
    let health = report.of("aB01").unwrap();
    assert_eq!(health, report.of("ab01").unwrap());
    assert_eq!((health.mode.as_str(), report.machines()), ("active", 1));
    let flags = (health.signatures, health.engine);
    assert_eq!(flags, (UpToDate::Yes, UpToDate::No));
    assert_eq!(health.quick.at, Some(at("2022-08-02T18:40:15.882Z")));
    assert_eq!(health.quick.result.as_deref(), Some("Completed"));
    assert_eq!(
        (health.full.at, health.full.result.as_deref()),
        (None, None)
    );
    assert_eq!(health.reported, Some(at("2022-08-02T21:16:23Z")));
    assert!(report.of("cd").is_none());
}

#[test]
fn modes_have_words_and_unknown_ones_keep_their_text() {
    for (sent, word) in [
        (json!("0"), "active"),
        (json!("1"), "passive"),
        (json!("2"), "disabled"),
        (json!("3"), "other"),
        (json!(""), "other"),
        (json!(null), "other"),
        (json!("4"), "EDR in block mode"),
        (json!("5"), "passive audit"),
        (json!(0), "active"),
        (json!("9"), "9"),
        (json!("Hybrid\u{7}"), "Hybrid"),
        (json!([1]), "other"),
    ] {
        let health = of(&json!({ "avMode": sent }));
        assert_eq!(health.mode.as_str(), word, "{sent}");
        let is_known = AvMode::WORDS.contains(&word);
        assert_eq!(matches!(health.mode, AvMode::Unknown(_)), !is_known);
    }
}

#[test]
fn times_and_flags_that_cannot_be_read_are_unknown() {
    for (sent, time) in [
        (json!("2026-01-02T03:04:05Z"), Some("2026-01-02T03:04:05Z")),
        (
            json!("2026-01-02T03:04:05.1234567Z"),
            Some("2026-01-02T03:04:05.1234567Z"),
        ),
        (json!("2026-01-02T03:04:05"), Some("2026-01-02T03:04:05Z")),
        (
            json!("2026-01-02T03:04:05+02:00"),
            Some("2026-01-02T01:04:05Z"),
        ),
        (json!("0001-01-01T00:00:00Z"), None),
        (json!("yesterday"), None),
        (json!("2026-02-30T00:00:00Z"), None),
        (json!(""), None),
        (json!(1_767_225_600), None),
        (json!({"a": 1}), None),
    ] {
        let health = of(&json!({"quickScanTime": sent, "dataRefreshTimestamp": sent}));
        assert_eq!(health.quick.at, time.map(at), "{sent}");
        assert_eq!(health.reported, health.quick.at);
    }
    for (sent, is) in [
        (json!("TRUE"), "yes"),
        (json!(false), "no"),
        (json!("Unknown"), "unknown"),
        (json!("perhaps"), "unknown"),
        (json!(null), "unknown"),
    ] {
        let health = of(&json!({"avIsSignatureUpToDate": sent, "avIsEngineUpToDate": sent}));
        assert_eq!(
            (health.signatures.as_str(), health.engine.as_str()),
            (is, is)
        );
    }
}

#[test]
fn only_a_scan_that_is_known_to_be_completed_in_time_counts() {
    let now = at("2026-01-10T00:00:00Z");
    let week = 7 * DAY;
    for (quick, result, counts) in [
        ("2026-01-09T00:00:00Z", "Completed", true),
        ("2026-01-03T00:00:00Z", "Completed", true),
        ("2026-01-02T23:59:59Z", "Completed", false),
        ("2026-01-09T00:00:00Z", "", true),
        ("2026-01-09T00:00:00Z", "completed", true),
        ("2026-01-09T00:00:00Z", "Failed", false),
        ("2026-01-09T00:00:00Z", "Cancelled", false),
        ("2026-01-09T00:00:00Z", "a new word", false),
        ("2026-01-10T20:00:00Z", "Completed", true),
        ("2026-01-11T00:00:01Z", "Completed", false),
        ("soon", "Completed", false),
    ] {
        let health = of(&json!({"quickScanTime": quick, "quickScanResult": result}));
        let within = |which| health.scanned_within(which, week, now);
        assert_eq!(within(ScanChoice::Quick), counts, "{quick} {result}");
        assert_eq!(within(ScanChoice::Any), counts, "{quick} {result}");
        assert!(!within(ScanChoice::Full));
        assert_eq!(health.last_completed(ScanChoice::Full), None);
    }
    let both = of(
        &json!({"quickScanTime": "2025-01-01T00:00:00Z", "fullScanTime": "2026-01-09T00:00:00Z"}),
    );
    let within = |which| both.scanned_within(which, week, now);
    assert!(!within(ScanChoice::Quick) && within(ScanChoice::Full) && within(ScanChoice::Any));
    assert_eq!(both.last_completed(ScanChoice::Any), both.full.at);
}

#[test]
fn a_row_without_a_machine_and_odd_rows_are_survived() {
    let report = read(&[
        json!({"machineId": null, "avMode": "1"}),
        json!({"machineId": "  "}),
        json!({}),
        json!({"machineId": " AB ", "quickScanTime": [], "avMode": {}}),
    ]);
    assert_eq!(report.machines(), 1);
    assert_eq!(report.of("ab").unwrap().mode, AvMode::Other);
}

proptest! {
    /// Whatever the order of the rows, the newest one of a machine is its report; one without a time is the oldest.
    #[test]
    fn the_newest_report_of_a_machine_is_kept(
        mut rows in prop::collection::vec((0_u8..4, prop::option::of(0_i64..50)), 1..40),
        upper: bool,
    ) {
        // No two rows of a machine are equally new.
        let mut seen = std::collections::HashSet::new();
        rows.retain(|row| seen.insert(*row));
        let sent: Vec<_> = rows.iter().map(|(machine, minute)| {
            let id = format!("m{machine}");
            let time = minute.map(|minute| {
                Timestamp::from_second(1_767_225_600 + 60 * minute).unwrap().to_string()
            });
            let id = if upper { id.to_uppercase() } else { id };
            json!({"machineId": id, "dataRefreshTimestamp": time, "avMode": format!("n{minute:?}")})
        }).collect();
        let report = read(&sent);
        for machine in 0..4 {
            let newest = rows.iter().filter(|row| row.0 == machine).map(|row| row.1).max();
            let health = report.of(&format!("m{machine}"));
            prop_assert_eq!(health.map(|health| health.mode.to_string()), newest.map(|at| format!("n{at:?}")));
        }
    }
}

//! `fleetsweep machines --health`: what the devices report of their antivirus, beside the inventory.

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use fleetsweep::{
    mock::{HealthConfig, Kind, MockConfig, SignIn, Tenant},
    quota::{Clock, SystemClock},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    health::{fleet, plain},
    shell::{Done, at, fleetsweep},
    sign_in::served,
};

fn token() -> [(&'static str, String); 1] {
    [("FLEETSWEEP_TOKEN", "ready".to_owned())]
}

async fn machines(config: MockConfig, more: &str) -> (Done, Arc<Tenant>) {
    let (tenant, base) = served(config).await;
    let folder = tempfile::tempdir().unwrap();
    let args = format!("machines {} {more}", at(&base));
    (fleetsweep(folder.path(), &args, &token()).await, tenant)
}

/// Whether a row stays in the list.
type Stays<'a> = &'a dyn Fn(&BTreeMap<String, String>) -> bool;

/// The rows by their ids, each with its cells by their columns.
type Rows = BTreeMap<String, BTreeMap<String, String>>;

fn rows(done: &Done) -> Rows {
    assert_eq!(done.code, 0, "{}", done.err);
    let mut reader = csv::Reader::from_reader(done.out.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let cells = header.iter().zip(row.iter());
        let cells = cells.map(|(name, cell)| (name.to_owned(), cell.to_owned()));
        (row[0].to_owned(), cells.collect())
    });
    rows.collect()
}

#[tokio::test]
async fn the_report_is_joined_and_machines_without_one_stay_and_say_so() {
    let health = HealthConfig {
        never: 0.2,
        repeated: 0.4,
        lag: Duration::from_hours(1)..=Duration::from_hours(48),
        ..HealthConfig::default()
    };
    let (done, tenant) = machines(fleet(400, health), "--health").await;
    let rows = rows(&done);
    assert!(
        rows.keys().eq(tenant
            .machine_ids()
            .iter()
            .collect::<std::collections::BTreeSet<_>>())
    );
    let header = done.out.lines().next().unwrap();
    assert!(
        header.ends_with(
            ",merged_into,av_mode,av_signature_up_to_date,av_engine_up_to_date,quick_scan_utc,quick_scan_result,\
             full_scan_utc,full_scan_result,av_report_utc"
        ),
        "{header}"
    );
    let (without, with): (Vec<_>, Vec<_>) =
        rows.values().partition(|row| row["av_mode"] == "no report");
    assert!((50..110).contains(&without.len()), "{}", without.len());
    for row in &without {
        let empty = [
            "av_signature_up_to_date",
            "quick_scan_utc",
            "full_scan_result",
            "av_report_utc",
        ];
        assert!(empty.iter().all(|name| row[*name].is_empty()), "{row:?}");
    }
    let words = ["active", "passive", "disabled", "EDR in block mode"];
    for row in &with {
        assert!(words.contains(&row["av_mode"].as_str()), "{row:?}");
        assert!(["yes", "no"].contains(&row["av_signature_up_to_date"].as_str()));
        assert!(row["av_report_utc"].parse::<Timestamp>().is_ok());
        assert_eq!(
            row["quick_scan_utc"].is_empty(),
            row["quick_scan_result"].is_empty()
        );
    }
    let said = format!(
        "{} machines have no report of the antivirus and stayed",
        without.len()
    );
    assert!(done.err.contains(&said), "{}", done.err);
    let made: Vec<_> = with.iter().map(|row| &row["av_report_utc"]).collect();
    let (oldest, newest) = (made.iter().min().unwrap(), made.iter().max().unwrap());
    assert!(
        done.err.contains(&format!("made from {oldest} (")),
        "{}",
        done.err
    );
    assert!(done.err.contains(&format!("to {newest} (")), "{}", done.err);
    assert!(done.err.contains("400 machines"), "{}", done.err);
    assert_eq!(tenant.recorder().calls(Kind::Health), 1);
}

#[tokio::test]
async fn the_filters_leave_out_what_the_report_says_and_nothing_else() {
    let config = fleet(
        400,
        HealthConfig {
            never: 0.1,
            passive: 0.3,
            old_signatures: 0.3,
            ..HealthConfig::default()
        },
    );
    let (done, _) = machines(config.clone(), "--health").await;
    let all = rows(&done);
    let week_ago = SystemClock.wall() - SignedDuration::from_hours(7 * 24);
    let is_recent = |row: &BTreeMap<String, String>, column: &str| {
        let at = row[column].parse::<Timestamp>();
        at.is_ok_and(|at| at >= week_ago)
    };
    let no_report = |row: &BTreeMap<String, String>| row["av_mode"] == "no report";
    let cases: [(&str, Stays<'_>); 6] = [
        ("--not-scanned-within 7d", &|row| {
            !is_recent(row, "quick_scan_utc") && !is_recent(row, "full_scan_utc")
        }),
        ("--not-scanned-within 7d --scan-type quick", &|row| {
            !is_recent(row, "quick_scan_utc")
        }),
        ("--not-scanned-within 7d --scan-type full", &|row| {
            !is_recent(row, "full_scan_utc")
        }),
        ("--av-mode active,passive", &|row| {
            no_report(row) || row["av_mode"] == "active" || row["av_mode"] == "passive"
        }),
        (
            "--av-mode edr-in-block-mode --signatures old,unknown",
            &|row| {
                no_report(row)
                    || (row["av_mode"] == "EDR in block mode"
                        && row["av_signature_up_to_date"] == "no")
            },
        ),
        ("--signatures old --health", &|row| {
            no_report(row) || row["av_signature_up_to_date"] == "no"
        }),
    ];
    for (options, stays) in cases {
        let (done, _) = machines(config.clone(), options).await;
        let left = rows(&done);
        let expected: Vec<_> = all
            .iter()
            .filter(|(_, row)| stays(row))
            .map(|(id, _)| id)
            .collect();
        assert!(
            left.keys().eq(expected.iter().copied()),
            "{options}: {}",
            left.len()
        );
        assert!(
            !left.is_empty() && left.len() < all.len(),
            "{options}: {}",
            left.len()
        );
        let left_out = all.len() - left.len();
        assert!(
            done.err
                .contains(&format!("{left_out} machines are left out")),
            "{}",
            done.err
        );
    }
}

#[tokio::test]
async fn its_csv_starts_a_campaign_by_the_report() {
    let (tenant, base) = served(fleet(60, plain())).await;
    let folder = tempfile::tempdir().unwrap();
    let args = format!("machines {} --health -o fleet.csv", at(&base));
    let done = fleetsweep(folder.path(), &args, &token()).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let text = fs::read_to_string(folder.path().join("fleet.csv")).unwrap();
    let active = text
        .lines()
        .filter(|line| line.contains(",active,"))
        .count();
    let args = format!("run fleet.csv {} --where av_mode=active", at(&base));
    let done = fleetsweep(folder.path(), &args, &token()).await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(tenant.recorder().scans(), active);
    assert!(0 < active && active < 60);
}

#[tokio::test]
async fn without_role_or_list_it_is_refused_with_what_to_do_and_leaves_no_file() {
    let without_role = MockConfig {
        sign_in: SignIn {
            roles: vec!["Machine.Scan".into()],
            ..SignIn::default()
        },
        ..fleet(10, plain())
    };
    let missing = HealthConfig {
        missing: true,
        ..plain()
    };
    for (config, word) in [
        (without_role, "Machine.Read.All"),
        (fleet(10, missing), "no antivirus report"),
    ] {
        let (tenant, base) = served(config).await;
        let folder = tempfile::tempdir().unwrap();
        let args = format!("machines {} --health -o fleet.csv", at(&base));
        let done = fleetsweep(folder.path(), &args, &token()).await;
        assert_eq!(done.code, 4, "{}", done.err);
        for part in [word, "leave out --health"] {
            assert!(done.err.contains(part), "{}", done.err);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(
            tenant.recorder().calls(Kind::Machines),
            0,
            "nothing is listed in vain"
        );
    }
    let missing = HealthConfig {
        missing: true,
        ..plain()
    };
    let (done, _) = machines(fleet(10, missing), "").await;
    assert_eq!(rows(&done).len(), 10);
}

#[tokio::test]
async fn a_name_after_health_is_the_health_status_as_before() {
    let list = async |more: &str| {
        let (done, tenant) = machines(fleet(200, plain()), more).await;
        (rows(&done), tenant.recorder().calls(Kind::Health))
    };
    let (active, calls) = list("--health Active").await;
    assert_eq!(calls, 0);
    assert!(
        active
            .values()
            .all(|row| row["health_status"] == "Active" && !row.contains_key("av_mode"))
    );
    let named = list("--health-status Active").await.0;
    assert!(named.keys().eq(active.keys()));
    let (both, calls) = list("--health --health-status Active --os Linux").await;
    assert_eq!(calls, 1);
    assert!(
        both.values()
            .all(|row| row["os_platform"] == "Linux" && row.contains_key("av_mode"))
    );
    let (two, _) = list("--health Active --health Inactive").await;
    assert_eq!(two.len(), 200);
}

#[tokio::test]
async fn odd_options_are_wrong_usage() {
    for (options, word) in [
        ("--av-mode activ", "edr-in-block-mode"),
        ("--scan-type full", "--not-scanned-within"),
        ("--not-scanned-within soon", "7d"),
        ("--signatures fresh", "current"),
    ] {
        let (done, tenant) = machines(fleet(1, plain()), options).await;
        assert_eq!(done.code, 2, "{options}");
        assert!(done.err.contains(word), "{options}: {}", done.err);
        assert_eq!(tenant.recorder().calls(Kind::Health), 0);
    }
}

#[tokio::test]
async fn the_ledger_counts_and_shows_its_calls() {
    let (_, base) = served(fleet(30, plain())).await;
    let folder = tempfile::tempdir().unwrap();
    let run = async |args: &str| fleetsweep(folder.path(), args, &token()).await;
    assert_eq!(run("quota create q.db").await.code, 0);
    for _ in 0..2 {
        let args = format!("machines {} --health --quota-file q.db", at(&base));
        assert_eq!(run(&args).await.code, 0);
    }
    let shown = run("quota show --quota-file q.db").await;
    let line = "health calls: 2 of 30 in 1 min; 2 of 1000 in 1 h";
    assert!(shown.out.contains(line), "{}", shown.out);
    let lifted = run("quota lift health --quota-file q.db").await;
    assert!(
        lifted.code == 0 && lifted.out.contains("nothing was held"),
        "{}",
        lifted.out
    );
}

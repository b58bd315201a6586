//! Whether the scans really ran, by the devices' own reports. The tenant's true scans are the judge.

use std::{collections::HashMap, fs, sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{
        disk::DiskWork,
        follow::{FollowEnd, FollowOptions, Followed},
    },
    mock::{
        Ends, Fault, HealthConfig, Kind, MockConfig, QuotaConfig, ReportedTime, Rule, Tenant,
        TrueScan,
    },
    quota::{Clock as _, Quota, SystemClock},
    store::{Selection, Store, StoreError, StoredRow},
};
use tokio::sync::mpsc;

use crate::{
    rig::{Ground, Rig, short_or_long},
    shell::{at, fleetsweep},
    sign_in::served,
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// How much later than our scan's creation a device's scan has to be.
const MARGIN: Duration = Duration::from_mins(5);

fn fleet_of(tenant: &Tenant) -> String {
    format!("machine_id\n{}\n", tenant.machine_ids().join("\n"))
}

/// A tenant in which everybody's reports tell the truth, at once.
fn truthful() -> MockConfig {
    MockConfig {
        machines: 60,
        quota: QuotaConfig::none(),
        scan_time: 6 * MINUTE..=30 * MINUTE,
        health: HealthConfig {
            never: 0.0,
            ..HealthConfig::default()
        },
        ..MockConfig::default()
    }
}

/// A campaign of all of the tenant's machines, whose last call has gone out.
async fn drained(mock: MockConfig) -> Arc<Ground> {
    let rig = Rig {
        quota: Quota::unlimited(),
        ..Rig::against(mock)
    };
    let ground = Arc::new(rig.ground());
    // By then devices are at work on scans of their own.
    tokio::time::sleep(5 * HOUR).await;
    let csv = fleet_of(ground.tenant());
    assert_eq!(rig.start_on(&ground, &csv).await.end().await.stop, None);
    ground
}

async fn verified(ground: &Ground, timeout: Option<Duration>) -> Followed {
    let (_sender, mut signals) = mpsc::channel(1);
    let follower = ground.follower(FollowOptions {
        interval: MINUTE,
        timeout,
        verify: true,
        disk: DiskWork::Aside,
    });
    follower.follow(|| false, &mut signals).await.unwrap()
}

/// The campaign's rows, by machine.
fn rows(ground: &Ground) -> HashMap<String, StoredRow> {
    let store = Store::open_read_only(&ground.state()).unwrap();
    let mut rows = HashMap::new();
    store
        .each_row(Selection::All, |row| {
            rows.insert(row.machine_id.clone(), row.clone());
            Ok::<_, StoreError>(())
        })
        .unwrap();
    rows
}

fn word(row: &StoredRow) -> &str {
    row.device.as_ref().map_or("", |device| &device.verified)
}

#[tokio::test(start_paused = true)]
async fn devices_that_report_at_once_confirm_every_scan_and_then_nobody_asks_any_more() {
    let ground = drained(truthful()).await;
    let told = verified(&ground, None).await;
    assert_eq!(told.end, FollowEnd::Done);
    assert!(told.all_succeeded() && told.all_verified(), "{told:?}");
    assert!(
        rows(&ground)
            .values()
            .all(|row| word(row) == "yes" && row.device.as_ref().unwrap().scanned.is_some())
    );
    let calls = ground.tenant().recorder().calls(Kind::Health);
    assert!(calls <= 6, "{calls} calls for half an hour of scans");
    let again = verified(&ground, None).await;
    assert_eq!(again.end, FollowEnd::Done);
    let after = ground.tenant().recorder().calls(Kind::Health);
    assert_eq!(after, calls, "nothing was left to ask");
}

/// A tenant whose reports lag by hours, come twice or never, or do not have a scan that ran; and whose devices are
/// scanned by their own schedules.
fn strange(seed: u64) -> MockConfig {
    let by_start = seed.is_multiple_of(2);
    MockConfig {
        seed,
        machines: 80,
        quota: QuotaConfig::none(),
        // A scan that began before ours and is reported by its end must not end later than the margin allows.
        scan_time: if by_start {
            MINUTE..=40 * MINUTE
        } else {
            MINUTE..=5 * MINUTE
        },
        health: HealthConfig {
            never: 0.1,
            repeated: 0.4,
            rows: 3,
            lag: Duration::ZERO..=8 * HOUR,
            disabled: 0.1,
            disabled_fails: true,
            silent: 0.2,
            scheduled: match seed % 3 {
                0 => None,
                1 => Some(20 * MINUTE..=2 * HOUR),
                _ => Some(2 * HOUR..=20 * HOUR),
            },
            time: if by_start {
                ReportedTime::Start
            } else {
                ReportedTime::End
            },
            ..HealthConfig::default()
        },
        ..MockConfig::default()
    }
}

/// The time since the tenant's start at which our scan on this row's machine was created.
fn created(row: &StoredRow, mock: &MockConfig) -> Duration {
    since_start(row.action_created.parse().unwrap(), mock)
}

fn since_start(at: jiff::Timestamp, mock: &MockConfig) -> Duration {
    Duration::try_from(at.duration_since(mock.started)).unwrap()
}

/// The time of a scan that a report has.
trait TimeOf {
    fn of(self, scan: &TrueScan) -> Duration;
}

impl TimeOf for ReportedTime {
    fn of(self, scan: &TrueScan) -> Duration {
        match self {
            Self::Start => scan.began,
            Self::End => scan.ended,
        }
    }
}

/// Each of the three schedules once, and both times; each pair of them in the long form.
#[tokio::test(start_paused = true)]
async fn no_scan_that_began_before_ours_is_ever_taken_for_it_and_what_was_reported_is_seen() {
    for seed in 0..short_or_long(3, 8) {
        let mock = strange(seed);
        let ground = drained(mock.clone()).await;
        // Broken off at any moment, and taken up again.
        let mut dice = fastrand::Rng::with_seed(seed);
        for _ in 0..6 {
            let span = Duration::from_secs(dice.u64(0..2 * 3600));
            let _ = tokio::time::timeout(span, verified(&ground, None)).await;
        }
        let told = verified(&ground, Some(30 * HOUR)).await;
        let ended = ground.elapsed();
        let scans = ground.tenant().true_scans();
        let (mut yes, mut silent) = (0, 0);
        for (machine, row) in rows(&ground) {
            let case = format!("seed {seed}, {machine}: {row:?}");
            let ours = created(&row, &mock);
            let none = Vec::new();
            let its: &Vec<TrueScan> = scans.get(&machine).unwrap_or(&none);
            match word(&row) {
                "yes" => {
                    yes += 1;
                    let scanned = row.device.as_ref().unwrap().scanned.unwrap();
                    let scanned = since_start(scanned, &mock);
                    // The state has milliseconds.
                    let is_meant = |scan: &&TrueScan| {
                        let off = mock.health.time.of(scan).abs_diff(scanned);
                        scan.is_reported && off < Duration::from_millis(2)
                    };
                    let mut meant = its.iter().filter(is_meant);
                    assert!(meant.any(|scan| scan.began >= ours), "{case} {its:?}");
                }
                "no report" | "not yet" => {
                    silent += 1;
                    // Its report has come by the last look, however late it was.
                    let is_known = |scan: &&TrueScan| {
                        scan.is_reported
                            && mock.health.time.of(scan) >= ours + MARGIN
                            && scan.ended + 9 * HOUR < ended
                    };
                    let has_report = word(&row) == "not yet";
                    let missed = has_report && its.iter().any(|scan| is_known(&scan));
                    assert!(!missed, "{case}");
                }
                other => panic!("{other:?}, {case}"),
            }
        }
        assert!(yes > 0 || mock.health.scheduled.is_none(), "seed {seed}");
        assert!(silent > 0 && !told.all_verified(), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_a_day_after_the_last_report_that_was_new_and_counts_what_is_left() {
    let mock = MockConfig {
        health: HealthConfig {
            never: 0.5,
            ..HealthConfig::default()
        },
        ..truthful()
    };
    let ground = drained(mock).await;
    let told = verified(&ground, None).await;
    assert_eq!(told.end, FollowEnd::Done);
    let day = 24 * HOUR;
    let took = ground.elapsed().saturating_sub(5 * HOUR);
    assert!(took >= day && took < day + 2 * HOUR, "{took:?}");
    let tally = told.verified.unwrap();
    assert_eq!(tally["yes"] + tally["no report"], 60);
    assert!(tally["no report"] > 10);
}

/// Two tenants; six in the long form. A look a minute at scans of six days is most of their work.
#[tokio::test(start_paused = true)]
async fn scans_that_end_days_later_are_waited_for_like_the_first() {
    for seed in 0..short_or_long(2, 6) {
        let mock = MockConfig {
            seed,
            machines: 4,
            scan_time: HOUR..=150 * HOUR,
            health: HealthConfig {
                never: 0.0,
                disabled: 0.0,
                lag: 2 * HOUR..=6 * HOUR,
                ..HealthConfig::default()
            },
            ..truthful()
        };
        let ground = drained(mock).await;
        let told = verified(&ground, None).await;
        assert_eq!(told.end, FollowEnd::Done);
        assert!(told.all_verified(), "seed {seed}: {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_reports_of_scans_that_did_not_succeed() {
    let mock = MockConfig {
        ends: Ends {
            failed: 0.5,
            timed_out: 0.5,
            ..Ends::default()
        },
        health: HealthConfig {
            silent: 1.0,
            ..truthful().health
        },
        ..truthful()
    };
    let ground = drained(mock).await;
    let told = verified(&ground, None).await;
    assert_eq!(told.end, FollowEnd::Done);
    let took = ground.elapsed().saturating_sub(5 * HOUR);
    assert!(took < 2 * HOUR, "{took:?}");
    let asked = rows(&ground)
        .values()
        .filter(|row| row.device.is_some())
        .count();
    assert_eq!(asked, 60, "each device was asked all the same");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_fails_for_good_is_not_waited_for_without_an_end() {
    let mock = MockConfig {
        faults: vec![Rule::new(Fault::Status(503, String::new())).kind(Kind::Health)],
        ..truthful()
    };
    let ground = drained(mock).await;
    let told = verified(&ground, None).await;
    assert_eq!(told.end, FollowEnd::Done);
    assert!(told.all_succeeded() && !told.all_verified());
    let took = ground.elapsed().saturating_sub(5 * HOUR);
    assert!(took >= 24 * HOUR && took < 26 * HOUR, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn without_the_report_the_scans_are_followed_all_the_same() {
    let missing = MockConfig {
        health: HealthConfig {
            missing: true,
            ..HealthConfig::default()
        },
        ..truthful()
    };
    let forbidden = MockConfig {
        faults: vec![Rule::new(Fault::Status(403, FORBIDDEN.into())).kind(Kind::Health)],
        ..truthful()
    };
    for mock in [missing, forbidden] {
        let ground = drained(mock).await;
        let told = verified(&ground, None).await;
        assert_eq!(told.end, FollowEnd::Done);
        assert!(told.all_succeeded() && !told.all_verified(), "{told:?}");
        assert_eq!(ground.tenant().recorder().calls(Kind::Health), 1);
    }
}

const FORBIDDEN: &str =
    r#"{"error":{"code":"Forbidden","message":"Missing application roles","target":"c"}}"#;

#[tokio::test]
async fn the_results_and_status_show_it_and_a_run_that_follows_does_so_by_itself() {
    let mock = MockConfig {
        machines: 12,
        scan_time: Duration::from_millis(100)..=Duration::from_millis(300),
        started: SystemClock.wall(),
        ..truthful()
    };
    let (tenant, base) = served(mock).await;
    let folder = tempfile::tempdir().unwrap();
    let csv = fleet_of(&tenant)
        .replace('\n', ",x\n")
        .replacen(",x", ",verified", 1);
    fs::write(folder.path().join("fleet.csv"), csv).unwrap();
    let api = format!("{} --quota-file q.db", at(&base));
    let token = [("FLEETSWEEP_TOKEN", "ready".to_owned())];
    let run = format!(
        "run fleet.csv --limit none --yes --follow --verify --follow-interval 1s --follow-timeout 3s {api}"
    );
    let done = fleetsweep(folder.path(), &run, &token).await;
    // These scans take less than the margin, so the devices' reports prove nothing.
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(
        done.err
            .contains("scans that the devices report: 12 not yet"),
        "{}",
        done.err
    );
    let results = fs::read_to_string(folder.path().join("fleet.results.csv")).unwrap();
    let mut lines = results.lines();
    let header = lines.next().unwrap();
    assert!(
        header.ends_with(",input_verified,device_scan_utc,device_scan_result,verified"),
        "{header}"
    );
    for line in lines {
        assert!(line.ends_with(",Completed,not yet"), "{line}");
    }
    let status = fleetsweep(folder.path(), "status fleet.csv --json", &[]).await;
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["verified"]["not yet"], 12);
    // A campaign that was verified goes on with the same columns.
    let results = fleetsweep(folder.path(), "results fleet.csv -o again.csv", &[]).await;
    assert_eq!(results.code, 0, "{}", results.err);
    let again = fs::read_to_string(folder.path().join("again.csv")).unwrap();
    assert!(again.lines().next().unwrap().ends_with(",verified"));
    let idle = fleetsweep(
        folder.path(),
        &format!("run fleet.csv --verify {api}"),
        &token,
    )
    .await;
    assert_eq!(idle.code, 2, "{}", idle.err);
    assert!(idle.err.contains("--follow"), "{}", idle.err);
}

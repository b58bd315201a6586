//! What the devices report of their antivirus, read in virtual time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fleetsweep::{
    cli::simulate::{TenantClient, tenant_tokens},
    client::{
        caller::{Caller, OnOutage},
        health::{self, HealthError, HealthReport, ScanChoice, UpToDate},
    },
    defender::ApiBase,
    mock::{Fault, HealthConfig, Kind, ListOption, MockConfig, QuotaConfig, Rule, SignIn, Tenant},
    quota::{Clock, Pacer, Quota, SystemClock, TokioClock},
};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::rig::short_or_long;

const MINUTE: Duration = Duration::from_mins(1);

/// Every machine has one row.
pub(crate) fn plain() -> HealthConfig {
    HealthConfig {
        never: 0.0,
        repeated: 0.0,
        ..HealthConfig::default()
    }
}

pub(crate) fn fleet(machines: usize, health: HealthConfig) -> MockConfig {
    MockConfig {
        machines,
        health,
        started: SystemClock.wall(),
        ..MockConfig::default()
    }
}

/// Reads the report in virtual time.
async fn read(
    config: MockConfig,
    quota: &Quota,
) -> (Result<HealthReport, HealthError>, Arc<Tenant>) {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(config.started));
    let tenant = Tenant::new(config);
    let base = ApiBase::parse("http://127.0.0.1:1").unwrap();
    let caller = Caller::new(
        Arc::new(TenantClient::new(Arc::clone(&tenant), base, MINUTE)),
        tenant_tokens(&tenant, &clock),
        Pacer::new(quota, Arc::clone(&clock)),
        clock,
        OnOutage::Fail,
    );
    let read = health::read(&caller, |_| {}).await;
    (read, tenant)
}

/// Of 30,000 machines; of 100,000 in the long form, which takes fifteen calls.
#[tokio::test(start_paused = true)]
async fn the_health_of_many_machines_takes_a_call_for_ten_thousand_rows() {
    let (machines, calls) = short_or_long((30_000, 5), (100_000, 15));
    let health = HealthConfig {
        never: 0.0,
        repeated: 0.4,
        rows: 2,
        passive: 0.25,
        ..HealthConfig::default()
    };
    let (report, tenant) = read(fleet(machines, health), &Quota::documented()).await;
    let report = report.unwrap();
    let rows = report.rows;
    let expected = machines as u64 * 14 / 10;
    assert!(rows.abs_diff(expected) < 500, "1.4 rows a machine: {rows}");
    // Each page after the first begins with the last row of the one before.
    assert_eq!((rows - 1).div_ceil(9_999), calls, "{rows}");
    let recorder = tenant.recorder();
    assert_eq!((recorder.calls(Kind::Health), report.calls), (calls, calls));
    assert_eq!(recorder.busiest(Kind::Health, MINUTE) as u64, calls);
    assert_eq!(
        (recorder.throttled(Kind::Health), recorder.malformed()),
        (0, 0)
    );
    assert_eq!(report.machines(), machines);
    assert!(!report.moved);
    // Only older rows have the mode `other`, so each machine has its newest one.
    let mut modes: BTreeMap<String, u32> = BTreeMap::new();
    for id in tenant.machine_ids() {
        let mode = report.of(&id).unwrap().mode.to_string();
        *modes.entry(mode).or_default() += 1;
    }
    // A quarter, to one percent of all.
    let passive = modes["passive"] as usize;
    assert!(passive.abs_diff(machines / 4) < machines / 100, "{modes:?}");
    assert!(!modes.contains_key("other"), "{modes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(short_or_long(10, 24)))]

    /// However short the pages are and whatever the user's limits, no window holds more calls than either limit, and
    /// nothing is refused or missing.
    #[test]
    fn no_window_holds_more_calls_than_the_lower_limit(
        machines in 1_usize..400,
        page_limit in 2_u32..8,
        limit in prop::option::of(1_u32..60),
        counts: bool,
        seed: u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let health = HealthConfig { never: 0.1, repeated: 0.3, rows: 3, ..HealthConfig::default() };
        let config = MockConfig {
            seed,
            page_limit: Some(page_limit),
            refuses: if counts { Vec::new() } else { vec![ListOption::Count] },
            latency: (Duration::from_millis(1)..=Duration::from_secs(1)).into(),
            ..fleet(machines, health)
        };
        let quota = match limit {
            Some(calls) => Quota::new(vec![format!("{calls}/1m").parse().unwrap()]),
            None => Quota::documented(),
        };
        let (report, tenant) = runtime.block_on(read(config, &quota));
        let report = report.unwrap();
        let recorder = tenant.recorder();
        let allowed = limit.unwrap_or(30).min(30) as usize;
        prop_assert!(recorder.busiest(Kind::Health, MINUTE) <= allowed);
        prop_assert!(recorder.busiest(Kind::Health, 60 * MINUTE) <= 1000);
        prop_assert_eq!(recorder.throttled(Kind::Health), 0);
        // A machine is missing only if it has no row, and those are a share.
        let known = tenant.machine_ids().iter().filter(|id| report.of(id).is_some()).count();
        prop_assert_eq!(known, report.machines());
        prop_assert!(known as u64 <= report.rows);
        prop_assert!(machines < 100 || known * 10 >= machines * 7);
    }
}

fn page(rows: impl Iterator<Item = usize>) -> serde_json::Value {
    let rows = rows.map(
        |n| json!({"id": format!("row {n}"), "machineId": format!("{n:040X}"), "avMode": "1"}),
    );
    json!({ "value": rows.collect::<Vec<_>>() })
}

fn answers(pages: Vec<serde_json::Value>) -> MockConfig {
    let answer = |(n, page): (usize, serde_json::Value)| {
        let nth = u64::try_from(n).unwrap() + 1;
        let fault = Fault::Status(200, page.to_string());
        Rule::new(fault).kind(Kind::Health).nth(nth)
    };
    MockConfig {
        faults: pages.into_iter().enumerate().map(answer).collect(),
        ..fleet(0, plain())
    }
}

#[tokio::test(start_paused = true)]
async fn no_link_to_the_next_page_is_followed_and_the_list_is_read_by_its_rows() {
    let mut first = page(0..3);
    first["@odata.nextLink"] = json!("https://elsewhere.example/api/deviceavinfo?$skip=3");
    let pages = vec![first, page(2..5), page(4..5), page(0..0)];
    let (report, tenant) = read(answers(pages), &Quota::documented()).await;
    let report = report.unwrap();
    assert_eq!((report.machines(), report.rows), (5, 5));
    assert_eq!(tenant.recorder().calls(Kind::Health), 4);
    assert!(report.of(&format!("{:040x}", 10)).is_none());
    assert_eq!(
        report.of(&format!("{:040x}", 4)).unwrap().mode.as_str(),
        "passive"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_moves_is_read_again_and_one_without_an_end_is_refused() {
    // The second page does not begin with the last row of the first one.
    let pages = vec![page(0..3), page(3..6), page(0..4), page(3..4), page(0..0)];
    let (report, _) = read(answers(pages), &Quota::documented()).await;
    let report = report.unwrap();
    assert_eq!(
        (report.rows, report.machines(), report.moved),
        (4, 6, false)
    );

    let moving = (0..6).map(|n| page(3 * n..3 * n + 3)).collect();
    let (report, _) = read(answers(moving), &Quota::documented()).await;
    assert!(report.unwrap().moved);

    let endless = (0..20).map(|_| page(0..3)).collect();
    let (report, tenant) = read(answers(endless), &Quota::documented()).await;
    assert!(matches!(report, Err(HealthError::Endless(3))), "{report:?}");
    assert!(tenant.recorder().calls(Kind::Health) < 10);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_lags_does_not_have_the_scans_that_ended_since() {
    for (lag_hours, is_known) in [(0, true), (5, false)] {
        let lag = Duration::from_secs(3600 * lag_hours);
        let health = HealthConfig {
            lag: lag..=lag,
            ..plain()
        };
        let config = MockConfig {
            scan_time: MINUTE..=MINUTE,
            ..fleet(20, health)
        };
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(config.started));
        let tenant = Tenant::new(config);
        let ids = tenant.machine_ids();
        for id in &ids {
            let path = format!("/api/machines/{id}/runAntiVirusScan");
            let body = r#"{"Comment":"c","ScanType":"Full"}"#;
            tenant
                .handle(fleetsweep::mock::Request::post(&path, "t", body))
                .await;
        }
        tokio::time::sleep(60 * MINUTE).await;
        let base = ApiBase::parse("http://127.0.0.1:1").unwrap();
        let caller = Caller::new(
            Arc::new(TenantClient::new(Arc::clone(&tenant), base, MINUTE)),
            tenant_tokens(&tenant, &clock),
            Pacer::new(&Quota::documented(), Arc::clone(&clock)),
            Arc::clone(&clock),
            OnOutage::Fail,
        );
        let report = health::read(&caller, |_| {}).await.unwrap();
        let within = |id: &String| {
            let health = report.of(id).unwrap();
            assert!(health.reported.unwrap() + lag <= clock.wall());
            health.scanned_within(
                ScanChoice::Full,
                SignedDuration::from_hours(1),
                clock.wall(),
            )
        };
        assert!(
            ids.iter().all(|id| within(id) == is_known),
            "a lag of {lag:?}"
        );
        assert_eq!(report.of(&ids[0]).unwrap().engine, UpToDate::Yes);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_told_apart() {
    let without = MockConfig {
        sign_in: SignIn {
            roles: vec!["Machine.Scan".into()],
            ..SignIn::default()
        },
        ..fleet(3, plain())
    };
    let (report, _) = read(without, &Quota::documented()).await;
    assert!(
        matches!(report, Err(HealthError::Forbidden(_))),
        "{report:?}"
    );
    // Some say it with the API's envelope, others with a page or with nothing.
    for (status, body) in [
        (
            404,
            r#"{"error":{"code":"NotFound","message":"No HTTP resource was found"}}"#,
        ),
        (404, "<html>not found</html>"),
        (404, ""),
        (
            400,
            r#"{"error":{"code":"BadRequest","message":"Invalid resource"}}"#,
        ),
    ] {
        let faults = vec![Rule::new(Fault::Status(status, body.into())).kind(Kind::Health)];
        let config = MockConfig {
            faults,
            ..fleet(3, plain())
        };
        let (report, tenant) = read(config, &Quota::documented()).await;
        assert!(
            matches!(report, Err(HealthError::Missing(_))),
            "{status} {body}: {report:?}"
        );
        assert!(
            tenant.recorder().calls(Kind::Health) <= 2,
            "{status} {body}"
        );
    }
    let unlimited = MockConfig {
        quota: QuotaConfig::none(),
        ..fleet(3, plain())
    };
    assert!(read(unlimited, &Quota::unlimited()).await.0.is_ok());
}

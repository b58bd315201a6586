//! Which alerts are on a campaign's machines since their scans. The tenant's own list of what it has made is the judge.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
    sync::Arc,
    time::Duration,
};

use fleetsweep::{
    campaign::findings::{Findings, Machines, Wanted},
    cli::simulate::{TenantClient, tenant_tokens},
    client::{
        alerts::AlertList,
        caller::{Caller, OnOutage},
    },
    defender::{ApiBase, Defender},
    mock::{AlertsConfig, Fault, Kind, MadeAlert, MockConfig, QuotaConfig, Rule, SignIn, Tenant},
    quota::{Clock, Quota, SystemClock},
    store::Store,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    rig::{Ground, Rig},
    shell::{Done, at, fleetsweep},
    sign_in::served,
};

const MINUTE: Duration = Duration::from_mins(1);

/// The tenant's machines from this number on, as an input.
fn fleet_of(tenant: &Tenant, machines: usize) -> String {
    let ids = tenant.machine_ids();
    format!("machine_id\n{}\n", ids[..machines].join("\n"))
}

/// A campaign of so many of the tenant's machines, whose last call has gone out.
async fn drained(mock: MockConfig, machines: usize) -> Arc<Ground> {
    let rig = Rig {
        quota: Quota::unlimited(),
        ..Rig::against(mock)
    };
    let ground = Arc::new(rig.ground());
    let csv = fleet_of(ground.tenant(), machines);
    assert_eq!(rig.start_on(&ground, &csv).await.end().await.stop, None);
    ground
}

fn alerts(ground: &Ground, clock: &Arc<dyn Clock>) -> AlertList<impl Defender> {
    let base = ApiBase::parse("http://127.0.0.1:1").unwrap();
    let client = TenantClient::new(Arc::clone(ground.tenant()), base, MINUTE);
    AlertList::new(Caller::new(
        Arc::new(client),
        tenant_tokens(ground.tenant(), clock),
        ground.pacer().clone(),
        Arc::clone(clock),
        OnOutage::Fail,
    ))
}

/// When each machine's scan began, by the campaign's state.
fn began(state: &Path) -> HashMap<String, Timestamp> {
    let mut began = HashMap::new();
    let store = Store::open_read_only(state).unwrap();
    store
        .each_scanned_machine(|machine| {
            began.extend(machine.began.map(|at| (machine.machine_id, at)));
        })
        .unwrap();
    began
}

/// The alerts of the antivirus that the campaign has to tell, of those that could be seen at `now`.
fn to_be_told(
    tenant: &Tenant,
    began: &HashMap<String, Timestamp>,
    now: Duration,
) -> Vec<MadeAlert> {
    let mut made = tenant.made_alerts();
    made.retain(|alert| {
        let is_since = began
            .get(&alert.machine)
            .is_some_and(|at| alert.created >= *at);
        is_since && alert.source == "WindowsDefenderAv" && alert.seen_from <= now
    });
    made
}

#[tokio::test(start_paused = true)]
async fn fifty_thousand_alerts_take_six_calls() {
    let mock = MockConfig {
        machines: 10_000,
        quota: QuotaConfig::default(),
        alerts: AlertsConfig {
            existing: 50_000,
            ..AlertsConfig::default()
        },
        ..MockConfig::default()
    };
    let ground = drained(mock, 200).await;
    let clock: Arc<dyn Clock> = Rig::default().clock();
    let list = alerts(&ground, &clock);
    let machines = Machines::of(&Store::open_read_only(&ground.state()).unwrap()).unwrap();
    let wanted = Wanted {
        since: Some(Timestamp::UNIX_EPOCH),
        only_antivirus: true,
        ..Wanted::default()
    };
    let mut findings = Findings::default();
    assert!(findings.look(&list, &machines, &wanted).await.unwrap());
    let recorder = ground.tenant().recorder();
    assert_eq!(recorder.calls(Kind::Alerts), 6);
    assert_eq!((list.calls(), recorder.throttled(Kind::Alerts)), (6, 0));
    let ours: BTreeSet<_> = ground.tenant().machine_ids()[..200]
        .iter()
        .cloned()
        .collect();
    let made = ground.tenant().made_alerts();
    assert_eq!(made.len(), 50_000);
    let expected = made
        .iter()
        .filter(|alert| ours.contains(&alert.machine) && alert.source == "WindowsDefenderAv");
    assert_eq!(findings.all().len(), expected.count());
    assert!(findings.all().len() > 200);
}

/// Alerts that come late, are changed, carry ids in another case and come on short pages, beside those of others.
#[tokio::test(start_paused = true)]
async fn nothing_is_told_twice_and_nothing_is_lost_while_alerts_come_in() {
    for seed in 0..6 {
        let mock = MockConfig {
            seed,
            machines: 120,
            quota: QuotaConfig::none(),
            scan_time: 5 * MINUTE..=90 * MINUTE,
            page_limit: [None, Some(1), Some(7)][usize::try_from(seed).unwrap() % 3],
            alerts: AlertsConfig {
                finding_chance: 0.5,
                found_after: Duration::from_secs(1)..=30 * MINUTE,
                lag: Duration::ZERO..=180 * MINUTE,
                resolved: 0.5,
                resolved_after: MINUTE..=60 * MINUTE,
                existing: 60,
                ongoing: Some(MINUTE..=20 * MINUTE),
                other_case: 0.5,
                without_family: 0.3,
                ..AlertsConfig::default()
            },
            ..MockConfig::default()
        };
        let rig = Rig::against(mock.clone());
        let ground = drained(mock, 80).await;
        let clock: Arc<dyn Clock> = rig.clock();
        let list = alerts(&ground, &clock);
        let began = began(&ground.state());
        assert_eq!(began.len(), 80);
        let mut findings = Findings::default();
        let mut told = BTreeMap::new();
        let end = loop {
            let store = Store::open_read_only(&ground.state()).unwrap();
            let machines = Machines::of(&store).unwrap();
            let wanted = Wanted {
                only_antivirus: true,
                ..Wanted::default()
            };
            assert!(findings.look(&list, &machines, &wanted).await.unwrap());
            for finding in findings.new_ones() {
                *told.entry(finding.alert.to_lowercase()).or_insert(0) += 1;
            }
            let now = ground.elapsed();
            if now > 6 * 60 * MINUTE {
                break now;
            }
            tokio::time::sleep(10 * MINUTE).await;
        };
        let expected = to_be_told(ground.tenant(), &began, end);
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|alert| (alert.id.to_lowercase(), 1))
            .collect();
        assert!(
            expected.len() > 20,
            "{} alerts, seed {seed}",
            expected.len()
        );
        assert_eq!(told, expected, "seed {seed}");
    }
}

fn token() -> [(&'static str, String); 1] {
    [("FLEETSWEEP_TOKEN", "ready".to_owned())]
}

/// A tenant whose scans find something at once on every second machine or so.
fn infected() -> MockConfig {
    MockConfig {
        machines: 30,
        scan_time: Duration::from_millis(200)..=Duration::from_millis(400),
        started: SystemClock.wall(),
        alerts: AlertsConfig {
            finding_chance: 0.5,
            found_after: Duration::ZERO..=Duration::from_millis(100),
            existing: 40,
            ..AlertsConfig::default()
        },
        ..MockConfig::default()
    }
}

/// A finished campaign of the real program, its folder, and the options that lead to its tenant.
async fn swept(mock: MockConfig) -> (tempfile::TempDir, Arc<Tenant>, String) {
    let (tenant, base) = served(mock).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fleet.csv"), fleet_of(&tenant, 20)).unwrap();
    let api = format!("{} --quota-file q.db", at(&base));
    let run = format!("run fleet.csv --limit none --yes {api}");
    let done = fleetsweep(folder.path(), &run, &token()).await;
    assert_eq!(done.code, 0, "{}", done.err);
    (folder, tenant, at(&base))
}

/// The rows of a CSV, each with its cells by their columns.
fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let cells = header.iter().zip(row.iter());
        cells
            .map(|(name, cell)| (name.to_owned(), cell.to_owned()))
            .collect()
    });
    rows.collect()
}

async fn findings(folder: &Path, api: &str, options: &str) -> Done {
    let args = format!("findings fleet.csv {api} {options}");
    fleetsweep(folder, &args, &token()).await
}

#[tokio::test]
async fn findings_are_listed_counted_and_kept_for_status() {
    let (folder, tenant, api) = swept(infected()).await;
    // Until all scans have found what they find.
    let done = fleetsweep(
        folder.path(),
        &format!("follow fleet.csv {api} --follow-interval 1s"),
        &token(),
    )
    .await;
    assert_eq!(done.code, 0, "{}", done.err);
    let done = findings(folder.path(), &api, "").await;
    assert_eq!(done.code, 0, "{}", done.err);
    let began = began(&folder.path().join("fleet.campaign.db"));
    let expected = to_be_told(&tenant, &began, Duration::MAX);
    let ids: BTreeSet<_> = expected.iter().map(|alert| alert.id.clone()).collect();
    let listed = rows(&done.out);
    assert!(!listed.is_empty());
    assert_eq!(
        listed
            .iter()
            .map(|row| row["alert_id"].clone())
            .collect::<BTreeSet<_>>(),
        ids
    );
    assert!(
        listed
            .iter()
            .all(|row| row["detection_source"] == "WindowsDefenderAv"
                && row["created_utc"] >= row["scan_began_utc"]
                && row["link"].ends_with(&row["alert_id"]))
    );
    let counted = format!("{} findings on", listed.len());
    assert!(done.err.contains(&counted), "{}", done.err);

    let json = findings(folder.path(), &api, "--json --source all").await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert!(json["findings"].as_array().unwrap().len() >= listed.len());

    let grave = findings(folder.path(), &api, "--fail-on informational -o found.csv").await;
    assert_eq!(grave.code, 7, "{}", grave.err);
    let file = fs::read_to_string(folder.path().join("found.csv")).unwrap();
    assert_eq!(rows(&file), listed);

    let status = fleetsweep(folder.path(), "status fleet.csv --json", &[]).await;
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["findings"]["count"], listed.len());
    let words = fleetsweep(folder.path(), "status fleet.csv", &[]).await;
    assert!(words.out.contains("findings, as of "), "{}", words.out);
    let report = fleetsweep(folder.path(), "report fleet.csv --json", &[]).await;
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    for field in ["count", "by_severity", "asked", "which"] {
        assert_eq!(report["findings"][field], status["findings"][field]);
    }
    let machines: BTreeSet<_> = listed.iter().map(|row| &row["machine_id"]).collect();
    assert_eq!(report["findings"]["machines"], machines.len());
    let listed_machines = report["machines"]["rows"].as_array().unwrap().iter();
    let alerts = listed_machines.map(|row| row["findings"].as_u64().unwrap());
    assert_eq!(alerts.sum::<u64>(), listed.len() as u64);
}

#[tokio::test]
async fn a_machine_whose_first_row_was_left_out_is_asked_about_by_the_row_that_was_scanned() {
    let mock = MockConfig {
        alerts: AlertsConfig {
            finding_chance: 1.0,
            ..infected().alerts
        },
        ..infected()
    };
    let (tenant, base) = served(mock).await;
    let folder = tempfile::tempdir().unwrap();
    let id = &tenant.machine_ids()[0];
    let csv = format!("machine_id,os\n{id},Linux\n{id},Windows\n{id},Windows\n");
    fs::write(folder.path().join("fleet.csv"), csv).unwrap();
    let api = at(&base);
    let run = format!(
        "run fleet.csv --where os=Windows --limit none --yes --quota-file q.db --follow --follow-interval 1s {api}"
    );
    let done = fleetsweep(folder.path(), &run, &token()).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let done = findings(folder.path(), &api, "").await;
    assert_eq!(rows(&done.out).len(), 1, "{}", done.err);
    assert!(
        done.err.contains("1 finding on 1 of 1 machine"),
        "{}",
        done.err
    );
    // What is no list of findings is not overwritten.
    let over = findings(folder.path(), &api, "-o fleet.csv").await;
    assert_eq!(over.code, 2, "{}", over.err);
    for times in [
        "--since 2026-11-24T10:00Z --until 2026-11-24T09:00Z",
        "--since 2126-11-24T10:00",
        "--since noon",
    ] {
        let done = findings(folder.path(), &api, times).await;
        assert_eq!(done.code, 2, "{times}: {}", done.err);
    }
}

#[tokio::test]
async fn a_watch_ends_with_the_scans_and_tells_each_finding_once() {
    let mock = MockConfig {
        scan_time: Duration::from_secs(1)..=Duration::from_secs(3),
        ..infected()
    };
    let (folder, tenant, api) = swept(mock).await;
    let done = findings(folder.path(), &api, "--watch --follow-interval 1s").await;
    assert_eq!(done.code, 0, "{}", done.err);
    let began = began(&folder.path().join("fleet.campaign.db"));
    let expected = to_be_told(&tenant, &began, Duration::MAX);
    let listed = rows(&done.out);
    assert_eq!(listed.len(), expected.len());
    let told = done.err.lines().filter(|line| line.contains("finding: "));
    assert_eq!(told.count(), expected.len(), "{}", done.err);
    assert!(done.err.contains("followed to the end"), "{}", done.err);
}

#[tokio::test]
async fn without_the_role_or_the_list_it_says_what_is_missing_and_the_campaign_stays_as_it_was() {
    let without_role = MockConfig {
        sign_in: SignIn {
            roles: vec!["Machine.Scan".into(), "Machine.Read.All".into()],
            ..SignIn::default()
        },
        ..infected()
    };
    let missing = MockConfig {
        alerts: AlertsConfig {
            missing: true,
            ..AlertsConfig::default()
        },
        ..infected()
    };
    let forbidden = MockConfig {
        faults: vec![Rule::new(Fault::Status(403, FORBIDDEN.into())).kind(Kind::Alerts)],
        ..infected()
    };
    for (mock, words) in [
        (without_role, "Alert.Read.All"),
        (missing, "has no list of alerts"),
        (forbidden, "Alert.Read.All"),
    ] {
        let (folder, _, api) = swept(mock).await;
        let done = findings(folder.path(), &api, "").await;
        assert_eq!(done.code, 4, "{}", done.err);
        assert!(done.err.contains(words), "{}", done.err);
        let status = fleetsweep(folder.path(), "status fleet.csv --json", &[]).await;
        let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
        assert!(status["findings"].is_null());
    }
}

const FORBIDDEN: &str =
    r#"{"error":{"code":"Forbidden","message":"Missing application roles","target":"c"}}"#;

#[tokio::test]
async fn what_has_no_effect_is_refused_and_times_choose_alerts() {
    let (folder, tenant, api) = swept(infected()).await;
    for options in ["--verify", "--follow-timeout 1m"] {
        let done = findings(folder.path(), &api, options).await;
        assert_eq!(done.code, 2, "{}", done.err);
    }
    // Until all scans have found what they find.
    let follow = format!("follow fleet.csv {api} --follow-interval 1s");
    let done = fleetsweep(folder.path(), &follow, &token()).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let start = tenant.made_alerts().iter().map(|alert| alert.created).min();
    let month = start.unwrap() - SignedDuration::from_hours(1);
    let all = findings(
        folder.path(),
        &api,
        &format!("--source all --since {month}"),
    )
    .await;
    let ours: BTreeSet<_> = tenant.machine_ids()[..20].iter().cloned().collect();
    let made = tenant.made_alerts();
    let on_ours = made.iter().filter(|alert| ours.contains(&alert.machine));
    assert_eq!(rows(&all.out).len(), on_ours.count(), "{}", all.err);
    let none = format!("--source all --since {month} --until {month}");
    let none = findings(folder.path(), &api, &none).await;
    assert_eq!((none.code, rows(&none.out).len()), (0, 0), "{}", none.err);
    assert!(none.err.contains("no proof"), "{}", none.err);
}

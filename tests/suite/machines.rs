//! `fleetsweep machines`: the inventory, as a CSV that a campaign takes.

use std::{fs, sync::Arc};

use fleetsweep::{
    mock::{Fault, Kind, MockConfig, Rule, SignIn, Tenant},
    quota::{Clock, SystemClock},
};
use serde_json::json;

use crate::{
    shell::{Done, at, fleetsweep},
    sign_in::served,
};

fn token() -> [(&'static str, String); 1] {
    [("FLEETSWEEP_TOKEN", "ready".to_owned())]
}

fn fleet(machines: usize) -> MockConfig {
    MockConfig {
        machines,
        started: SystemClock.wall(),
        ..MockConfig::default()
    }
}

async fn machines(config: MockConfig, more: &str) -> (Done, Arc<Tenant>) {
    let (tenant, base) = served(config).await;
    let folder = tempfile::tempdir().unwrap();
    let args = format!("machines {} {more}", at(&base));
    (fleetsweep(folder.path(), &args, &token()).await, tenant)
}

fn ids(csv: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(&reader.headers().unwrap()[0], "machine_id");
    reader
        .records()
        .map(|row| row.unwrap()[0].to_owned())
        .collect()
}

#[tokio::test]
async fn the_whole_inventory_comes_in_pages_of_ten_thousand() {
    let (done, tenant) = machines(fleet(25_000), "").await;
    assert_eq!(done.code, 0, "{}", done.err);
    let listed = ids(&done.out);
    assert!(listed.iter().eq(tenant.machine_ids().iter()));
    assert_eq!(tenant.recorder().calls(Kind::Machines), 3);
    assert!(done.err.contains("25000 machines"), "{}", done.err);
}

#[tokio::test]
async fn its_csv_starts_a_campaign() {
    let (tenant, base) = served(fleet(30)).await;
    let folder = tempfile::tempdir().unwrap();
    let args = format!("machines {} -o fleet.csv", at(&base));
    let done = fleetsweep(folder.path(), &args, &token()).await;
    assert_eq!((done.code, done.out.as_str()), (0, ""), "{}", done.err);
    assert!(
        done.err.contains("30 machines in fleet.csv"),
        "{}",
        done.err
    );

    let args = format!(
        "run fleet.csv {} --where os_platform=Linux,macOS",
        at(&base)
    );
    let done = fleetsweep(folder.path(), &args, &token()).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let scans = tenant.recorder().scans();
    assert!((1..30).contains(&scans), "{scans}");
}

#[tokio::test]
async fn filters_are_sent_or_judged_here_and_all_must_hold() {
    let count = async |more: &str| {
        let (done, _) = machines(fleet(600), more).await;
        assert_eq!(done.code, 0, "{more}: {}", done.err);
        ids(&done.out).len()
    };
    let linux = count("--os Linux").await;
    let both = count("--os Linux --os macOS").await;
    let servers = count("--os Linux --group servers").await;
    assert!(0 < servers && servers < linux && linux < both && both < 600);
    let tagged = count("--tag pilot --health Active --risk High --onboarded").await;
    assert!(0 < tagged && tagged < 100, "{tagged}");
    let recent = count("--seen-within 7d").await;
    assert!((80..220).contains(&recent), "a week of a month: {recent}");
    assert_eq!(
        count("--filter startswith(osPlatform,'Linux')").await,
        linux
    );
}

#[tokio::test]
async fn an_empty_fleet_is_said_in_words_whichever_way_the_service_says_it() {
    for empty_inventory_is_404 in [false, true] {
        let config = MockConfig {
            empty_inventory_is_404,
            ..fleet(0)
        };
        let (done, _) = machines(config.clone(), "").await;
        assert_eq!((done.code, ids(&done.out).len()), (0, 0));
        assert!(
            done.err.contains("the tenant has no machines"),
            "{}",
            done.err
        );
        let (done, _) = machines(config, "--os BeOS").await;
        assert!(done.err.contains("no machine matches"), "{}", done.err);
    }
}

#[tokio::test]
async fn a_machine_that_comes_twice_is_written_once() {
    let page = |from: usize, to: usize| {
        let rows: Vec<_> = (from..to)
            .map(|n| json!({"id": format!("{n:040X}")}))
            .collect();
        json!({ "value": rows }).to_string()
    };
    let answer = |nth, body| {
        Rule::new(Fault::Status(200, body))
            .kind(Kind::Machines)
            .nth(nth)
    };
    let config = MockConfig {
        faults: vec![
            answer(1, page(0, 10_000)),
            answer(2, page(9_990, 10_050)),
            answer(3, page(10_049, 10_050)),
            answer(4, page(0, 0)),
        ],
        ..fleet(0)
    };
    let (done, _) = machines(config, "").await;
    assert_eq!((done.code, ids(&done.out).len()), (0, 10_050));

    let endless = MockConfig {
        faults: vec![Rule::new(Fault::Status(200, page(0, 10_000))).kind(Kind::Machines)],
        ..fleet(0)
    };
    let (done, tenant) = machines(endless, "").await;
    assert_eq!(done.code, 4);
    assert!(done.err.contains("has no end"), "{}", done.err);
    assert!(tenant.recorder().calls(Kind::Machines) < 10);
}

#[tokio::test]
async fn what_is_refused_is_told_and_leaves_no_half_file() {
    let (tenant, base) = served(MockConfig {
        sign_in: SignIn {
            roles: vec!["Machine.Scan".into()],
            ..SignIn::default()
        },
        ..fleet(10)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let args = format!("machines {} -o fleet.csv", at(&base));
    let done = fleetsweep(folder.path(), &args, &token()).await;
    assert_eq!(done.code, 4);
    assert!(done.err.contains("Machine.Read.All"), "{}", done.err);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(tenant.recorder().calls(Kind::Machines), 1);

    let args = format!("machines {} -o no/such/fleet.csv", at(&base));
    assert_eq!(fleetsweep(folder.path(), &args, &token()).await.code, 5);
    let (done, _) = machines(fleet(10), "--filter nonsense").await;
    assert_eq!(done.code, 2);
    assert!(done.err.contains("--filter"), "{}", done.err);
}

#[tokio::test]
async fn merged_and_excluded_machines_are_shown_and_are_no_onboarded_ones() {
    let config = MockConfig {
        departed_every: 10,
        ..fleet(100)
    };
    let (done, _) = machines(config.clone(), "").await;
    let mut reader = csv::Reader::from_reader(done.out.as_bytes());
    let header = reader.headers().unwrap().clone();
    let last = ["excluded", "exclusion_reason", "merged_into"];
    assert_eq!(header.iter().skip(11).collect::<Vec<_>>(), last);
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 100);
    let cells = |n: usize| [11, 12, 13].map(|at| rows[n][at].to_owned());
    assert_eq!(cells(0), ["false", "", ""]);
    assert_eq!(cells(1), ["false", "", &rows[0][0]]);
    assert_eq!(cells(2), ["true", "InactiveDevice", ""]);
    let (done, _) = machines(config, "--onboarded").await;
    assert_eq!(ids(&done.out).len(), 80);
    assert!(done.err.contains("80 machines"), "{}", done.err);
}

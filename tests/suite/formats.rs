//! States, ledgers and results as earlier releases wrote them: each is opened, and gone on with.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fleetsweep::{
    quota::{Kind, LedgerPlace, Mark, MarkRow, Pacer, Quota, TokioClock, marks},
    store::{Lock, Store, StoreError},
};

use super::{
    damage::{NOW, beside, campaign, picture, put, scratch},
    program::fleetsweep,
    readme::copy_samples,
};

/// A file of each released format, as that release wrote it.
///
/// A new format's is made by `FLEETSWEEP_WRITE_FORMATS=1 cargo test --test suite formats`.
fn format(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/formats");
    folder.join(name)
}

fn writes_formats() -> bool {
    std::env::var_os("FLEETSWEEP_WRITE_FORMATS").is_some()
}

#[test]
fn a_campaign_of_format_1_can_be_gone_on_with() {
    let folder = scratch();
    let path = folder.path().join("fleet.campaign.db");
    campaign(&path, || {}).close().unwrap();
    let right = picture(&path).unwrap();
    put(&path, &fs::read(format("campaign-1.db")).unwrap());
    assert_eq!(picture(&path).unwrap(), right);
}

#[test]
fn a_campaign_of_format_2_can_be_gone_on_with() {
    let folder = scratch();
    let path = folder.path().join("fleet.campaign.db");
    campaign(&path, || {}).close().unwrap();
    if writes_formats() {
        fs::copy(&path, format("campaign-2.db")).unwrap();
    }
    let right = picture(&path).unwrap();
    put(&path, &fs::read(format("campaign-2.db")).unwrap());
    assert_eq!(picture(&path).unwrap(), right);
}

/// A campaign that the release before wrote and a brake stopped after 20 of 60 machines: its state, its mark, its
/// results and its ledger, all of format 2.
#[test]
fn a_campaign_of_the_release_before_is_gone_on_with_and_scans_nobody_twice() {
    let folder = scratch();
    for (kept, name) in [
        ("state.db", "braked.campaign.db"),
        ("state.db.mark", "braked.campaign.db.mark"),
        ("results.csv", "braked.csv"),
        ("quota.db", "quota.db"),
    ] {
        let kept = fs::read(format("braked-campaign").join(kept)).unwrap();
        put(&folder.path().join(name), &kept);
    }
    copy_samples(folder.path());
    let results = folder.path().join("braked.csv");
    let before = fs::read_to_string(&results).unwrap();

    let mut status = fleetsweep(folder.path());
    status.args(["status", "braked.campaign.db"]);
    let status = status.output().unwrap();
    let told = String::from_utf8(status.stdout).unwrap();
    assert!(told.contains("20 of 60 rows have ended"), "{told}");

    let mut run = fleetsweep(folder.path());
    run.args([
        "run",
        "sample-inputs/fleet-60.csv",
        "--mock",
        "-q",
        "--state",
        "braked.campaign.db",
    ])
    .args(["-o", "braked.csv", "--quota-file", "quota.db"]);
    let ran = run.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");

    // The machine, its scan, and how often and when it was sent.
    let scans = |text: &str| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let records = reader.records().map(Result::unwrap);
        let kept = |row: csv::StringRecord| [0, 1, 2, 7, 8].map(|at| row[at].to_owned()).to_vec();
        records.map(kept).collect()
    };
    let before = scans(&before);
    let after = scans(&fs::read_to_string(&results).unwrap());
    assert_eq!(after.len(), 60);
    let (mut sent, mut now) = (0, 0);
    for (before, after) in before.iter().zip(&after) {
        if before[1] == "not_attempted" {
            assert_ne!(after[1], "not_attempted");
            now += 1;
        } else {
            assert_eq!(before, after);
            sent += 1;
        }
    }
    assert_eq!((sent, now), (20, 40));
}

#[test]
fn who_only_looks_at_a_state_of_format_1_leaves_it_as_it_is() {
    let folder = scratch();
    let path = folder.path().join("fleet.campaign.db");
    let old = fs::read(format("campaign-1.db")).unwrap();
    put(&path, &old);
    let looked_at = Store::open_read_only(&path).unwrap().tally().unwrap();
    assert_eq!(
        Store::open_unchecked_read_only(&path)
            .unwrap()
            .tally()
            .unwrap(),
        looked_at
    );
    // An earlier release that is at work on it could not go on once it were changed.
    let at_work = Lock::take(&path).unwrap();
    assert!(matches!(
        Store::open_unchecked(&path),
        Err(StoreError::OlderAtWork(_))
    ));
    drop(at_work);
    assert_eq!(fs::read(&path).unwrap(), old);
    assert_eq!(Store::open(&path).unwrap().tally().unwrap(), looked_at);
    assert_ne!(fs::read(&path).unwrap(), old, "it was brought to version 2");
}

fn ledger(file: PathBuf) -> (LedgerPlace, Quota) {
    let place = LedgerPlace {
        file,
        cloud: "commercial".into(),
        tenant: "a tenant".into(),
        application: "an application".into(),
    };
    (place, Quota::documented())
}

/// Makes a ledger of the latest format.
async fn write_ledger(path: &Path) {
    let (place, quota) = ledger(path.to_owned());
    let clock = Arc::new(TokioClock::starting_at(NOW));
    let patience = Duration::from_secs(30);
    let pacer = Pacer::with_ledger(&quota, clock, &place, patience).unwrap();
    let mark = Mark::new("ab12cd34ef", 70);
    let row = MarkRow {
        campaign: "ab12cd34ef".into(),
        committed: 70,
        state: "/there/fleet.campaign.db".into(),
        results: "/there/fleet.results.csv".into(),
        input: "/there/fleet.csv".into(),
        cloud: place.cloud,
        tenant: place.tenant,
        application: place.application,
        targets: 500,
        started: NOW,
        touched: NOW,
        ended: None,
        abandoned: false,
    };
    pacer.keep_mark(mark, row).await.unwrap();
    for _ in 0..70 {
        pacer.acquire(Kind::Start).await.unwrap().answered();
    }
    pacer.acquire(Kind::Start).await.unwrap().give_back();
    pacer.flush().await.unwrap();
    drop(pacer);
    // What still writes in the background has the file open; the last one folds the journal in.
    while beside(path, "-wal").exists() {
        tokio::task::yield_now().await;
    }
}

/// Goes on with a ledger of an older format: its calls count, and it is of the latest format then.
async fn assert_goes_on(name: &str) -> PathBuf {
    let folder = scratch().keep();
    let path = folder.join("quota.db");
    let (place, quota) = ledger(path.clone());
    put(&path, &fs::read(format(name)).unwrap());
    // Another boot, half a minute later by the wall.
    let clock = Arc::new(TokioClock::starting_at(NOW + Duration::from_secs(30)));
    let pacer = Pacer::with_ledger(&quota, clock, &place, Duration::from_secs(30)).unwrap();
    pacer.flush().await.unwrap();
    let in_use: Vec<_> = pacer
        .usage(Kind::Start)
        .iter()
        .map(|window| window.in_use)
        .collect();
    assert_eq!(in_use, [70, 70]);
    pacer.acquire(Kind::Start).await.unwrap().answered();
    pacer.prove_room().await.unwrap();
    path
}

#[tokio::test(start_paused = true)]
async fn a_ledger_of_format_1_still_counts() {
    let path = assert_goes_on("quota-1.db").await;
    assert_eq!(marks(&path).unwrap(), []);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_ledger_of_format_2_still_counts_and_knows_its_campaigns() {
    if writes_formats() {
        let folder = scratch();
        let path = folder.path().join("quota.db");
        write_ledger(&path).await;
        fs::copy(&path, format("quota-2.db")).unwrap();
    }
    let path = assert_goes_on("quota-2.db").await;
    let marks = marks(&path).unwrap();
    assert_eq!((marks.len(), marks[0].committed), (1, 70));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

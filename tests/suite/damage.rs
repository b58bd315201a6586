//! Files that are not as they were written: a worded refusal or the right counts, never a panic, never a wrong count.

#![expect(
    clippy::print_stdout,
    reason = "in a test a panic is the verdict, and what is printed tells of it"
)]

use std::{
    fmt::Write as _,
    fs,
    io::Cursor as Bytes,
    path::{Path, PathBuf},
};

use fleetsweep::{
    campaign::open::create::take_in,
    roster::{IdRule, Options, Roster},
    store::{
        AttemptEnd, Cursor, Identity, Progress, Record, Run, Selection, SentAt, Store, StoreError,
    },
};
use jiff::Timestamp;

#[cfg(unix)]
use super::program::{Server, fleetsweep, quota_file};
use super::{program::fleet, rig::short_or_long};

/// The time of everything that happens here.
pub(super) const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

pub(super) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A campaign of which something of every kind is known; `each` is called after every commit.
pub(super) fn campaign(path: &Path, each: impl FnMut()) -> Store {
    campaign_of(60, path, each)
}

fn campaign_of(machines: u32, path: &Path, mut each: impl FnMut()) -> Store {
    let mut csv = "machine_id,priority,comment,name\nno good id,,,bad\n".to_owned();
    for (n, id) in fleet(machines).lines().skip(1).enumerate() {
        let priority = if n % 3 == 0 { "2" } else { "" };
        let comment = if n % 7 == 0 { "by hand" } else { "" };
        writeln!(csv, "{id},{priority},{comment},m{n}").unwrap();
    }
    writeln!(csv, "{:040x},,,again", 1).unwrap();
    let identity = Identity {
        campaign: "ab12cd34ef".into(),
        created: NOW,
        tenant: "unknown".into(),
        api: "http://127.0.0.1:1".into(),
        scan_type: "quick".into(),
        comment: "antivirus scan by fleetsweep".into(),
        columns: Vec::new(),
        id_rule: "hex40".to_owned(),
    };
    // As in the samples, which are from before there were other rules.
    let options = Options {
        rule: Some(IdRule::AsTyped),
        ..Options::default()
    };
    let roster = Roster::open("in.csv", Bytes::new(csv), &options).unwrap();
    let mut store = take_in(roster, path, identity, &[], || Ok(()))
        .unwrap()
        .store;
    each();
    let run = Run {
        os_user: "somebody".into(),
        host: "here".into(),
        version: "0.1.0".into(),
        command: "fleetsweep run in.csv".into(),
        tenant: "unknown".into(),
        application: "unknown".into(),
        quota: String::new(),
        started: NOW,
    };
    let run = store.begin_run(&run).unwrap();
    each();
    for n in 2..40 {
        let begun = Record::Begun {
            n,
            number: 1,
            sent: NOW,
            sent_server: (n % 2 == 0).then_some(NOW),
        };
        store.commit(run, &[begun]).unwrap();
        let (outcome, unsure, verdict) = match n % 5 {
            // On its way when the process died.
            0 => continue,
            1 => (None, true, "unsure"),
            2 => (Some("failed"), false, "refused"),
            _ => (Some("accepted"), false, "accepted"),
        };
        let attempt = AttemptEnd {
            number: 1,
            at: NOW,
            verdict,
            http_status: Some(201),
        };
        let progress = Progress {
            outcome,
            attempts: 1,
            tries: 1,
            not_before: (n % 5 == 1).then_some(NOW),
            unsure_since: unsure.then_some(SentAt {
                at: NOW,
                by_server: true,
            }),
            first_sent: Some(NOW),
            last_answer: Some(NOW),
            http_status: Some(201),
            message: format!("what was said of {n}"),
            action_id: format!("0696c900-b8ce-42ce-96f6-{n:012}"),
            ..Progress::default()
        };
        let changed = Record::Changed {
            n,
            attempt: Some(attempt),
            progress: Box::new(progress),
        };
        store.commit(run, &[changed]).unwrap();
        each();
    }
    store
}

/// All that a run would go by.
pub(super) fn picture(path: &Path) -> Result<String, StoreError> {
    let mut store = Store::open(path)?;
    store.finish_check()?;
    let mut rows = Vec::new();
    store.each_row::<StoreError>(Selection::All, |row| {
        rows.push(row.clone());
        Ok(())
    })?;
    let mut known = 0;
    store.each_known::<StoreError>(|target| {
        known += target.n;
        Ok(())
    })?;
    let mut fresh = Vec::new();
    let mut cursor = Cursor::START;
    loop {
        let (page, next) = store.fresh(cursor, 7)?;
        if page.is_empty() {
            break;
        }
        fresh.extend(page);
        cursor = next;
    }
    let identity = store.identity();
    let tally = store.tally()?;
    let mut numbers = Vec::new();
    store.each_left(|left| numbers.push(left.n))?;
    let left = store.recall(numbers.into_iter())?;
    let run = store.last_run()?;
    Ok(format!(
        "{identity:?} {tally:?} {left:#?} {fresh:#?} {rows:#?} {known} {run:?}"
    ))
}

/// Writes a file, and takes away what SQLite left beside it.
pub(super) fn put(path: &Path, bytes: &[u8]) {
    for ending in ["-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(beside(path, ending));
    }
    fs::write(path, bytes).unwrap();
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The file cut at many lengths, with single bits changed everywhere, and with sectors lost.
fn damages(whole: &[u8], dice: &mut fastrand::Rng, flips: usize) -> Vec<Vec<u8>> {
    let cuts = (0..120).map(|part| whole[..whole.len() * part / 120].to_vec());
    let mut all: Vec<_> = cuts.collect();
    for flip in 0..flips {
        let mut bytes = whole.to_vec();
        // Every other one where the file says what it is and where its tables begin.
        let within = if flip % 4 == 0 { 4096 } else { bytes.len() };
        bytes[dice.usize(..within)] ^= 1 << dice.u8(..8);
        all.push(bytes);
    }
    for _ in 0..60 {
        let mut bytes = whole.to_vec();
        let sector = dice.usize(..bytes.len() / 512) * 512;
        let with = if dice.bool() { 0 } else { dice.u8(..) };
        bytes[sector..sector + 512].fill(with);
        all.push(bytes);
    }
    all
}

/// 500 single bits beside the cuts and sectors; 1,500 in the long form.
#[test]
fn a_damaged_state_is_refused_in_words_or_gone_on_with_rightly() {
    let folder = scratch();
    let path = folder.path().join("fleet.campaign.db");
    // So many that most of the file is full.
    campaign_of(300, &path, || {}).close().unwrap();
    let whole = fs::read(&path).unwrap();
    let right = picture(&path).unwrap();

    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let (mut refused, mut right_ones) = (0, 0);
    for bytes in damages(&whole, &mut dice, short_or_long(500, 1500)) {
        put(&path, &bytes);
        match picture(&path) {
            Ok(picture) => {
                assert_eq!(picture, right);
                right_ones += 1;
            }
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("fleet.campaign.db"), "{message}");
                // Another file would begin another campaign, which knows nothing of this one's scans.
                assert!(!message.contains("--state"), "{message}");
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {right_ones} right");
    assert!(
        refused > short_or_long(250, 500) && right_ones > 0,
        "{refused} refused, {right_ones} right"
    );
}

#[test]
fn a_damaged_journal_gives_a_state_that_was_there_once() {
    let folder = scratch();
    let path = folder.path().join("fleet.campaign.db");
    let copy = folder.path().join("copy.db");
    let duplicate = || {
        put(&copy, &fs::read(&path).unwrap());
        if let Ok(journal) = fs::read(beside(&path, "-wal")) {
            fs::write(beside(&copy, "-wal"), journal).unwrap();
        }
    };
    let mut once = Vec::new();
    let store = campaign(&path, || {
        duplicate();
        once.push(picture(&copy).unwrap());
    });
    duplicate();
    let (whole, journal) = (
        fs::read(&copy).unwrap(),
        fs::read(beside(&copy, "-wal")).unwrap(),
    );
    drop(store);
    assert!(
        journal.len() > 50_000,
        "everything since the start is in the journal"
    );

    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut last = 0;
    for bytes in damages(&journal, &mut dice, 100) {
        put(&copy, &whole);
        fs::write(beside(&copy, "-wal"), &bytes).unwrap();
        let picture = picture(&copy).unwrap();
        // A commit of an attempt alone lies between two of those.
        let was_there = once.contains(&picture) || picture.contains("\"here\"");
        assert!(was_there, "{picture}");
        last += usize::from(once.last() == Some(&picture));
    }
    println!("{last} gave the last state");
}

#[cfg(unix)]
#[test]
fn the_program_refuses_damaged_files_with_exit_code_5() {
    const FINISHED_BEFORE: i32 = 6;
    let server = Server::start(&["--limit", "none"]);
    let folder = scratch();
    fs::write(folder.path().join("fleet.csv"), fleet(20)).unwrap();
    let run = |results: &str| {
        let output = fleetsweep(folder.path())
            .args([
                "run",
                "fleet.csv",
                "-o",
                results,
                "--api-url",
                &server.url(),
            ])
            .args(["--quota-file", quota_file(folder.path())])
            .args(["--limit", "10000/1s"])
            .env("FLEETSWEEP_TOKEN", "x")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        (output.status.code().unwrap(), said)
    };
    let (code, said) = run("fleet.results.csv");
    assert_eq!(code, 0, "{said}");

    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let state = folder.path().join("fleet.campaign.db");
    let quota = folder.path().join("quota.db");
    let mut codes = std::collections::BTreeMap::new();
    for (file, named, whole_code) in [
        (&state, "fleet.campaign.db", FINISHED_BEFORE),
        (&quota, "quota.db", 0),
    ] {
        let whole = fs::read(file).unwrap();
        let mut all = damages(&whole, &mut dice, 40);
        dice.shuffle(&mut all);
        for (number, bytes) in all.into_iter().take(30).enumerate() {
            put(file, &bytes);
            // The ledger is read by campaigns that have something to send.
            let own = format!("{number}.results.csv");
            let (code, said) = run(if whole_code == 0 {
                &own
            } else {
                "fleet.results.csv"
            });
            assert!(
                code == whole_code
                    || (code == 5 && said.contains(named) && !said.contains("--quota-file names")),
                "{code}: {said}"
            );
            *codes.entry(code).or_insert(0) += 1;
        }
        put(file, &whole);
    }
    println!("exit codes {codes:?}");
    assert!(codes.get(&5).is_some_and(|count| *count > 10), "{codes:?}");
}

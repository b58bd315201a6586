//! Promise 5 at the very end: the results are being put in the input's order, and somebody wants to stop.

use std::{path::Path, time::Duration};

use fleetsweep::{
    campaign::{
        journal::{Batch, JournalError, Reading},
        tag::CampaignId,
    },
    mock::MockConfig,
    store::{Cursor, Progress, Record, Store},
};

use super::token_life::journal;

const MACHINES: u64 = 2000;
const ENDED: u64 = 50;

/// A campaign in `folder` whose last machines have ended, and whose journal is finished unless that takes longer than
/// `patience`. Whether it was finished.
fn finish(folder: &Path, patience: Duration) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let wall = MockConfig::default().started;
    let campaign = CampaignId::random(&mut fastrand::Rng::with_seed(3));
    let (mut journal, _) = journal(MACHINES, folder, &campaign, wall);
    let accepted = |n| {
        let begun = Record::Begun {
            n,
            number: 1,
            sent: wall,
            sent_server: None,
        };
        let progress = Progress {
            outcome: Some("accepted"),
            attempts: 1,
            ..Progress::default()
        };
        let changed = Record::Changed {
            n,
            attempt: None,
            progress: Box::new(progress),
        };
        [begun, changed]
    };
    let batch = Batch {
        records: (MACHINES - ENDED + 1..=MACHINES)
            .flat_map(accepted)
            .collect(),
        reading: Reading::default(),
    };
    let written = journal.write(&batch).unwrap();
    assert_eq!(written.ended.len() as u64, ENDED);
    let finishing = async { tokio::time::timeout(patience, journal.finish(wall, "done")).await };
    let finished = runtime.block_on(finishing);
    // Here it waits for threads.
    drop(runtime);
    finished.map(Result::unwrap).is_ok()
}

#[test]
fn whenever_it_is_left_the_results_are_whole_and_no_end_is_noted_before_they_are_in_order() {
    let mut finished = 0;
    for span in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        let is_finished = finish(folder.path(), Duration::from_millis(3) * span);
        assert!(span > 0 || !is_finished);
        let mut results = csv::Reader::from_path(folder.path().join("results.csv")).unwrap();
        let rows: Vec<_> = results.records().map(Result::unwrap).collect();
        let accepted = rows.iter().filter(|row| &row[1] == "accepted").count() as u64;
        assert_eq!(accepted, ENDED, "left after {span}");
        let is_in_order = rows.len() as u64 == MACHINES;
        assert!(is_in_order || rows.len() as u64 == ENDED, "{}", rows.len());
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        let has_ended = store.last_run().unwrap().unwrap().ended.is_some();
        assert!(is_in_order || !has_ended, "left after {span}");
        assert!(has_ended || !is_finished);
        assert!(!folder.path().join(".results.csv.tmp").exists());
        finished += u32::from(is_finished);
        if finished == 3 {
            return;
        }
    }
    panic!("it was never finished");
}

#[test]
fn a_batch_that_is_in_the_store_stays_written_though_nothing_can_be_read_afterwards() {
    let wall = MockConfig::default().started;
    let campaign = CampaignId::random(&mut fastrand::Rng::with_seed(3));
    let begun = |n| Record::Begun {
        n,
        number: 1,
        sent: wall,
        sent_server: None,
    };
    let accepted = Record::Changed {
        n: 1,
        attempt: None,
        progress: Box::new(Progress {
            outcome: Some("accepted"),
            attempts: 1,
            ..Progress::default()
        }),
    };
    let page = Reading {
        fresh: Some(Cursor::START),
        ..Reading::default()
    };
    for (records, reading) in [
        (vec![begun(1)], page),
        (vec![begun(1), accepted], Reading::default()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = journal(3, folder.path(), &campaign, wall);
        // The results are begun, and what is behind them is read no more.
        while !folder.path().join("results.csv").exists() {
            std::thread::yield_now();
        }
        let state = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
        state.execute_batch("DROP TABLE target").unwrap();
        let written = journal.write(&Batch { records, reading });
        let Err(JournalError::Unread(why)) = written else {
            panic!("{written:?}");
        };
        assert!(why.to_string().contains("state.db"), "{why}");
        let attempts: u32 = state
            .query_row("SELECT count(*) FROM attempt", [], |row| row.get(0))
            .unwrap();
        assert_eq!(attempts, 1);
    }
}

#[cfg(unix)]
mod signals {
    use std::{fs, io::Read, process::Child, thread};

    use crate::{
        command_line::{Place, outcomes, said},
        program::{Server, fleet, signal},
        resume::start,
    };

    const WORDS: [&str; 3] = ["fleet.csv", "--limit=none", "--workers=2"];

    /// A run whose results another program holds: no file can take the place of a folder.
    fn held(place: &Place, server: &Server, words: &[&str]) -> Child {
        let child = start(place, server, words, 10);
        fs::rename(place.path("fleet.results.csv"), place.path("grown.csv")).unwrap();
        fs::create_dir(place.path("fleet.results.csv")).unwrap();
        child
    }

    /// Waits until the run puts its results in order.
    fn wait_for_the_end(place: &Place, child: &mut Child) {
        while !place.path(".fleet.results.csv.tmp").exists() {
            assert_eq!(child.try_wait().unwrap(), None);
            thread::yield_now();
        }
    }

    fn end(mut child: Child) -> (Option<i32>, String) {
        let mut said = String::new();
        let mut stderr = child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (child.wait().unwrap().code(), said)
    }

    #[test]
    fn another_signal_stops_it_at_once_and_the_same_command_goes_on() {
        for second in ["-INT", "-TERM"] {
            let server = Server::start(&["--latency", "20ms", "--limit", "none"]);
            let place = Place::new(&fleet(200));
            let mut child = held(&place, &server, &WORDS);
            signal(&child, "-INT");
            wait_for_the_end(&place, &mut child);
            signal(&child, second);
            let (code, words) = end(child);
            assert_eq!(code, Some(130), "{words}");
            // Ten seconds of tries would have ended with the results beside their place.
            assert!(!place.path("fleet.results.1.csv").exists(), "{words}");
            assert!(!place.path(".fleet.results.csv.tmp").exists(), "{words}");
            assert_eq!(words.matches("fleetsweep: ").count(), 1, "{words}");
            assert!(words.contains("fleet.csv --limit=none"), "{words}");
            let ended = outcomes(&place.read("grown.csv"));
            assert!(ended.len() >= 10 && ended.iter().all(|word| word == "accepted"));

            fs::remove_dir(place.path("fleet.results.csv")).unwrap();
            fs::rename(place.path("grown.csv"), place.path("fleet.results.csv")).unwrap();
            let output = place.run_against(&server, &WORDS).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            assert_eq!(
                outcomes(&place.read("fleet.results.csv")),
                ["accepted"; 200]
            );
            server.assert_one_scan_each(200);
        }
    }

    #[test]
    fn after_a_brake_it_is_told_what_must_be_changed_there_too() {
        let server = Server::start(&["--latency", "20ms", "--limit", "none"]);
        let place = Place::new(&fleet(200));
        let words = [&WORDS[..], &["--max-machines", "30"]].concat();
        let mut child = held(&place, &server, &words);
        wait_for_the_end(&place, &mut child);
        signal(&child, "-INT");
        signal(&child, "-TERM");
        let (code, told) = end(child);
        assert_eq!(code, Some(130), "{told}");
        let on = "; this goes on, with --max-machines 60: ";
        assert!(told.contains(on), "{told}");
        assert!(told.contains(" --max-machines 60\n"), "{told}");
    }

    #[test]
    fn the_first_signal_only_asks_for_what_is_being_done() {
        let server = Server::start(&["--latency", "20ms", "--limit", "none"]);
        let place = Place::new(&fleet(100));
        let mut child = held(&place, &server, &WORDS);
        wait_for_the_end(&place, &mut child);
        signal(&child, "-INT");
        fs::remove_dir(place.path("fleet.results.csv")).unwrap();
        let (code, words) = end(child);
        assert_eq!(code, Some(0), "{words}");
        assert_eq!(
            outcomes(&place.read("fleet.results.csv")),
            ["accepted"; 100]
        );
    }
}

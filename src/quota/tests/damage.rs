//! Damaged ledgers: either a proper error or the right count, and never a panic.

use std::{fs, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    super::{Clock, Kind, LedgerError, Pacer, Quota, Throttle, TokioClock},
    REQUEST_TIMEOUT, end, place,
};

fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH))
}

fn open(file: &Path, clock: &Arc<dyn Clock>) -> Result<Pacer, LedgerError> {
    let mut place = place(file);
    place.file = file.to_owned();
    Pacer::with_ledger(
        &Quota::documented(),
        Arc::clone(clock),
        &place,
        REQUEST_TIMEOUT,
    )
}

/// No message may suggest another ledger, because counting in two ledgers breaks the limits.
fn assert_names_no_other_ledger(message: &str) {
    assert!(!message.contains("--quota-file"), "{message}");
    assert!(!message.contains("another place"), "{message}");
}

/// What a new run reads from the file: the calls in the minute, and when the next may go.
async fn snapshot(file: &Path, clock: &Arc<dyn Clock>) -> Result<String, LedgerError> {
    let pacer = open(file, clock)?;
    pacer.flush().await?;
    let (usage, waiting) = (pacer.usage(Kind::Start), pacer.waiting(Kind::Start));
    end(pacer, file).await;
    Ok(format!("{usage:?} {waiting:?}"))
}

/// Makes a ledger with some calls and a hold.
async fn ledger(file: &Path, clock: &Arc<dyn Clock>) -> Vec<u8> {
    let pacer = open(file, clock).unwrap();
    for _ in 0..40 {
        pacer.acquire(Kind::Start).await.unwrap().answered();
    }
    pacer
        .acquire(Kind::Start)
        .await
        .unwrap()
        .throttled(&Throttle {
            retry_after: Duration::from_mins(10),
            window: None,
        });
    pacer.flush().await.unwrap();
    end(pacer, file).await;
    fs::read(file).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_damaged_ledger_is_refused_in_words_or_counted_right() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("quota.db");
    let clock = clock();
    let whole = ledger(&file, &clock).await;
    let right = snapshot(&file, &clock).await.unwrap();
    assert!(
        right.contains("in_use: 41") && right.contains("Hold"),
        "{right}"
    );

    let mut dice = super::Dice::new(5);
    let step = whole.len() / 60;
    let cut = (1..60).map(|part| whole[..part * step].to_vec());
    let mut flipped = Vec::new();
    for _ in 0..400 {
        let mut bytes = whole.clone();
        let place = dice.0.usize(..bytes.len());
        bytes[place] ^= 1 << dice.0.u8(..8);
        flipped.push(bytes);
    }
    let (mut refused, mut counted) = (0, 0);
    for bytes in cut.chain(flipped) {
        for sidecar in ["quota.db-wal", "quota.db-shm"] {
            let _ = fs::remove_file(directory.path().join(sidecar));
        }
        fs::write(&file, &bytes).unwrap();
        match snapshot(&file, &clock).await {
            Ok(snapshot) => {
                assert_eq!(snapshot, right, "of {} bytes", bytes.len());
                counted += 1;
            }
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("quota.db"), "{message}");
                assert_names_no_other_ledger(&message);
                refused += 1;
            }
        }
    }
    assert!(
        refused > 0 && counted > 0,
        "{refused} refused, {counted} counted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_no_ledger_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    fs::write(&text, "machine_id\n".repeat(200)).unwrap();
    let error = open(&text, &clock()).unwrap_err();
    assert!(matches!(error, LedgerError::Foreign { .. }), "{error}");
    assert_eq!(
        fs::read_to_string(&text).unwrap(),
        "machine_id\n".repeat(200)
    );

    let database = directory.path().join("other.db");
    let conn = rusqlite::Connection::open(&database).unwrap();
    conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(conn);
    let before = fs::read(&database).unwrap();
    let error = open(&database, &clock()).unwrap_err();
    assert!(matches!(error, LedgerError::Foreign { .. }), "{error}");
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_of_a_later_release_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("quota.db");
    ledger(&file, &clock()).await;
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.pragma_update(None, "user_version", 3).unwrap();
    drop(conn);
    let error = open(&file, &clock()).unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::Newer {
                version: 3,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
    assert_names_no_other_ledger(&error.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_place_that_cannot_be_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a file");
    fs::write(&file, "").unwrap();
    let folder = directory.path().join("a filefolder");
    fs::create_dir(&folder).unwrap();
    for place in [file.join("quota.db"), folder] {
        let message = open(&place, &clock()).unwrap_err().to_string();
        assert!(message.contains("a file"), "{message}");
        assert!(message.contains("fix the permissions"), "{message}");
        assert_names_no_other_ledger(&message);
    }
}

#[tokio::test]
async fn many_processes_may_make_the_ledger_at_once() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("quota.db");
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let file = file.clone();
                tokio::task::spawn_blocking(move || open(&file, &clock()).map(drop))
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    }
}

//! Ledger entries other than calls and answers: calls that were never sent, holds that were lifted, and joined kinds.
//! Also ledgers of old releases.

use std::{path::Path, time::Duration};

use jiff::SignedDuration;
use rusqlite::Connection;

use super::{
    super::{Cause, Clock, Kind, LedgerPlace, TokioClock, lift, marks},
    MINUTE, SECOND, acquire, clock, end, ledger_pacer as pacer, next, place, throttle,
};

#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_sent_gives_its_lane_back_to_other_processes_and_to_the_next_run() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["2/1m"], &clock);
    let second = pacer(&place, &["2/1m"], &clock);
    acquire(&first).await.answered();
    let permit = acquire(&first).await;
    second.flush().await.unwrap();
    assert!(second.waiting(Kind::Start).is_some());
    let before = clock.now();
    permit.give_back();
    first.flush().await.unwrap();
    second.flush().await.unwrap();
    assert!(second.waiting(Kind::Start).is_none());
    assert_eq!(second.usage(Kind::Start)[0].in_use, 1);
    drop(second);
    end(first, &place.file).await;

    let third = pacer(&place, &["2/1m"], &clock);
    acquire(&third).await.answered();
    assert!(clock.now().since(before) < SECOND);
    third.flush().await.unwrap();
    assert_eq!(third.usage(Kind::Start)[0].in_use, 2);
}

#[tokio::test(start_paused = true)]
async fn a_running_process_hears_that_a_hold_was_lifted_and_sends_one_call_alone() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["50/1m"], &clock);
    acquire(&first).await.throttled(&throttle(3000, None));
    let waiting = tokio::spawn({
        let first = first.clone();
        async move { acquire(&first).await }
    });
    tokio::time::sleep(MINUTE).await;
    assert!(!waiting.is_finished());

    let before = clock.now();
    tokio::time::sleep(SECOND).await;
    let lifted = lift(&place.file, &[Kind::Start, Kind::List], &*clock).unwrap();
    assert_eq!(lifted.len(), 1, "{lifted:?}");
    assert_eq!((&lifted[0].place, lifted[0].kind), (&place, Kind::Start));
    assert_eq!(lifted[0].left, 2939 * SECOND);
    let alone = waiting.await.unwrap();
    assert!(clock.now().since(before) <= 6 * SECOND);
    // The second call waits for the answer to the first. After that two may go.
    assert_eq!(first.waiting(Kind::Start).unwrap().cause, Cause::Answers);
    alone.answered();
    let two = async { [acquire(&first).await, acquire(&first).await] };
    let two = tokio::time::timeout(MINUTE, two).await.unwrap();
    assert_eq!(first.waiting(Kind::Start).unwrap().cause, Cause::Answers);
    drop(two);

    // The next run knows this too, and there is nothing left to lift.
    let second = pacer(&place, &["50/1m"], &clock);
    second.flush().await.unwrap();
    assert!(second.waiting(Kind::Start).is_none());
    assert_eq!(lift(&place.file, &[Kind::Start], &*clock).unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_new_refusal_holds_again_after_a_lift() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["50/1m"], &clock);
    acquire(&first).await.throttled(&throttle(3000, None));
    first.flush().await.unwrap();
    lift(&place.file, &Kind::ALL, &*clock).unwrap();
    acquire(&first).await.throttled(&throttle(500, None));
    let until = clock.now() + 500 * SECOND;
    first.flush().await.unwrap();
    let second = pacer(&place, &["50/1m"], &clock);
    assert_eq!(next(&second).await, Some(until));
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_not_there_holds_nobody_and_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    assert_eq!(lift(&place.file, &Kind::ALL, &*clock()).unwrap(), []);
    assert!(!place.file.parent().unwrap().exists());
}

#[tokio::test(start_paused = true)]
async fn that_kinds_are_joined_is_known_to_others_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["9/1m"], &clock);
    let second = pacer(&place, &["9/1m"], &clock);
    let on_its_way = second.acquire(Kind::Get).await.unwrap();
    for kind in [Kind::Start, Kind::List] {
        let permit = first.acquire(kind).await.unwrap();
        permit.throttled(&throttle(5, None));
    }
    assert!(first.kinds_joined());
    first.flush().await.unwrap();
    second.flush().await.unwrap();
    assert!(second.kinds_joined());
    assert_eq!(second.usage(Kind::Cancel)[0].in_use, 3);
    on_its_way.give_back();
    second.flush().await.unwrap();
    assert_eq!(second.usage(Kind::Cancel)[0].in_use, 2);
    drop(first);
    end(second, &place.file).await;

    tokio::time::sleep(30 * MINUTE).await;
    let third = pacer(&place, &["9/1m"], &clock);
    third.flush().await.unwrap();
    assert!(third.kinds_joined());
    // It does not write again what it has read.
    assert_eq!(count(&place.file, "event = 'joined'"), 1);
    end(third, &place.file).await;
    tokio::time::sleep(40 * MINUTE).await;
    let late = pacer(&place, &["9/1m"], &clock);
    late.flush().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    late.flush().await.unwrap();
    assert_eq!(count(&place.file, "event = 'joined'"), 0);
}

/// The ledger as version 1 had it.
fn make_old(file: &Path) {
    let conn = Connection::open(file).unwrap();
    conn.execute_batch("DROP TABLE marks; PRAGMA user_version = 1")
        .unwrap();
}

fn count(file: &Path, which: &str) -> i64 {
    let conn = Connection::open(file).unwrap();
    let select = format!("SELECT count(*) FROM entries WHERE {which}");
    conn.query_row(&select, [], |row| row.get(0)).unwrap()
}

fn version(file: &Path) -> i64 {
    let conn = Connection::open(file).unwrap();
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

async fn old_ledger(place: &LedgerPlace, clock: &std::sync::Arc<TokioClock>) {
    let first = pacer(place, &["9/1m"], clock);
    for _ in 0..4 {
        acquire(&first).await.answered();
    }
    end(first, &place.file).await;
    make_old(&place.file);
}

#[tokio::test(start_paused = true)]
async fn an_old_ledger_is_only_read_by_who_looks_and_migrated_by_who_counts() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    old_ledger(&place, &clock).await;
    assert_eq!(marks(&place.file).unwrap(), []);
    let system: std::sync::Arc<dyn Clock> = clock.clone();
    let snapshot =
        super::super::QuotaSnapshot::of_ledger(&super::quota(&["9/1m"]), &system, &place).unwrap();
    assert_eq!(snapshot.usage(Kind::Start)[0].in_use, 4);
    assert_eq!(version(&place.file), 1);

    let second = pacer(&place, &["9/1m"], &clock);
    second.flush().await.unwrap();
    assert_eq!(second.usage(Kind::Start)[0].in_use, 4);
    assert_eq!(version(&place.file), 2);
    second.prove_room().await.unwrap();
    assert_eq!(count(&place.file, "true"), 8);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_old_ledger_is_refused_before_it_is_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    old_ledger(&place, &clock).await;
    let conn = Connection::open(&place.file).unwrap();
    conn.execute("DELETE FROM entries WHERE seq > 6", [])
        .unwrap();
    drop(conn);
    let quota = super::quota(&["9/1m"]);
    super::super::Pacer::with_ledger(&quota, clock.clone(), &place, SECOND).unwrap_err();
    assert_eq!(version(&place.file), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hold_of_a_century_in_an_old_ledger_counts_as_one_of_an_hour() {
    const CENTURY: Duration = Duration::from_hours(100 * 366 * 24);
    for restarted in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let place = place(directory.path());
        let before = clock();
        let first = pacer(&place, &["9/1m"], &before);
        acquire(&first).await.throttled(&throttle(100, None));
        let held = before.now();
        end(first, &place.file).await;
        write_hold(&place.file, CENTURY);
        make_old(&place.file);

        let after = if restarted { clock() } else { before };
        if restarted {
            after.move_wall(SignedDuration::from_mins(1));
        } else {
            tokio::time::sleep(MINUTE).await;
        }
        let second = pacer(&place, &["9/1m"], &after);
        let left = next(&second).await.unwrap().since(after.now());
        assert_eq!(
            left,
            59 * MINUTE,
            "restarted: {restarted}, held at {held:?}"
        );
        // Nor is the row kept for a century.
        tokio::time::sleep(125 * MINUTE).await;
        second.flush().await.unwrap();
        second.flush().await.unwrap();
        assert_eq!(count(&place.file, "true"), 0);
    }
}

/// Makes the hold in the ledger so long, as an old release would have written it.
fn write_hold(file: &Path, span: Duration) {
    let conn = Connection::open(file).unwrap();
    let nanos = i64::try_from(span.as_nanos()).unwrap();
    let (texts, mut numbers) = conn
        .query_row(
            "SELECT scope, kind, event, boot, owner, call, at, at + ?1, wall FROM entries WHERE event = 'hold'",
            [nanos],
            |row| {
                let texts: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
                let numbers: [i64; 5] =
                    [row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?];
                Ok((texts, numbers))
            },
        )
        .unwrap();
    numbers[3] = numbers[2] + nanos;
    let bytes = texts
        .iter()
        .flat_map(|text| text.bytes().chain([0]))
        .chain(numbers.iter().flat_map(|number| number.to_le_bytes()));
    // FNV-1a.
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    conn.execute(
        "UPDATE entries SET until = ?1, sum = ?2 WHERE event = 'hold'",
        [numbers[3], sum.cast_signed()],
    )
    .unwrap();
}

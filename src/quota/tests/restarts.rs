//! What survives a process: its calls and holds, after its end, its death, or a restart of the computer.

use std::time::Duration;

use jiff::SignedDuration;

use super::{
    super::{Cause, Clock, Kind, PERMIT_LIFE, Pacer, Throttle},
    MILLI, MINUTE, REQUEST_TIMEOUT, SECOND, acquire, clock, end, ledger_pacer as pacer, next,
    place, quota,
};

#[tokio::test(start_paused = true)]
async fn a_new_run_counts_what_the_last_one_sent() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let limits = ["3/1m", "100/1h"];
    let mut answered = Vec::new();
    {
        let pacer = pacer(&place, &limits, &clock);
        for _ in 0..3 {
            acquire(&pacer).await.answered();
            answered.push(clock.now());
            tokio::time::sleep(SECOND).await;
        }
        end(pacer, &place.file).await;
    }
    let pacer = pacer(&place, &limits, &clock);
    for before in answered {
        acquire(&pacer).await.answered();
        assert_eq!(clock.now(), before + MINUTE + MILLI);
    }
    assert_eq!(pacer.usage(Kind::Start)[1].in_use, 6);
}

#[tokio::test(start_paused = true)]
async fn a_hold_holds_every_process_and_outlives_them() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["9/1m"], &clock);
    let second = pacer(&place, &["9/1m"], &clock);
    let until = clock.now() + 2000 * SECOND;
    acquire(&first).await.throttled(&Throttle {
        retry_after: 2000 * SECOND,
        window: None,
    });
    first.flush().await.unwrap();
    assert_eq!(next(&second).await, Some(until));
    drop(second);
    end(first, &place.file).await;
    tokio::time::sleep(1500 * SECOND).await;
    let third = pacer(&place, &["9/1m"], &clock);
    assert_eq!(next(&third).await, Some(until));
    assert_eq!(third.waiting(Kind::Start).unwrap().cause, Cause::Hold);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_dead_process_counts_as_long_as_one_whose_time_was_over() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["1/1m"], &clock);
    let sent = clock.now();
    std::mem::forget(acquire(&first).await);
    let second = pacer(&place, &["1/1m"], &clock);
    assert_eq!(next(&second).await, None);
    assert_eq!(second.waiting(Kind::Start).unwrap().cause, Cause::Answers);
    // As if the system had released the dead process's lock.
    for entry in std::fs::read_dir(place.file.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "alive")
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    tokio::time::sleep(2 * SECOND).await;
    // The death of a caller says nothing about how slow the service is. It only means that the end of the call is
    // known.
    let until = sent + PERMIT_LIFE + 2 * REQUEST_TIMEOUT + MINUTE + MILLI;
    assert_eq!(next(&second).await, Some(until));
    acquire(&second).await.answered();
    assert_eq!(clock.now(), until);
}

#[tokio::test(start_paused = true)]
async fn marks_of_processes_go_when_they_end() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let marks = || {
        std::fs::read_dir(place.file.parent().unwrap())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "alive")
            .count()
    };
    let first = pacer(&place, &["1/1m"], &clock());
    // The lock file of a process that was killed.
    std::fs::write(place.file.with_file_name("quota.db.77.alive"), "").unwrap();
    let second = pacer(&place, &["1/1m"], &clock());
    assert_eq!(marks(), 2);
    drop((first, second));
    assert_eq!(marks(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_of_the_computer_calls_have_aged_by_the_wall_but_never_by_less_than_nothing()
 {
    for (moved, left) in [(20, 40), (3600, 0), (-7200, 60)] {
        let directory = tempfile::tempdir().unwrap();
        let place = place(directory.path());
        let before = clock();
        let first = pacer(&place, &["1/1m"], &before);
        acquire(&first).await.answered();
        end(first, &place.file).await;

        let after = clock();
        after.move_wall(SignedDuration::from_secs(moved));
        let expected = (left > 0).then(|| after.now() + left * SECOND + MILLI);
        assert_eq!(
            next(&pacer(&place, &["1/1m"], &after)).await,
            expected,
            "moved by {moved} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_that_is_moved_while_the_computer_runs_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["1/1m"], &clock);
    acquire(&first).await.answered();
    let until = clock.now() + MINUTE + MILLI;
    for hours in [2, -4] {
        clock.move_wall(SignedDuration::from_hours(hours));
        assert_eq!(next(&first).await, Some(until));
        assert_eq!(next(&pacer(&place, &["1/1m"], &clock)).await, Some(until));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_took_long_is_remembered_until_a_window_after_its_answer() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let quota = quota(&["1/1h"]);
    let patient = Pacer::with_ledger(&quota, clock.clone(), &place, 10 * MINUTE).unwrap();
    let permit = acquire(&patient).await;
    tokio::time::sleep(9 * MINUTE).await;
    permit.answered();
    let until = clock.now() + 60 * MINUTE + MILLI;
    tokio::time::sleep(54 * MINUTE).await;
    end(patient, &place.file).await;
    let other = pacer(&place, &["1/1h"], &clock);
    assert_eq!(next(&other).await, Some(until));
    end(other, &place.file).await;
    assert_eq!(next(&pacer(&place, &["1/1h"], &clock)).await, Some(until));
}

#[tokio::test(start_paused = true)]
async fn rows_go_when_nobody_needs_them_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let rows = || {
        let conn = rusqlite::Connection::open(&place.file).unwrap();
        conn.query_row("SELECT count(*) FROM entries", [], |row| {
            row.get::<_, i64>(0)
        })
        .unwrap()
    };
    let day = pacer(&place, &["50/24h"], &clock);
    let hour = pacer(&place, &["50/1h"], &clock);
    for _ in 0..40 {
        acquire(&day).await.answered();
    }
    day.flush().await.unwrap();
    tokio::time::sleep(Duration::from_hours(23)).await;
    hour.flush().await.unwrap();
    assert_eq!(rows(), 80);
    tokio::time::sleep(Duration::from_hours(2)).await;
    hour.flush().await.unwrap();
    assert_eq!(rows(), 0);
    assert_eq!(day.usage(Kind::Start)[0].in_use, 0);
    acquire(&hour).await.answered();
    day.flush().await.unwrap();
    assert_eq!(day.usage(Kind::Start)[0].in_use, 1);
}

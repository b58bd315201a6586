//! One quota for several processes and for one run after another: pacers over one ledger file.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    super::{
        Cause, Clock, GRACE, Kind, LedgerPlace, Moment, PERMIT_LIFE, Pacer, Permit, Quota,
        Throttle, TokioClock,
    },
    end,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const MILLI: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);

fn clock() -> Arc<TokioClock> {
    Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH))
}

fn place(directory: &Path) -> LedgerPlace {
    LedgerPlace {
        file: directory.join("new directory").join("quota.db"),
        cloud: "commercial".into(),
        tenant: "a tenant".into(),
        application: "an application".into(),
    }
}

fn pacer(place: &LedgerPlace, limits: &[&str], clock: &Arc<TokioClock>) -> Pacer {
    let limits = limits.iter().map(|limit| limit.parse().unwrap()).collect();
    let clock: Arc<dyn Clock> = clock.clone();
    Pacer::with_ledger(&Quota::new(limits), clock, place, PATIENCE).unwrap()
}

async fn acquire(pacer: &Pacer) -> Permit {
    pacer.acquire(Kind::Start).await.unwrap()
}

/// When the next call may go, as far as a pacer knows after a look at the ledger.
async fn next(pacer: &Pacer) -> Option<Moment> {
    pacer.flush().await.unwrap();
    pacer.waiting(Kind::Start)?.until
}

#[tokio::test(start_paused = true)]
async fn two_pacers_share_one_quota_and_waste_none_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let start = clock.now();
    let campaigns = [0, 1].map(|number| {
        let pacer = pacer(&place, &["20/2s", "60/10s"], &clock);
        let clock = clock.clone();
        tokio::spawn(async move {
            let mut calls = Vec::new();
            let mut dice = super::Dice::new(number);
            for _ in 0..150 {
                let permit = acquire(&pacer).await;
                let (up, down) = (dice.span(1, 20), dice.span(1, 40));
                let clock = clock.clone();
                calls.push(tokio::spawn(async move {
                    tokio::time::sleep(up).await;
                    let counted = clock.now();
                    tokio::time::sleep(down).await;
                    permit.answered();
                    counted
                }));
            }
            let mut counted = Vec::new();
            for call in calls {
                counted.push((call.await.unwrap(), number));
            }
            counted
        })
    });
    let mut counted = Vec::new();
    for campaign in campaigns {
        counted.extend(campaign.await.unwrap());
    }
    counted.sort();

    for (limit, window) in [(20, 2 * SECOND), (60, 10 * SECOND)] {
        for span in counted.windows(limit + 1) {
            assert!(span[limit].0.since(span[0].0) > window);
        }
    }
    let took = counted.last().unwrap().0.since(start);
    // 300 calls: four times ten seconds, then 60 in three bursts.
    assert!(took <= 44 * SECOND * 105 / 100, "{took:?}");
    for number in [0, 1] {
        let first_third = counted.iter().take(200).filter(|call| call.1 == number);
        let first_third = first_third.count();
        assert!(
            first_third >= 66,
            "campaign {number} got {first_third} of 200"
        );
    }
}

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
async fn only_calls_of_the_same_scope_and_kind_count() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["1/1m"], &clock);
    acquire(&first).await.answered();
    assert!(first.waiting(Kind::List).is_none());
    let mut other = place.clone();
    other.tenant = "another".into();
    assert_eq!(next(&pacer(&other, &["1/1m"], &clock)).await, None);
    assert!(next(&pacer(&place, &["1/1m"], &clock)).await.is_some());
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
async fn a_call_that_nobody_ends_counts_until_it_is_given_up_and_a_grace_longer() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["1/1m"], &clock);
    let sent = clock.now();
    // Frozen for ever, but alive.
    std::mem::forget(acquire(&first).await);
    let second = pacer(&place, &["1/1m"], &clock);
    acquire(&second).await.answered();
    let waited = clock.now().since(sent);
    let exact = PERMIT_LIFE + PATIENCE + GRACE + MINUTE + MILLI;
    assert_eq!(waited, exact);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_dead_process_counts_until_its_death_is_noticed_and_a_grace_longer() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["1/1m"], &clock);
    std::mem::forget(acquire(&first).await);
    let second = pacer(&place, &["1/1m"], &clock);
    assert_eq!(next(&second).await, None);
    assert_eq!(second.waiting(Kind::Start).unwrap().cause, Cause::Answers);
    // As if the system had let go of the dead process's lock.
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
    let noticed = clock.now();
    acquire(&second).await.answered();
    assert_eq!(clock.now(), noticed + GRACE + MINUTE + MILLI);
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
    // One whose process was killed.
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
async fn a_waiter_that_is_dropped_while_it_looks_gives_back_what_it_gets() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let pacer = pacer(&place, &["1/1m"], &clock);
    for _ in 0..20 {
        let looking = tokio::spawn({
            let pacer = pacer.clone();
            async move { pacer.acquire(Kind::Start).await }
        });
        tokio::task::yield_now().await;
        looking.abort();
        let _ = looking.await;
    }
    let start = clock.now();
    acquire(&pacer).await.answered();
    assert!(clock.now().since(start) < SECOND);
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

#[tokio::test(start_paused = true)]
async fn each_counts_all_calls_against_its_own_limits() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let wide = pacer(&place, &["10/1m"], &clock);
    let narrow = pacer(&place, &["4/1m"], &clock);
    let start = clock.now();
    for _ in 0..10 {
        acquire(&wide).await.answered();
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(
        next(&narrow).await,
        Some(start + 6 * SECOND + MINUTE + MILLI)
    );
}

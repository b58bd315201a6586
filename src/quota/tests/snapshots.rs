//! Read-only snapshots of the quota: they show what a run would see, and change nothing.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use super::{
    super::{Cause, Clock, GRACE, Kind, LedgerPlace, QuotaSnapshot, Throttle, TokioClock},
    MINUTE, REQUEST_TIMEOUT, SECOND, acquire, clock, end, ledger_pacer as pacer, place, quota,
};

const LIMITS: [&str; 2] = ["5/1m", "8/1h"];

fn look(place: &LedgerPlace, clock: &Arc<TokioClock>) -> QuotaSnapshot {
    let clock: Arc<dyn Clock> = clock.clone();
    QuotaSnapshot::of_ledger(&quota(&LIMITS), &clock, place).unwrap()
}

/// Every file of the ledger's folder, with its content.
fn files(place: &LedgerPlace) -> BTreeMap<String, Vec<u8>> {
    let read = |path: &Path| std::fs::read(path).unwrap();
    std::fs::read_dir(place.file.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), read(&path)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_not_there_is_unspent_and_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let snapshot = look(&place, &clock());
    assert_eq!(
        snapshot.forecast(Kind::Start).lower_bound(5),
        Duration::ZERO
    );
    assert_eq!(snapshot.forecast(Kind::Start).lower_bound(6), MINUTE);
    assert!(!place.file.parent().unwrap().exists());
}

#[tokio::test(start_paused = true)]
async fn it_sees_what_has_been_spent_as_the_next_run_does_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    {
        let pacer = pacer(&place, &LIMITS, &clock);
        for _ in 0..3 {
            acquire(&pacer).await.answered();
            tokio::time::sleep(SECOND).await;
        }
        end(pacer, &place.file).await;
    }
    let before = files(&place);
    let snapshot = look(&place, &clock);
    assert!(files(&place) == before, "the look has left a trace");
    let pacer = pacer(&place, &LIMITS, &clock);
    pacer.flush().await.unwrap();
    assert_eq!(snapshot.usage(Kind::Start), pacer.usage(Kind::Start));
    assert_eq!(snapshot.usage(Kind::Start)[1].in_use, 3);
    for calls in [1, 2, 3, 6, 9, 40] {
        assert_eq!(
            snapshot.forecast(Kind::Start).lower_bound(calls),
            pacer.lower_bound(Kind::Start, calls),
            "{calls}"
        );
    }
    // Nothing has been spent of the other kinds.
    assert_eq!(snapshot.usage(Kind::List)[0].in_use, 0);
}

#[tokio::test(start_paused = true)]
async fn it_sees_a_hold_and_calls_on_their_way_and_disturbs_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let pacer = pacer(&place, &LIMITS, &clock);
    let on_its_way = acquire(&pacer).await;
    assert_eq!(look(&place, &clock).usage(Kind::Start)[0].in_use, 1);
    acquire(&pacer).await.throttled(&Throttle {
        retry_after: 100 * SECOND,
        window: None,
    });
    pacer.flush().await.unwrap();
    let snapshot = look(&place, &clock);
    assert_eq!(snapshot.waiting(Kind::Start).unwrap().cause, Cause::Hold);
    assert_eq!(snapshot.forecast(Kind::Start).lower_bound(1), 100 * SECOND);
    on_its_way.answered();
    pacer.flush().await.unwrap();
    // A call whose caller has never written its end.
    std::mem::forget(pacer);
    tokio::time::sleep(REQUEST_TIMEOUT + GRACE + 2 * MINUTE).await;
    assert_eq!(look(&place, &clock).usage(Kind::Start)[0].in_use, 0);
}

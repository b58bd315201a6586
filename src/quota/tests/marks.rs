//! What the ledger remembers of campaigns.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::{
    super::{Clock, Kind, LedgerError, Mark, MarkRow, Pacer, abandon, marks},
    MINUTE, acquire, clock, end, ledger_pacer as pacer, place, throttle,
};

fn row(campaign: &str, committed: u64) -> MarkRow {
    MarkRow {
        campaign: campaign.into(),
        committed,
        state: "/there/fleet.campaign.db".into(),
        results: "/there/fleet.results.csv".into(),
        input: "/there/fleet.csv".into(),
        cloud: "commercial".into(),
        tenant: "a tenant".into(),
        application: "an application".into(),
        targets: 500,
        started: Timestamp::UNIX_EPOCH,
        touched: Timestamp::UNIX_EPOCH,
        ended: None,
        abandoned: false,
    }
}

fn committed(file: &Path) -> u64 {
    marks(file).unwrap()[0].committed
}

#[tokio::test(start_paused = true)]
async fn a_mark_grows_with_the_calls_that_are_sent_and_is_never_lowered() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["50/1m"], &clock);
    let mark = Mark::new("abc", 3);
    first.keep_mark(mark.clone(), row("abc", 3)).await.unwrap();
    assert_eq!(committed(&place.file), 3);
    mark.raise(10);
    mark.raise(4);
    assert_eq!((mark.committed(), mark.campaign()), (10, "abc"));
    assert_eq!(committed(&place.file), 3, "only with the next transaction");
    tokio::time::sleep(MINUTE).await;
    let permit = acquire(&first).await;
    let kept = &marks(&place.file).unwrap()[0];
    assert_eq!((kept.committed, kept.touched), (10, clock.wall()));
    permit.answered();
    end(first, &place.file).await;

    // A state that has lost its end.
    let second = pacer(&place, &["50/1m"], &clock);
    let old = Mark::new("abc", 5);
    let moved = MarkRow {
        state: "/elsewhere/fleet.campaign.db".into(),
        targets: 600,
        started: clock.wall(),
        ..row("abc", 5)
    };
    second.keep_mark(old.clone(), moved).await.unwrap();
    old.raise(7);
    acquire(&second).await.answered();
    second.flush().await.unwrap();
    let kept = &marks(&place.file).unwrap()[0];
    assert_eq!((kept.committed, kept.targets), (10, 600));
    assert_eq!(kept.state, Path::new("/elsewhere/fleet.campaign.db"));
    assert_eq!(kept.started, Timestamp::UNIX_EPOCH);
}

#[tokio::test(start_paused = true)]
async fn the_mark_and_the_call_are_written_in_one_transaction_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let first = pacer(&place, &["50/1m"], &clock());
    let mark = Mark::new("abc", 0);
    first.keep_mark(mark.clone(), row("abc", 0)).await.unwrap();
    let conn = rusqlite::Connection::open(&place.file).unwrap();
    let refuse = |table: &str, what: &str| {
        conn.execute_batch(&format!(
            "CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, '{what}'); END"
        ))
        .unwrap();
    };
    let sent = || {
        let count = "SELECT count(*) FROM entries WHERE event = 'sent'";
        conn.query_row(count, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    mark.raise(1);
    for table in ["entries", "marks"] {
        refuse(table, "the disk is full");
        let error = first.acquire(Kind::Start).await.unwrap_err().to_string();
        assert!(error.contains("the disk is full"), "{error}");
        assert_eq!((committed(&place.file), sent()), (0, 0), "{table}");
        // The failed transaction is still open. The next one ends it.
        first.acquire(Kind::Start).await.unwrap_err();
        drop_trigger(&place.file, table, &first).await;
    }
    acquire(&first).await.answered();
    assert_eq!((committed(&place.file), sent()), (1, 1));
}

/// Removes the trigger, once the pacer has released the file.
async fn drop_trigger(file: &Path, table: &str, pacer: &Pacer) {
    let _ = pacer.end_mark("nobody", false).await;
    let conn = rusqlite::Connection::open(file).unwrap();
    conn.execute_batch(&format!("DROP TRIGGER no_{table}"))
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_mark_goes_thirty_days_after_the_campaigns_end_and_never_before() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let pacer = pacer(&place, &["50/1m"], &clock);
    for campaign in ["finished", "given up", "unfinished"] {
        let kept = Mark::new(campaign, 1);
        pacer.keep_mark(kept, row(campaign, 1)).await.unwrap();
        tokio::time::sleep(MINUTE).await;
    }
    let ended = clock.wall();
    pacer.end_mark("finished", false).await.unwrap();
    pacer.end_mark("given up", true).await.unwrap();
    pacer.end_mark("not there", true).await.unwrap();
    let names = || {
        let marks = marks(&place.file).unwrap();
        let name = |mark: &MarkRow| (mark.campaign.clone(), mark.ended, mark.abandoned);
        let mut names: Vec<_> = marks.iter().map(name).collect();
        names.sort();
        names
    };
    let all = [
        ("finished".to_owned(), Some(ended), false),
        ("given up".to_owned(), Some(ended), true),
        ("unfinished".to_owned(), None, false),
    ];
    assert_eq!(names(), all);
    clock.move_wall(SignedDuration::from_hours(30 * 24));
    pacer.flush().await.unwrap();
    assert_eq!(names(), all);
    tokio::time::sleep(2 * MINUTE).await;
    pacer.flush().await.unwrap();
    assert_eq!(names(), all[2..]);
    clock.move_wall(SignedDuration::from_hours(5 * 365 * 24));
    tokio::time::sleep(2 * MINUTE).await;
    pacer.flush().await.unwrap();
    assert_eq!(names(), all[2..]);
}

#[tokio::test(start_paused = true)]
async fn a_campaign_can_be_given_up_from_outside_and_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    assert!(!abandon(&place.file, "abc", &*clock).unwrap());
    assert!(!place.file.exists());
    let pacer = pacer(&place, &["50/1m"], &clock);
    let mark = Mark::new("abc", 1);
    pacer.keep_mark(mark.clone(), row("abc", 1)).await.unwrap();
    assert!(!abandon(&place.file, "another", &*clock).unwrap());
    assert!(abandon(&place.file, "abc", &*clock).unwrap());
    assert!(!abandon(&place.file, "abc", &*clock).unwrap());
    // Calls that are made nevertheless are still counted.
    mark.raise(2);
    acquire(&pacer).await.throttled(&throttle(5, None));
    let kept = &marks(&place.file).unwrap()[0];
    assert_eq!(
        (kept.committed, kept.ended.is_some(), kept.abandoned),
        (2, true, true)
    );
    pacer.keep_mark(mark, row("abc", 1)).await.unwrap();
    let kept = &marks(&place.file).unwrap()[0];
    assert_eq!(
        (kept.committed, kept.ended, kept.abandoned),
        (2, None, false)
    );
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_is_not_as_it_was_written_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let first = pacer(&place, &["50/1m"], &clock());
    let mark = Mark::new("abc", 7);
    first.keep_mark(mark, row("abc", 7)).await.unwrap();
    end(first, &place.file).await;
    let conn = rusqlite::Connection::open(&place.file).unwrap();
    conn.execute("UPDATE marks SET committed = 6", []).unwrap();
    drop(conn);
    let error = marks(&place.file).unwrap_err();
    assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
    let opened = Pacer::with_ledger(&super::quota(&["9/1m"]), clock(), &place, MINUTE);
    assert!(matches!(opened, Err(LedgerError::Damaged { .. })));
}

#[tokio::test(start_paused = true)]
async fn without_a_ledger_nothing_is_kept_and_nothing_fails() {
    let (pacer, _) = super::pacer(&["9/1m"]);
    let mark = Mark::new("abc", 7);
    pacer.keep_mark(mark, row("abc", 7)).await.unwrap();
    pacer.end_mark("abc", false).await.unwrap();
    pacer.prove_room().await.unwrap();
}

//! One quota for several processes: pacers over one ledger file.

use std::sync::{Arc, Mutex};

use super::{
    super::{
        Clock, Kind, LedgerError, PERMIT_LIFE, Pacer,
        ledger::{Entry, Ledger},
    },
    Dice, MILLI, MINUTE, REQUEST_TIMEOUT, SECOND, acquire, clock, ledger_pacer as pacer, next,
    place, quota,
};

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
            let mut dice = Dice::new(number);
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
async fn only_calls_of_the_same_scope_and_kind_count() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["1/1m"], &clock);
    acquire(&first).await.answered();
    // Otherwise the answer may reach the file only after the others have read it.
    first.flush().await.unwrap();
    assert!(first.waiting(Kind::List).is_none());
    let mut other = place.clone();
    other.tenant = "another".into();
    assert_eq!(next(&pacer(&other, &["1/1m"], &clock)).await, None);
    assert!(next(&pacer(&place, &["1/1m"], &clock)).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_ends_counts_until_it_is_given_up_and_a_request_timeout_longer() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let clock = clock();
    let first = pacer(&place, &["1/1m"], &clock);
    let sent = clock.now();
    // Suspended for ever, but alive.
    std::mem::forget(acquire(&first).await);
    let second = pacer(&place, &["1/1m"], &clock);
    acquire(&second).await.answered();
    let waited = clock.now().since(sent);
    let exact = PERMIT_LIFE + 2 * REQUEST_TIMEOUT + MINUTE + MILLI;
    assert_eq!(waited, exact);
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

/// A ledger whose disk is full every other time.
#[derive(Debug, Default)]
struct FullDisk {
    commits: u32,
    written: Arc<Mutex<Vec<Entry>>>,
}

impl Ledger for FullDisk {
    fn begin(&mut self) -> Result<Vec<Entry>, LedgerError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        self.commits += 1;
        if self.commits % 2 == 1 {
            let path = "quota.db".into();
            return Err(LedgerError::Busy { path });
        }
        self.written.lock().unwrap().extend(entries);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_written_does_not_go_and_costs_nothing() {
    let disk = FullDisk::default();
    let written = Arc::clone(&disk.written);
    let clock = clock();
    let pacer = Pacer::from_ledger(
        &quota(&["2/1m"]),
        clock.clone(),
        Box::new(disk),
        REQUEST_TIMEOUT,
    );
    let start = clock.now();
    for _ in 0..2 {
        assert!(pacer.acquire(Kind::Start).await.is_err());
        acquire(&pacer).await.answered();
    }
    assert_eq!(clock.now(), start);
    assert_eq!(pacer.usage(Kind::Start)[0].in_use, 2);
    let written = written.lock().unwrap();
    let events = written
        .iter()
        .map(|entry| matches!(entry, Entry::Sent { .. }));
    assert_eq!(events.collect::<Vec<_>>(), [true, false, true]);
}

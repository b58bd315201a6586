//! The wall clock is moved, the computer sleeps: never over, and no wait is served twice.
//!
//! The judge of the limits is a counter written here, on the time that passes for the service: sleep included.

use std::{path::Path, sync::Arc, time::Duration};

use fleetsweep::{
    mock::{Chances, MockConfig},
    quota::{
        Clock, GRACE, Kind, LONGEST_WAIT, LedgerPlace, Moment, Pacer, Quota, Throttle, TokioClock,
    },
};
use jiff::{SignedDuration, Timestamp};

use super::rig::{Rig, fleet};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// On top of a window, for windows that are closed at both ends.
const MILLI: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);

/// The documented limits, over a ledger.
struct Caller {
    folder: tempfile::TempDir,
    clock: Arc<TokioClock>,
    pacer: Pacer,
    calls: Vec<Moment>,
}

impl Caller {
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.unwrap();
        let clock = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
        let pacer = pacer(folder.path(), &clock);
        Self {
            folder,
            clock,
            pacer,
            calls: Vec::new(),
        }
    }

    /// Another process, on the same boot of the computer.
    async fn restart(&mut self) {
        self.pacer.flush().await.unwrap();
        self.pacer = pacer(self.folder.path(), &self.clock);
    }

    async fn call(&mut self) -> Moment {
        self.pacer.acquire(Kind::Start).await.unwrap().answered();
        let now = self.clock.now();
        self.calls.push(now);
        now
    }

    async fn calls(&mut self, how_many: usize) {
        for _ in 0..how_many {
            self.call().await;
        }
    }

    /// The computer sleeps while somebody waits for a call; when did that go, after the computer woke?
    async fn call_asleep(&mut self, awake: Duration, asleep: Duration) -> Duration {
        let pacer = self.pacer.clone();
        let waiter =
            tokio::spawn(async move { pacer.acquire(Kind::Start).await.unwrap().answered() });
        tokio::time::sleep(awake).await;
        assert!(!waiter.is_finished());
        self.clock.sleep_computer(asleep);
        let woke = self.clock.now();
        waiter.await.unwrap();
        self.calls.push(self.clock.now());
        self.clock.now().since(woke)
    }

    #[track_caller]
    fn assert_never_over(&self) {
        for (limit, window) in [(100, MINUTE), (1500, HOUR)] {
            for span in self.calls.windows(limit + 1) {
                assert!(
                    span[limit].since(span[0]) > window,
                    "{} in {window:?}",
                    limit + 1
                );
            }
        }
    }

    /// Each call went when it could go at best, a look at the clock later at most.
    #[track_caller]
    fn assert_never_slow(&self) {
        for (at, call) in self.calls.iter().enumerate() {
            let after = |limit: usize, window| Some(self.calls[at.checked_sub(limit)?] + window);
            let least = [
                after(100, MINUTE),
                after(1500, HOUR),
                at.checked_sub(1).map(|before| self.calls[before]),
            ];
            let least = least.into_iter().flatten().max().unwrap_or(self.calls[0]);
            assert!(
                call.since(least) <= 10 * MILLI,
                "call {at}: {:?} late",
                call.since(least)
            );
        }
    }
}

fn pacer(folder: &Path, clock: &Arc<TokioClock>) -> Pacer {
    let place = LedgerPlace {
        file: folder.join("quota.db"),
        cloud: "commercial".into(),
        tenant: "a tenant".into(),
        application: "an application".into(),
    };
    Pacer::with_ledger(&Quota::documented(), clock.clone(), &place, PATIENCE).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_wall_moved_in_mid_run_or_between_runs_changes_no_call() {
    for hours in [2, -2] {
        for between_runs in [false, true] {
            let mut caller = Caller::new();
            for calls in [130, 60, 1400, 30] {
                caller.calls(calls).await;
                caller.clock.move_wall(SignedDuration::from_hours(hours));
                if between_runs {
                    caller.restart().await;
                }
            }
            caller.assert_never_over();
            caller.assert_never_slow();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_sleep_in_mid_minute_is_not_waited_for_again() {
    let mut caller = Caller::new();
    caller.calls(100).await;
    let late = caller.call_asleep(Duration::from_secs(20), HOUR).await;
    assert!(late <= LONGEST_WAIT, "{late:?} after the computer woke");
    let now = caller.clock.now();
    caller.calls(99).await;
    assert_eq!(
        caller.clock.now(),
        now,
        "the minute is over, and the hour too"
    );
    caller.calls(1400).await;
    caller.assert_never_over();
}

#[tokio::test(start_paused = true)]
async fn a_sleep_of_half_a_minute_leaves_the_other_half() {
    let mut caller = Caller::new();
    caller.calls(100).await;
    let late = caller
        .call_asleep(Duration::from_secs(20), MINUTE / 2)
        .await;
    let left = Duration::from_secs(10);
    assert!(
        left <= late && late <= left + LONGEST_WAIT,
        "{late:?} after the computer woke"
    );
    caller.calls(250).await;
    caller.assert_never_over();
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_sleep_in_mid_hour_is_not_waited_for_again() {
    let mut caller = Caller::new();
    caller.calls(1500).await;
    let late = caller.call_asleep(10 * MINUTE, HOUR).await;
    assert!(late <= LONGEST_WAIT, "{late:?} after the computer woke");
    caller.calls(1600).await;
    caller.assert_never_over();
}

#[tokio::test(start_paused = true)]
async fn a_hold_goes_on_while_the_computer_sleeps() {
    for (hold, left) in [(40 * MINUTE, Duration::ZERO), (100 * MINUTE, 30 * MINUTE)] {
        for restart in [false, true] {
            let mut caller = Caller::new();
            caller.calls(3).await;
            let permit = caller.pacer.acquire(Kind::Start).await.unwrap();
            permit.throttled(&Throttle {
                retry_after: hold,
                window: None,
            });
            let late = if restart {
                tokio::time::sleep(10 * MINUTE).await;
                caller.clock.sleep_computer(HOUR);
                caller.restart().await;
                let woke = caller.clock.now();
                caller.call().await.since(woke)
            } else {
                caller.call_asleep(10 * MINUTE, HOUR).await
            };
            assert!(
                left <= late && late <= left + LONGEST_WAIT,
                "{late:?} of a hold of {hold:?}"
            );
            caller.calls(50).await;
            caller.assert_never_over();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_on_its_way_when_the_computer_slept_is_looked_up() {
    let mock = MockConfig {
        latency: (Duration::from_secs(8)..=Duration::from_secs(8)).into(),
        scan_time: Duration::from_secs(2)..=Duration::from_secs(3),
        ..MockConfig::default()
    };
    let running = Rig::against(mock).start(&fleet(5)).await;
    // The first goes alone and is answered after eight seconds; the other four are on their way then.
    tokio::time::sleep(Duration::from_secs(12)).await;
    running.clock.sleep_computer(HOUR);
    let woke = running.clock.now();
    let clock = Arc::clone(&running.clock);
    let told = running.end().await;
    assert!(clock.now().since(woke) < MINUTE);
    assert_eq!(told.rows.len(), 5);
    for row in 1..=5 {
        assert_eq!(told.cell(row, "outcome"), "accepted");
    }
    told.assert_one_scan_each();
    told.assert_never_over();
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_lost_while_the_wall_is_moved_start_no_second_scan() {
    for hours in [2, -2] {
        let mock = MockConfig {
            latency: (Duration::from_millis(5)..=Duration::from_millis(300)).into(),
            listing_lag: Duration::ZERO..=Duration::from_secs(5),
            scan_time: Duration::from_secs(2)..=Duration::from_secs(3),
            chances: Chances {
                reset_before: 0.03,
                reset_after: 0.03,
                error_after: 0.03,
                ..Chances::default()
            },
            ..MockConfig::default()
        };
        let running = Rig::against(mock).start(&fleet(400)).await;
        for seconds in [1, 5, 57, 62] {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            running.clock.move_wall(SignedDuration::from_hours(hours));
        }
        let told = running.end().await;
        told.assert_one_scan_each();
        told.assert_never_over();
        // A machine whose answer is lost three times is tried once more minutes later.
        told.assert_never_slow(2 * GRACE + 4 * MINUTE);
    }
}

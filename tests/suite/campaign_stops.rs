//! Promise 5 when somebody stops a campaign: no new call, every answer kept, the results whole.

use std::time::Duration;

use fleetsweep::{
    campaign::{
        outcome::Outcome,
        stop::{Signal, StopReason},
    },
    mock::{Kind, MockConfig},
};
use tokio::time::sleep;

use super::rig::{Rig, fleet};

const SECOND: Duration = Duration::from_secs(1);

fn slow() -> Rig {
    Rig::against(MockConfig {
        latency: (2 * SECOND..=20 * SECOND).into(),
        ..MockConfig::default()
    })
}

#[tokio::test(start_paused = true)]
async fn the_first_signal_sends_nothing_more_and_waits_for_what_is_in_flight() {
    for after in [0, 10, 30, 61, 75, 100] {
        let running = slow().start(&fleet(300)).await;
        sleep(after * SECOND).await;
        running.signal(Signal::Drain).await;
        tokio::task::yield_now().await;
        let told_at = tokio::time::Instant::now();
        let tenant = running.tenant.clone();
        let told = running.end().await;
        assert_eq!(told.stop, Some(StopReason::Interrupted));
        assert!(told_at.elapsed() <= 20 * SECOND, "{:?}", told_at.elapsed());
        let calls = tenant.recorder().calls(Kind::Start);
        assert_eq!(told.of(Outcome::Accepted), calls, "after {after} s");
        assert_eq!(told.of(Outcome::NotAttempted), 300 - calls);
        assert_eq!(told.attempts, calls);
        told.assert_one_scan_each();
        let latest = tenant
            .recorder()
            .seen(Kind::Start)
            .iter()
            .map(|call| call.arrived)
            .max();
        assert!(
            latest <= Some(after * SECOND + Duration::from_millis(2)),
            "{latest:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_comes_while_attempts_are_written_leaves_them_unsent() {
    for signal in [Signal::Drain, Signal::Abort] {
        let mut caught = 0;
        for yields in 0..8 {
            let running = Rig::default().start(&fleet(300)).await;
            // The minute window opens, and the engine writes a batch of attempts.
            sleep(Duration::from_millis(60_001)).await;
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
            running.signal(signal).await;
            // What workers have in hand by now goes out before a thread can have written anything.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            let sent = running.tenant.recorder().calls(Kind::Start);
            let told = running.end().await;
            let calls = told.tenant.recorder().calls(Kind::Start);
            assert_eq!(calls, sent, "{signal:?} after {yields}");
            assert_eq!(told.of(Outcome::NotAttempted), 300 - calls);
            caught += u32::from(calls == 100);
        }
        assert!(caught > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_signal_stops_at_once_and_what_was_in_flight_is_unsure() {
    for first in [None, Some(Signal::Drain)] {
        let running = slow().start(&fleet(300)).await;
        sleep(80 * SECOND).await;
        let tenant = running.tenant.clone();
        if let Some(first) = first {
            running.signal(first).await;
        }
        running.signal(Signal::Abort).await;
        let told_at = tokio::time::Instant::now();
        let told = running.end().await;
        assert_eq!(told_at.elapsed(), Duration::ZERO);
        assert_eq!(told.stop, Some(StopReason::Interrupted));
        sleep(30 * SECOND).await;
        let calls = tenant.recorder().calls(Kind::Start);
        assert!(told.of(Outcome::Unsure) > 0, "{:?}", told.tally);
        assert_eq!(
            told.of(Outcome::Accepted) + told.of(Outcome::Unsure),
            calls,
            "{:?}",
            told.tally
        );
        told.assert_one_scan_each();
    }
}

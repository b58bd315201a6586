//! `--not-after` and `--window`: what the clock on the wall shows when a scan call arrives, as the tenant saw it.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fleetsweep::{
    campaign::{
        brakes::{BrakeOptions, NotAfter, SendTimes},
        outcome::Outcome,
        stop::StopReason,
    },
    defender::sign_in::{FixedToken, TokenFuture, TokenSource},
    mock::{Chances, Kind, MockConfig},
    quota::{Quota, TokioClock},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use secrecy::SecretString;

use super::{
    campaign_quota::in_virtual_time,
    rig::{Rig, Told, fleet, short_or_long},
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

fn not_after(at: Timestamp) -> BrakeOptions {
    BrakeOptions {
        times: SendTimes {
            not_after: Some(NotAfter {
                at,
                typed: "18:00".into(),
            }),
            hours: None,
        },
        ..BrakeOptions::default()
    }
}

fn window(text: &str) -> BrakeOptions {
    BrakeOptions {
        times: SendTimes {
            not_after: None,
            hours: Some(text.parse().unwrap()),
        },
        ..BrakeOptions::default()
    }
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn started(text: &str) -> MockConfig {
    MockConfig {
        started: instant(text),
        ..MockConfig::default()
    }
}

fn ten_in(window: &str) -> Quota {
    Quota::new(vec![format!("10/{window}").parse().unwrap()])
}

/// When scan calls came in, after the start.
fn arrivals(told: &Told) -> Vec<Duration> {
    let seen = told.tenant.recorder().seen(Kind::Start);
    let mut arrivals: Vec<_> = seen.iter().map(|call| call.arrived).collect();
    arrivals.sort_unstable();
    arrivals
}

#[tokio::test(start_paused = true)]
async fn no_call_goes_out_at_the_deadline_or_after_it() {
    let mock = started("2026-11-24T17:58:30Z");
    let rig = Rig {
        brakes: not_after(instant("2026-11-24T18:00:00Z")),
        ..Rig::against(mock)
    };
    let told = rig.run(&fleet(300)).await;
    let Some(StopReason::Brake(why)) = &told.stop else {
        panic!("{:?}", told.stop);
    };
    assert!(
        why.starts_with("--not-after 18:00: it is that late, and 100 rows are left"),
        "{why}"
    );
    assert_eq!(told.of(Outcome::Accepted), 200);
    assert!(
        told.elapsed <= Duration::from_secs(91),
        "{:?}",
        told.elapsed
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_when_all_calls_are_out_is_not_noticed() {
    let mock = MockConfig {
        latency: (20 * SECOND..=20 * SECOND).into(),
        ..started("2026-11-24T17:59:30Z")
    };
    let rig = Rig {
        brakes: not_after(instant("2026-11-24T18:00:00Z")),
        ..Rig::against(mock)
    };
    let told = rig.run(&fleet(50)).await;
    assert_eq!(told.stop, None, "they went out at 17:59:50");
    assert_eq!(told.of(Outcome::Accepted), 50);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_over_sends_nothing() {
    let rig = Rig {
        brakes: not_after(instant("2026-11-24T18:00:00Z")),
        ..Rig::against(started("2026-11-24T18:00:00Z"))
    };
    let told = rig.run(&fleet(50)).await;
    assert!(matches!(told.stop, Some(StopReason::Brake(_))));
    assert!(arrivals(&told).is_empty());
}

#[tokio::test(start_paused = true)]
async fn outside_of_the_window_the_run_waits_and_says_until_when() {
    let rig = Rig {
        brakes: window("22:00-22:02@UTC"),
        ..Rig::against(started("2026-11-24T21:00:00Z"))
    };
    let told = rig.run(&fleet(400)).await;
    assert_eq!(told.stop, None);
    assert!(
        told.waits.contains("window opens at 22:00 (UTC)"),
        "{:?}",
        told.waits
    );
    let at: Vec<_> = arrivals(&told).iter().map(Duration::as_secs).collect();
    // An hour later; a minute window later; and the next night.
    let times = [at[0], at[99], at[100], at[199], at[200], at[299], at[300]];
    let day = 24 * 3600;
    for (is, least) in
        times
            .into_iter()
            .zip([3600, 3600, 3660, 3660, 3600 + day, 3600 + day, 3660 + day])
    {
        assert!(least <= is && is <= least + 1, "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_moved_and_a_computer_that_slept_are_seen_within_five_seconds() {
    for sleeps in [false, true] {
        let rig = Rig {
            brakes: window("22:00-06:00@UTC"),
            ..Rig::against(started("2026-11-24T12:00:00Z"))
        };
        let running = rig.start(&fleet(50)).await;
        tokio::time::sleep(HOUR).await;
        assert_eq!(running.tenant.recorder().calls(Kind::Start), 0);
        if sleeps {
            running.clock.sleep_computer(9 * HOUR);
        } else {
            running.clock.move_wall(SignedDuration::from_hours(9));
        }
        let moved = tokio::time::Instant::now();
        assert_eq!(running.end().await.stop, None);
        assert!(moved.elapsed() <= 5 * SECOND, "{:?}", moved.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_that_exists_twice_is_used_twice_and_one_that_does_not_exist_is_skipped() {
    let hours = |seconds: &Duration| seconds.as_secs() / 3600;
    // Berlin, midnight; at 1:00 UTC the clocks go from 3:00 back to 2:00, and in March from 2:00 on to 3:00.
    for (start, used) in [
        ("2026-10-24T22:00:00Z", [2, 3]),
        ("2026-03-28T23:00:00Z", [25, 49]),
    ] {
        let rig = Rig {
            quota: ten_in("50m"),
            brakes: window("02:00-03:00@Europe/Berlin"),
            ..Rig::against(started(start))
        };
        let told = rig.run(&fleet(25)).await;
        let mut seen: Vec<_> = arrivals(&told).iter().map(hours).collect();
        seen.dedup();
        assert_eq!(seen, used);
    }
}

/// Gives the token, and the `nth` time it is asked moves the clock on by an hour: behind the dispatcher's back, when a
/// worker has its order in hand.
#[derive(Debug)]
struct Meddler {
    token: FixedToken,
    clock: Arc<OnceLock<Arc<TokioClock>>>,
    nth: u64,
    asked: AtomicU64,
}

impl TokenSource for Meddler {
    fn token(&self) -> TokenFuture<'_> {
        if self.asked.fetch_add(1, Ordering::Relaxed) + 1 == self.nth
            && let Some(clock) = self.clock.get()
        {
            clock.move_wall(SignedDuration::from_hours(1));
        }
        self.token.token()
    }

    fn renew(&self, serial: u64) -> TokenFuture<'_> {
        self.token.renew(serial)
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_is_looked_at_again_as_the_last_act_before_sending() {
    let token = || FixedToken::new(&SecretString::from("t"), "the test").unwrap();
    for nth in 1..=4 {
        let clock = Arc::new(OnceLock::new());
        let rig = Rig {
            brakes: not_after(instant("2026-11-24T18:00:00Z")),
            tokens: Arc::new(Meddler {
                token: token(),
                clock: Arc::clone(&clock),
                nth,
                asked: AtomicU64::new(0),
            }),
            ..Rig::against(started("2026-11-24T17:30:00Z"))
        };
        let ground = Arc::new(rig.ground());
        let running = rig.start_on(&ground, &fleet(5)).await;
        clock.set(Arc::clone(&running.clock)).unwrap();
        let told = running.end().await;
        assert!(matches!(told.stop, Some(StopReason::Brake(_))), "{nth}");
        // The token is asked for before the permit and before the call, of one machine after the other at first.
        let calls = told.tenant.recorder().calls(Kind::Start);
        assert!(calls < nth.div_ceil(2), "{calls} calls, {nth}");
        assert_eq!(told.of(Outcome::NotAttempted), 5 - calls);
        assert_eq!(told.attempts, calls, "what was not sent is no attempt");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(short_or_long(4, 60)))]

    /// Whatever fails and however slow it is.
    #[test]
    fn no_call_ever_arrives_outside(
        seed: u64,
        offset in 0..200_000_i64,
        opens in 0..40_i64,
        length in 1..30_i64,
    ) {
        in_virtual_time(async move {
            let mock = MockConfig {
                seed,
                latency: (Duration::from_millis(1)..=3 * SECOND).into(),
                chances: Chances { error_before: 0.1, reset_after: 0.05, spurious_404: 0.1, ..Chances::default() },
                ..started("2026-11-24T17:00:00Z")
            };
            let start = mock.started;
            let at = start + SignedDuration::from_millis(offset);
            let clock = |minutes: i64| (start + SignedDuration::from_mins(minutes)).strftime("%H:%M").to_string();
            let hours = format!("{}-{}@UTC", clock(opens), clock(opens + length));
            let far = start + SignedDuration::from_hours(30);
            for (deadline, hours) in [(at, None), (far, Some(hours))] {
                let mut brakes = not_after(deadline);
                brakes.times.hours = hours.as_deref().map(|text| text.parse().unwrap());
                let times = brakes.times.clone();
                let rig = Rig { seed, brakes, quota: ten_in("30s"), ..Rig::against(mock.clone()) };
                let told = rig.run(&fleet(100)).await;
                for arrived in arrivals(&told) {
                    let shown = start + SignedDuration::try_from(arrived).unwrap();
                    assert!(times.allow(shown), "{shown} is outside of {times:?}");
                }
                told.assert_one_scan_each();
            }
        });
    }
}

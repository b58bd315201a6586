//! Promises 1, 3 and 4 when a campaign is stopped again and again, in every way and at any moment, and always gone on
//! with.

use std::{sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{outcome::Outcome, stop::Signal},
    mock::{Chances, MockConfig},
};
use tokio::time::sleep;

use super::rig::{Rig, fleet, short_or_long};

const SECOND: Duration = Duration::from_secs(1);

/// A tenant that loses answers on either side of a scan, is slow, and shows new scans late.
fn faulty(seed: u64) -> Rig {
    Rig {
        seed,
        ..Rig::against(MockConfig {
            seed,
            latency: (Duration::ZERO..=20 * SECOND).into(),
            listing_lag: Duration::ZERO..=5 * SECOND,
            chances: Chances {
                busy: 0.03,
                unknown: 0.03,
                spurious_404: 0.02,
                error_before: 0.03,
                error_after: 0.03,
                reset_before: 0.03,
                reset_after: 0.03,
                ..Chances::default()
            },
            ..MockConfig::default()
        })
    }
}

/// Stops the campaign so many times, at random, and then lets it come to its end.
async fn interrupted(seed: u64, machines: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let csv = format!("{}\nno good id\n{:040x}\n", fleet(machines), 1);
    let ground = Arc::new(faulty(seed).ground());
    for _ in 0..rng.u32(1..8) {
        let running = faulty(seed).start_on(&ground, &csv).await;
        sleep(Duration::from_millis(rng.u64(0..90_000))).await;
        for _ in 0..rng.u32(0..6) {
            tokio::task::yield_now().await;
        }
        if running.is_over() {
            running.end().await;
            continue;
        }
        match rng.u32(0..4) {
            0 => running.signal(Signal::Drain).await,
            1 => running.signal(Signal::Abort).await,
            2 => {
                running.signal(Signal::Drain).await;
                sleep(Duration::from_millis(rng.u64(0..5_000))).await;
                if !running.is_over() {
                    running.signal(Signal::Abort).await;
                }
            }
            _ => {
                running.kill().await;
                continue;
            }
        }
        // The rig sees to it that the counts add up.
        running.end().await;
    }
    let told = faulty(seed).start_on(&ground, &csv).await.end().await;
    assert_eq!(told.stop, None, "seed {seed}");
    assert_eq!(told.of(Outcome::NotAttempted), 0, "seed {seed}");
    assert_eq!(told.of(Outcome::Unsure), 0, "seed {seed}");
    assert_eq!(told.of(Outcome::Invalid), 1, "seed {seed}");
    assert_eq!(told.of(Outcome::Duplicate), 1, "seed {seed}");
    told.assert_one_scan_each();
    told.assert_never_over();
}

/// Five seeds; twelve in the long form.
#[expect(
    clippy::print_stdout,
    reason = "the seed is shown where the test fails"
)]
#[tokio::test(start_paused = true)]
async fn however_often_it_is_stopped_every_machine_is_scanned_once_and_the_counts_add_up() {
    for seed in 1..=short_or_long(5, 12) {
        println!("seed {seed}");
        interrupted(seed, 150).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_campaign_that_was_killed_looks_up_all_its_open_calls_in_one_listing() {
    let slow = || {
        Rig::against(MockConfig {
            latency: (10 * SECOND..=10 * SECOND).into(),
            ..MockConfig::default()
        })
    };
    let ground = Arc::new(slow().ground());
    let running = slow().start_on(&ground, &fleet(90)).await;
    sleep(15 * SECOND).await;
    running.kill().await;
    let told = slow().start_on(&ground, &fleet(90)).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 90);
    let listed = told.tenant.recorder().calls(fleetsweep::mock::Kind::List);
    assert_eq!(listed, 1);
    told.assert_one_scan_each();
    told.assert_never_over();
}

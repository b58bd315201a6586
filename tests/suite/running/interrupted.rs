//! Campaigns that are stopped, killed and resumed at random moments, while answers are lost on either side of a scan,
//! the API goes away, new scans show late in the list or without their comments, and others scan some of the machines.

use fleetsweep::{
    campaign::retry::{OnPending, Policy},
    mock::{BusyShape, Comments},
};

use super::*;

/// Answers are lost on either side of a scan, new scans show late, and some machines are busy.
fn unquiet(seed: u64, running: &RunningLimits, skip_busy: bool) -> Rig {
    Rig {
        skip_busy,
        seed,
        policy: Policy {
            on_pending: OnPending::Retry {
                delay: 3 * MINUTE,
                tries: 8,
            },
            max_attempts: 20,
        },
        ..limited(
            MockConfig {
                seed,
                latency: (Duration::ZERO..=20 * SECOND).into(),
                listing_lag: Duration::ZERO..=5 * SECOND,
                busy_shape: BusyShape::Mixed,
                // One that is over within the time of an answer would be started again by a client that does not look.
                scan_time: 20 * SECOND..=6 * MINUTE,
                foreign_scan_time: Some(MINUTE..=10 * MINUTE),
                chances: Chances {
                    busy: 0.1,
                    spurious_404: 0.03,
                    error_before: 0.03,
                    error_after: 0.03,
                    reset_before: 0.03,
                    reset_after: 0.03,
                    early: 0.3,
                    truncated: 0.02,
                    html: 0.02,
                    ..Chances::default()
                },
                ..MockConfig::default()
            },
            running.clone(),
        )
    }
}

/// A fleet with sites and priorities.
fn with_priorities(rng: &mut fastrand::Rng) -> String {
    let sites = [
        ("a", rng.u64(1..40)),
        ("b", rng.u64(1..20)),
        ("", 10),
        ("c", 10),
    ];
    let rows = at_sites(&sites);
    let rows = rows.lines().enumerate().map(|(n, row)| {
        let priority = match (n, rng.u8(..4)) {
            (0, _) => "priority".to_owned(),
            (_, 0) => rng.u8(..3).to_string(),
            _ => String::new(),
        };
        let (id, site) = row.split_once(',').unwrap();
        format!("{id},{priority},{site}")
    });
    rows.collect::<Vec<_>>().join("\n") + "\n"
}

/// The same input with the site as its only other column.
fn sites_of(csv: &str) -> String {
    let rows = csv.lines().map(|row| {
        let cells: Vec<_> = row.split(',').collect();
        format!("{},{}", cells[0], cells[2])
    });
    rows.collect::<Vec<_>>().join("\n") + "\n"
}

fn outages(rng: &mut fastrand::Rng) -> Vec<Outage> {
    let mut outages = Vec::new();
    for _ in 0..rng.u32(0..3) {
        let from = SECOND * rng.u32(0..3000);
        let until = from + SECOND * rng.u32(10..600);
        let shape = match rng.u8(..4) {
            0 => Shape::Refused,
            1 => Shape::TimesOut,
            2 => Shape::Reset,
            _ => Shape::Page { status: 502 },
        };
        outages.push(if rng.bool() {
            Outage::of_everything(from, until, shape)
        } else {
            Outage::of_starts(from, until, shape)
        });
    }
    outages
}

async fn interrupted(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let in_whole = rng.u64(2..12);
    let per = format!("Site={}", rng.u64(1..5));
    let running = match rng.u8(..3) {
        0 => limits(in_whole, &[]),
        1 => limits(0, &[&per]),
        _ => limits(in_whole, &[&per]),
    };
    let csv = with_priorities(&mut rng);
    let outages = outages(&mut rng);
    let canary = (rng.u8(..4) == 0).then(|| rng.u64(1..20));
    let rig = |skip_busy| {
        let mut rig = unquiet(seed, &running, skip_busy);
        rig.mock.outages.clone_from(&outages);
        if seed.is_multiple_of(3) {
            // Nothing would tell our scans from those of others.
            rig.mock.comments = Comments::Null;
            rig.mock.chances.busy = 0.0;
        }
        rig.brakes.canary = canary;
        if canary.is_some() {
            // Two of them would rightly stop the campaign.
            rig.mock.chances.spurious_404 = 0.0;
        }
        rig
    };
    let ground = Arc::new(rig(false).ground());
    for _ in 0..rng.u32(1..8) {
        let skip_busy = rng.u8(..3) == 0;
        let campaign = rig(skip_busy).start_on(&ground, &csv).await;
        sleep(Duration::from_millis(rng.u64(0..900_000))).await;
        for _ in 0..rng.u32(0..6) {
            tokio::task::yield_now().await;
        }
        if campaign.is_over() {
            campaign.end().await;
        } else if rng.bool() {
            campaign.kill().await;
        } else {
            campaign.signal(Signal::Drain).await;
            campaign.end().await;
        }
    }
    let last = rig(false).start_on(&ground, &csv).await;
    let told = last.end().await;
    assert_eq!(told.stop, None, "seed {seed}");
    assert_eq!(told.of(Outcome::NotAttempted), 0, "seed {seed}");
    assert_eq!(told.of(Outcome::Unsure), 0, "seed {seed}");
    told.assert_one_scan_each();
    told.assert_never_over();
    let spans = ground.tenant().scan_spans();
    if let Some(allowed) = running.most {
        let most = most(spans.iter()) as u64;
        assert!(
            most <= allowed,
            "seed {seed}: {most} where {allowed} are allowed"
        );
    }
    if let Some(per) = running.per.first() {
        for (site, most) in most_by_site(&sites_of(&csv), &spans) {
            let allowed = per.most;
            assert!(
                most as u64 <= allowed,
                "seed {seed}: {most} at `{site}`, {allowed} allowed"
            );
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the seed is shown where the test fails"
)]
#[tokio::test(start_paused = true)]
async fn however_often_it_is_stopped_and_whatever_is_lost_no_more_scans_are_under_way() {
    let seeds = std::env::var("FLEETSWEEP_RUNNING").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(10);
    for seed in 1..=seeds {
        println!("seed {seed}");
        interrupted(seed).await;
    }
}

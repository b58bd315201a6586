//! Campaigns of a virtual week that are stopped, killed and resumed, while machines come and go.

use super::*;

/// A run: from when to when it was at work.
#[derive(Debug)]
struct Span {
    from: Duration,
    until: Duration,
}

async fn week(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let machines = rng.u64(20..300);
    let after = HOUR * rng.u32(2..25);
    let hours = |rng: &mut fastrand::Rng, most| {
        let from = HOUR * rng.u32(1..most);
        from..=from + HOUR * rng.u32(1..most)
    };
    let coming = Coming {
        away_for: hours(&mut rng, 60),
        here_for: rng.bool().then(|| hours(&mut rng, 30)),
    };
    let mut mock = tenant(machines, rng.f64(), coming);
    mock.seed = seed;
    mock.listing_lag = Duration::ZERO..=5 * SECOND;
    let end = 7 * 24 * HOUR;
    let rig = || Rig {
        brakes: not_after(&mock, end),
        offline_after: Some(SignedDuration::try_from(after).unwrap()),
        seed,
        ..Rig::against(mock.clone())
    };
    let ground = Arc::new(rig().ground());
    let csv = fleet(machines);
    let zero = ground.elapsed();
    let now = || ground.elapsed().saturating_sub(zero);
    let mut runs = Vec::new();
    for _ in 0..rng.u32(0..6) {
        let from = now();
        let campaign = rig().start_on(&ground, &csv).await;
        sleep(SECOND * rng.u32(1..80_000)).await;
        if campaign.is_over() {
            campaign.end().await;
        } else if rng.bool() {
            campaign.kill().await;
        } else {
            campaign.signal(Signal::Drain).await;
            campaign.end().await;
        }
        runs.push(Span { from, until: now() });
        sleep(SECOND * rng.u32(0..10_000)).await;
    }
    let from = now();
    let told = rig().start_on(&ground, &csv).await.end().await;
    runs.push(Span { from, until: now() });
    assert_eq!(told.stop, None, "seed {seed}");
    assert_eq!(told.of(Outcome::Accepted), machines, "seed {seed}");
    told.assert_one_scan_each();
    told.assert_never_over();
    let starts = starts(ground.tenant());
    for run in &runs {
        judge(seed, &ground, run, &starts, after);
    }
}

/// Who was away when the run began is started within one look of the first listing that shows it again, and not before
/// that, unless the end is near.
fn judge(
    seed: u64,
    ground: &Ground,
    run: &Span,
    starts: &BTreeMap<String, Duration>,
    after: Duration,
) {
    let tenant = ground.tenant();
    let all = listings(tenant);
    let listings = all.iter().filter(|at| **at >= run.from && **at < run.until);
    let listings: Vec<_> = listings.copied().collect();
    for pair in listings.windows(2) {
        assert!(
            pair[1].saturating_sub(pair[0]) >= LOOK,
            "seed {seed}: {listings:?}"
        );
    }
    let Some((survey, looks)) = listings.split_first() else {
        return;
    };
    let near_the_end = 167 * HOUR + 30 * MINUTE;
    for (id, start) in starts.iter().filter(|(_, start)| **start >= *survey) {
        if is_shown(tenant, id, *survey, after) {
            continue;
        }
        let shown = looks.iter().find(|at| is_shown(tenant, id, **at, after));
        match shown {
            Some(shown) if *shown + LOOK < run.until => {
                let in_time = *shown <= *start && *start <= *shown + LOOK;
                assert!(
                    in_time,
                    "seed {seed}: {id} shown at {shown:?}, started at {start:?}"
                );
            }
            Some(shown) => assert!(*start >= *shown, "seed {seed}: {id}"),
            None => {
                let is_late = *start >= near_the_end || *start >= run.until;
                assert!(
                    is_late,
                    "seed {seed}: {id} was not shown, started at {start:?}"
                );
            }
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the seed is shown where the test fails"
)]
#[tokio::test(start_paused = true)]
async fn over_a_week_with_restarts_none_is_forgotten_and_whoever_is_back_is_started() {
    let seeds = std::env::var("FLEETSWEEP_AWAY").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(4);
    for seed in 1..=seeds {
        println!("seed {seed}");
        week(seed).await;
    }
}

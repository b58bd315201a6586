//! Campaigns of a virtual week that are stopped, killed and resumed, while machines come and go.

use fleetsweep::campaign::{retry::Policy, running::RunningLimits};

use super::*;
use crate::rig::short_or_long;

/// When the tenant's week is over.
const END: Duration = Duration::from_hours(7 * 24);

/// What else the campaign is to heed, and what goes wrong.
#[derive(Debug, Clone)]
struct Beside {
    canary: Option<u64>,
    running: Option<u64>,
    hours: Option<&'static str>,
    loses_answers: bool,
    /// Those that are away do not come back in this week.
    stays_away: bool,
}

impl Beside {
    fn nothing() -> Self {
        Self {
            canary: None,
            running: None,
            hours: None,
            loses_answers: false,
            stays_away: false,
        }
    }

    fn any(seed: u64, machines: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed + 1000);
        Self {
            canary: rng.bool().then(|| rng.u64(1..machines)),
            running: rng
                .bool()
                .then(|| rng.u64(machines.div_ceil(4)..=machines.div_ceil(2))),
            hours: rng.bool().then_some("20:00-10:00@UTC"),
            loses_answers: rng.bool(),
            stays_away: seed % 2 == 1,
        }
    }

    /// Whether each machine that is back is started at once, for nobody waits for a place, a canary or the evening, and
    /// no listing is lost.
    fn is_prompt(&self) -> bool {
        !self.loses_answers
            && self.canary.is_none()
            && self.running.is_none()
            && self.hours.is_none()
    }

    /// From when on those that are still away may be sent to.
    fn rest_from(&self) -> Duration {
        let margin = 30 * MINUTE
            + if self.canary.is_some() {
                HOUR
            } else {
                Duration::ZERO
            };
        // Each of up to four rounds takes two hours and a little, and a night may lie between two of them.
        let rounds = if self.running.is_some() {
            9 * HOUR
        } else {
            Duration::ZERO
        };
        let nights = if self.hours.is_some() {
            34 * HOUR
        } else {
            Duration::ZERO
        };
        END.saturating_sub(margin + rounds + nights)
    }

    fn rig(&self, mock: &MockConfig, after: Duration) -> Rig {
        let mut mock = mock.clone();
        if self.loses_answers {
            mock.latency = (Duration::ZERO..=20 * SECOND).into();
            mock.chances.error_before = 0.03;
            mock.chances.error_after = 0.03;
            mock.chances.reset_before = 0.03;
            mock.chances.reset_after = 0.03;
        }
        if self.stays_away {
            mock.coming = Some(back_after(2 * END, 3 * END));
        }
        let mut brakes = not_after(&mock, END);
        brakes.canary = self.canary;
        brakes.times.hours = self.hours.map(|hours| hours.parse().unwrap());
        Rig {
            brakes,
            running: RunningLimits {
                most: self.running,
                ..RunningLimits::default()
            },
            policy: Policy {
                max_attempts: 20,
                ..Policy::default()
            },
            offline_after: Some(SignedDuration::try_from(after).unwrap()),
            seed: mock.seed,
            ..Rig::against(mock)
        }
    }
}

/// A run: from when to when it was at work.
#[derive(Debug)]
struct Span {
    from: Duration,
    until: Duration,
}

#[expect(
    clippy::print_stdout,
    reason = "the seed is shown where the test fails"
)]
async fn week(seed: u64, is_plain: bool) {
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
    let beside = if is_plain {
        Beside::nothing()
    } else {
        Beside::any(seed, machines)
    };
    let rig = || beside.rig(&mock, after);
    println!(
        "seed {seed}: {machines} machines, {} of them away, {beside:?}",
        mock.chances.offline
    );
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
    assert_eq!(told.stop, None, "seed {seed} {beside:?}: {:?}", told.notes);
    assert_eq!(
        told.of(Outcome::Accepted),
        machines,
        "seed {seed} {beside:?}"
    );
    told.assert_one_scan_each();
    told.assert_never_over();
    let starts = starts(ground.tenant());
    for run in &runs {
        judge(seed, &beside, &ground, run, &starts, after);
    }
}

/// Who was away when the run began is started within one look of the first listing that shows it again, and not before
/// that, unless the end is near.
fn judge(
    seed: u64,
    beside: &Beside,
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
        // A listing that is lost at the start is repeated, and others are late.
        assert!(
            beside.loses_answers || pair[1].saturating_sub(pair[0]) >= LOOK,
            "seed {seed}: {listings:?}"
        );
    }
    let Some((survey, looks)) = listings.split_first() else {
        return;
    };
    let near_the_end = beside.rest_from();
    for (id, start) in starts.iter().filter(|(_, start)| **start >= *survey) {
        if is_shown(tenant, id, *survey, after) {
            continue;
        }
        let shown = looks.iter().find(|at| is_shown(tenant, id, **at, after));
        match shown {
            Some(shown) if *shown + LOOK < run.until && beside.is_prompt() => {
                let in_time = *shown <= *start && *start <= *shown + LOOK;
                assert!(
                    in_time,
                    "seed {seed}: {id} shown at {shown:?}, started at {start:?}"
                );
            }
            Some(shown) => assert!(
                *start >= *shown || *start >= near_the_end,
                "seed {seed} {beside:?}: {id}"
            ),
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

fn seeds() -> u64 {
    let seeds = std::env::var("FLEETSWEEP_AWAY").ok();
    seeds
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(short_or_long(1, 2))
}

#[tokio::test(start_paused = true)]
async fn over_a_week_with_restarts_none_is_forgotten_and_whoever_is_back_is_started() {
    for seed in 1..=seeds() {
        week(seed, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nor_is_any_beside_canaries_places_a_window_and_answers_that_are_lost() {
    for seed in 1..=seeds() {
        week(seed, false).await;
    }
}

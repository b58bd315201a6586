//! A scan that did not begin in time counts no longer, and counts again when it begins after all, hours later.

use fleetsweep::mock::Coming;

use super::*;

const MACHINES: u64 = 40;
const PLACES: u64 = 6;
const TIMEOUT: Duration = Duration::from_mins(45);

/// How long it may take until a scan that has begun late counts: the list is read back to it every ten minutes.
const NOTICED: Duration = Duration::from_mins(10).saturating_add(LOOK);

/// Scans take one and a half to two hours, up to a third of that waiting. Some machines are away for five hours.
fn with_late_ones(seed: u64) -> Rig {
    let mock = MockConfig {
        seed,
        scan_time: 90 * MINUTE..=120 * MINUTE,
        coming: Some(Coming {
            away_for: 300 * MINUTE..=360 * MINUTE,
            here_for: None,
        }),
        chances: Chances {
            offline: 0.1,
            ..Chances::default()
        },
        ..MockConfig::default()
    };
    Rig {
        seed,
        ..limited(
            mock,
            RunningLimits {
                timeout: TIMEOUT,
                ..limits(PLACES, &[])
            },
        )
    }
}

fn is_late(span: &ScanSpan) -> bool {
    span.begins > span.began + TIMEOUT
}

/// Whether this scan is under way at this moment, and must count.
fn counts(span: &ScanSpan, at: Duration) -> bool {
    let is_excused = is_late(span) && at >= span.began + TIMEOUT && at < span.begins + NOTICED;
    span.began <= at && at < span.ends && !is_excused
}

/// How many scans must count whenever one is started, while a late one runs that has been noticed.
fn counts_beside_late_ones(spans: &[ScanSpan]) -> Vec<usize> {
    let at_starts = spans.iter().map(|span| span.began).filter(|&at| {
        let late = spans.iter().filter(|span| is_late(span));
        late.into_iter()
            .any(|span| at >= span.begins + NOTICED && at < span.ends)
    });
    at_starts
        .map(|at| spans.iter().filter(|span| counts(span, at)).count())
        .collect()
}

async fn campaign(seed: u64, is_killed: bool) -> Vec<usize> {
    let ground = Arc::new(with_late_ones(seed).ground());
    let csv = fleet(MACHINES);
    if is_killed {
        let first = with_late_ones(seed).start_on(&ground, &csv).await;
        sleep(200 * MINUTE).await;
        first.kill().await;
    }
    let rig = with_late_ones(seed);
    let told = rig.start_on(&ground, &csv).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), MACHINES, "seed {seed}");
    told.assert_one_scan_each();
    let places = usize::try_from(PLACES).unwrap();
    let spans = ground.tenant().scan_spans();
    for span in &spans {
        let counted = spans.iter().filter(|other| counts(other, span.began));
        let counted = counted.count();
        assert!(counted <= places, "seed {seed}: {counted} at {span:?}");
    }
    let late = spans.iter().filter(|span| is_late(span)).count();
    let most = most(spans.iter());
    assert!(
        late == 0 || most > places,
        "seed {seed}: no place was freed"
    );
    counts_beside_late_ones(&spans)
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_begins_hours_after_its_timeout_counts_again_within_ten_minutes() {
    for is_killed in [false, true] {
        let mut beside = Vec::new();
        for seed in 1..=3 {
            beside.extend(campaign(seed, is_killed).await);
        }
        // The late ones hold a place then, and the others are in use.
        assert!(beside.len() > 5, "{beside:?}");
        assert!(beside.contains(&usize::try_from(PLACES).unwrap()));
    }
}

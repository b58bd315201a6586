//! Promise 2: a campaign takes as long as promise 1 makes it, and no longer.

use std::time::Duration;

use fleetsweep::{
    campaign::outcome::Outcome,
    mock::{MockConfig, QuotaConfig},
};

use super::rig::{Rig, Told, fleet, short_or_long};

const MS: fn(u64) -> Duration = Duration::from_millis;

async fn drained(machines: u64, latency: (u64, u64), http: bool) -> Told {
    let told = Rig {
        http,
        ..Rig::against(MockConfig {
            latency: (MS(latency.0)..=MS(latency.1)).into(),
            // The recorder of many is not asked here; one test below does.
            record: machines <= 10_000,
            ..MockConfig::default()
        })
    }
    .run(&fleet(machines))
    .await;
    assert_eq!(told.of(Outcome::Accepted), machines);
    assert_eq!(told.attempts, machines);
    told.assert_never_slow(MS(latency.1));
    told.assert_never_over();
    told
}

#[tokio::test(start_paused = true)]
async fn the_lower_bound_is_what_the_design_says() {
    for (machines, minutes) in [(1, 0), (100, 0), (101, 1), (1_500, 14), (1_501, 60)] {
        let told = drained(machines, (0, 0), false).await;
        assert_eq!(told.lower_bound, Duration::from_mins(minutes), "{machines}");
    }
}

/// At the highest latency; at two in the long form.
#[tokio::test(start_paused = true)]
async fn small_campaigns_keep_to_it_at_any_latency() {
    let latencies = [(2_000, 20_000), (5, 300)];
    for latency in latencies.into_iter().take(short_or_long(1, 2)) {
        for machines in [1, 100, 101, 1_500, 1_501] {
            drained(machines, latency, false).await;
        }
    }
}

/// Four thousand machines take two hours and nine minutes. In the long form ten thousand take six, at every latency;
/// the test below has the middle one.
#[tokio::test(start_paused = true)]
async fn a_campaign_takes_the_hours_and_minutes_that_the_quota_makes_it_take() {
    let (machines, hours) = short_or_long((4_000, 2), (10_000, 6));
    let latencies = [(2_000, 20_000), (5, 300), (0, 0)];
    for latency in latencies.into_iter().take(short_or_long(1, 3)) {
        let told = drained(machines, latency, false).await;
        assert_eq!(told.lower_bound, Duration::from_mins(hours * 60 + 9));
    }
}

/// Three windows of an hour; ten thousand machines in the long form.
#[tokio::test(start_paused = true)]
async fn hours_pass_over_real_http_in_one_paused_runtime() {
    drained(short_or_long(3_100, 10_000), (5, 300), true).await;
}

/// More than a page of a list holds; a hundred thousand in the long form, with latency too.
#[tokio::test(start_paused = true)]
async fn many_machines() {
    let (machines, latencies): (_, &[_]) =
        short_or_long((11_000, &[(0, 0)]), (100_000, &[(0, 0), (5, 300)]));
    for latency in latencies {
        drained(machines, *latency, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_limits_nothing_waits() {
    let rig = Rig::against(MockConfig {
        quota: QuotaConfig::none(),
        ..MockConfig::default()
    });
    let rig = Rig {
        quota: fleetsweep::quota::Quota::unlimited(),
        ..rig
    };
    let told = rig.run(&fleet(5_000)).await;
    assert_eq!(told.of(Outcome::Accepted), 5_000);
    assert!(told.elapsed < Duration::from_secs(1), "{:?}", told.elapsed);
}

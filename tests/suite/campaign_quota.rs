//! Promise 1: never over, whatever window the tenant counts by, whatever the latency, and with everything going wrong.

use std::{sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{outcome::Outcome, retry::Policy, stop::Signal},
    mock::{Chances, Fault, Kind, MockConfig, Model, QuotaConfig, Rule},
    quota::Quota,
};
use proptest::prelude::*;
use tokio::time::sleep;

use super::rig::{Rig, chances, fleet, machine, short_or_long};

const MS: fn(u64) -> Duration = Duration::from_millis;
const LATENCIES: [(u64, u64); 3] = [(0, 0), (5, 300), (2_000, 20_000)];
const BUCKET: Model = Model::Bucket { size: None };

/// Everything that can go wrong goes wrong now and then.
const ROUGH: Chances = Chances {
    busy: 0.05,
    unknown: 0.02,
    unsupported: 0.02,
    spurious_404: 0.02,
    error_before: 0.02,
    error_after: 0.02,
    reset_before: 0.02,
    reset_after: 0.02,
    early: 0.5,
    truncated: 0.01,
    not_json: 0.01,
    html: 0.01,
    offline: 0.0,
    cpu_429: 0.0,
};

fn phases() -> impl Iterator<Item = Model> {
    (0..10).map(|tenth| Model::Fixed {
        phase: Duration::from_secs(6) * tenth,
    })
}

async fn never_over(model: Model, latency: (u64, u64), chances: Chances, machines: u64) {
    let rig = Rig::against(MockConfig {
        quota: QuotaConfig {
            model,
            ..QuotaConfig::default()
        },
        latency: (MS(latency.0)..=MS(latency.1)).into(),
        chances,
        ..MockConfig::default()
    });
    let told = rig.run(&fleet(machines)).await;
    assert_eq!(told.stop, None, "{model:?} {latency:?}");
    told.assert_never_over();
    told.assert_one_scan_each();
}

/// Three windows of an hour; seven in the long form.
fn hours_of_machines() -> u64 {
    short_or_long(3_100, 10_000)
}

/// At the worst latency; at every one in the long form. The test below has the middle one.
#[tokio::test(start_paused = true)]
async fn over_hours_in_sliding_windows() {
    for latency in short_or_long(&LATENCIES[2..], &LATENCIES[..])
        .iter()
        .copied()
    {
        never_over(Model::Sliding, latency, ROUGH, hours_of_machines()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn over_hours_from_a_bucket_that_holds_the_limit() {
    never_over(BUCKET, (5, 300), ROUGH, hours_of_machines()).await;
}

/// Three windows of a minute at three of the ten phases; six windows at all of them in the long form.
#[tokio::test(start_paused = true)]
async fn every_window_at_every_latency_in_smaller_campaigns() {
    let (machines, step) = short_or_long((250, 4), (600, 1));
    for latency in LATENCIES {
        for model in phases().step_by(step).chain([BUCKET]) {
            never_over(model, latency, ROUGH, machines).await;
        }
    }
}

/// Two of the ten phases; all of them in the long form.
#[tokio::test(start_paused = true)]
async fn fixed_windows_at_ten_phases_past_the_hour() {
    let step = short_or_long(7, 1);
    for model in phases().step_by(step) {
        never_over(model, (2_000, 20_000), Chances::default(), 1_700).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: short_or_long(10, 24), ..ProptestConfig::default() })]

    #[test]
    fn no_limit_no_latency_and_no_fault_leads_over(
        minute in 1..40_u32, hour in 40..200_u32,
        from in 0..3_000_u64, more in 0..40_000_u64,
        model in prop_oneof![
            Just(Model::Sliding),
            Just(BUCKET),
            (0..3600_u64).prop_map(|s| Model::Fixed { phase: Duration::from_secs(s) }),
        ],
        chances in chances(0.08, 12.0),
        machines in 1..200_u64, seed: u64,
    ) {
        let limit = |calls, seconds| fleetsweep::mock::Limit { calls, window: Duration::from_secs(seconds) };
        let quota = QuotaConfig { limits: vec![limit(minute, 60), limit(hour, 3600)], model, ..QuotaConfig::default() };
        let rig = Rig {
            quota: Quota::new(vec![format!("{minute}/1m").parse().unwrap(), format!("{hour}/1h").parse().unwrap()]),
            seed,
            // Answers take up to 43 s and are waited for 30 s, so some calls are counted long after they were given up.
            ..Rig::against(MockConfig {
                seed,
                quota,
                latency: (MS(from)..=MS(from + more)).into(),
                chances,
                ..MockConfig::default()
            })
        };
        in_virtual_time(async {
            let told = rig.run(&fleet(machines)).await;
            told.assert_never_over();
            told.assert_one_scan_each();
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_twice_as_slow_as_anybody_waits_is_not_called_too_often() {
    let rig = Rig::against(MockConfig {
        latency: (MS(0)..=MS(59_900)).into(),
        ..MockConfig::default()
    });
    let told = rig.run(&fleet(1_000)).await;
    told.assert_never_over();
    told.assert_one_scan_each();
}

#[tokio::test(start_paused = true)]
async fn a_campaign_that_is_cut_off_while_the_service_is_slow_counts_what_it_has_sent() {
    let slow = || {
        Rig::against(MockConfig {
            latency: (MS(0)..=MS(25_000)).into(),
            ..MockConfig::default()
        })
    };
    for hard in [false, true] {
        let ground = Arc::new(slow().ground());
        let running = slow().start_on(&ground, &fleet(250)).await;
        sleep(MS(26_000)).await;
        if hard {
            running.kill().await;
        } else {
            running.signal(Signal::Abort).await;
            running.end().await;
        }
        let told = slow().start_on(&ground, &fleet(250)).await.end().await;
        told.assert_never_over();
        told.assert_one_scan_each();
    }
}

pub(crate) fn in_virtual_time(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test);
}

/// Three hours, with more machines than can be sent to in them; a day in the long form.
#[tokio::test(start_paused = true)]
async fn beside_a_caller_who_takes_half_at_random_the_quota_is_shared_in_halves() {
    let (hours, machines) = short_or_long((3, 5_000), (24, 40_000));
    for count_refused in [false, true] {
        let rig = Rig::against(MockConfig {
            quota: QuotaConfig {
                count_refused,
                ..QuotaConfig::default()
            },
            latency: (MS(5)..=MS(300)).into(),
            ..MockConfig::default()
        });
        let running = rig.start(&fleet(machines)).await;
        let mut rng = fastrand::Rng::with_seed(5);
        let end = tokio::time::Instant::now() + Duration::from_hours(hours);
        while tokio::time::Instant::now() < end {
            // 750 an hour, each at a moment of its own.
            sleep(Duration::from_secs_f64(-4.8 * (1.0 - rng.f64()).ln())).await;
            running.tenant.spend_elsewhere(Kind::Start, 1);
        }
        running.signal(Signal::Drain).await;
        let told = running.end().await;
        let recorder = told.tenant.recorder();
        let (calls, refused) = (recorder.calls(Kind::Start), recorder.throttled(Kind::Start));
        let ours = told.of(Outcome::Accepted);
        let share = format!(
            "{refused} of {calls} refused, {ours} accepted, refused ones counted: {count_refused}"
        );
        assert!(refused * 100 < calls * 3, "{share}");
        assert!(ours * 100 >= 1_500 * hours * 45, "{share}");
        assert_eq!(recorder.early_calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_service_says_about_waiting_is_never_undercut() {
    for (told_to, seconds) in [("37", 37), ("1800", 1800), ("5000", 5000)] {
        let words = format!(
            "API calls quota exceeded! Maximum allowed 100 per 00:01:00 for the key x. You can send requests again in \
             {told_to} seconds."
        );
        let body = serde_json::json!({"error": {"code": "429", "message": words}}).to_string();
        let rig = Rig::against(MockConfig {
            faults: vec![Rule::new(Fault::Status(429, body)).kind(Kind::Start).nth(5)],
            latency: (MS(5)..=MS(300)).into(),
            ..MockConfig::default()
        });
        let told = rig.run(&fleet(130)).await;
        assert_eq!(told.of(Outcome::Accepted), 130);
        let seen = told.tenant.recorder().seen(Kind::Start);
        // Those that were on their way when it was said came within the first second.
        let gap = Duration::from_secs(seconds);
        let resumed = seen
            .iter()
            .filter(|call| call.arrived > MS(700))
            .map(|call| call.arrived)
            .min();
        assert!(resumed >= Some(gap), "{resumed:?} {told_to}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_priority_1_machine_that_fails_once_goes_again_before_any_of_priority_2() {
    for fault in [
        Fault::CutBefore,
        Fault::Status(503, String::new()),
        Fault::Status(404, NOT_FOUND.into()),
    ] {
        let rows = (1..=250).map(|n| format!("{},{}\n", machine(n), if n <= 100 { 1 } else { 2 }));
        let csv = format!("machine_id,priority\n{}", rows.collect::<String>());
        let rig = Rig::against(MockConfig {
            faults: vec![Rule::new(fault).machine(&machine(40)).nth(1)],
            ..MockConfig::default()
        });
        let told = rig.run(&csv).await;
        assert_eq!(told.of(Outcome::Accepted), 250);
        assert_eq!(told.cell(40, "attempts"), "2");
        let answered = |row| told.cell(row, "last_answer_utc").to_owned();
        let second = (101..=250).map(answered).min().unwrap();
        assert!(answered(40) <= second, "{} and {second}", answered(40));
        told.assert_one_scan_each();
    }
}

const NOT_FOUND: &str =
    r#"{"error":{"code":"ResourceNotFound","message":"Machine was not found"}}"#;

#[tokio::test(start_paused = true)]
async fn retries_that_wait_for_their_window_do_not_stop_the_clock() {
    let rig = Rig {
        policy: Policy {
            max_attempts: 3,
            ..Policy::default()
        },
        ..Rig::against(MockConfig {
            chances: Chances {
                spurious_404: 0.5,
                ..Chances::default()
            },
            ..MockConfig::default()
        })
    };
    let told = rig.run(&fleet(400)).await;
    told.assert_never_over();
    assert_eq!(told.stop, None);
}

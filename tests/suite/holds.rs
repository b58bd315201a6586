//! Promise 1 when the service has said to wait and the process dies meanwhile: the next one waits, and no longer.

use std::{sync::Arc, time::Duration};

use fleetsweep::{
    campaign::outcome::Outcome,
    mock::{Fault, Kind, MockConfig, Rule},
};
use tokio::time::sleep;

use super::rig::{Rig, fleet};

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);
const HOLD: Duration = Duration::from_mins(20);

/// All answers take as long.
const LATENCY: Duration = Duration::from_millis(50);

/// A tenant that says at the fifth call of all to come back in 20 minutes.
fn rig() -> Rig {
    let words = "API calls quota exceeded! Maximum allowed 1500 per 01:00:00 for the key x. You can send requests \
                 again in 1200 seconds.";
    let body = serde_json::json!({"error": {"code": "429", "message": words}}).to_string();
    Rig {
        ledger: true,
        ..Rig::against(MockConfig {
            faults: vec![Rule::new(Fault::Status(429, body)).kind(Kind::Start).nth(5)],
            latency: (LATENCY..=LATENCY).into(),
            ..MockConfig::default()
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_of_twenty_minutes_outlives_the_process_and_is_not_waited_for_twice() {
    for (killed_after, resumed_after) in [
        (2 * SECOND, Duration::ZERO),
        (2 * MINUTE, 5 * MINUTE),
        (14 * MINUTE, 5 * MINUTE),
        (19 * MINUTE, 5 * MINUTE),
    ] {
        let ground = Arc::new(rig().ground());
        let tenant = Arc::clone(ground.tenant());
        let running = rig().start_on(&ground, &fleet(130)).await;
        sleep(killed_after).await;
        let before = tenant.recorder().seen(Kind::Start);
        let last = before.iter().map(|call| call.arrived).max().unwrap();
        assert!(last < SECOND, "{last:?}");
        running.kill().await;
        sleep(resumed_after).await;
        let told = rig().start_on(&ground, &fleet(130)).await.end().await;

        let seen = tenant.recorder().seen(Kind::Start);
        let mut refused: Vec<_> = before.iter().map(|call| call.arrived).collect();
        refused.sort_unstable();
        let refused = refused[4];
        let first = seen
            .iter()
            .map(|call| call.arrived)
            .filter(|arrived| *arrived > last)
            .min()
            .unwrap();
        // To the answer, and to the moment at which somebody is there to call.
        let earliest = (refused + LATENCY + HOLD).max(killed_after + resumed_after);
        assert!(first >= refused + HOLD, "{first:?} of {earliest:?}");
        assert!(first <= earliest + SECOND, "{first:?} of {earliest:?}");
        assert_eq!(tenant.recorder().early_calls(), 0);
        assert_eq!(told.stop, None);
        assert_eq!(told.of(Outcome::Accepted), 130);
        assert_eq!(seen.len(), 131);
        told.assert_one_scan_each();
    }
}

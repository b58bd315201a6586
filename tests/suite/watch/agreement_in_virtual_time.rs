//! The same over whole campaigns in virtual time, with every fault, all retries and look-ups: what is displayed, the
//! events, the metrics and the results.

use fleetsweep::{
    campaign::stop::StopReason,
    mock::{Chances, Kind, MockConfig},
    monitor::{Json, Lines, Metrics},
};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::rig::{Rig, Told, chances, fleet as machines, short_or_long};

/// A stream that a test reads.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn last_line(&self, words: &str) -> String {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let mut lines = text.lines().rev();
        lines.find(|line| line.contains(words)).unwrap().to_owned()
    }
}

/// What a line says of the outcomes.
fn displayed(line: &str) -> Counts {
    let parts = line.split(" · ").filter_map(|part| {
        let (word, count) = part.rsplit_once(' ')?;
        // The last part is what went wrong.
        (!word.contains(':')).then_some(())?;
        Some((word.replace(' ', "_"), count.replace(',', "").parse().ok()?))
    });
    parts.collect()
}

fn without_zeros(counts: &Counts) -> Counts {
    let some = counts.iter().filter(|(_, count)| **count > 0);
    some.map(|(name, count)| (name.clone(), *count)).collect()
}

fn check(told: &Told, lines: &Written, events: &Written, metrics: &Metrics) {
    let state: Value = serde_json::from_str(&events.last_line("\"event\":\"state\"")).unwrap();
    let ended = counts(&state["outcomes"]);
    let scrape = Scrape::read(&metrics.text());
    assert_eq!(scrape.counts("fleetsweep_targets"), ended);
    let open = sum(&scrape.counts("fleetsweep_targets_open"));
    assert_eq!(sum(&ended) + open, told.rows.len() as u64);
    if let Some(stop) = &told.stop {
        // Pages in place of the first answers look like a captive portal.
        assert!(matches!(stop, StopReason::Tenant(_)), "{stop:?}");
        return;
    }
    assert_eq!(open, 0);
    assert_eq!(displayed(&lines.last_line(" · ")), without_zeros(&ended));
    let tally = told.tally.iter().map(|(o, n)| (o.as_str().to_owned(), n));
    assert_eq!(ended, tally.collect());
    let mut results = Counts::new();
    for row in 1..=told.rows.len() {
        let outcome = told.cell(row, "outcome").to_owned();
        *results.entry(outcome).or_default() += 1;
    }
    assert_eq!(results, without_zeros(&ended));
    assert_eq!(
        state["throttled"],
        told.tenant.recorder().throttled(Kind::Start)
    );
}

fn agrees(chances: Chances, seed: u64, size: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (lines, events) = (Written::default(), Written::default());
        let metrics = Arc::new(Metrics::default());
        let rig = Rig {
            watched_by: vec![
                Arc::new(Lines::new(Box::new(lines.clone()), TimeZone::UTC)),
                Arc::new(Json::new(Box::new(events.clone()))),
                metrics.clone(),
            ],
            seed,
            ..Rig::against(MockConfig {
                chances,
                seed,
                ..MockConfig::default()
            })
        };
        let told = rig.run(&machines(size)).await;
        check(&told, &lines, &events, &metrics);
    });
}

#[test]
fn a_campaign_that_a_portal_stops_at_its_start_agrees_too() {
    let chances = Chances {
        reset_before: 0.096_565_877_639_130_59,
        reset_after: 0.099_271_882_918_377_27,
        truncated: 0.059_415_325_131_898_26,
        not_json: 0.091_723_020_334_836_86,
        ..Chances::default()
    };
    agrees(chances, 15_541_689_232_368_366_344, 237);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: short_or_long(5, 12), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn all_that_is_told_of_a_campaign_agrees_to_the_last_count(
        chances in chances(0.1, 1.0),
        seed in any::<u64>(),
        size in 20_u64..300,
    ) {
        agrees(chances, seed, size);
    }
}

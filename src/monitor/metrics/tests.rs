//! The text, read back.

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::monitor::{Held, Holder, LastCall, Standing};

/// The samples of a text: names with labels, and values.
fn samples(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    samples.collect()
}

/// The values that a metric has, by the value of its only label.
fn by_label(samples: &BTreeMap<String, f64>, name: &str) -> BTreeMap<String, f64> {
    let of = samples.iter().filter_map(|(sample, value)| {
        let labels = sample.strip_prefix(name)?.strip_prefix('{')?;
        Some((labels.split('"').nth(1)?.to_owned(), *value))
    });
    of.collect()
}

#[test]
fn the_text_has_each_metric_with_its_type_its_unit_and_its_help() {
    let metrics = Metrics::default();
    metrics.began(&Began {
        campaign: "mockabc (a rehearsal)",
        targets: 1_000,
        already_ended: 0,
    });
    metrics.called(&Called {
        kind: "start",
        code: "201",
        took: Duration::from_millis(120),
    });
    metrics.state(&State::example());
    let text = metrics.text();
    for line in [
        "# TYPE fleetsweep_calls counter",
        "fleetsweep_calls_total{kind=\"start\",code=\"201\"} 1",
        "# TYPE fleetsweep_call_duration_seconds histogram",
        "# UNIT fleetsweep_call_duration_seconds seconds",
        "fleetsweep_call_duration_seconds_bucket{le=\"0.1\",kind=\"start\"} 0",
        "fleetsweep_call_duration_seconds_bucket{le=\"0.25\",kind=\"start\"} 1",
        "fleetsweep_call_duration_seconds_count{kind=\"start\"} 1",
        "# TYPE fleetsweep_targets gauge",
        "fleetsweep_targets{outcome=\"accepted\"} 312",
        "fleetsweep_targets_open{standing=\"to_go\"} 660",
        "# UNIT fleetsweep_quota_used_ratio ratio",
        "fleetsweep_quota_used_ratio{window=\"1m\"} 1.0",
        "fleetsweep_quota_limit{window=\"1h\"} 1500",
        "# UNIT fleetsweep_hold_seconds seconds",
        "fleetsweep_hold_seconds 0.0",
        "# TYPE fleetsweep info",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}: {text}");
    }
    let version = env!("CARGO_PKG_VERSION");
    let info = format!("fleetsweep_info{{version=\"{version}\",campaign=\"mockabc\"}} 1");
    assert!(text.contains(&info), "{text}");
    for line in text.lines().filter(|line| line.starts_with("# HELP")) {
        assert!(line.ends_with('.'), "{line}");
    }
}

#[test]
fn the_samples_are_the_states_numbers_and_add_up_to_the_targets() {
    let metrics = Metrics::default();
    let mut state = State::example();
    state.standing = Standing {
        in_flight: 3,
        unconfirmed: 5,
        busy: 15,
        retrying: 7,
        away: 4,
        to_go: 649,
    };
    metrics.state(&State::example());
    metrics.state(&state);
    let samples = samples(&metrics.text());
    let outcomes = by_label(&samples, "fleetsweep_targets");
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let expected = state
        .tally
        .iter()
        .map(|(name, n)| ((*name).to_owned(), *n as f64));
    assert_eq!(outcomes, expected.collect());
    let open = by_label(&samples, "fleetsweep_targets_open");
    let expected = [
        ("in_flight", 3.0),
        ("to_look_up", 5.0),
        ("busy", 15.0),
        ("retrying", 7.0),
        ("to_go", 649.0),
        ("away", 4.0),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(open, BTreeMap::from(expected));
    let all: f64 = outcomes.values().chain(open.values()).sum();
    assert!((all - 1_000.0).abs() < f64::EPSILON);
    let used = by_label(&samples, "fleetsweep_quota_used_ratio");
    assert!((used["1h"] - 320.0 / 1_500.0).abs() < 1e-9, "{used:?}");
}

#[test]
fn what_is_not_known_is_not_told() {
    let metrics = Metrics::default();
    let known = |name: &str| samples(&metrics.text()).get(name).copied();
    let (last_call, success, hold) = (
        "fleetsweep_last_call_timestamp_seconds",
        "fleetsweep_last_success_timestamp_seconds",
        "fleetsweep_hold_seconds",
    );
    let mut state = State::example();
    metrics.state(&state);
    #[expect(clippy::cast_precision_loss, reason = "exact until 2^53")]
    let now = state.wall.as_second() as f64;
    // What was accepted before the first state is no success of this run.
    assert_eq!(known(success), None);
    assert_eq!(known(last_call), Some(now + 192.0 * 60.0));
    state.last_call = LastCall::NotKnown;
    state.tally[0].1 += 1;
    state.held = Some(Held {
        by: Holder::Outage,
        left: Duration::from_secs(90),
    });
    metrics.state(&state);
    assert_eq!(known(success), Some(now));
    assert_eq!(known(last_call), None);
    assert_eq!(known(hold), Some(90.0));
}

#[test]
fn a_status_that_no_scan_has_any_more_goes() {
    let metrics = Metrics::default();
    let scans = |by_status: &[(&str, u64)]| Scans {
        by_status: by_status
            .iter()
            .map(|(s, n)| ((*s).to_owned(), *n))
            .collect(),
        over: 0,
    };
    metrics.scans(&scans(&[("Pending", 2), ("a \"b\"\\\n", 1)]));
    assert!(
        metrics
            .text()
            .contains(r#"fleetsweep_scans{status="a \"b\"\\\n"} 1"#)
    );
    metrics.scans(&scans(&[("Succeeded", 3)]));
    let expected = BTreeMap::from([("Succeeded".to_owned(), 3.0)]);
    assert_eq!(
        by_label(&samples(&metrics.text()), "fleetsweep_scans"),
        expected
    );
}

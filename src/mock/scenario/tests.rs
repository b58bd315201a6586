//! What may stand in a scenario, and what it means.

use std::time::Duration;

use super::Scenario;
use crate::mock::{
    AlertsConfig, BusyShape, Coming, Fault, Garbling, HealthConfig, Kind, Kinds, Latency,
    MockConfig, Model, Outage, ReportedTime, RetryAfter, Rule, Shape,
};

fn config(text: &str) -> Result<MockConfig, String> {
    let mut config = MockConfig::default();
    let scenario = Scenario::parse(text).map_err(|error| error.to_string())?;
    let applied = scenario.apply_to(&mut config);
    applied.map(|()| config).map_err(|error| error.to_string())
}

#[test]
fn an_empty_scenario_changes_nothing() {
    let (empty, default) = (config("").unwrap(), MockConfig::default());
    assert_eq!(format!("{empty:?}"), format!("{default:?}"));
}

#[test]
fn what_it_names_becomes_settings() {
    let config = config(
        r#"
        about = "everything at once"
        seed = 7
        outages = ["10s-5m=refused", "1h-2h=503:120,starts"]
        [fleet]
        machines = 30
        ids = "hex"
        domain = "corp.example"
        groups = ["Tills"]
        tags = ["", "vip"]
        inactive = "10%"
        offline = "3%"
        poison = ["aa"]
        [quota]
        limits = ["10/1s"]
        health-limits = ["3/1s"]
        model = "bucket"
        bucket-size = 4
        kinds = "together"
        other-caller = "50%"
        cpu-429 = "1%"
        retry-after = "older"
        [network]
        latency = "p50=80ms,p99=2s"
        truncated = "2%"
        [scans]
        time = "1m-2m"
        busy = "5%"
        busy-shape = "error-in-lower-case"
        offline-time-out = "1h"
        [lists]
        lag = "0s-30s"
        page-limit = 5
        comments = "missing"
        [health]
        never = "20%"
        repeated = "40%"
        rows = 3
        lag = "1h-48h"
        passive = "12%"
        old-signatures = "7%"
        missing = true
        [sign-in]
        token-life = "1h"
        [[faults]]
        fault = "html"
        kind = "start"
        nth = 3
        [[faults]]
        fault = "status"
        status = 418
        during = "1m-2m"
        "#,
    )
    .unwrap();
    let refused = Outage::of_everything(
        Duration::from_secs(10),
        Duration::from_mins(5),
        Shape::Refused,
    );
    assert_eq!(
        (config.seed, &config.outages[0], config.outages.len()),
        (7, &refused, 2)
    );
    assert_eq!(
        (config.machines, &*config.make_up.domain),
        (30, ".corp.example")
    );
    assert_eq!(config.quota.model, Model::Bucket { size: Some(4) });
    assert_eq!(
        (config.quota.kinds, config.quota.retry_after),
        (Kinds::Together, RetryAfter::Older)
    );
    let (p50, p99) = (Duration::from_millis(80), Duration::from_secs(2));
    assert_eq!(config.latency, Latency::LogNormal { p50, p99 });
    let hour = Duration::from_hours(1);
    let health = HealthConfig {
        never: 0.2,
        repeated: 0.4,
        rows: 3,
        lag: hour..=48 * hour,
        passive: 0.12,
        old_signatures: 0.07,
        missing: true,
        ..HealthConfig::default()
    };
    assert_eq!(config.health, health);
    assert_eq!(config.quota.health_limits[0].calls, 3);
    assert_eq!(config.busy_shape, BusyShape::ErrorInLowerCase);
    let expected = [
        Rule::new(Fault::Garbled(Garbling::Html))
            .kind(Kind::Start)
            .nth(3),
        Rule::new(Fault::Status(418, String::new()))
            .during(Duration::from_mins(1)..Duration::from_mins(2)),
    ];
    assert_eq!(format!("{:?}", config.faults), format!("{expected:?}"));
}

#[test]
fn machines_come_and_go_as_it_says() {
    let config = config("[fleet]\naway-for = '1h-2h'\nhere-for = '3h-4h'").unwrap();
    let hours = |from, to| Duration::from_hours(from)..=Duration::from_hours(to);
    let coming = Coming {
        away_for: hours(1, 2),
        here_for: Some(hours(3, 4)),
    };
    assert_eq!(config.coming, Some(coming));
}

#[test]
fn a_tenant_has_the_alerts_that_it_says() {
    let config = config(
        r#"
        [alerts]
        finding-chance = "3%"
        found-after = "1m-2m"
        lag = "1h-2h"
        resolved = "50%"
        resolved-after = "3h-4h"
        existing = 40
        existing-within = "48h"
        ongoing = "5m-1h"
        strangers = "25%"
        other-case = "75%"
        without-family = "12%"
        missing = true
        [[faults]]
        fault = "html"
        kind = "alerts"
        "#,
    )
    .unwrap();
    let hour = Duration::from_hours(1);
    let alerts = AlertsConfig {
        finding_chance: 0.03,
        found_after: hour / 60..=hour / 30,
        lag: hour..=2 * hour,
        resolved: 0.5,
        resolved_after: 3 * hour..=4 * hour,
        existing: 40,
        existing_within: 48 * hour,
        ongoing: Some(hour / 12..=hour),
        strangers: 0.25,
        other_case: 0.75,
        without_family: 0.12,
        missing: true,
    };
    assert_eq!(config.alerts, alerts);
    let fault = Rule::new(Fault::Garbled(Garbling::Html)).kind(Kind::Alerts);
    assert_eq!(format!("{:?}", config.faults), format!("{:?}", [fault]));
}

#[test]
fn devices_differ_from_their_actions_as_it_says() {
    let config = config(
        r#"
        [health]
        disabled-fails = true
        silent = "4%"
        scheduled = "20h-28h"
        time = "start"
        "#,
    )
    .unwrap();
    let health = HealthConfig {
        disabled_fails: true,
        silent: 0.04,
        scheduled: Some(Duration::from_hours(20)..=Duration::from_hours(28)),
        time: ReportedTime::Start,
        ..HealthConfig::default()
    };
    assert_eq!(config.health, health);
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    for (text, words) in [
        ("latency = '1s'", "unknown field `latency`"),
        (
            "network.latency = '5s-1s'",
            "'5s-1s': the range's first duration",
        ),
        ("network.latency = 'p50=2s,p99=1s'", "p99 is at least p50"),
        ("quota.limits = ['100']", "CALLS/WINDOW"),
        ("quota.phase = '3s'", "model = \"fixed\""),
        ("fleet.here-for = '1h-2h'", "goes with fleet.away-for"),
        ("scans.busy = 0.5", "expected a string"),
        ("scans.busy = '120%'", "from 0% to 100%"),
        ("outages = ['10s-5m=down']", "not a shape of an outage"),
        ("[[faults]]\nfault = 'status'", "a status from 200 to 599"),
        ("[[faults]]\nfault = 'delay'", "a duration `by`"),
        ("[[faults]]\nfault = 'html'\nby = '3s'", "a duration `by`"),
        (
            "[[faults]]\nfault = 'html'\nstatus = 500",
            "only the faults status",
        ),
    ] {
        let error = config(text).unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
}

//! What may be typed, and what it means.

use clap::Parser;

use super::*;
use crate::mock::{Endless, ForbidWords, Limit, ListOption, Moving, Outage, Shape, Vanish};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    mock: MockArgs,
}

fn config(options: &str) -> Result<MockConfig, String> {
    let words = std::iter::once("mock").chain(options.split_whitespace());
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    cli.mock.config().map_err(|error| error.to_string())
}

#[test]
fn without_options_the_mock_has_the_documented_quota_and_no_faults() {
    let config = config("").unwrap();
    assert_eq!(config.quota, QuotaConfig::default());
    assert_eq!(config.chances, Chances::default());
    assert_eq!(config.latency, Latency::NONE);
    assert!(config.record);
}

#[test]
fn options_become_settings() {
    let config = config(
        "--limit 20/2s --limit 60/10s --quota-model fixed --phase 13s --kinds together --count-refused --busy 5% \
         --busy-shape mixed --latency 20ms-150ms --scan-time 1m --token-life 1m --no-record",
    )
    .unwrap();
    let limit = |calls, seconds| Limit {
        calls,
        window: Duration::from_secs(seconds),
    };
    let quota = QuotaConfig {
        limits: vec![limit(20, 2), limit(60, 10)],
        model: Model::Fixed {
            phase: Duration::from_secs(13),
        },
        count_refused: true,
        kinds: Kinds::Together,
        ..QuotaConfig::default()
    };
    assert_eq!(config.quota, quota);
    assert!((config.chances.busy - 0.05).abs() < f64::EPSILON);
    assert_eq!(
        config.latency,
        (Duration::from_millis(20)..=Duration::from_millis(150)).into()
    );
    assert_eq!(
        config.scan_time,
        Duration::from_mins(1)..=Duration::from_mins(1)
    );
    assert_eq!(config.sign_in.expires_in, Duration::from_mins(1));
    assert_eq!(config.sign_in.tokens, Tokens::Issued);
    assert!(!config.record);
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    for (options, text) in [
        ("--limit 100", "CALLS/WINDOW"),
        ("--limit 0/1m", "at least one call"),
        ("--limit none --limit 5/1m", "goes with no other"),
        ("--phase 3s", "--quota-model fixed"),
        (
            "--quota-model fixed --bucket-size 3",
            "--quota-model bucket",
        ),
        ("--busy 120%", "from 0% to 100%"),
        ("--busy NaN", "from 0% to 100%"),
        ("--latency 5s-1s", "longer than its second"),
        ("--latency=-5s", "expected a duration"),
        ("--scan-time 30s-900h", "at most 744h"),
        ("--outage 10s=refused", "a start and an end"),
        ("--outage 10s-5m", "FROM-UNTIL=SHAPE"),
        ("--outage 5m-10s=reset", "a span ends after it begins"),
        ("--outage 1s-2s=down", "not a shape of an outage"),
        ("--outage 1s-2s=page:99", "from 200 to 599"),
        ("--outage 1s-2s=refused,starts", "is for all calls"),
        ("--revoke-words plain", "--revoke-after"),
        ("--vanish others", "--rows-vanishing"),
        ("--page-limit 0", "1..=9999"),
    ] {
        let error = config(options).unwrap_err();
        assert!(error.contains(text), "{options}: {error}");
    }
}

#[test]
fn no_limit_is_a_limit_too() {
    assert_eq!(config("--limit none").unwrap().quota, QuotaConfig::none());
}

#[test]
fn outages_are_spans_with_a_shape_each() {
    let s = Duration::from_secs;
    let unavailable = |retry_after: Option<&str>, empty| Shape::Unavailable {
        retry_after: retry_after.map(str::to_owned),
        empty,
    };
    let options = [
        "10s-5m=refused",
        "1m-2m=503",
        "1m-2m=503-empty:120,starts",
        "0s-1h=page:407",
        "0s-1h=timeout,starts",
        "1s-2s=reset",
    ];
    let config = config(&options.map(|outage| format!("--outage {outage}")).join(" ")).unwrap();
    assert_eq!(
        config.outages,
        [
            Outage::of_everything(s(10), s(300), Shape::Refused),
            Outage::of_everything(s(60), s(120), unavailable(None, false)),
            Outage::of_starts(s(60), s(120), unavailable(Some("120"), true)),
            Outage::of_everything(s(0), s(3600), Shape::Page { status: 407 }),
            Outage::of_starts(s(0), s(3600), Shape::TimesOut),
            Outage::of_everything(s(1), s(2), Shape::Reset),
        ]
    );
}

#[test]
fn refusals_and_lists_that_are_hard_to_read_become_settings() {
    let config = config(
        "--poison aa --poison bb --restricted cc --revoke-after 2m --revoke-words plain --page-limit 500 --endless new \
         --rows-arriving 3 --rows-vanishing 2 --vanish others --refuse count --refuse orderby",
    )
    .unwrap();
    assert_eq!((config.poison.len(), config.restricted.len()), (2, 1));
    assert_eq!(config.forbid_starts_from, Some(Duration::from_mins(2)));
    assert_eq!(config.forbid_words, ForbidWords::Plain);
    assert_eq!(
        (config.page_limit, config.endless),
        (Some(500), Some(Endless::New))
    );
    let moving = Moving {
        arriving: 3,
        vanishing: 2,
        vanish: Vanish::Others,
    };
    assert_eq!(config.moving, moving);
    assert_eq!(config.refuses, [ListOption::Count, ListOption::OrderBy]);
}

#[tokio::test]
async fn an_address_in_use_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let cli = Cli::parse_from(["mock".to_owned(), format!("--listen={address}")]);
    let error = run(cli.mock, |_| ()).await.unwrap_err().to_string();
    assert!(
        error.contains(&address.to_string()) && error.contains("--listen"),
        "{error}"
    );
}

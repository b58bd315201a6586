//! How often the sign-in service is asked, whatever it answers.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::SecretString;
use tokio::time::{self, Instant};

use super::*;
use crate::defender::sign_in::{
    fetch::{FetchError, Fetched, Fetching, LONGEST_LIFE},
    renewal::{AHEAD, BROKEN_OFF},
    request_pace::MOST_A_MINUTE,
};

/// What one sign-in does.
#[derive(Debug, Clone)]
enum Deed {
    Token(Duration),
    Passing,
    Last,
    Panic,
    Hang,
}

/// Does one deed after the other, each after a delay, and repeats the last one for ever. It records when it was asked.
#[derive(Debug)]
struct Script {
    deeds: Vec<(Duration, Deed)>,
    asked: Mutex<Vec<Duration>>,
    began: Instant,
}

#[derive(Debug)]
struct Shown(Arc<Script>);

impl Fetch for Shown {
    fn fetch(&self) -> Fetching<'_> {
        let mut asked = self.0.asked.lock().unwrap();
        let (delay, deed) = self.0.deeds[asked.len().min(self.0.deeds.len() - 1)].clone();
        asked.push(self.0.began.elapsed());
        drop(asked);
        Box::pin(async move {
            time::sleep(delay).await;
            match deed {
                Deed::Token(life) => Ok(Fetched {
                    secret: SecretString::from("t"),
                    life,
                }),
                Deed::Passing => Err(FetchError::passing("no connection")),
                Deed::Last => Err(FetchError::last("AADSTS7000222")),
                // Like a panic, but without its message.
                Deed::Panic => std::panic::resume_unwind(Box::new("a bug")),
                Deed::Hang => std::future::pending().await,
            }
        })
    }
}

#[derive(Debug)]
struct Virtual(Instant);

impl Time for Virtual {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

fn renewing(deeds: Vec<(Duration, Deed)>) -> (Arc<Script>, Arc<Renewing>) {
    let began = Instant::now();
    let script = Arc::new(Script {
        deeds,
        asked: Mutex::default(),
        began,
    });
    let tokens = Renewing::new(Shown(Arc::clone(&script)), Arc::new(Virtual(began)));
    (script, Arc::new(tokens))
}

/// The largest number of requests in any minute. They are given in the order of time; there may be a hundred thousand.
fn busiest_minute(asked: &[Duration]) -> usize {
    let from = |(index, first): (usize, &Duration)| {
        let end = *first + Duration::from_mins(1);
        asked[index..].partition_point(|at| *at < end)
    };
    asked.iter().enumerate().map(from).max().unwrap_or(0)
}

/// Requests tokens without a pause for this long: any token or, each time, one that is newer than the last.
async fn insist(tokens: Arc<Renewing>, renews: bool, span: Duration) {
    let end = Instant::now() + span;
    let mut refused = 0;
    while Instant::now() < end {
        let came = time::timeout_at(end, tokens.newer_than(refused)).await;
        if let Ok(Ok(token)) = came
            && renews
        {
            refused = token.serial;
        } else {
            // Otherwise answers that come at once would keep the virtual clock from advancing.
            time::sleep(Duration::from_millis(100)).await;
        }
    }
}

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test(start_paused = true)]
async fn a_life_beyond_all_measure_is_a_day() {
    for life in [
        Duration::MAX,
        Duration::from_secs(1_000_000_000_000_000_000),
    ] {
        let (script, tokens) = renewing(vec![(AT_ONCE, Deed::Token(life))]);
        assert_eq!(tokens.token().await.unwrap().serial, 1);
        let fresh = LONGEST_LIFE.saturating_sub(AHEAD + Duration::from_secs(1));
        time::sleep(fresh).await;
        tokens.token().await.unwrap();
        assert_eq!(script.asked.lock().unwrap().len(), 1);
        time::sleep(AHEAD).await;
        tokens.token().await.unwrap();
        time::sleep(Duration::from_secs(1)).await;
        assert_eq!(tokens.token().await.unwrap().serial, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_dead_when_it_comes_is_a_failure_in_words() {
    let (script, tokens) = renewing(vec![(Duration::from_secs(2), Deed::Token(AT_ONCE))]);
    let told = tokens.token().await.unwrap_err().to_string();
    assert!(told.contains("was dead when it came"), "{told}");
    assert!((3..=5).contains(&script.asked.lock().unwrap().len()));
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_panics_is_a_failure_with_a_pause_and_the_next_one_may_go_well() {
    let hour = Deed::Token(Duration::from_hours(1));
    let deeds = vec![
        (AT_ONCE, Deed::Panic),
        (AT_ONCE, Deed::Panic),
        (AT_ONCE, hour),
    ];
    let (script, tokens) = renewing(deeds);
    for _ in 0..2 {
        let told = tokens.token().await.unwrap_err().to_string();
        assert_eq!(told, BROKEN_OFF);
    }
    tokens.token().await.unwrap();
    let asked: Vec<_> = script
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(Duration::as_secs)
        .collect();
    assert_eq!(asked, [0, 1, 3]);
}

#[test]
fn a_runtime_that_goes_while_somebody_signs_in_leaves_a_failure_and_no_deadlock() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let (script, tokens) = {
        let _within = first.enter();
        renewing(vec![
            (AT_ONCE, Deed::Hang),
            (AT_ONCE, Deed::Token(Duration::from_hours(1))),
        ])
    };
    let asking = Arc::clone(&tokens);
    first.spawn(async move { asking.token().await.map(drop) });
    first.block_on(tokio::task::yield_now());
    first.block_on(tokio::task::yield_now());
    assert_eq!(script.asked.lock().unwrap().len(), 1);
    drop(first);
    assert!(!tokens.shared.state().renewing);
    second.block_on(async {
        assert_eq!(tokens.token().await.unwrap().serial, 1);
    });
}

#[tokio::test(start_paused = true)]
async fn tokens_that_the_service_refuses_one_after_the_other_are_not_asked_for_in_a_storm() {
    let (script, tokens) = renewing(vec![(AT_ONCE, Deed::Token(Duration::from_hours(1)))]);
    let span = Duration::from_mins(10);
    insist(tokens, true, span).await;
    let asked = script.asked.lock().unwrap();
    assert_eq!(busiest_minute(&asked), MOST_A_MINUTE);
    assert!(asked.len() >= 9 * MOST_A_MINUTE, "{}", asked.len());
}

fn deed() -> impl Strategy<Value = (Duration, Deed)> {
    let life = prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (1..100_000_u64).prop_map(Duration::from_millis),
        (1..7200_u64).prop_map(Duration::from_secs),
    ];
    let deed = prop_oneof![
        4 => life.prop_map(Deed::Token),
        2 => Just(Deed::Passing),
        1 => Just(Deed::Last),
        2 => Just(Deed::Panic),
        1 => Just(Deed::Hang),
    ];
    let delay = prop_oneof![Just(0), 0..500_u64, 0..90_000_u64];
    (delay.prop_map(Duration::from_millis), deed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_minute_has_more_requests_than_the_bound_and_in_the_end_there_is_a_token(
        mut deeds in prop::collection::vec(deed(), 1..12),
        ends_well in any::<bool>(),
        callers in prop::collection::vec((any::<bool>(), 0..600_u64), 1..6),
    ) {
        if ends_well {
            deeds.push((AT_ONCE, Deed::Token(Duration::from_hours(1))));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let (most, at_last) = runtime.block_on(async {
            let (script, tokens) = renewing(deeds);
            let insisting: Vec<_> = callers
                .iter()
                .map(|(renews, span)| tokio::spawn(insist(Arc::clone(&tokens), *renews, Duration::from_secs(*span))))
                .collect();
            for caller in insisting {
                caller.await.unwrap();
            }
            let mut at_last = false;
            for _ in 0..20 {
                at_last |= time::timeout(Duration::from_hours(30), tokens.token()).await.expect("an end").is_ok();
            }
            let most = busiest_minute(&script.asked.lock().unwrap());
            (most, at_last)
        });
        prop_assert!(most <= MOST_A_MINUTE, "{most} requests in a minute");
        prop_assert!(at_last || !ends_well, "no token although all is well again");
    }
}

//! When a token is renewed, and what callers get meanwhile.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{self, Instant};

use super::*;
use crate::defender::sign_in::fetch::{FetchError, Fetched, Fetching};

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

/// Issues tokens with a fixed lifetime, except while it is down or refuses.
#[derive(Clone)]
struct Desk(Arc<DeskState>);

struct DeskState {
    life: Duration,
    began: Instant,
    down: std::ops::Range<Duration>,
    refuses: std::ops::Range<Duration>,
    asked: AtomicU64,
    given: AtomicU64,
}

impl Fetch for Desk {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            self.0.asked.fetch_add(1, Ordering::Relaxed);
            time::sleep(Duration::from_millis(200)).await;
            let at = self.0.began.elapsed();
            if self.0.down.contains(&at) {
                return Err(FetchError::passing("no connection"));
            }
            if self.0.refuses.contains(&at) {
                return Err(FetchError::last("AADSTS7000222"));
            }
            let n = 1 + self.0.given.fetch_add(1, Ordering::Relaxed);
            Ok(Fetched {
                secret: SecretString::from(format!("token {n}")),
                life: self.0.life,
            })
        })
    }
}

const NEVER: std::ops::Range<Duration> = Duration::ZERO..Duration::ZERO;

fn seconds(range: std::ops::Range<u64>) -> std::ops::Range<Duration> {
    Duration::from_secs(range.start)..Duration::from_secs(range.end)
}

fn desk(
    life: u64,
    down: std::ops::Range<Duration>,
    refuses: std::ops::Range<Duration>,
) -> (Arc<DeskState>, Arc<Renewing>) {
    let desk = Desk(Arc::new(DeskState {
        life: Duration::from_secs(life),
        began: Instant::now(),
        down,
        refuses,
        asked: AtomicU64::new(0),
        given: AtomicU64::new(0),
    }));
    let tokens = Renewing::new(desk.clone(), Arc::new(Virtual(Instant::now())));
    (desk.0, Arc::new(tokens))
}

async fn serial(tokens: &Renewing) -> u64 {
    tokens.token().await.unwrap().serial
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_ask_at_once_share_one_sign_in() {
    let (desk, tokens) = desk(3600, NEVER, NEVER);
    let asking = (0..100).map(|_| {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move { tokens.token().await.unwrap() })
    });
    for asked in asking.collect::<Vec<_>>() {
        let token = asked.await.unwrap();
        assert_eq!((token.serial, token.secret.expose_secret()), (1, "token 1"));
    }
    assert_eq!(desk.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_with_a_fifth_or_five_minutes_left_and_nobody_waits() {
    for (life, fresh_until) in [(60, 48), (600, 480), (3600, 3300), (86_400, 86_100)] {
        let (_desk, tokens) = desk(life, NEVER, NEVER);
        assert_eq!(serial(&tokens).await, 1);
        time::sleep(Duration::from_millis(fresh_until * 1000 - 300)).await;
        assert_eq!(serial(&tokens).await, 1);
        time::sleep(Duration::from_secs(1)).await;
        assert_eq!(serial(&tokens).await, 1, "life {life}: it was fresh still");
        time::sleep(Duration::from_millis(300)).await;
        let before = Instant::now();
        assert_eq!(serial(&tokens).await, 2, "life {life}");
        assert_eq!(
            before.elapsed(),
            Duration::ZERO,
            "life {life}: somebody waited"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_while_the_old_token_lives_disturbs_nobody() {
    let (_desk, tokens) = desk(600, seconds(400..590), NEVER);
    assert_eq!(serial(&tokens).await, 1);
    for _ in 0..590 {
        time::sleep(Duration::from_secs(1)).await;
        let before = Instant::now();
        tokens.token().await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
    time::sleep(Duration::from_secs(20)).await;
    assert_eq!(serial(&tokens).await, 2);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_outlives_the_token_is_waited_for() {
    let (_desk, tokens) = desk(60, seconds(40..100), NEVER);
    assert_eq!(serial(&tokens).await, 1);
    time::sleep(Duration::from_secs(58)).await;
    let before = Instant::now();
    assert_eq!(serial(&tokens).await, 2);
    assert!(before.elapsed() > Duration::from_secs(40));
    assert!(before.elapsed() < Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_at_once_when_there_is_no_token_and_only_at_its_end_when_there_is() {
    let (desk, tokens) = desk(600, NEVER, seconds(300..10_000));
    assert_eq!(serial(&tokens).await, 1);
    time::sleep(Duration::from_secs(500)).await;
    assert_eq!(serial(&tokens).await, 1);
    time::sleep(Duration::from_mins(1)).await;
    assert_eq!(serial(&tokens).await, 1);
    time::sleep(Duration::from_secs(40)).await;
    let told = tokens.token().await.unwrap_err().to_string();
    assert_eq!(told, "AADSTS7000222");
    // It is asked again, but not too often.
    let asked = desk.asked.load(Ordering::Relaxed);
    assert!((3..10).contains(&asked), "{asked}");

    let (_desk, tokens) = self::desk(600, NEVER, seconds(0..10));
    let before = Instant::now();
    assert!(tokens.token().await.is_err());
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_first_sign_in_that_cannot_connect_gives_up_soon() {
    let (desk, tokens) = desk(600, seconds(0..10_000), NEVER);
    let before = Instant::now();
    assert_eq!(
        tokens.token().await.unwrap_err().to_string(),
        "no connection"
    );
    assert!(before.elapsed() < Duration::from_secs(20));
    assert!(desk.asked.load(Ordering::Relaxed) >= 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once_for_all() {
    let (desk, tokens) = desk(3600, NEVER, NEVER);
    assert_eq!(serial(&tokens).await, 1);
    let asking = (0..100).map(|_| {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move { tokens.renew(1).await.unwrap().serial })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), 2);
    }
    assert_eq!(desk.asked.load(Ordering::Relaxed), 2);
    assert_eq!(tokens.renew(1).await.unwrap().serial, 2);
    assert_eq!(serial(&tokens).await, 2);
}

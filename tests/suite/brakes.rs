//! What stops a campaign before it does harm, and that the same command goes on once the option is changed.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use fleetsweep::{
    campaign::{
        brakes::{BrakeOptions, MaxFailures},
        disk::DiskWork,
        engine::canary_gate::Confirm,
        follow::FollowOptions,
        outcome::Outcome,
        retry::{OnPending, Policy},
        stop::{Signal, StopReason},
    },
    mock::{Chances, Ends, Fault, Kind, MockConfig, Rule, Tenant},
    quota::Quota,
};
use proptest::prelude::*;

use super::{
    campaign_quota::in_virtual_time,
    rig::{Ground, Rig, Told, fleet, machine, short_or_long},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// These machines are refused.
fn refusing(numbers: &[u64]) -> MockConfig {
    let body = r#"{"error":{"code":"InvalidInput","message":"because","target":"c"}}"#;
    let rule = |n: &u64| Rule::new(Fault::Status(400, body.into())).machine(&machine(*n));
    MockConfig {
        faults: numbers.iter().map(rule).collect(),
        ..MockConfig::default()
    }
}

/// One call at a time.
fn one_by_one(mock: MockConfig) -> Rig {
    Rig {
        quota: Quota::new(vec!["1/1s".parse().unwrap()]),
        ..Rig::against(mock)
    }
}

fn stopped_by(told: &Told) -> &str {
    match &told.stop {
        Some(StopReason::Brake(why)) => why,
        other => panic!("no brake stopped it: {other:?}"),
    }
}

async fn run(rig: Rig, brakes: BrakeOptions, ground: &Arc<Ground>, csv: &str) -> Told {
    let rig = Rig { brakes, ..rig };
    rig.start_on(ground, csv).await.end().await
}

fn sent_to(told: &Told) -> u64 {
    let rows = 1..=told.rows.len();
    rows.filter(|row| told.cell(*row, "attempts") != "0")
        .count() as u64
}

fn max_failures(text: &str) -> BrakeOptions {
    BrakeOptions {
        max_failures: Some(text.parse::<MaxFailures>().unwrap()),
        ..BrakeOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn the_nth_failure_stops_and_so_does_the_same_command_until_the_option_is_changed() {
    let failing = [3, 5, 9];
    let rig = || one_by_one(refusing(&failing));
    let ground = Arc::new(rig().ground());
    let csv = fleet(12);
    let calls = || ground.tenant().recorder().calls(Kind::Start);
    let told = run(rig(), max_failures("2"), &ground, &csv).await;
    assert!(stopped_by(&told).starts_with("--max-failures 2: 2 machines"));
    assert_eq!(calls(), 5, "the second failure is the fifth machine");
    assert_eq!(told.of(Outcome::NotAttempted), 7);

    let told = run(rig(), max_failures("2"), &ground, &csv).await;
    assert!(stopped_by(&told).starts_with("--max-failures 2"));
    assert_eq!(calls(), 5, "nothing was sent");

    let told = run(rig(), max_failures("4"), &ground, &csv).await;
    assert_eq!(told.stop, None, "there are three failures");
    assert_eq!(told.of(Outcome::Accepted), 9);
}

#[tokio::test(start_paused = true)]
async fn a_share_of_failures_stops_at_the_twentieth_end() {
    let rig = one_by_one(refusing(&[1, 2, 3, 4]));
    let ground = Arc::new(rig.ground());
    let csv = format!("{}bad,id\n", fleet(40));
    let told = run(rig, max_failures("20%"), &ground, &csv).await;
    assert!(
        stopped_by(&told).starts_with("--max-failures 20%: 4 of 20 machines"),
        "{:?}",
        told.stop
    );
    assert_eq!(sent_to(&told), 20);
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_awaited_when_a_brake_stops() {
    let mock = MockConfig {
        latency: (SECOND..=20 * SECOND).into(),
        ..refusing(&[1, 40, 60])
    };
    let rig = Rig::against(mock);
    let ground = Arc::new(rig.ground());
    let told = run(rig, max_failures("2"), &ground, &fleet(300)).await;
    stopped_by(&told);
    let calls = ground.tenant().recorder().calls(Kind::Start);
    assert_eq!(calls, 100, "the first minute");
    assert_eq!(told.of(Outcome::NotAttempted), 200);
    assert_eq!(told.of(Outcome::Unsure), 0);
    told.assert_one_scan_each();
}

/// Answers what it is to answer, and notes what the tenant had seen by then.
struct Person {
    answers: Mutex<Vec<bool>>,
    tenant: OnceLock<Arc<Tenant>>,
    asked: Mutex<Vec<(String, usize)>>,
}

impl Person {
    /// The last answer first; none is no answer, ever.
    fn saying(answers: &[bool]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.to_vec()),
            tenant: OnceLock::new(),
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> Vec<(String, usize)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Confirm for Person {
    fn ask(&self, question: &str) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let scans = self
            .tenant
            .get()
            .map_or(0, |tenant| tenant.recorder().scans());
        self.asked
            .lock()
            .unwrap()
            .push((question.to_owned(), scans));
        match self.answers.lock().unwrap().pop() {
            Some(answer) => Box::pin(std::future::ready(answer)),
            None => Box::pin(std::future::pending()),
        }
    }
}

fn canary(n: u64) -> BrakeOptions {
    BrakeOptions {
        canary: Some(n),
        ..BrakeOptions::default()
    }
}

async fn asking(rig: Rig, person: &Arc<Person>, n: u64, ground: &Arc<Ground>, csv: &str) -> Told {
    let _ = person.tenant.set(Arc::clone(ground.tenant()));
    let rig = Rig {
        asker: Some(person.clone()),
        ..rig
    };
    run(rig, canary(n), ground, csv).await
}

#[tokio::test(start_paused = true)]
async fn the_rest_starts_when_the_canaries_are_accepted_and_somebody_says_yes() {
    let ground = Arc::new(Rig::default().ground());
    let csv = fleet(150);
    let person = Person::saying(&[true, false]);
    let told = asking(Rig::default(), &person, 5, &ground, &csv).await;
    assert!(stopped_by(&told).contains("the other 145 are not to start"));
    assert_eq!(told.of(Outcome::Accepted), 5);
    assert_eq!(told.of(Outcome::NotAttempted), 145);

    // The same command asks again, and sends nothing before the answer.
    let told = asking(Rig::default(), &person, 5, &ground, &csv).await;
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::Accepted), 150);
    let questions = [
        (
            "5 canaries were accepted: start the other 145? [y/N] ".to_owned(),
            5,
        ),
        ("start the others all the same? [y/N] ".to_owned(), 5),
    ];
    assert_eq!(person.asked(), questions);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_be_asked_the_rest_starts_by_itself() {
    let ground = Arc::new(Rig::default().ground());
    let told = run(Rig::default(), canary(3), &ground, &fleet(50)).await;
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::Accepted), 50);
    assert!(
        told.notes
            .iter()
            .any(|note| note.contains("the other 47 start now"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_campaign_of_canaries_alone_asks_nobody() {
    let ground = Arc::new(Rig::default().ground());
    let person = Person::saying(&[]);
    let told = asking(Rig::default(), &person, 9, &ground, &fleet(9)).await;
    assert_eq!(told.stop, None);
    assert_eq!(person.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn a_yes_to_the_canaries_is_not_asked_for_again_by_the_next_run() {
    let rig = || Rig::default();
    let ground = Arc::new(rig().ground());
    let csv = fleet(150);
    let person = Person::saying(&[true]);
    let running = Rig {
        brakes: canary(5),
        asker: Some(person.clone()),
        ..rig()
    };
    let running = running.start_on(&ground, &csv).await;
    tokio::time::sleep(10 * SECOND).await;
    running.signal(Signal::Drain).await;
    assert_eq!(running.end().await.of(Outcome::Accepted), 100);
    let told = asking(rig(), &person, 5, &ground, &csv).await;
    assert_eq!(told.of(Outcome::Accepted), 150);
    assert_eq!(person.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_without_an_answer_keeps_nobody_from_ctrl_c() {
    let person = Person::saying(&[]);
    let rig = Rig {
        brakes: canary(5),
        asker: Some(person.clone()),
        ..Rig::default()
    };
    let running = rig.start(&fleet(50)).await;
    tokio::time::sleep(MINUTE).await;
    assert_eq!(person.asked().len(), 1);
    let asked_at = tokio::time::Instant::now();
    running.signal(Signal::Drain).await;
    let told = running.end().await;
    assert_eq!(told.stop, Some(StopReason::Interrupted));
    assert_eq!(asked_at.elapsed(), Duration::ZERO);
    assert_eq!(told.of(Outcome::Accepted), 5);
}

#[tokio::test(start_paused = true)]
async fn a_busy_canary_is_replaced_and_any_other_end_stops() {
    let busy = r#"{"error":{"code":"ActiveRequestAlreadyExists","message":"busy","target":"c"}}"#;
    let rule = |n| Rule::new(Fault::Status(400, busy.into())).machine(&machine(n));
    let policies = [
        OnPending::Skip,
        OnPending::Retry {
            delay: MINUTE * 15,
            tries: 2,
        },
    ];
    for on_pending in policies {
        let mock = MockConfig {
            faults: vec![rule(1), rule(3)],
            ..MockConfig::default()
        };
        let rig = Rig {
            policy: Policy {
                on_pending,
                ..Policy::default()
            },
            ..Rig::against(mock)
        };
        let ground = Arc::new(rig.ground());
        let person = Person::saying(&[false]);
        let told = asking(rig, &person, 3, &ground, &fleet(20)).await;
        stopped_by(&told);
        assert_eq!(told.of(Outcome::Accepted), 3);
        assert_eq!(sent_to(&told), 5, "two were replaced");
        assert_eq!(person.asked()[0].1, 3);
    }

    let ground = Arc::new(Rig::against(refusing(&[2])).ground());
    let person = Person::saying(&[]);
    for _ in 0..2 {
        let told = asking(Rig::default(), &person, 3, &ground, &fleet(20)).await;
        assert!(
            stopped_by(&told).starts_with("--canary 3: "),
            "{:?}",
            told.stop
        );
        assert_eq!(sent_to(&told), 3, "and nothing more the second time");
        assert_eq!(told.of(Outcome::Refused), 1);
    }
    // Two are accepted: with that many canaries somebody is asked.
    let person = Person::saying(&[true]);
    let told = asking(Rig::default(), &person, 2, &ground, &fleet(20)).await;
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::Accepted), 19);
}

#[tokio::test(start_paused = true)]
async fn canaries_that_are_followed_have_to_succeed_first() {
    for (failed, canaries) in [(0.0, 4), (0.0, 1), (1.0, 4), (1.0, 1)] {
        let mock = MockConfig {
            scan_time: 10 * MINUTE..=20 * MINUTE,
            ends: Ends {
                failed,
                ..Ends::default()
            },
            ..MockConfig::default()
        };
        let rig = Rig {
            followed: Some(FollowOptions {
                interval: MINUTE,
                verify: false,
                timeout: None,
                disk: DiskWork::Aside,
            }),
            ..Rig::against(mock)
        };
        let ground = Arc::new(rig.ground());
        let told = run(rig, canary(canaries), &ground, &fleet(40)).await;
        let seen = ground.tenant().recorder().seen(Kind::Start);
        if failed > 0.5 {
            let why = stopped_by(&told);
            assert!(
                why.starts_with(&format!("--canary {canaries} --follow")) && why.contains("Failed"),
                "{why}"
            );
            assert_eq!(seen.len() as u64, canaries);
        } else {
            assert_eq!(told.stop, None);
            assert_eq!(told.of(Outcome::Accepted), 40);
            let early = seen.iter().filter(|call| call.arrived < 10 * MINUTE);
            assert_eq!(early.count() as u64, canaries);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(short_or_long(15, 40)))]

    /// Whatever the network loses, and however often the campaign is stopped.
    #[test]
    fn never_more_scans_than_canaries_are_started_before_somebody_says_yes(
        seed: u64,
        n in 1..6_u64,
        lost in 0.0..0.3_f64,
        stops in prop::collection::vec(0..90_000_u64, 0..3),
    ) {
        in_virtual_time(async move {
            let mock = MockConfig {
                seed,
                latency: (Duration::from_millis(50)..=8 * SECOND).into(),
                chances: Chances {
                    busy: 0.2,
                    reset_before: lost,
                    reset_after: lost,
                    error_before: lost,
                    error_after: lost,
                    ..Chances::default()
                },
                ..MockConfig::default()
            };
            let policy = Policy { max_attempts: 40, ..Policy::default() };
            let rig = || Rig { policy, seed, ..Rig::against(mock.clone()) };
            let ground = Arc::new(rig().ground());
            let person = Person::saying(&[]);
            let _ = person.tenant.set(Arc::clone(ground.tenant()));
            let mut ended = None;
            for stop in stops.into_iter().chain([3_600_000]) {
                let running = Rig { brakes: canary(n), asker: Some(person.clone()), ..rig() };
                let running = running.start_on(&ground, &fleet(60)).await;
                tokio::time::sleep(Duration::from_millis(stop)).await;
                // A canary that ended badly has stopped the campaign meanwhile.
                let _ = running.signals.send(Signal::Drain).await;
                let told = running.end().await;
                told.assert_one_scan_each();
                assert!(ground.tenant().recorder().scans() as u64 <= n, "too many scans");
                ended = told.stop;
            }
            match person.asked().pop() {
                Some((_, scans)) => assert_eq!(scans as u64, n),
                // Where nearly every call is lost, an hour is not enough for them.
                None => assert!(
                    matches!(ended, Some(StopReason::Brake(_) | StopReason::Interrupted)),
                    "{ended:?}"
                ),
            }
        });
    }
}

fn max_machines(n: u64) -> BrakeOptions {
    BrakeOptions {
        max_machines: Some(n),
        ..BrakeOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_machines_than_were_allowed_are_sent_to_in_all_runs_together() {
    let mock = MockConfig {
        latency: (SECOND..=4 * SECOND).into(),
        chances: Chances {
            error_before: 0.1,
            reset_before: 0.05,
            spurious_404: 0.1,
            ..Chances::default()
        },
        ..MockConfig::default()
    };
    let rig = || Rig::against(mock.clone());
    let ground = Arc::new(rig().ground());
    let csv = fleet(200);
    for (n, stops) in [(30, true), (30, true), (131, true), (200, false)] {
        let told = run(rig(), max_machines(n), &ground, &csv).await;
        assert_eq!(sent_to(&told), n);
        assert_eq!(
            told.of(Outcome::NotAttempted),
            200 - n,
            "all of the {n} are through"
        );
        assert_eq!(told.stop.is_some(), stops);
        if stops {
            let why = stopped_by(&told);
            let left = 200 - n;
            assert!(
                why.contains(&format!("{n} machines have been sent to, {left} rows")),
                "{why}"
            );
        }
        told.assert_one_scan_each();
    }
}

#[tokio::test(start_paused = true)]
async fn a_campaign_of_no_more_machines_than_are_allowed_never_notices() {
    for n in [60, 61] {
        let ground = Arc::new(Rig::default().ground());
        let told = run(Rig::default(), max_machines(n), &ground, &fleet(60)).await;
        assert_eq!(told.stop, None);
        assert_eq!(told.of(Outcome::Accepted), 60);
    }
}

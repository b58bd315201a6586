//! Every row ends in one outcome, and the counts add up (the rig sees to that in every campaign).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fleetsweep::{
    campaign::{
        outcome::Outcome,
        retry::{OnPending, Policy},
        stop::StopReason,
    },
    defender::sign_in::{Token, TokenFuture, TokenSource},
    mock::{Fault, Kind, MockConfig, Rule, SignIn, Tokens},
};
use proptest::prelude::*;
use secrecy::SecretString;

use super::{
    campaign_quota::in_virtual_time,
    rig::{Rig, Told, chances, fleet, machine, short_or_long},
};

fn error(status: u16, code: &str) -> Fault {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"because","target":"c-7"}}}}"#);
    Fault::Status(status, body)
}

fn scripted(faults: Vec<Rule>) -> Rig {
    Rig::against(MockConfig {
        faults,
        ..MockConfig::default()
    })
}

fn on(number: u64, fault: Fault) -> Rule {
    Rule::new(fault).machine(&machine(number))
}

fn max_attempts(max_attempts: u32, rig: Rig) -> Rig {
    let policy = Policy {
        max_attempts,
        ..rig.policy
    };
    Rig { policy, ..rig }
}

#[tokio::test(start_paused = true)]
async fn every_outcome_has_its_row_with_its_reason_in_the_inputs_order() {
    let rig = scripted(vec![
        on(2, error(400, "ActiveRequestAlreadyExists")),
        on(3, error(404, "ResourceNotFound")),
        on(4, error(400, "OsPlatformNotSupported")),
        on(5, error(400, "ClientVersionNotSupported")),
        on(6, error(400, "InvalidInput")),
        on(7, error(403, "DisallowedOperation")),
        on(8, Fault::CutBefore),
    ]);
    let ids = (1..=8).map(|n| format!("site {n},{}\n", machine(n)));
    let csv = format!(
        "Site,machine_id\n{}bad,not/an/id\nagain,{}\nlast,{}\n",
        ids.collect::<String>(),
        machine(1).to_uppercase(),
        machine(9)
    );
    let told = max_attempts(2, rig).run(&csv).await;
    let rows: Vec<_> = (1..=11).map(|row| told.row(row)).collect();
    assert_eq!(
        rows,
        [
            ("accepted", "1", ""),
            ("already_pending", "1", "ActiveRequestAlreadyExists"),
            ("not_found", "2", "ResourceNotFound"),
            ("unsupported", "1", "OsPlatformNotSupported"),
            ("unsupported", "1", "ClientVersionNotSupported"),
            ("refused", "1", "InvalidInput"),
            ("refused", "1", "DisallowedOperation"),
            ("failed", "2", ""),
            ("invalid", "0", ""),
            ("duplicate", "0", ""),
            ("accepted", "1", ""),
        ]
    );
    assert_eq!(told.cell(6, "message"), "because");
    assert_eq!(told.cell(6, "correlation_id"), "c-7");
    assert_eq!(told.cell(8, "Site"), "site 8");
    assert_eq!(told.cell(10, "machine_id"), machine(1).to_uppercase());
    for row in 2..=10 {
        assert_ne!(told.cell(row, "message"), "", "row {row} says why");
    }
    told.assert_one_scan_each();
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_not_found_when_two_answers_five_seconds_apart_say_so() {
    let missing = || error(404, "NotFound");
    for seed in 1..20 {
        let rig = scripted(vec![on(1, missing()), on(2, missing()).nth(1)]);
        let told = Rig { seed, ..rig }.run(&fleet(2)).await;
        assert_eq!(told.row(1), ("not_found", "2", "NotFound"));
        assert_eq!(told.row(2).0, "accepted");
        let seen = told.tenant.recorder().seen(Kind::Start);
        let second = seen
            .iter()
            .map(|call| call.arrived)
            .filter(|at| !at.is_zero());
        assert!(second.min() >= Some(Duration::from_secs(5)));
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_tries_are_made_as_were_allowed() {
    for tries in [1, 2, 5] {
        for fault in [
            Fault::CutBefore,
            Fault::Status(503, String::new()),
            Fault::Status(302, String::new()),
            Fault::Status(200, "what?".into()),
        ] {
            let told = max_attempts(tries, scripted(vec![on(2, fault)]))
                .run(&fleet(3))
                .await;
            let (outcome, attempts, _) = told.row(2);
            assert_eq!((outcome, attempts), ("failed", tries.to_string().as_str()));
            assert_eq!(told.of(Outcome::Accepted), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_costs_no_try_and_its_target_goes_first_again() {
    let rig = scripted(vec![on(2, error(429, "TooManyRequests")).nth(1)]);
    let told = max_attempts(1, rig).run(&fleet(5)).await;
    assert_eq!(told.row(2), ("accepted", "2", ""));
    assert_eq!(told.of(Outcome::Accepted), 5);
    assert_eq!(told.tenant.recorder().early_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn pending_machines_are_asked_again_where_that_was_asked_for() {
    let delay = Duration::from_mins(15);
    for (tries, busy_for, outcome) in [
        (4, 4, "already_pending"),
        (4, 3, "accepted"),
        (1, 1, "already_pending"),
    ] {
        let busy = |nth| on(2, error(400, "ActiveRequestAlreadyExists")).nth(nth);
        let mut rig = scripted((1..=busy_for).map(busy).collect());
        rig.policy = Policy {
            max_attempts: 1,
            on_pending: OnPending::Retry { delay, tries },
        };
        let told = rig.run(&fleet(2)).await;
        assert_eq!(
            (told.row(2).0, told.row(2).1),
            (outcome, tries.to_string().as_str())
        );
        assert!(told.elapsed >= delay * (tries - 1), "{:?}", told.elapsed);
    }
}

#[tokio::test(start_paused = true)]
async fn what_every_further_call_would_meet_costs_a_handful_of_calls() {
    for (fault, starts, lists) in [
        (error(403, "DisabledFeature"), 1, 0),
        (error(410, "Gone"), 1, 0),
        (error(400, "InvalidRequestBody"), 1, 0),
        (error(400, "MissingRequiredParameter"), 1, 0),
        // It may be one restricted machine: three others are asked.
        (error(403, "Forbidden"), 4, 0),
        // It is looked at twice.
        (Fault::Status(403, "<html>".into()), 1, 1),
        (Fault::Status(407, String::new()), 1, 1),
        (Fault::Status(200, "<html>".into()), 1, 1),
    ] {
        let name = format!("{fault:?}");
        let told = scripted(vec![Rule::new(fault)]).run(&fleet(300)).await;
        assert!(
            matches!(told.stop, Some(StopReason::Tenant(_))),
            "{name}: {:?}",
            told.stop
        );
        let recorder = told.tenant.recorder();
        assert_eq!(recorder.calls(Kind::Start), starts, "{name}");
        assert_eq!(recorder.calls(Kind::List), lists, "{name}");
        assert!(told.elapsed < Duration::from_secs(15), "{name}");
        assert_eq!(told.of(Outcome::Refused), 0, "{name}");
    }
}

/// Makes a newer token whenever it is asked to.
struct Mint(AtomicU64);

impl Mint {
    fn newest(&self) -> TokenFuture<'static> {
        let serial = self.0.load(Ordering::Relaxed);
        let secret = SecretString::from(format!("token{serial}"));
        Box::pin(std::future::ready(Ok(Token { secret, serial })))
    }
}

impl TokenSource for Mint {
    fn token(&self) -> TokenFuture<'_> {
        self.newest()
    }

    fn renew(&self, refused: u64) -> TokenFuture<'_> {
        self.0.fetch_max(refused + 1, Ordering::Relaxed);
        self.newest()
    }
}

async fn with_tokens(taken: &str, machines: u64) -> Told {
    let rig = Rig::against(MockConfig {
        sign_in: SignIn {
            tokens: Tokens::Only(taken.into()),
            ..SignIn::default()
        },
        ..MockConfig::default()
    });
    let tokens = Arc::new(Mint(AtomicU64::new(1)));
    max_attempts(1, Rig { tokens, ..rig })
        .run(&fleet(machines))
        .await
}

#[tokio::test(start_paused = true)]
async fn the_first_401_renews_the_token_and_costs_no_try() {
    let told = with_tokens("token2", 20).await;
    assert_eq!(told.of(Outcome::Accepted), 20);
    assert_eq!(told.row(1), ("accepted", "2", ""));
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_that_is_refused_too_stops_the_campaign() {
    let told = with_tokens("another", 20).await;
    let Some(StopReason::Tenant(why)) = &told.stop else {
        panic!("{:?}", told.stop)
    };
    assert!(why.contains("401"), "{why}");
    assert_eq!(told.tenant.recorder().calls(Kind::Start), 2);
    assert_eq!(told.of(Outcome::NotAttempted), 20);
}

#[tokio::test(start_paused = true)]
async fn the_brake_is_pulled_where_the_first_25_machines_end_and_none_is_scanned() {
    let strangers = |from, to| {
        (from..=to)
            .map(|n| on(n, error(400, "InvalidInput")))
            .collect()
    };
    let all = scripted(strangers(1, 300)).run(&fleet(300)).await;
    assert!(
        matches!(all.stop, Some(StopReason::Brake(_))),
        "{:?}",
        all.stop
    );
    assert!(all.of(Outcome::Refused) >= 25);
    assert!(all.of(Outcome::NotAttempted) >= 200, "{:?}", all.tally);

    let one_is_scanned = scripted(strangers(2, 300)).run(&fleet(300)).await;
    assert_eq!(one_is_scanned.stop, None);
    assert_eq!(one_is_scanned.of(Outcome::Refused), 299);

    let too_few = scripted(strangers(1, 24)).run(&fleet(24)).await;
    assert_eq!(too_few.stop, None);
    assert_eq!(too_few.of(Outcome::Refused), 24);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: short_or_long(16, 48), ..ProptestConfig::default() })]

    #[test]
    fn whatever_goes_wrong_every_row_has_one_outcome(
        chances in chances(0.15, 6.0),
        lag in 0..20_u64, tries in 1..6_u32, retry: bool, seed: u64,
        rows in prop::collection::vec(0..90_u64, 1..120),
    ) {
        // Some ids stand there twice, and some are none.
        let ids = rows.iter().map(|n| if n % 9 == 8 { "no id".to_owned() } else { machine(n + 1) });
        let csv = format!("machine_id\n{}\n{}\n", machine(99), ids.collect::<Vec<_>>().join("\n"));
        let delay = Duration::from_mins(15);
        let on_pending = if retry { OnPending::Retry { delay, tries: 3 } } else { OnPending::Skip };
        let rig = Rig {
            policy: Policy { max_attempts: tries, on_pending },
            seed,
            ..Rig::against(MockConfig {
                seed, chances,
                // Some are given up after 30 s, and carried out up to 4 s later.
                latency: (Duration::ZERO..=Duration::from_secs(34)).into(),
                listing_lag: Duration::ZERO..=Duration::from_secs(lag),
                ..MockConfig::default()
            })
        };
        in_virtual_time(async {
            let told = rig.run(&csv).await;
            told.assert_never_over();
            assert_eq!(told.tenant.recorder().machines_scanned_more_than_once(), Vec::<String>::new());
        });
    }
}

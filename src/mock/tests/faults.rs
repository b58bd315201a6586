//! What gets lost on the way, and when a call is counted.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_lost_before_was_not_carried_out_and_what_is_lost_after_was() {
    let rules = [
        ("a", Fault::CutBefore, None, 0),
        ("b", Fault::CutAfter, None, 1),
        ("c", Fault::Status(500, String::new()), Some(500), 0),
        ("d", Fault::StatusAfter(502, String::new()), Some(502), 1),
        ("e", Fault::Delay(s(7)), Some(201), 1),
    ];
    let rule =
        |(machine, fault, ..): &(&str, Fault, _, _)| Rule::new(fault.clone()).machine(machine);
    let tenant = Tenant::new(MockConfig {
        faults: rules.iter().map(rule).collect(),
        ..MockConfig::default()
    });
    for (machine, fault, status, scans) in rules {
        let served = tenant.handle(start_request(machine)).await;
        let answered = match &served {
            Served::Response(response) => Some(response.status),
            Served::Cut | Served::Refused => None,
        };
        assert_eq!(
            (answered, tenant.recorder().scans_of(machine)),
            (status, scans),
            "{fault:?}"
        );
    }
    assert_eq!(tenant.recorder().calls(Kind::Start), 5);
    assert_eq!(tenant.summary().scans.answers_lost, 2);
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_goes_out_before_the_call_is_counted() {
    let tenant = Tenant::new(MockConfig {
        faults: vec![Rule::new(Fault::Early(s(4)))],
        ..MockConfig::default()
    });
    assert_eq!(start(&tenant, "ab").await.0, 503);
    tokio::time::sleep(s(3)).await;
    assert_eq!(
        (
            tenant.recorder().calls(Kind::Start),
            tenant.recorder().scans()
        ),
        (0, 0)
    );
    tokio::time::sleep(s(2)).await;
    let seen = Seen {
        arrived: s(0),
        counted: s(4),
    };
    assert_eq!(
        (
            tenant.recorder().seen(Kind::Start),
            tenant.recorder().scans()
        ),
        (vec![seen], 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_is_counted_somewhere_between_its_arrival_and_its_answer() {
    let tenant = Tenant::new(MockConfig {
        latency: (s(2)..=s(20)).into(),
        ..MockConfig::default()
    });
    let began = tokio::time::Instant::now();
    for n in 0..50 {
        let before = began.elapsed();
        assert_eq!(start(&tenant, &format!("m{n}")).await.0, 201);
        let seen = *tenant.recorder().seen(Kind::Start).last().unwrap();
        assert!(
            before <= seen.arrived
                && seen.arrived <= seen.counted
                && seen.counted <= began.elapsed()
        );
    }
    let seen = tenant.recorder().seen(Kind::Start);
    let late = seen
        .iter()
        .filter(|seen| seen.counted > seen.arrived + s(2))
        .count();
    assert!((10..50).contains(&late), "{late} of 50");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_answers() {
    let run = async || {
        let tenant = Tenant::new(MockConfig {
            chances: Chances {
                error_after: 0.2,
                reset_before: 0.2,
                busy: 0.2,
                ..Chances::default()
            },
            busy_shape: BusyShape::Mixed,
            latency: (s(0)..=s(3)).into(),
            ..MockConfig::default()
        });
        let mut answers = Vec::new();
        for n in 0..80 {
            answers.push(tenant.handle(start_request(&format!("m{n}"))).await);
        }
        answers
    };
    assert_eq!(run().await, run().await);
}

#[tokio::test(start_paused = true)]
async fn under_any_faults_every_scan_was_told_or_is_known_to_be_lost() {
    for seed in 0..10 {
        let tenant = Tenant::new(MockConfig {
            seed,
            quota: QuotaConfig::none(),
            latency: (s(0)..=s(5)).into(),
            chances: Chances {
                busy: 0.1,
                unknown: 0.05,
                unsupported: 0.05,
                spurious_404: 0.05,
                error_before: 0.1,
                error_after: 0.1,
                reset_before: 0.1,
                reset_after: 0.1,
                early: 0.5,
                ..Chances::default()
            },
            ..MockConfig::default()
        });
        let mut told = 0;
        for n in 0..200 {
            let served = tenant.handle(start_request(&format!("m{n}"))).await;
            told +=
                usize::from(matches!(served, Served::Response(response) if response.status == 201));
        }
        tokio::time::sleep(s(4)).await;
        let summary = tenant.summary();
        assert_eq!(
            summary.scans.total,
            told + summary.scans.answers_lost,
            "seed {seed}"
        );
        assert_eq!(
            summary.scans.machines_scanned_more_than_once, 0,
            "seed {seed}"
        );
        assert!(summary.scans.answers_lost > 10, "seed {seed}");
        // Only calls whose connection was cut before they reached the service are missing.
        let calls = tenant.recorder().calls(Kind::Start);
        assert!((170..200).contains(&calls), "seed {seed}: {calls}");
    }
}

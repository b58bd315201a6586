//! Every model of a window against its definition, and the other caller.

use proptest::prelude::*;

use super::*;

fn quota(limits: &[(u32, u64)], model: Model, count_refused: bool) -> Quota {
    let limits = limits.iter().map(|&(calls, seconds)| Limit {
        calls,
        window: Duration::from_secs(seconds),
    });
    Quota::new(
        &QuotaConfig {
            limits: limits.collect(),
            model,
            count_refused,
            ..QuotaConfig::default()
        },
        1,
    )
}

/// Whether there is room at `now` by a model's definition, computed from all calls that were counted before.
fn has_room(
    model: Model,
    calls: u32,
    window: Duration,
    counted: &[Duration],
    now: Duration,
) -> bool {
    let used = |from: Duration| counted.iter().filter(|t| **t >= from).count() as u128;
    let (calls, length) = (u128::from(calls), window.as_nanos());
    match model {
        Model::Sliding => {
            let inside = counted
                .iter()
                .filter(|t| now.saturating_sub(**t) <= window)
                .count();
            (inside as u128) < calls
        }
        Model::Fixed { phase } => {
            let number = |t: Duration| (t.as_nanos() + length - phase.as_nanos() % length) / length;
            let inside = counted
                .iter()
                .filter(|t| number(**t) == number(now))
                .count();
            (inside as u128) < calls
        }
        // Since any earlier call, at most the bucket's size and what has flowed in since were spent.
        Model::Bucket { size } => counted.iter().all(|from| {
            let size = size.map_or(calls, u128::from);
            (used(*from) + 1) * length
                <= size * length + now.saturating_sub(*from).as_nanos() * calls
        }),
    }
}

fn models() -> impl Strategy<Value = Model> {
    prop_oneof![
        Just(Model::Sliding),
        (0u64..20_000).prop_map(|ms| Model::Fixed {
            phase: Duration::from_millis(ms)
        }),
        proptest::option::of(1u32..12).prop_map(|size| Model::Bucket { size }),
    ]
}

proptest! {
    #[test]
    fn every_model_admits_exactly_what_its_definition_says(
        model in models(),
        calls in 1u32..8,
        seconds in 1u64..6,
        gaps in proptest::collection::vec(0u64..2_500, 1..80),
    ) {
        let window = Duration::from_secs(seconds);
        let mut quota = quota(&[(calls, seconds)], model, false);
        let (mut now, mut counted) = (Duration::ZERO, Vec::new());
        for gap in gaps {
            now += Duration::from_millis(gap);
            let room = has_room(model, calls, window, &counted, now);
            prop_assert_eq!(quota.count(Kind::Start, now).is_ok(), room, "{:?} at {:?}", model, now);
            if room {
                counted.push(now);
            }
        }
    }

    #[test]
    fn a_refusal_names_the_first_moment_that_has_room(model in models(), calls in 1u32..8, gap in 0u64..400) {
        let mut quota = quota(&[(calls, 3), (calls + 3, 7)], model, false);
        let mut now = Duration::ZERO;
        for _ in 0..60 {
            if let Err(refusal) = quota.count(Kind::Start, now) {
                let just_before = now + refusal.wait.saturating_sub(Duration::from_nanos(1));
                prop_assert!(quota.count(Kind::Start, just_before).is_err());
                now += refusal.wait;
                prop_assert!(quota.count(Kind::Start, now).is_ok());
            }
            now += Duration::from_millis(gap);
        }
    }
}

#[test]
fn kinds_apart_do_not_disturb_each_other_and_kinds_together_do() {
    for (kinds, second) in [(Kinds::Apart, true), (Kinds::Together, false)] {
        let mut quota = Quota::new(
            &QuotaConfig {
                limits: vec![Limit {
                    calls: 1,
                    window: Duration::from_mins(1),
                }],
                kinds,
                ..QuotaConfig::default()
            },
            1,
        );
        assert!(quota.count(Kind::Start, Duration::ZERO).is_ok());
        assert_eq!(quota.count(Kind::List, Duration::ZERO).is_ok(), second);
        assert!(quota.count(Kind::Token, Duration::ZERO).is_ok());
    }
}

#[test]
fn refused_calls_prolong_the_wait_only_where_they_are_counted() {
    for (count_refused, room) in [(false, true), (true, false)] {
        let mut quota = quota(&[(1, 60)], Model::Sliding, count_refused);
        for seconds in [0, 30, 61] {
            let admitted = quota
                .count(Kind::Start, Duration::from_secs(seconds))
                .is_ok();
            let expected = seconds == 0 || (seconds == 61 && room);
            assert_eq!(
                admitted, expected,
                "at {seconds} s, refused calls counted: {count_refused}"
            );
        }
    }
}

#[test]
fn another_caller_takes_its_share_whether_we_call_or_not() {
    let config = QuotaConfig {
        other_caller: 0.5,
        ..QuotaConfig::default()
    };
    for pause in [1, 60, 3600] {
        let mut quota = Quota::new(&config, 1);
        let (mut admitted, hours) = (0, 50);
        for second in (0..hours * 3600).step_by(pause) {
            admitted += u64::from(
                quota
                    .count(Kind::Start, Duration::from_secs(second))
                    .is_ok(),
            );
        }
        let calls = hours * 3600 / pause as u64;
        // Whoever asks often gets more than whoever asks seldom, but not all of the 1500 an hour.
        let expected = if pause == 1 {
            hours * 1100..hours * 1400
        } else {
            calls..calls + 1
        };
        assert!(
            expected.contains(&admitted),
            "every {pause} s: {admitted} of {calls}"
        );
    }
}

#[test]
fn a_limit_of_no_calls_refuses_and_no_limit_admits() {
    assert!(
        quota(&[(0, 60)], Model::Sliding, false)
            .count(Kind::Start, Duration::ZERO)
            .is_err()
    );
    assert!(
        quota(&[], Model::Sliding, false)
            .count(Kind::Start, Duration::ZERO)
            .is_ok()
    );
}

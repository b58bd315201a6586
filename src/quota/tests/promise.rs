//! Never over the limit: random histories of a quota, checked by a server that counts by hand.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    super::{
        GRACE, Kind, Limit, Moment, Pace, Quota, Throttle,
        limiter::{Call, Limiter},
    },
    Dice, World,
};

/// A call as the server saw it: when it was sent and when it was counted.
#[derive(Debug, Clone, Copy)]
struct Seen {
    kind: Kind,
    sent: Moment,
    counted: Moment,
    /// Whether it was sent when all kinds were counted together.
    joined: bool,
}

/// Checks by hand that no closed interval of a window's length has more calls of one kind than the limit, nor more
/// calls of all kinds if the last of them was sent after the kinds were joined. Calls of [`Kind::Health`] obey the
/// documented limits of their own as well, of which `headroom` percent are left to others.
fn judge(limits: &[Limit], headroom: u8, seen: &[Seen]) -> Result<(), TestCaseError> {
    let health: Vec<Seen> = seen
        .iter()
        .filter(|call| call.kind == Kind::Health)
        .copied()
        .map(|call| Seen {
            joined: false,
            ..call
        })
        .collect();
    let own = ["30/1m", "1000/1h"].map(|limit| limit.parse::<Limit>().unwrap().less(headroom));
    judge_windows(limits, seen)?;
    judge_windows(&own, &health)
}

fn judge_windows(limits: &[Limit], seen: &[Seen]) -> Result<(), TestCaseError> {
    for limit in limits {
        for first in seen {
            let inside: Vec<&Seen> = seen
                .iter()
                .filter(|call| call.counted >= first.counted)
                .filter(|call| call.counted <= first.counted + limit.window())
                .collect();
            let last = inside.iter().max_by_key(|call| call.sent).unwrap();
            let together = inside.len();
            prop_assert!(
                !last.joined || together <= limit.calls() as usize,
                "{together} calls of all kinds in a window of {limit}"
            );
            let of_kind = inside.iter().filter(|call| call.kind == first.kind);
            let of_kind = of_kind.count();
            prop_assert!(
                of_kind <= limit.calls() as usize,
                "{of_kind} calls in a window of {limit}"
            );
        }
    }
    Ok(())
}

/// How a call ends for the limiter.
#[derive(Debug, Clone, Copy)]
enum End {
    Answered,
    GivenUp,
    GivenBack,
    Refused(Throttle),
}

fn end(limiter: &mut Limiter, call: &Call, end: End, now: Moment) {
    match end {
        End::Answered => limiter.finish(call, now),
        End::GivenUp => limiter.finish(call, now + GRACE),
        End::GivenBack => limiter.put_back(call),
        End::Refused(throttle) => {
            limiter.finish(call, now);
            limiter.throttled(call, &throttle, now);
        }
    }
}

/// How often each thing happens, in percent, and how long it takes at most, in milliseconds.
#[derive(Debug, Clone)]
struct Life {
    limits: Vec<Limit>,
    headroom: u8,
    even: bool,
    calls: usize,
    kinds: Vec<Kind>,
    upstream: u64,
    downstream: u64,
    early: u8,
    given_back: u8,
    refused: u8,
    idle: u8,
    longest_idle: u64,
    seed: u64,
}

prop_compose! {
    fn limit()(calls in 1_u32..=12, millis in 10_u64..=20_000) -> Limit {
        Limit::new(calls, Duration::from_millis(millis)).unwrap()
    }
}

prop_compose! {
    fn life()(
        limits in prop::collection::vec(limit(), 1..=4),
        headroom in prop_oneof![3 => Just(0_u8), 1 => 0_u8..=99],
        even in prop::bool::weighted(0.2),
        calls in 1_usize..=120,
        kinds in prop_oneof![
            4 => (1..=Kind::ALL.len()).prop_map(|kinds| Kind::ALL[..kinds].to_vec()),
            1 => Just(vec![Kind::Health]),
        ],
        (upstream, downstream) in (0_u64..=3_000, 0_u64..=3_000),
        early in 0_u8..=30,
        given_back in 0_u8..=20,
        refused in prop_oneof![1 => Just(0_u8), 1 => 0_u8..=20],
        idle in 0_u8..=20,
        longest_idle in 0_u64..=30_000,
        seed: u64,
    ) -> Life {
        Life {
            limits, headroom, even, calls, kinds, upstream, downstream, early, given_back, refused, idle, longest_idle,
            seed,
        }
    }
}

/// Simulates it, and returns the limits and what the server saw.
fn live(life: &Life) -> (Vec<Limit>, Vec<Seen>) {
    let mut dice = Dice::new(life.seed);
    let pace = if life.even { Pace::Even } else { Pace::Burst };
    let quota = Quota::new(life.limits.clone())
        .with_headroom(life.headroom)
        .with_pace(pace);
    let mut world = World::new(Limiter::new(&quota));
    let mut seen = Vec::new();
    for _ in 0..life.calls {
        if dice.percent(life.idle) {
            let later = world.now + dice.span(0, life.longest_idle);
            world.go_to(later, &mut end);
        }
        let kind = life.kinds[dice.0.usize(0..life.kinds.len())];
        let call = world.acquire(kind, &mut end);
        let joined = world.limiter.joined();
        if dice.percent(life.given_back) {
            // A worker that was suspended, or a campaign that stopped.
            let later = world.now + dice.span(0, 8_000);
            world.later(later, call, End::GivenBack);
            continue;
        }
        // The worker may send until the permit is stale, but usually does at once.
        let freeze = if dice.percent(10) {
            dice.span(0, 5_000)
        } else {
            Duration::ZERO
        };
        let sent = world.now + freeze;
        let mut counted = sent + dice.span(0, life.upstream);
        let over = if dice.percent(life.early) {
            // A 5xx, a timeout or a dropped permit: the service may count the call up to the grace period later.
            let over = counted;
            counted = counted + dice.span(0, 4_900);
            (over, End::GivenUp)
        } else {
            let answered = counted + dice.span(0, life.downstream);
            let ending = if dice.percent(life.refused) {
                End::Refused(Throttle {
                    retry_after: dice.span(0, 10_000),
                    window: dice
                        .0
                        .choice(&life.limits)
                        .filter(|_| dice.0.bool())
                        .map(|l| l.window()),
                })
            } else {
                End::Answered
            };
            (answered, ending)
        };
        seen.push(Seen {
            kind,
            sent,
            counted,
            joined,
        });
        world.later(over.0, call, over.1);
    }
    (quota.limits().collect(), seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_interval_ever_holds_more_than_its_limit(life in life()) {
        let (limits, seen) = live(&life);
        judge(&limits, life.headroom, &seen)?;
    }

    #[test]
    fn without_latency_every_call_goes_at_the_first_moment(
        limits in prop::collection::vec(limit(), 1..=4),
        calls in 1_usize..=200,
    ) {
        let mut world = World::new(Limiter::new(&Quota::new(limits.clone())));
        let mut sent: Vec<Moment> = Vec::new();
        for i in 0..calls {
            let call = world.acquire(Kind::Start, &mut end);
            world.limiter.finish(&call, world.now);
            let first = limits.iter().filter_map(|limit| {
                let before = sent.get(i.checked_sub(limit.calls() as usize)?)?;
                Some(*before + limit.window() + Duration::from_millis(1))
            });
            let first = first.fold(*sent.last().unwrap_or(&world.now), Moment::max);
            prop_assert_eq!(world.now, first, "call {}", i);
            sent.push(world.now);
        }
    }
}

#[test]
fn the_judge_finds_one_call_too_many() {
    let limit: Limit = "2/1s".parse().unwrap();
    let at = |kind, ms| Seen {
        kind,
        sent: Moment::ZERO + Duration::from_millis(ms),
        counted: Moment::ZERO + Duration::from_millis(ms),
        joined: false,
    };
    let seen = [0, 500, 1000].map(|ms| at(Kind::Start, ms));
    assert!(judge(&[limit], 0, &seen).is_err());
    assert!(judge(&[limit], 0, &seen[..2]).is_ok());

    let seen: Vec<_> = (0..=30).map(|n| at(Kind::Health, n * 2_000)).collect();
    assert!(judge(&[limit], 0, &seen).is_err(), "31 in a closed minute");
    assert!(judge(&[limit], 0, &seen[..30]).is_ok());
    assert!(judge(&[limit], 50, &seen[..30]).is_err());
}

//! Never slow: how long campaigns take, compared with the recurrence of promise 2.

use std::time::Duration;

use super::{
    super::{Kind, Moment, Quota, limiter::Limiter},
    Dice, World,
};

const SIZES: [u32; 7] = [1, 100, 101, 1500, 1501, 10_000, 100_000];

/// When each call can go at the earliest, with 100 a minute and 1500 an hour.
fn recurrence(calls: u32) -> Vec<Duration> {
    let mut t = vec![Duration::ZERO; calls as usize];
    for i in 0..t.len() {
        if i >= 100 {
            t[i] = t[i - 100] + Duration::from_mins(1);
        }
        if i >= 1500 {
            t[i] = t[i].max(t[i - 1500] + Duration::from_hours(1));
        }
    }
    t
}

/// Sends `calls` calls with latencies of `least` to `most` milliseconds, at most 100 at a time, and returns when each
/// went.
fn campaign(calls: u32, least: u64, most: u64, seed: u64) -> Vec<Moment> {
    let mut dice = Dice::new(seed);
    let mut world = World::new(Limiter::new(&Quota::documented()));
    let mut answered = |limiter: &mut Limiter, call: &_, (), now| limiter.finish(call, now);
    (0..calls)
        .map(|_| {
            let call = world.acquire(Kind::Start, &mut answered);
            let sent = world.now;
            world.later(sent + dice.span(least, most), call, ());
            sent
        })
        .collect()
}

#[test]
fn without_latency_the_schedule_is_the_lower_bound_but_for_a_millisecond_a_window() {
    let sent = campaign(100_000, 0, 0, 1);
    for (i, bound) in recurrence(100_000).into_iter().enumerate() {
        let turns = u32::try_from(i / 100 + i / 1500).unwrap();
        let took = sent[i].since(sent[0]);
        assert!(took >= bound, "call {i} went at {took:?}");
        assert!(
            took <= bound + Duration::from_millis(1) * turns,
            "call {i} went at {took:?}, not {bound:?}"
        );
    }
}

#[test]
fn a_campaign_lasts_one_percent_over_the_lower_bound_and_an_answer_a_window_at_most() {
    for (least, most) in [(0, 0), (5, 300), (2_000, 20_000)] {
        for calls in SIZES {
            let sent = campaign(calls, least, most, 7);
            let took = sent.last().unwrap().since(sent[0]);
            let bound = *recurrence(calls).last().unwrap();
            let filled = calls / 100;
            let allowed = bound.mul_f64(1.01) + Duration::from_millis(most) * filled;
            assert!(
                took <= allowed,
                "{calls} calls of {least}-{most} ms took {took:?}, more than {allowed:?}"
            );
        }
    }
}

#[test]
fn the_forecast_from_a_fresh_quota_is_the_recurrence() {
    let forecast = Limiter::new(&Quota::documented()).forecast(Kind::Start, Moment::ZERO);
    let bound = recurrence(100_000);
    for calls in SIZES {
        let expected = bound[calls as usize - 1];
        assert_eq!(forecast.lower_bound(u64::from(calls)), expected);
    }
    assert_eq!(forecast.lower_bound(0), Duration::ZERO);
}

#[test]
fn a_forecast_in_mid_campaign_is_met_and_never_beaten() {
    let mut dice = Dice::new(3);
    for before in [1, 60, 100, 250, 1490] {
        let mut world = World::new(Limiter::new(&Quota::documented()));
        let mut answered = |limiter: &mut Limiter, call: &_, (), now| limiter.finish(call, now);
        for _ in 0..before {
            let call = world.acquire(Kind::Start, &mut answered);
            world.later(world.now + dice.span(0, 200), call, ());
        }
        let asked = world.now;
        let forecast = world.limiter.forecast(Kind::Start, asked);
        for calls in 1..=400 {
            let call = world.acquire(Kind::Start, &mut answered);
            world.later(world.now, call, ());
            let took = world.now.since(asked);
            let bound = forecast.lower_bound(calls);
            assert!(
                took >= bound,
                "{calls} after {before}: {took:?} < {bound:?}"
            );
            assert!(
                took <= bound + Duration::from_secs(1),
                "{calls} after {before}: {took:?} > {bound:?}"
            );
        }
    }
}

#[test]
fn a_forecast_waits_for_a_hold_and_keeps_an_even_pace() {
    let now = Moment::from_nanos(0);
    let mut limiter = Limiter::new(&Quota::documented());
    limiter.hold(Kind::Start, now + Duration::from_secs(90));
    let forecast = limiter.forecast(Kind::Start, now);
    assert_eq!(forecast.lower_bound(1), Duration::from_secs(90));
    assert_eq!(forecast.lower_bound(101), Duration::from_secs(150));

    let even = Quota::documented().with_pace(super::super::Pace::Even);
    let forecast = Limiter::new(&even).forecast(Kind::Start, now);
    assert_eq!(forecast.lower_bound(1501), Duration::from_hours(1));
}

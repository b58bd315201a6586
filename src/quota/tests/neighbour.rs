//! Another caller of the same application uses half of the quota, at random times.

use std::{collections::VecDeque, time::Duration};

use super::{
    super::{Kind, Moment, Quota, Throttle, limiter::Limiter},
    Dice, World,
};

/// The documented limits as a server may implement them: with sliding windows, and counting refused calls or not.
struct Server {
    counts_refused: bool,
    windows: [(u32, Duration, VecDeque<Moment>); 2],
}

impl Server {
    fn new(counts_refused: bool) -> Self {
        Self {
            counts_refused,
            windows: [
                (100, Duration::from_mins(1), VecDeque::new()),
                (1500, Duration::from_hours(1), VecDeque::new()),
            ],
        }
    }

    fn call(&mut self, now: Moment) -> Result<(), Throttle> {
        let mut refusal = None;
        for (limit, length, calls) in &mut self.windows {
            while calls.front().is_some_and(|&at| now.since(at) >= *length) {
                calls.pop_front();
            }
            if calls.len() >= *limit as usize {
                let over = calls.len() - *limit as usize;
                let free = calls[over] + *length;
                refusal = Some(Throttle {
                    // In whole seconds, as `Retry-After` is.
                    retry_after: Duration::from_secs(free.since(now).as_secs() + 1),
                    window: Some(*length),
                });
            }
        }
        if refusal.is_none() || self.counts_refused {
            for (_, _, calls) in &mut self.windows {
                calls.push_back(now);
            }
        }
        refusal.map_or(Ok(()), Err)
    }
}

/// A day's result: the calls that were made, and those that were refused.
fn day(counts_refused: bool, seed: u64) -> (f64, f64) {
    let mut dice = Dice::new(seed);
    let mut server = Server::new(counts_refused);
    let mut world = World::new(Limiter::new(&Quota::documented()));
    let end = world.now + Duration::from_hours(24);
    let (mut made, mut refused) = (0.0, 0.0);
    // The other caller makes 12.5 calls a minute at random times, half of the hour's limit.
    let mut other = world.now;
    let mut answered = |limiter: &mut Limiter, call: &_, verdict: Result<(), Throttle>, now| {
        limiter.finish(call, now);
        if let Err(throttle) = verdict {
            limiter.throttled(call, &throttle, now);
        }
    };
    while world.now < end {
        let call = world.acquire(Kind::Start, &mut answered);
        while other <= world.now {
            let _ = server.call(other);
            let gap = -4.8 * (1.0 - dice.0.f64()).ln();
            other = other + Duration::from_secs_f64(gap);
        }
        let verdict = server.call(world.now);
        made += 1.0;
        refused += f64::from(u8::from(verdict.is_err()));
        world.later(world.now + dice.span(50, 300), call, verdict);
    }
    (made, refused)
}

#[test]
fn next_to_another_caller_few_calls_are_refused_and_our_half_is_ours() {
    for counts_refused in [false, true] {
        for seed in 1..=3 {
            let (made, refused) = day(counts_refused, seed);
            let share = (made - refused) / (24.0 * 1500.0);
            let lost = refused / made;
            assert!(
                lost < 0.03,
                "{lost} refused, counted {counts_refused}, seed {seed}"
            );
            assert!(
                share >= 0.45,
                "{share} of the quota, counted {counts_refused}, seed {seed}"
            );
        }
    }
}

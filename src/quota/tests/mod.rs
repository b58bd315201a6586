//! Tests of the whole quota, in virtual time. The judges are written here and share nothing with what they judge.

mod damage;
mod lengths;
mod neighbour;
mod pacing;
mod promise;
mod sharing;

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    clock::Moment,
    kind::Kind,
    limiter::{Call, Limiter},
    pacer::{LONGEST_WAIT, Pacer},
};

/// Ends the last pacer of a ledger as the end of its process would: what still writes in the background has written.
async fn end(pacer: Pacer, ledger: &Path) {
    pacer.flush().await.unwrap();
    drop(pacer);
    let is_mark = |file: std::io::Result<std::fs::DirEntry>| {
        file.unwrap()
            .path()
            .extension()
            .is_some_and(|extension| extension == "alive")
    };
    while std::fs::read_dir(ledger.parent().unwrap())
        .unwrap()
        .any(is_mark)
    {
        tokio::task::yield_now().await;
    }
}

/// A small random generator whose seed is all there is to know.
struct Dice(fastrand::Rng);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// True so often in a hundred times.
    fn percent(&mut self, chance: u8) -> bool {
        self.0.u8(0..100) < chance
    }

    /// Some time from `least` to `most` milliseconds, to the nanosecond.
    fn span(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_nanos(self.0.u64(least * 1_000_000..=most * 1_000_000))
    }
}

/// A limiter that is driven as an engine drives it, in virtual time, with calls in flight that end later.
struct World<E> {
    limiter: Limiter,
    now: Moment,
    /// What happens to calls in flight, in order of time; the number keeps those of one moment apart.
    events: BTreeMap<(Moment, u64), (Call, E)>,
    next: u64,
}

impl<E> World<E> {
    fn new(limiter: Limiter) -> Self {
        Self {
            limiter,
            now: Moment::from_nanos(3_600_000_000_000),
            events: BTreeMap::new(),
            next: 0,
        }
    }

    /// Lets something happen to a call later.
    fn later(&mut self, at: Moment, call: Call, event: E) {
        self.next += 1;
        self.events.insert((at, self.next), (call, event));
    }

    /// Goes on to `until`, and lets everything happen that is due by then.
    fn go_to(&mut self, until: Moment, happen: &mut impl FnMut(&mut Limiter, &Call, E, Moment)) {
        while let Some(entry) = self.events.first_entry()
            && entry.key().0 <= until
        {
            let ((at, _), (call, event)) = entry.remove_entry();
            self.now = self.now.max(at);
            happen(&mut self.limiter, &call, event, self.now);
        }
        self.now = self.now.max(until);
    }

    /// Waits until a call may go, with a new look after each event and each [`LONGEST_WAIT`].
    fn acquire(
        &mut self,
        kind: Kind,
        happen: &mut impl FnMut(&mut Limiter, &Call, E, Moment),
    ) -> Call {
        loop {
            self.go_to(self.now, happen);
            let waiting = match self.limiter.take(kind, self.now) {
                Ok(call) => return call,
                Err(waiting) => waiting,
            };
            let look = self.now + LONGEST_WAIT;
            let until = waiting.until.unwrap_or(look).min(look);
            assert!(until > self.now, "a wait for nothing: {waiting:?}");
            let event = self.events.keys().next().map_or(until, |key| key.0);
            self.go_to(until.min(event), happen);
        }
    }
}

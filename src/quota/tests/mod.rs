//! Tests of the whole quota, in virtual time. The checks are written here and share no code with what they check.

mod damage;
mod events;
mod lengths;
mod marks;
mod neighbour;
mod own_limits;
mod pacing;
mod promise;
mod refusals;
mod restarts;
mod sharing;
mod snapshots;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    Kind, LONGEST_WAIT, LedgerPlace, Moment, Pacer, Permit, Quota, Throttle, TokioClock,
    limiter::{Call, Limiter},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const MILLI: Duration = Duration::from_millis(1);
/// The request timeout of the callers in these tests.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

fn clock() -> Arc<TokioClock> {
    Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH))
}

fn quota(limits: &[&str]) -> Quota {
    Quota::new(limits.iter().map(|limit| limit.parse().unwrap()).collect())
}

/// A pacer without a ledger, and its clock.
fn pacer(limits: &[&str]) -> (Pacer, Arc<TokioClock>) {
    let clock = clock();
    (Pacer::new(&quota(limits), clock.clone()), clock)
}

/// The ledger of a tenant, in a directory that does not exist yet.
fn place(directory: &Path) -> LedgerPlace {
    LedgerPlace {
        file: directory.join("new directory").join("quota.db"),
        cloud: "commercial".into(),
        tenant: "a tenant".into(),
        application: "an application".into(),
    }
}

fn ledger_pacer(place: &LedgerPlace, limits: &[&str], clock: &Arc<TokioClock>) -> Pacer {
    Pacer::with_ledger(&quota(limits), clock.clone(), place, REQUEST_TIMEOUT).unwrap()
}

fn throttle(secs: u64, window: Option<Duration>) -> Throttle {
    Throttle {
        retry_after: Duration::from_secs(secs),
        window,
    }
}

async fn acquire(pacer: &Pacer) -> Permit {
    pacer.acquire(Kind::Start).await.unwrap()
}

/// When the next call may go, as far as a pacer knows after reading the ledger.
async fn next(pacer: &Pacer) -> Option<Moment> {
    pacer.flush().await.unwrap();
    pacer.waiting(Kind::Start)?.until
}

/// Drops the last pacer of a ledger, and waits until the background writes have ended, as at the end of its process.
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

/// A random generator with a known seed.
struct Dice(fastrand::Rng);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// True with this chance in percent.
    fn percent(&mut self, chance: u8) -> bool {
        self.0.u8(0..100) < chance
    }

    /// A random duration from `least` to `most` milliseconds, with a resolution of a nanosecond.
    fn span(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_nanos(self.0.u64(least * 1_000_000..=most * 1_000_000))
    }
}

/// Drives a limiter as the engine does, in virtual time, with calls in flight that end later.
struct World<E> {
    limiter: Limiter,
    now: Moment,
    /// What happens to calls in flight, in order of time. The number distinguishes events at the same moment.
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

    /// Schedules an event for a call.
    fn later(&mut self, at: Moment, call: Call, event: E) {
        self.next += 1;
        self.events.insert((at, self.next), (call, event));
    }

    /// Advances the time to `until`, and lets all events up to then happen.
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

    /// Waits until a call may go, trying again after each event and each [`LONGEST_WAIT`].
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

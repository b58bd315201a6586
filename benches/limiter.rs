//! One decision of the limiter under the documented limits: that it allocates nothing, and how long it takes.
//!
//! - `cargo bench --bench limiter` checks the first and measures the second.
//! - `cargo test` runs the check alone.
//! - `benches/instructions.sh` counts instructions, with `limiter count goes 10000` under valgrind.

use std::{
    alloc::System,
    env,
    future::Future,
    hint::black_box,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use divan::Bencher;
use fleetsweep::quota::{Clock, Kind, Moment, Pacer, Permit, Quota};
use jiff::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

/// Counts the allocations of the whole process.
#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// More decisions than there are lanes in an hour, so that every lane and every buffer has been used.
const WARM_UP: u32 = 2_000;

/// A kind of decision.
struct Decision {
    /// What it is called on the command line and in the table.
    word: &'static str,
    name: &'static str,
    /// Makes one.
    decide: Box<dyn FnMut()>,
}

fn main() {
    // A call that waits sets a timer.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let args: Vec<String> = env::args().skip(1).collect();
    if let [count, word, times, ..] = args.as_slice()
        && count == "count"
    {
        return repeat(word, times.parse().expect("a number of decisions"));
    }
    for mut decision in decisions() {
        check_allocations(&mut decision);
    }
    // Only `cargo bench` says so.
    if args.iter().any(|arg| arg == "--bench") {
        divan::main();
    }
}

#[divan::bench(args = ["goes", "must-wait", "begins-to-wait"], min_time = 1)]
fn decision(bencher: Bencher<'_, '_>, word: &str) {
    bencher.bench_local(decision_of(word).decide);
}

/// Makes as many decisions of one kind, and nothing else.
fn repeat(word: &str, times: u32) {
    let mut decision = decision_of(word);
    for _ in 0..times {
        (decision.decide)();
    }
}

fn decision_of(word: &str) -> Decision {
    let decision = decisions()
        .into_iter()
        .find(|decision| decision.word == word);
    decision.expect("a kind of decision")
}

fn check_allocations(decision: &mut Decision) {
    for _ in 0..WARM_UP {
        (decision.decide)();
    }
    let region = Region::new(HEAP);
    for _ in 0..WARM_UP {
        (decision.decide)();
    }
    let change = region.change();
    assert_eq!(
        change.allocations + change.reallocations,
        0,
        "{}: {WARM_UP} decisions must not allocate, but {change:?}",
        decision.name
    );
}

fn decisions() -> [Decision; 3] {
    let clock = Arc::new(Hand::default());
    let pacer = Pacer::new(&Quota::documented(), clock.clone());
    let goes = move || {
        // As fast as the hour allows, so that all lanes are in use.
        clock.put_on(Duration::from_micros(2_400_001));
        acquire(&pacer).expect("the quota has room").answered();
    };
    let spent = spent();
    let waits = move || assert!(black_box(acquire(&spent)).is_none());
    let spent = self::spent();
    let must_wait = move || assert!(black_box(spent.waiting(Kind::Start)).is_some());
    [
        Decision {
            word: "goes",
            name: "a call goes and is answered",
            decide: Box::new(goes),
        },
        Decision {
            word: "begins-to-wait",
            name: "a call begins to wait",
            decide: Box::new(waits),
        },
        Decision {
            word: "must-wait",
            name: "a call must wait",
            decide: Box::new(must_wait),
        },
    ]
}

/// A pacer whose minute is spent.
fn spent() -> Pacer {
    let pacer = Pacer::new(&Quota::documented(), Arc::new(Hand::default()));
    for _ in 0..100 {
        acquire(&pacer).expect("the quota has room").answered();
    }
    pacer
}

/// A permit, if it is to be had at once.
fn acquire(pacer: &Pacer) -> Option<Permit> {
    let future = pin!(pacer.acquire(Kind::Start));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(permit) => Some(permit.expect("there is no ledger")),
        Poll::Pending => None,
    }
}

/// A clock that stands until it is put on.
#[derive(Debug, Default)]
struct Hand(AtomicU64);

impl Hand {
    fn put_on(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

//! One decision of the limiter under the documented limits.

use std::{
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

use criterion::{Criterion, criterion_group, criterion_main};
use fleetsweep::quota::{Clock, Kind, Moment, Pacer, Permit, Quota};
use jiff::Timestamp;

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

/// A permit that is to be had at once.
fn acquire(pacer: &Pacer) -> Permit {
    let future = pin!(pacer.acquire(Kind::Start));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(permit) => permit.expect("there is no ledger"),
        Poll::Pending => panic!("the quota is spent"),
    }
}

fn decisions(c: &mut Criterion) {
    let clock = Arc::new(Hand::default());
    let pacer = Pacer::new(&Quota::documented(), clock.clone());
    c.bench_function("a call goes and is answered", |b| {
        b.iter(|| {
            // As fast as the hour allows, so that all lanes are in use.
            clock.put_on(Duration::from_micros(2_400_001));
            acquire(&pacer).answered();
        });
    });

    let pacer = Pacer::new(&Quota::documented(), clock.clone());
    for _ in 0..100 {
        acquire(&pacer).answered();
    }
    c.bench_function("a call must wait", |b| {
        b.iter(|| black_box(pacer.waiting(Kind::Start)));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(1));
    targets = decisions
}
criterion_main!(benches);

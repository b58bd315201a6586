//! Tests that call the mock over real sockets, in virtual time.

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::net::TcpSocket;

/// The real time that what was sent has to arrive in before the clock may jump. A system under load delivers even on
/// loopback some milliseconds late, when it leaves that work to a thread of its own.
const DELIVERY: Duration = Duration::from_millis(2);

/// Runs a test on a paused clock.
///
/// Such a clock jumps to the next timer as soon as all tasks wait, and it does not see bytes that are under way: the
/// next timer may be the one that gives up the call. `#[tokio::test(start_paused = true)]` is therefore for tests
/// without sockets alone.
#[expect(
    clippy::disallowed_methods,
    reason = "it is the system that is waited for, in real time"
)]
pub(crate) fn over_loopback(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(|| std::thread::sleep(DELIVERY))
        .build()
        .unwrap()
        .block_on(test);
}

/// An address at which nobody listens, and a guard that keeps it so: a port that is only given back is the next one
/// that another test gets.
pub(crate) fn closed_port() -> (TcpSocket, SocketAddr) {
    let guard = TcpSocket::new_v4().unwrap();
    guard.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = guard.local_addr().unwrap();
    (guard, address)
}

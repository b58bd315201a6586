//! How long arithmetic takes by itself, whatever else the computer is doing.

use std::time::Duration;

/// The time that this thread has been computing.
#[cfg(unix)]
pub(crate) fn cpu_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().expect("after the beginning"),
        time.tv_nsec.try_into().expect("less than a second"),
    )
}

/// The time since this was first called.
#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "no other clock is at hand")]
pub(crate) fn cpu_time() -> Duration {
    use std::{sync::OnceLock, time::Instant};

    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

//! The quota's clock: the time since boot, sleep included, and the wall clock's time.

use std::{
    fmt::Debug,
    ops::{Add, Sub},
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// A moment on the quota's clock: nanoseconds since the computer (or the virtual clock) started.
///
/// 64 bits of nanoseconds last 584 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The clock's zero.
    pub const ZERO: Self = Self(0);

    /// The moment `nanos` nanoseconds after the clock's zero.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's zero.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; zero if this moment is the earlier one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    /// Saturates at the clock's zero.
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The only source of time. The quota uses no other clock, so time in tests can be virtual.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now, on a clock that nobody can set and that goes on while the computer sleeps.
    fn now(&self) -> Moment;

    /// Now, on the wall clock: for people and for files, never for a decision about the quota.
    fn wall(&self) -> Timestamp;

    /// Identifies the boot (or the virtual clock) that [`now`](Self::now) belongs to. Moments of two boots cannot be
    /// compared.
    ///
    /// By default this is the wall clock's time at the clock's zero, to the minute.
    fn boot(&self) -> String {
        let uptime = i64::try_from(self.now().as_nanos() / 1_000_000_000).unwrap_or(0);
        let zero = self.wall().as_second() - uptime;
        format!("zero {}", (zero + 30).div_euclid(60))
    }
}

/// The computer's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[cfg(unix)]
    fn now(&self) -> Moment {
        // macOS has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC counts sleep.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let id = rustix::time::ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let id = rustix::time::ClockId::Monotonic;
        let t = rustix::time::clock_gettime(id);
        let secs = u64::try_from(t.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(t.tv_nsec).unwrap_or(0);
        Moment(secs.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// Windows' performance counter, which goes on during sleep. No safe interface says how long ago its zero was, so
    /// this clock starts with the process, and [`boot`](Clock::boot) returns an id of its own.
    #[cfg(not(unix))]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Moment {
        static START: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        // An hour, so that "a window ago" is a moment too.
        Moment::ZERO + Duration::from_hours(1) + START.elapsed()
    }

    /// Each process counts as a boot of its own, so rows of other processes are aged by the wall clock.
    #[cfg(not(unix))]
    fn boot(&self) -> String {
        static BOOT: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| fastrand::u64(..));
        format!("process {:016x}", *BOOT)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn boot(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(
            // Without /proc, each run counts as a boot of its own, whose rows are aged by the wall clock.
            |_| format!("run {:016x}", fastrand::u64(..)),
            |id| id.trim().to_owned(),
        )
    }
}

/// A clock on top of tokio's timer, so it is virtual wherever tokio's clock is paused. Its wall clock can be moved.
#[derive(Debug)]
pub struct TokioClock {
    origin: tokio::time::Instant,
    wall_origin: Timestamp,
    wall_skew_ms: AtomicI64,
    /// Time that passed while tokio's timer stood still, as when a computer sleeps.
    slept_ms: AtomicI64,
    boot: u64,
}

impl TokioClock {
    /// A clock that starts an hour after its zero, with its wall clock at `wall`.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            origin: tokio::time::Instant::now(),
            wall_origin: wall,
            wall_skew_ms: AtomicI64::new(0),
            slept_ms: AtomicI64::new(0),
            boot: fastrand::u64(..),
        }
    }

    /// Moves the wall clock, as a person or a time server would. The quota's clock is not affected.
    pub fn move_wall(&self, by: SignedDuration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(0);
        self.wall_skew_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Sleeps as a computer does: both clocks go on, but no timer does.
    pub fn sleep_computer(&self, span: Duration) {
        let ms = i64::try_from(span.as_millis()).unwrap_or(0);
        self.slept_ms.fetch_add(ms, Ordering::Relaxed);
    }

    fn elapsed(&self) -> Duration {
        let slept = u64::try_from(self.slept_ms.load(Ordering::Relaxed)).unwrap_or(0);
        self.origin.elapsed() + Duration::from_millis(slept)
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        // An hour, so that "a window ago" is a moment too.
        Moment::ZERO + Duration::from_hours(1) + self.elapsed()
    }

    fn wall(&self) -> Timestamp {
        let skew = SignedDuration::from_millis(self.wall_skew_ms.load(Ordering::Relaxed));
        let elapsed = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX);
        self.wall_origin
            .saturating_add(elapsed)
            .and_then(|t| t.saturating_add(skew))
            .unwrap_or(self.wall_origin)
    }

    /// Each clock counts as a boot of its own.
    fn boot(&self) -> String {
        format!("virtual {:016x}", self.boot)
    }
}

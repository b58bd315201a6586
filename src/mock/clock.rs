//! The server's clock: tokio's timer, and a wall clock that starts at a configured time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct ServerClock {
    origin: Instant,
    wall_origin: Timestamp,
}

impl ServerClock {
    pub(super) fn starting_at(wall_origin: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            wall_origin,
        }
    }

    /// The time since the tenant was created.
    pub(super) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The wall clock's time, rounded down to the 100 ns that answers show, so that a filter can match it exactly.
    pub(super) fn wall(&self, at: Duration) -> Timestamp {
        let wall = SignedDuration::try_from(at)
            .ok()
            .and_then(|at| self.wall_origin.checked_add(at).ok())
            .unwrap_or(Timestamp::MAX);
        let odd = i64::from(wall.subsec_nanosecond() % 100);
        wall.checked_sub(SignedDuration::from_nanos(odd))
            .unwrap_or(wall)
    }

    pub(super) async fn sleep_until(&self, at: Duration) {
        if self.now() < at {
            match self.origin.checked_add(at) {
                Some(at) => tokio::time::sleep_until(at).await,
                // Later than a clock can represent.
                None => std::future::pending().await,
            }
        }
    }
}

/// A time as actions show it: RFC 3339 with 7 fraction digits.
pub(super) fn stamp(wall: Timestamp) -> String {
    format!("{wall:.7}")
}

/// A time as the `Date` header shows it. `None` for years before 1.
pub(super) fn http_date(wall: Timestamp) -> Option<String> {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&wall)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_wall_starts_where_it_is_told_and_goes_on_with_the_timer() {
        let clock = ServerClock::starting_at("2024-10-21T11:26:49.689420849Z".parse().unwrap());
        assert_eq!(
            stamp(clock.wall(clock.now())),
            "2024-10-21T11:26:49.6894208Z"
        );
        clock.sleep_until(Duration::from_secs(11)).await;
        let wall = clock.wall(clock.now());
        assert_eq!(http_date(wall).unwrap(), "Mon, 21 Oct 2024 11:27:00 GMT");
    }
}

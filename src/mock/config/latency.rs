//! How long answers take.

use std::{ops::RangeInclusive, time::Duration};

/// How the times from calls to their answers are distributed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Latency {
    /// Evenly, between these two.
    Even(RangeInclusive<Duration>),
    /// Log-normally, as those of real services are: many short ones, and a few that are very long.
    LogNormal {
        /// Half of the answers take no longer than this.
        p50: Duration,
        /// All but one in a hundred take no longer than this.
        p99: Duration,
    },
}

/// The longest latency of a distribution without an end. Gateways give up by then.
const LONGEST: Duration = Duration::from_mins(1);

/// The 99th percentile of the standard normal distribution.
const Z_99: f64 = 2.326_347_874_040_841;

impl Latency {
    /// No latency at all.
    pub const NONE: Self = Self::Even(Duration::ZERO..=Duration::ZERO);

    /// A latency of this distribution.
    pub(in crate::mock) fn draw(&self, rng: &mut fastrand::Rng) -> Duration {
        match self {
            Self::Even(range) => within(rng, range),
            Self::LogNormal { p50, p99 } => {
                let sigma = (p99.as_secs_f64() / p50.as_secs_f64()).ln() / Z_99;
                // Box and Muller's transform: two even numbers make a normal one.
                let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * rng.f64()).cos();
                let seconds = p50.as_secs_f64() * (sigma * normal).exp();
                Duration::try_from_secs_f64(seconds).map_or(LONGEST, |drawn| drawn.min(LONGEST))
            }
        }
    }
}

impl From<RangeInclusive<Duration>> for Latency {
    fn from(range: RangeInclusive<Duration>) -> Self {
        Self::Even(range)
    }
}

/// A random duration in the range.
pub(in crate::mock) fn within(
    rng: &mut fastrand::Rng,
    range: &RangeInclusive<Duration>,
) -> Duration {
    let (from, to) = (*range.start(), *range.end());
    from + to.saturating_sub(from).mul_f64(rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_normal_latency_has_the_percentiles_that_were_asked_for() {
        let (p50, p99) = (Duration::from_millis(80), Duration::from_secs(2));
        let mut rng = fastrand::Rng::with_seed(1);
        let latency = Latency::LogNormal { p50, p99 };
        let drawn: Vec<_> = (0..20_000).map(|_| latency.draw(&mut rng)).collect();
        let share = |limit: Duration| drawn.iter().filter(|drawn| **drawn <= limit).count();
        assert!((9_700..10_300).contains(&share(p50)), "{}", share(p50));
        assert!((19_750..19_850).contains(&share(p99)), "{}", share(p99));
        assert!(drawn.iter().all(|drawn| *drawn <= LONGEST));
    }
}

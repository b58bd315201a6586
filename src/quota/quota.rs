//! The quota that a campaign may spend: its limits, the headroom left to others, and the pace.

use std::time::Duration;

use super::{kind::Kind, limit::Limit};

/// How a quota is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pace {
    /// As fast as the limits allow.
    #[default]
    Burst,
    /// Evenly: one call per W/L of the slowest limit (every 2.4 s for the documented ones), so that other users of the
    /// API hardly notice the campaign.
    Even,
}

/// The limits, which apply to each kind of call separately, the headroom left to others, and the pace. A kind that has
/// [limits of its own](Kind::own_limits) obeys those too, unless there are no limits at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    limits: Vec<Limit>,
    headroom: u8,
    pace: Pace,
}

impl Quota {
    /// A quota with all of these limits, no headroom and a burst pace. An empty list means no limit.
    #[must_use]
    pub fn new(mut limits: Vec<Limit>) -> Self {
        limits.sort_by_key(|limit| limit.window());
        Self {
            limits,
            headroom: 0,
            pace: Pace::Burst,
        }
    }

    /// The documented limits: 100 calls a minute and 1500 an hour (MDE-API.md, section 5).
    #[must_use]
    pub fn documented() -> Self {
        Self::new(Limit::DOCUMENTED.to_vec())
    }

    /// No limits at all, for a benchmark on loopback. Holds by the service are still respected.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(Vec::new())
    }

    /// Leaves `percent` of each limit to others. What remains is rounded down, to at least one call.
    #[must_use]
    pub fn with_headroom(self, percent: u8) -> Self {
        Self {
            headroom: percent,
            ..self
        }
    }

    /// The same quota, spent at this pace.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The limits less the headroom, the shortest window first.
    pub fn limits(&self) -> impl Iterator<Item = Limit> {
        self.whole_limits().map(|limit| limit.less(self.headroom))
    }

    /// The limits including the headroom, in the same order.
    pub(super) fn whole_limits(&self) -> impl Iterator<Item = Limit> {
        self.limits.iter().copied()
    }

    /// The limits that only this kind has, including the headroom.
    pub(super) fn whole_limits_of(&self, kind: Kind) -> impl Iterator<Item = Limit> {
        let own: &[Limit] = if self.is_unlimited() {
            &[]
        } else {
            kind.own_limits()
        };
        own.iter().copied()
    }

    /// The limits that only this kind has, less the headroom, in the same order.
    pub(super) fn limits_of(&self, kind: Kind) -> impl Iterator<Item = Limit> {
        self.whole_limits_of(kind)
            .map(|limit| limit.less(self.headroom))
    }

    /// The longest window of any limit; zero if there are none.
    pub(super) fn longest_window(&self) -> Duration {
        let own = Kind::ALL
            .into_iter()
            .flat_map(|kind| self.whole_limits_of(kind));
        let windows = self.whole_limits().chain(own).map(Limit::window);
        windows.max().unwrap_or_default()
    }

    /// Whether there are no limits.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.limits.is_empty()
    }

    /// The pace.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// The interval between calls at an even pace: W/L of the slowest limit, rounded up to whole nanoseconds. `None` at
    /// a burst pace or without limits.
    pub(super) fn even_period(&self) -> Option<Duration> {
        if self.pace == Pace::Burst {
            return None;
        }
        self.limits()
            .map(|limit| (limit.window() + ROUND_UP * (limit.calls() - 1)) / limit.calls())
            .max()
    }
}

const ROUND_UP: Duration = Duration::from_nanos(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_quota_spent_evenly_is_a_call_every_2_4_seconds() {
        let quota = Quota::documented();
        assert_eq!(quota.even_period(), None);
        let even = quota.with_pace(Pace::Even);
        assert_eq!(even.even_period(), Some(Duration::from_millis(2400)));
        assert_eq!(
            even.with_headroom(50).even_period(),
            Some(Duration::from_millis(4800))
        );
        assert_eq!(Quota::unlimited().with_pace(Pace::Even).even_period(), None);
    }

    #[test]
    fn an_even_period_is_rounded_up_never_down() {
        let limit = "3/1s".parse().unwrap();
        let quota = Quota::new(vec![limit]).with_pace(Pace::Even);
        assert_eq!(quota.even_period(), Some(Duration::from_nanos(333_333_334)));
    }

    #[test]
    fn headroom_makes_each_limit_smaller() {
        let calls: Vec<_> = Quota::documented()
            .with_headroom(25)
            .limits()
            .map(Limit::calls)
            .collect();
        assert_eq!(calls, [75, 1125]);
    }
}

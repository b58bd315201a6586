//! The options for limits: how fast calls are made, how many at once, and in which ledger they are counted.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};

use super::{Failure, values::Percent};
use crate::{
    mock::{self, QuotaConfig},
    quota::{Limit, Pace, Quota},
};

/// The options for limits.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct PaceArgs {
    /// Calls per window, for each kind of call, as in 100/1m; can be given several times. `none` lifts all limits. No
    /// limits, or more than the documented ones, need --yes unless the API is on this computer.
    /// [default: 100/1m and 1500/1h]
    #[arg(long = "limit", value_name = "CALLS/WINDOW", hide_short_help = true)]
    limits: Vec<LimitOrNone>,

    /// How the quota is spent: as fast as it allows, or evenly spread.
    #[arg(long, value_enum, default_value_t = PaceArg::Burst, hide_short_help = true)]
    pace: PaceArg,

    /// The percentage of each limit that is left to others who use the same application, as in 25%.
    #[arg(long, value_name = "P%", default_value = "0%", hide_short_help = true)]
    headroom: Percent,

    /// How many calls may be in flight at once (tasks, not threads).
    /// [default: the smallest limit, at most 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000), hide_short_help = true)]
    workers: Option<u16>,

    /// The ledger in which this user's calls are counted, across runs and campaigns. Use one file to share the quota.
    /// [default: fleetsweep/quota.db in the user's state directory; none with --mock or --limit none]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub quota_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PaceArg {
    Burst,
    Even,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LimitOrNone {
    Limit(Limit),
    None,
}

impl FromStr for LimitOrNone {
    type Err = crate::quota::LimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("none") {
            Ok(Self::None)
        } else {
            text.parse().map(Self::Limit)
        }
    }
}

/// The most calls in flight unless a limit is smaller: those of the documented minute.
const WORKERS: u16 = 100;

impl PaceArgs {
    /// The quota and the number of workers. `loopback` says whether the API is on this computer.
    ///
    /// # Errors
    /// The limits are more than the documented ones, for a real tenant and without `--yes`.
    pub fn quota(&self, loopback: bool, yes: bool) -> Result<(Quota, usize), Failure> {
        let limits: Vec<Limit> = self.given_limits().collect();
        let quota = if limits.len() < self.limits.len() {
            if self.limits.len() > 1 {
                return Err(Failure::usage("--limit none goes with no other --limit"));
            }
            Quota::unlimited()
        } else if limits.is_empty() {
            Quota::documented()
        } else {
            Quota::new(limits)
        };
        if !loopback && !yes && !is_documented(&quota) {
            return Err(Failure::usage(
                "the API allows 100 calls a minute and 1500 an hour (100/1m and 1500/1h); --limit asks for more, \
                 which gets the tenant blocked: give limits within these, or --yes if your tenant allows more",
            ));
        }
        let quota = quota
            .with_headroom(self.headroom.0)
            .with_pace(match self.pace {
                PaceArg::Burst => Pace::Burst,
                PaceArg::Even => Pace::Even,
            });
        let workers = self.workers_of(&quota);
        Ok((quota, workers))
    }

    /// Whether no option sets limits, so that those of an earlier run apply.
    #[must_use]
    pub fn sets_no_limits(&self) -> bool {
        self.limits.is_empty() && self.headroom == Percent(0) && self.pace == PaceArg::Burst
    }

    /// The quota of an earlier run, with the number of workers, if it may be used here too. With a real tenant there
    /// have to be limits, and they have to be within the documented ones unless `--yes` is given.
    #[must_use]
    pub fn limits_of_last_run(
        &self,
        quota: Quota,
        loopback: bool,
        yes: bool,
    ) -> Option<(Quota, usize)> {
        if !loopback && (quota.is_unlimited() || !(yes || is_documented(&quota))) {
            return None;
        }
        let workers = self.workers_of(&quota);
        Some((quota, workers))
    }

    /// The limits that are given, without `none`.
    fn given_limits(&self) -> impl Iterator<Item = Limit> {
        self.limits.iter().filter_map(|limit| match limit {
            LimitOrNone::Limit(limit) => Some(*limit),
            LimitOrNone::None => None,
        })
    }

    fn workers_of(&self, quota: &Quota) -> usize {
        let smallest = quota.limits().map(Limit::calls).min();
        let smallest = smallest.unwrap_or(u32::from(WORKERS));
        let workers = self
            .workers
            .map_or(smallest.min(u32::from(WORKERS)), u32::from);
        workers as usize
    }

    /// The quota of the mock inside this process: that of `--limit`, or else the documented one. So `--limit none
    /// --mock` measures how fast the program is, and `--limit 20/2s --mock` shows how a smaller window is kept.
    /// Headroom is for others, so it is not taken off here.
    #[must_use]
    pub fn mock_quota(&self) -> QuotaConfig {
        let documented = QuotaConfig::default();
        if self.limits.is_empty() {
            return documented;
        }
        let limits = self.given_limits().map(|limit| mock::Limit {
            calls: limit.calls(),
            window: limit.window(),
        });
        QuotaConfig {
            limits: limits.collect(),
            ..documented
        }
    }
}

/// Whether these limits are within the documented ones: for each of those, one of these allows no more in its window.
fn is_documented(quota: &Quota) -> bool {
    Quota::documented().limits().all(|documented| {
        quota.limits().any(|limit| {
            // This many windows of a shorter limit overlap one documented window, partly or wholly.
            let times = documented
                .window()
                .as_nanos()
                .div_ceil(limit.window().as_nanos())
                + 1;
            let times = if limit.window() >= documented.window() {
                1
            } else {
                times
            };
            u128::from(limit.calls()) * times <= u128::from(documented.calls())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(limits: &[&str]) -> PaceArgs {
        PaceArgs {
            limits: limits.iter().map(|l| l.parse().unwrap()).collect(),
            pace: PaceArg::Burst,
            headroom: Percent(0),
            workers: None,
            quota_file: None,
        }
    }

    #[test]
    fn more_than_documented_goes_to_loopback_or_with_a_yes_only() {
        let table: [(&[&str], bool); 8] = [
            (&[], true),
            (&["100/1m", "1500/1h"], true),
            (&["50/1m", "700/1h"], true),
            (&["100/1h"], true),
            (&["100/1m"], false),
            (&["101/1m", "1500/1h"], false),
            (&["1500/1h"], false),
            (&["none"], false),
        ];
        for (limits, documented) in table {
            assert_eq!(
                args(limits).quota(false, false).is_ok(),
                documented,
                "{limits:?}"
            );
            assert!(args(limits).quota(true, false).is_ok(), "{limits:?}");
            assert!(args(limits).quota(false, true).is_ok(), "{limits:?}");
        }
        assert!(args(&["none", "1/1s"]).quota(true, false).is_err());
    }

    #[test]
    fn what_an_earlier_run_kept_holds_where_it_could_have_been_said() {
        let quota = |limits: &[&str]| args(limits).quota(true, false).unwrap().0;
        let kept = |limits: &[&str], loopback, yes| {
            let kept = args(&[]).limits_of_last_run(quota(limits), loopback, yes);
            kept.map(|(_, workers)| workers)
        };
        assert_eq!(kept(&["20/1m", "300/1h"], false, false), Some(20));
        assert_eq!(kept(&["200/1m"], false, false), None);
        assert_eq!(kept(&["200/1m"], false, true), Some(100));
        assert_eq!(kept(&["200/1m"], true, false), Some(100));
        assert_eq!(kept(&["none"], true, false), Some(100));
        assert_eq!(kept(&["none"], false, true), None);
        assert!(args(&[]).sets_no_limits() && !args(&["5/1s"]).sets_no_limits());
    }

    #[test]
    fn there_are_as_many_workers_as_the_smallest_limit_has_calls() {
        let workers = |limits: &[&str]| {
            args(limits)
                .quota(true, false)
                .map(|(_, workers)| workers)
                .ok()
        };
        assert_eq!(workers(&[]), Some(100));
        assert_eq!(workers(&["20/2s", "60/10s"]), Some(20));
        assert_eq!(workers(&["5000/1s"]), Some(100));
        assert_eq!(workers(&["none"]), Some(100));
    }
}

//! What the monitor hears of a run: how it stands, what it waits for, when it arrives.

use std::time::Duration;

use super::{
    super::{journal::Written, trail},
    drive::Drive,
};
use crate::{
    defender::Defender,
    monitor,
    quota::{Kind, Moment},
};

/// The schedule's own time of arrival is computed anew at least this far apart: it is arithmetic over all calls to come,
/// some nanoseconds each.
const ETA_EVERY: Duration = Duration::from_secs(30);

/// Longer for many calls: an arrival days ahead need not be known to the second, and a thousandth of the time that the
/// calls take is spent soonest.
fn eta_every(calls: u64) -> Duration {
    ETA_EVERY.max(Duration::from_millis(calls.saturating_mul(10)).min(Duration::from_mins(30)))
}

impl<D: Defender> Drive<D> {
    pub(super) fn tell_ended(&mut self, written: &Written) {
        for ended in &written.ended {
            self.told.add(ended.outcome);
            trail::ended(ended);
            self.engine.monitor.target_ended(&monitor::Ended {
                line: ended.line,
                machine_id: &ended.machine_id,
                outcome: ended.outcome.as_str(),
                message: &ended.message,
            });
        }
    }

    pub(super) fn tell(&mut self) {
        let now = self.engine.clock.now();
        let ended = self.told.total();
        let targets = self.dispatcher.targets();
        let (computed, eta) = match self.eta {
            Some((at, eta)) if now.since(at) < eta_every(targets - ended) => (at, eta),
            _ => (
                now,
                self.dispatcher.times().stretch(
                    self.engine.clock.wall(),
                    self.engine.pacer.lower_bound(Kind::Start, targets - ended),
                ),
            ),
        };
        self.eta = Some((computed, eta));
        let wall = self.engine.clock.wall();
        let waiting = self.waiting(now).filter(|_| ended < targets);
        // A hold that came since then, and a lookup, put the arrival off at least by themselves.
        let wait = waiting.as_ref().and_then(|waiting| waiting.left);
        let eta = eta
            .saturating_sub(now.since(computed))
            .max(wait.unwrap_or_default());
        self.engine.monitor.state(&monitor::State {
            elapsed: now.since(self.began),
            wall,
            tally: self
                .told
                .iter()
                .map(|(outcome, count)| (outcome.as_str(), count))
                .collect(),
            targets,
            ended,
            in_flight: u32::try_from(self.dispatcher.in_flight()).unwrap_or(u32::MAX),
            waiting,
            eta: Some(eta),
            throttled: self.dispatcher.throttled(),
        });
    }

    /// What the next call waits for: the time of day, the quota, or a lookup.
    fn waiting(&self, now: Moment) -> Option<monitor::Waiting> {
        let closed = self.dispatcher.times().waiting(self.engine.clock.wall());
        if let Some((what, left)) = closed {
            let left = Some(left);
            return Some(monitor::Waiting { what, left });
        }
        let by_quota = self
            .permit
            .as_ref()
            .and_then(|_| self.engine.pacer.waiting(Kind::Start));
        by_quota.map_or_else(
            || self.pause(now),
            |waiting| {
                Some(monitor::Waiting {
                    what: waiting.cause.to_string(),
                    left: waiting.left(now),
                })
            },
        )
    }

    /// What the next call waits for if it is neither the quota nor an answer: after a crash that is half a minute until
    /// the calls that were on their way can be looked up.
    fn pause(&self, now: Moment) -> Option<monitor::Waiting> {
        if self.dispatcher.in_flight() > 0 {
            return None;
        }
        let wake = self.dispatcher.next_wake(now)?;
        let what = if self.dispatcher.is_out() {
            "outage, next look"
        } else {
            "next lookup or retry"
        };
        Some(monitor::Waiting {
            what: what.to_owned(),
            left: Some(wake.since(now)),
        })
    }
}

//! What is reported to the monitor: how the run stands, what it waits for, when the last call goes out.

use std::time::Duration;

use super::{drive::Drive, trail};
use crate::{
    campaign::journal::Written,
    defender::Defender,
    monitor::{self, Holder, LastCall},
    quota::{Cause, Kind, Moment},
};

/// How often the time of the last call is computed anew, at most. It costs some tens of nanoseconds for each
/// call to come.
const RECKONED_EVERY: Duration = Duration::from_secs(10);

/// The interval grows with the number of calls: an end that is days away need not be known to the second.
/// This spends at most about a thousandth of the time that the calls take.
fn reckoned_every(calls: u64) -> Duration {
    RECKONED_EVERY.max(Duration::from_millis(calls.saturating_mul(10)).min(Duration::from_mins(30)))
}

impl<D: Defender> Drive<D> {
    pub(super) fn report_ended(&mut self, written: &Written) {
        for ended in &written.ended {
            self.reported.add(ended.outcome);
            trail::ended(ended);
            self.engine.monitor.target_ended(&monitor::Ended {
                line: ended.line,
                machine_id: &ended.machine_id,
                outcome: ended.outcome.as_str(),
                message: &ended.message,
            });
        }
    }

    pub(super) fn report_progress(&mut self) {
        let now = self.engine.clock.now();
        let ended = self.reported.total();
        let targets = self.dispatcher.targets();
        let wall = self.engine.clock.wall();
        let waiting = self.waiting(now).filter(|_| ended < targets);
        self.waits.at(now, waiting.as_ref());
        self.note_waits(now);
        let last_call = self.last_call(now, targets - ended);
        self.engine.monitor.state(&monitor::State {
            elapsed: now.since(self.began),
            wall,
            tally: self
                .reported
                .iter()
                .map(|(outcome, count)| (outcome.as_str(), count))
                .collect(),
            targets,
            ended,
            standing: self.dispatcher.standing(ended),
            windows: self.windows(),
            waiting,
            held: self.held(now).filter(|_| ended < targets),
            last_call,
            throttled: self.dispatcher.throttled(),
            troubles: self.dispatcher.troubles().latest_first(),
        });
    }

    /// Records in the state from time to time how long the run has waited, for the report.
    fn note_waits(&mut self, now: Moment) {
        if self.waits.are_due(now, self.dispatcher.has_records()) {
            self.dispatcher.note_waits(self.waits.noted(now));
        }
    }

    /// How far the windows of scan starts are spent, the shortest first.
    fn windows(&self) -> Vec<monitor::Window> {
        let usage = self.engine.pacer.usage(Kind::Start).into_iter();
        let windows = usage.map(|usage| monitor::Window {
            length: usage.window,
            used: usage.in_use as u64,
            limit: u64::from(usage.limit),
            usable: u64::from(usage.usable),
        });
        windows.collect()
    }

    /// When the last call goes out. Computed anew from time to time, and whenever a forecast has become
    /// possible again.
    fn last_call(&mut self, now: Moment, open: u64) -> LastCall {
        let held = self.engine.pacer.held_until(Kind::Start);
        if self.dispatcher.stop_reason().is_some() {
            self.last_call = None;
            return LastCall::Gone;
        }
        if self.dispatcher.note_unforeseen(now, held).is_some() {
            self.last_call = None;
            return LastCall::NotKnown;
        }
        // A new hold makes the earlier forecast worthless.
        let (at, last) = match self.last_call {
            Some((at, known, last)) if known == held && now.since(at) < reckoned_every(open) => {
                (at, last)
            }
            _ => {
                let quota = self.engine.pacer.forecast(Kind::Start);
                let wall = self.engine.clock.wall();
                let last = self.dispatcher.prospect(quota, now, wall).last_call();
                (now, last)
            }
        };
        self.last_call = Some((at, held, last));
        last.map_or(LastCall::Gone, |last| {
            LastCall::In(last.after(now.since(at)))
        })
    }

    /// What the next call waits for: the time of day, the quota, or a look-up.
    fn waiting(&self, now: Moment) -> Option<monitor::Waiting> {
        let closed = self.dispatcher.times().waiting(self.engine.clock.wall());
        if let Some((what, left)) = closed {
            let (left, cause) = (Some(left), "--window closed".into());
            return Some(monitor::Waiting { what, cause, left });
        }
        let by_quota = self
            .permit
            .as_ref()
            .and_then(|_| self.engine.pacer.waiting(Kind::Start));
        by_quota.map_or_else(
            || self.pause(now),
            |waiting| {
                let full = match waiting.cause {
                    Cause::Window(_) => " full",
                    Cause::Hold | Cause::Pace | Cause::Answers => "",
                };
                let what = format!("{}{full}", waiting.cause);
                Some(monitor::Waiting {
                    cause: what.clone().into(),
                    what,
                    left: waiting.left(now),
                })
            },
        )
    }

    /// What keeps all starts back: the service's word, or an outage.
    fn held(&self, now: Moment) -> Option<monitor::Held> {
        if self.dispatcher.stop_reason().is_some() {
            return None;
        }
        let by_service = self.engine.pacer.held_until(Kind::Start).since(now);
        if self.dispatcher.is_out() {
            let next_look = self.dispatcher.next_wake(now);
            let next_look = next_look.map_or(Duration::ZERO, |wake| wake.since(now));
            return Some(monitor::Held {
                by: Holder::Outage,
                left: next_look.max(by_service),
            });
        }
        (!by_service.is_zero()).then_some(monitor::Held {
            by: Holder::Service,
            left: by_service,
        })
    }

    /// What the next call waits for if it is neither the quota nor an answer. After a crash, for example,
    /// half a minute passes before the calls that were in flight can be looked up.
    fn pause(&self, now: Moment) -> Option<monitor::Waiting> {
        if let Some(left) = self.dispatcher.waits_for_place(now) {
            let what = "at the earliest, because --max-running is reached";
            return Some(monitor::Waiting {
                what: what.to_owned(),
                cause: "--max-running reached".into(),
                left: Some(left),
            });
        }
        if self.dispatcher.in_flight() > 0 {
            return None;
        }
        if self.dispatcher.waits_for_machines() {
            let left = self.dispatcher.next_sightings(now);
            let what = match left {
                Some(_) => "at the earliest, for all machines that are left are away",
                None => "all machines that are left are away, and go shortly before --not-after",
            };
            return Some(monitor::Waiting {
                what: what.to_owned(),
                cause: "machines away".into(),
                left,
            });
        }
        let wake = self.dispatcher.next_wake(now)?;
        let what = if self.dispatcher.is_out() {
            "the API cannot be reached"
        } else {
            "a lookup or a retry"
        };
        Some(monitor::Waiting {
            what: what.to_owned(),
            cause: what.into(),
            left: Some(wake.since(now)),
        })
    }
}

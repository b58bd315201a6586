//! How a run in progress is stopped, by a signal or by the dispatcher.

use super::{
    attempt::{Report, Sending},
    drive::Drive,
    worker::Order,
};
use crate::{
    campaign::stop::{Signal, StopReason},
    defender::Defender,
    monitor::{count, span},
};

impl<D: Defender> Drive<D> {
    /// Somebody wants an orderly end, and is told at once how long that takes.
    pub(super) fn signalled(&mut self, signal: Signal) {
        self.is_ordered |= signal == Signal::Ordered;
        self.dispatcher.stop(match signal {
            Signal::Ordered => StopReason::Brake("stopped by cancel".to_owned()),
            Signal::Drain | Signal::Abort => StopReason::Interrupted,
        });
        self.apply_stop();
        // Attempts that are being written are recalled once they are.
        let on_their_way = self.dispatcher.in_flight() - self.being_written.len();
        let calls = match on_their_way {
            0 => "no call is on its way".to_owned(),
            calls => format!(
                "{} on {} way, at most {}",
                count::of(calls as u64, "call"),
                count::word(calls as u64, "its", "their"),
                span::in_words(self.engine.request_timeout)
            ),
        };
        self.engine
            .monitor
            .say(&format!("stopping: {calls}; Ctrl-C again stops now"));
    }

    /// Drops whatever would lead to a new call once the campaign is stopping.
    pub(super) fn apply_stop(&mut self) {
        self.report_brake();
        if self.dispatcher.stop_reason().is_some() {
            self.permit = None;
            self.listing = None;
            self.probe = None;
            self.canary_decision = None;
            self.workers.stop();
            self.recall_queued();
        }
    }

    /// Tells the monitor, once, that a brake stops the run.
    pub(super) fn report_brake(&mut self) {
        if let Some(StopReason::Brake(why)) = self.dispatcher.stop_reason()
            && !self.is_braked
        {
            self.is_braked = true;
            self.engine.monitor.braked(why);
        }
    }

    /// Takes back the orders that no worker has begun. The records of staged orders are not on disk yet, but
    /// are on their way there.
    pub(super) fn recall_queued(&mut self) {
        let wall = self.engine.clock.wall();
        for Order {
            attempt, permit, ..
        } in self.workers.take_back().chain(self.staged.drain(..))
        {
            permit.give_back();
            let report = Report {
                n: attempt.n,
                event: Sending::Unsent,
            };
            self.dispatcher.reported(report, wall);
        }
    }
}

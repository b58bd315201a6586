//! How a target ends, and what the brakes make of each end.

use jiff::Timestamp;

use super::{Dispatcher, Phase};
use crate::{
    campaign::{
        brakes::{Change, End},
        engine::{pending::PendingTarget, verdict::Scan},
        outcome::Outcome,
        stop::StopReason,
    },
    store::{AttemptEnd, Record},
};

impl Dispatcher {
    pub(super) fn end_unsure(
        &mut self,
        mut pending: PendingTarget,
        end: Option<AttemptEnd>,
        why: &str,
    ) {
        let progress = &mut pending.target.progress;
        if progress.message.is_empty() {
            progress
                .message
                .push_str("the run ended before an answer was kept");
        }
        let cure = if self.listings.forbidden.is_some() {
            "grant Machine.Read.All and use --retry unsure, which without it risks a second scan"
        } else {
            "--retry unsure looks it up again"
        };
        progress.message = format!(
            "{}; whether a scan was started could not be looked up ({why}): {cure}",
            progress.message
        );
        self.end(pending, end, Outcome::Unsure);
    }

    pub(super) fn end_with_scan(
        &mut self,
        mut pending: PendingTarget,
        end: Option<AttemptEnd>,
        outcome: Outcome,
        scan: Option<Scan>,
    ) {
        if let Some(scan) = scan {
            pending
                .target
                .progress
                .set_action(scan.id, scan.status, scan.created);
        }
        self.end(pending, end, outcome);
    }

    pub(super) fn end(
        &mut self,
        mut pending: PendingTarget,
        end: Option<AttemptEnd>,
        outcome: Outcome,
    ) {
        let progress = &mut pending.target.progress;
        progress.outcome = Some(outcome.as_str());
        progress.not_before = None;
        // A target that is left out is looked up again if it comes back.
        let is_left_out = progress.left_out && outcome == Outcome::NotAttempted;
        progress.left_out = is_left_out;
        if outcome != Outcome::Unsure && !is_left_out {
            progress.unsure_since = None;
        }
        if !outcome.is_scanned() {
            // The scan that once kept the machine busy has nothing to do with this end.
            progress.set_action(String::new(), String::new(), String::new());
        }
        let by_call = progress.attempts > 0;
        self.busy.forget(pending.target.n);
        self.no_suspect(pending.target.n);
        self.changed(&pending, end);
        if is_left_out {
            // It ended because its row is gone, which says nothing about the other machines.
            self.tally.leave_out(1);
            self.brakes.waits(pending.target.n);
            self.running.places.release(pending.target.n);
            return;
        }
        self.tally.add(outcome);
        let end = End {
            n: pending.target.n,
            line: pending.target.line,
            machine: &pending.target.machine_id,
            outcome,
            by_call,
        };
        if let Some(reason) = self.brakes.ended(end, &self.tally) {
            self.brake(reason);
        }
        self.place_at_end(pending, outcome);
    }

    /// Stops the campaign. Ends that follow are counted too, so that the last message has the final figures.
    fn brake(&mut self, reason: StopReason) {
        if self.is_braked
            && let Phase::Stopping(before @ StopReason::Brake(_)) = &mut self.phase
        {
            *before = reason;
            return;
        }
        self.is_braked = !self.is_stopping();
        self.stop(reason);
    }

    /// What has to change about the command before it can go on after the brake that has stopped it, if one
    /// has.
    #[must_use]
    pub fn change(&self, wall: Timestamp) -> Option<Change> {
        match self.stop_reason()? {
            StopReason::Brake(_) if self.said_no => Some(Change::to("--canary-answer", "yes")),
            StopReason::Brake(_) => self.brakes.change(&self.tally, wall, self.open_targets()),
            StopReason::Interrupted | StopReason::Tenant(_) | StopReason::Disk(_) => None,
        }
    }

    pub(super) fn changed(&mut self, pending: &PendingTarget, attempt: Option<AttemptEnd>) {
        let progress = Box::new(pending.target.progress.clone());
        self.records.push(Record::Changed {
            n: pending.target.n,
            attempt,
            progress,
        });
    }
}

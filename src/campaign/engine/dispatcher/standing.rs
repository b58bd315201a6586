//! Where the targets are that have not ended, for the monitor.

use std::collections::BTreeMap;

use super::{super::troubles::Troubles, Dispatcher};
use crate::{monitor::Standing, store::Record};

impl Dispatcher {
    /// Where the targets are, if `ended` of them have ended and that is on disk. The numbers add up to the targets that
    /// have not.
    pub(crate) fn standing(&self, ended: u64) -> Standing {
        // An end that is not on disk yet is nobody's end yet.
        let in_flight = self.in_flight.len() as u64 + self.tally.total().saturating_sub(ended);
        let unconfirmed = (self.unconfirmed.len() + self.left_unconfirmed.len()) as u64;
        let busy = (self.busy.waiting() + self.queue.busy()) as u64;
        let retrying = self.suspicion.in_question() + self.queue.retrying();
        let retrying = (retrying + self.running.parked.begun()) as u64;
        let away = self.away.waiting();
        let placed = in_flight + unconfirmed + busy + retrying + away;
        Standing {
            in_flight,
            unconfirmed,
            busy,
            retrying,
            away,
            // Most of them are only in the store, which nobody asks for a count.
            to_go: self.targets.saturating_sub(ended + placed),
        }
    }

    /// Records in the state how long the run has waited so far, in milliseconds by cause.
    pub(crate) fn note_waits(&mut self, waits: BTreeMap<String, u64>) {
        if !waits.is_empty() {
            self.records.push(Record::Waited(waits));
        }
    }

    /// What went wrong with the calls of this run.
    pub(crate) fn troubles(&self) -> &Troubles {
        &self.troubles
    }
}

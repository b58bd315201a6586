//! What the brakes change: which targets may be sent, and whether the campaign goes on.

use jiff::Timestamp;

use super::Dispatcher;
use crate::{
    campaign::{
        brakes::{BrakeOptions, Brakes, Passed, SendTimes},
        engine::canary_gate::Answer,
    },
    quota::Moment,
    store::{Decision, Reach, Record, Subject},
};

impl Dispatcher {
    /// Adds the brakes; `reach` is how far earlier runs have come. If one of the brakes stopped an earlier
    /// run and would stop this one, it does so before anything is sent.
    #[must_use]
    pub fn with_brakes(mut self, options: BrakeOptions, reach: Reach) -> Self {
        self.brakes = Brakes::new(options, reach);
        if let Some(reason) = self.brakes.at_start(&self.tally)
            && self.open_targets() > 0
        {
            self.stop(reason);
        }
        self.drop_the_rest();
        self
    }

    /// When scan calls may go out.
    #[must_use]
    pub fn times(&self) -> &SendTimes {
        self.brakes.times()
    }

    /// Updates the time. Call it before anything else is asked.
    pub(crate) fn advance_clock(&mut self, now: Moment, wall: Timestamp) {
        self.keep_places(now, wall);
        self.check_outage_limit(now);
        // The last of the other machines may have been ended by a listing.
        self.conclude_suspicion();
        let open = self.open_targets();
        let left = open.saturating_sub(self.in_flight.len() as u64);
        let over = self.brakes.look(wall, left);
        let idle = self.in_flight.is_empty() && self.is_drained();
        let through = || self.brakes.through(open).filter(|_| idle);
        if let Some(reason) = over.or_else(through)
            && !self.is_stopping()
        {
            self.stop(reason);
        }
    }

    /// The canaries, once they have passed and are written, if somebody has to decide whether the other
    /// machines may start. Returned only once.
    pub(crate) fn wants_canary_decision(&mut self) -> Option<Passed> {
        if self.is_stopping() || self.is_drained() || self.has_records() {
            return None;
        }
        let open = self.open_targets();
        self.brakes.wants_canary_decision(open)
    }

    /// Takes in the decision about the other machines. It is written before anything is sent because of it.
    pub(crate) fn canaries_decided(&mut self, answer: Answer, wall: Timestamp) {
        match answer {
            Answer::Yes(who) => {
                let in_all = self.brakes.in_all(self.open_targets());
                self.decided(&Decision::yes(in_all), who, wall);
                self.brakes.passed();
            }
            Answer::No(who, reason) => {
                self.said_no = true;
                self.decided("no", who, wall);
                self.stop(reason);
            }
            Answer::Stop(reason) => self.stop(reason),
        }
    }

    fn decided(&mut self, answer: &str, who: String, given: Timestamp) {
        self.records.push(Record::Decided(Decision {
            subject: Subject::Canary,
            answer: answer.to_owned(),
            covers: self.targets,
            who,
            given,
        }));
    }

    /// Targets that have not ended.
    pub(super) fn open_targets(&self) -> u64 {
        self.targets.saturating_sub(self.tally.total())
    }

    /// Drops the machines that were never sent to, once `--max-machines` is reached.
    pub(super) fn drop_the_rest(&mut self) {
        if !self.brakes.admits_new() {
            self.queue.drop_new();
            self.running.parked.drop_new();
            self.away.forget_all();
            self.cursor = None;
        }
    }
}

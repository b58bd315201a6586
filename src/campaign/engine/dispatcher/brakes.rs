//! What the brakes change: who may go, and whether the campaign goes on.

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
    /// The same with brakes; so far earlier runs have reached. What stopped one of those stops this one before it sends
    /// anything.
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

    /// The clock on the wall shows this. To be said before anything else is asked.
    pub(crate) fn advance_clock(&mut self, now: Moment, wall: Timestamp) {
        self.check_outage_limit(now);
        // Whatever ended the last of the others may have been a listing.
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

    /// The canaries are through and handed over to be written, and somebody has to say whether the others may start; told
    /// once.
    pub(crate) fn wants_canary_decision(&mut self) -> Option<Passed> {
        if self.is_stopping() || self.is_drained() || self.has_records() {
            return None;
        }
        let open = self.open_targets();
        self.brakes.wants_canary_decision(open)
    }

    /// Somebody has said whether the others may start. What was decided is written before anything is sent by it.
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

    /// Once as many machines as may be have been sent to, the others stay as they are.
    pub(super) fn drop_the_rest(&mut self) {
        if !self.brakes.admits_new() {
            self.queue.drop_new();
            self.cursor = None;
        }
    }
}

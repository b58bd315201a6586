//! What stops a campaign before it does harm, or makes it wait.
//!
//! - this file: [`Brakes`], which the dispatcher asks. It is told of beginnings and ends, and of the time.
//!   `options`: what the operator asks for.
//! - [`failures`]: `--max-failures`. [`canary`]: `--canary`. [`canary_start`]: what earlier decisions about
//!   the canaries mean for a run that begins. [`change`]: what a command has to say to go on.
//! - [`night`]: what counts for a command that runs every night. The times of `--not-after` and `--window`
//!   are [`SendTimes`].
//!
//! The brakes decide only by what they are told. Every reason to stop names the option, its figures, and how
//! to go on.

pub mod canary;
pub mod canary_start;
pub mod change;
pub mod failures;
pub mod night;
mod options;

use std::collections::HashSet;

use jiff::Timestamp;

pub use crate::schedule::send_times::{NotAfter, SendTimes};
use canary::Canary;
pub use canary::Passed;
pub use change::Change;
pub use failures::{MaxFailures, MaxFailuresError};
pub use night::Baseline;
pub use options::BrakeOptions;

use super::{
    outcome::{Outcome, Tally},
    stop::StopReason,
};
use crate::{monitor::count, store::Reach};

/// If this many machines have ended and none of them is being scanned, the ids or the tenant must be wrong.
const NOTHING_SCANNED: u64 = 25;

/// A target that has ended, by a call or because it could not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End<'a> {
    /// The target.
    pub n: u64,
    /// Its line in the input.
    pub line: u64,
    /// The machine id, as typed.
    pub machine: &'a str,
    /// How.
    pub outcome: Outcome,
    /// Whether it was sent to.
    pub by_call: bool,
}

/// Which targets may be sent to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted<'a> {
    /// The next one.
    Anybody,
    /// Only these, which are under way.
    Only(&'a HashSet<u64>),
    /// None, for now.
    Nobody,
}

/// The brakes of one run.
#[derive(Debug, Default)]
pub struct Brakes {
    options: BrakeOptions,
    canary: Option<Canary>,
    /// Machines that were ever sent to, in all runs.
    sent_to: u64,
    /// Those of them that have not ended.
    open: u64,
    /// Machines that ended without a call, because the list of scans showed that they were busy.
    skipped: u64,
    /// Machines that ended by a call in this run.
    ended_by_calls: u64,
    /// Those of them that are being scanned.
    scanned_by_calls: u64,
    /// Whether scan calls may not go out at this time of day.
    closed: bool,
}

impl Brakes {
    /// The brakes of a run; `reach` is how far earlier runs have come.
    #[must_use]
    pub fn new(options: BrakeOptions, reach: Reach) -> Self {
        Self {
            canary: options
                .canary
                .map(|wanted| Canary::new(wanted, options.canaries_before)),
            options,
            sent_to: reach.sent_to,
            open: reach.open,
            skipped: reach.skipped,
            ended_by_calls: 0,
            scanned_by_calls: 0,
            closed: false,
        }
    }

    /// Why a run must not send anything at all, if it must not: what stopped the last run stops this one too,
    /// unless the option has changed.
    #[must_use]
    pub fn at_start(&self, tally: &Tally) -> Option<StopReason> {
        self.too_many_failures(tally)
            .or_else(|| self.canary.as_ref()?.stops_at_start(tally))
            .map(StopReason::Brake)
    }

    /// When scan calls may go out.
    #[must_use]
    pub fn times(&self) -> &SendTimes {
        &self.options.times
    }

    /// Which targets may be sent to.
    #[must_use]
    pub fn admitted(&self) -> Admitted<'_> {
        match &self.canary {
            _ if self.closed => Admitted::Nobody,
            Some(canary) => canary.admitted(),
            None => Admitted::Anybody,
        }
    }

    /// Whether the canaries are being tried, which all others wait for.
    #[must_use]
    pub(crate) fn tries_canaries(&self) -> bool {
        self.canary.is_some()
    }

    /// How many canaries are missing besides those that are accepted or under way.
    #[must_use]
    pub(crate) fn missing_canaries(&self) -> u64 {
        self.canary.as_ref().map_or(0, Canary::missing)
    }

    /// Whether a machine may be sent to that never was before.
    #[must_use]
    pub(crate) fn admits_new(&self) -> bool {
        let max = self.options.max_in_all();
        max.is_none_or(|max| self.sent_to < max)
    }

    /// A target is under way: a call is about to go out, or a scan may have been started. `is_new` if it was
    /// never sent to before.
    pub fn begun(&mut self, n: u64, is_new: bool) {
        self.sent_to += u64::from(is_new);
        self.open += u64::from(is_new);
        if let Some(canary) = &mut self.canary {
            canary.begun(n);
        }
    }

    /// A call has not gone out after all. `is_new` if its target was never sent to before.
    pub fn taken_back(&mut self, n: u64, is_new: bool) {
        if is_new {
            self.sent_to = self.sent_to.saturating_sub(1);
            self.open = self.open.saturating_sub(1);
            self.waits(n);
        }
    }

    /// A target waits because its machine is busy. Another canary takes its place.
    pub fn waits(&mut self, n: u64) {
        if let Some(canary) = &mut self.canary {
            canary.left(n);
        }
    }

    /// A target has ended and is counted in `tally`. Returns why the campaign stops, if it does.
    pub fn ended(&mut self, end: End<'_>, tally: &Tally) -> Option<StopReason> {
        if end.by_call {
            self.ended_by_calls += 1;
            self.open = self.open.saturating_sub(1);
            self.scanned_by_calls += u64::from(end.outcome.is_scanned());
        } else {
            self.skipped += 1;
        }
        let canary = self.canary.as_mut().and_then(|canary| canary.ended(end));
        canary
            .or_else(|| self.too_many_failures(tally))
            .or_else(|| self.nothing_scanned(tally).filter(|_| end.by_call))
            .map(StopReason::Brake)
    }

    /// What has to change about the command before it can go on, if these counts, this time or the number of
    /// machines stop it. `left` targets have not ended.
    #[must_use]
    pub fn change(&self, tally: &Tally, wall: Timestamp, left: u64) -> Option<Change> {
        let failures = self.options.max_failures;
        let failures = failures.and_then(|max| {
            let (tally, skipped) = self.that_count(tally);
            max.change(&tally, skipped)
        });
        let canary = || self.canary.as_ref()?.change(tally);
        // An operator who raises the number step by step is shown the next step, which is no larger than all
        // before.
        let machines = || {
            let step = self.options.max_machines?.min(left);
            let change = Change::to(
                "--max-machines",
                self.sent_that_count().saturating_add(step),
            );
            (!self.admits_new()).then(|| change.on(step.saturating_add(self.open).min(left)))
        };
        failures
            .or_else(canary)
            .or_else(|| {
                let over = self.options.times.stays_over(wall);
                over.then(|| Change::without("--not-after"))
            })
            .or_else(machines)
    }

    fn too_many_failures(&self, tally: &Tally) -> Option<String> {
        let max = self.options.max_failures?;
        let (tally, skipped) = self.that_count(tally);
        match self.options.before_tonight {
            None => max.stops(&tally, skipped),
            Some(_) => max.stops_tonight(&tally, skipped),
        }
    }

    /// The part of these ends, and of those without a call, that counts.
    fn that_count(&self, tally: &Tally) -> (Tally, u64) {
        match &self.options.before_tonight {
            None => (*tally, self.skipped),
            Some(before) => (
                before.since(tally),
                self.skipped.saturating_sub(before.skipped()),
            ),
        }
    }

    /// The number of machines sent to that counts.
    fn sent_that_count(&self) -> u64 {
        let before = self.options.sent_before_tonight();
        self.sent_to.saturating_sub(before)
    }

    fn nothing_scanned(&self, tally: &Tally) -> Option<String> {
        // Machines that were skipped as busy say nothing about the others, in this run and in earlier ones.
        let none_scanned = self.scanned_by_calls == 0 && tally.of(Outcome::Accepted) == 0;
        (self.ended_by_calls == NOTHING_SCANNED && none_scanned).then(|| {
            format!(
                "the first {NOTHING_SCANNED} machines ended and not one of them is being scanned: look at the \
                 ids, the tenant and the messages in the results; if they are as they should be, the same \
                 command goes on"
            )
        })
    }

    /// Updates the time. `left` targets have neither ended nor a call in flight. Returns why the campaign
    /// stops, if it does.
    pub fn look(&mut self, wall: Timestamp, left: u64) -> Option<StopReason> {
        self.closed = !self.options.times.allow(wall);
        if left == 0 {
            return None;
        }
        self.options.times.over(wall, left).map(StopReason::Brake)
    }

    /// All targets that may be sent to are done, and `left` are not. Returns why the campaign stops, if it
    /// does.
    #[must_use]
    pub fn through(&self, left: u64) -> Option<StopReason> {
        let max = self.options.max_machines?;
        let sent_to = self.sent_that_count();
        let (tonight, goes_on) = match self.options.before_tonight {
            None => ("", "goes on"),
            Some(_) => (" tonight", "goes on tomorrow night, and tonight"),
        };
        (left > 0 && !self.admits_new()).then(|| {
            StopReason::Brake(format!(
                "--max-machines {max}: {} {} been sent to{tonight}, {} left; the same command {goes_on} with a \
                 --max-machines above {sent_to}, or without it",
                count::of(sent_to, "machine"),
                count::word(sent_to, "has", "have"),
                count::are(left, "row"),
            ))
        })
    }

    /// The canaries, once they have passed, if somebody has to decide whether the other machines may start.
    /// Returned only once. `left` targets have not ended.
    pub(crate) fn wants_canary_decision(&mut self, left: u64) -> Option<Passed> {
        let may = self.may(left);
        let canary = self.canary.as_mut()?;
        let passed = canary.wants_canary_decision(may);
        if may == 0 && canary.has_done() {
            // There is no other machine to decide about. Machines that wait because they were busy go on.
            self.passed();
        }
        passed
    }

    /// How many of `left` targets may be sent to.
    #[must_use]
    pub fn may(&self, left: u64) -> u64 {
        let max = self.options.max_in_all();
        max.map_or(left, |max| left.min(max.saturating_sub(self.sent_to)))
    }

    /// How many machines will have been sent to once all that may be of `left` targets were.
    #[must_use]
    pub fn in_all(&self, left: u64) -> u64 {
        self.sent_to.saturating_add(self.may(left))
    }

    /// The other machines may start.
    pub fn passed(&mut self) {
        self.canary = None;
    }
}

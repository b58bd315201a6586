//! `--canary`: a few machines go first.
//!
//! Until the wanted number of machines is accepted, no more are under way than are still needed. A machine
//! that is busy already is replaced by the next one; any other end stops the campaign. Then somebody decides
//! whether the other machines may start.

use std::collections::HashSet;

use super::{Admitted, Change, End};
use crate::campaign::outcome::{Outcome, Tally};

/// The canaries of one run.
#[derive(Debug)]
pub(super) struct Canary {
    wanted: u64,
    accepted: u64,
    /// Targets that are in flight, unconfirmed, or wait for a short retry.
    under_way: HashSet<u64>,
    is_asked: bool,
}

/// The canaries that were accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// How many.
    pub canaries: u64,
    /// How many other machines may start, if somebody agrees.
    pub others: u64,
}

impl Canary {
    /// The first `wanted` machines, of which earlier runs have had `accepted`. Whether the other machines may
    /// start does not follow from these numbers: it was decided, or it was not.
    pub(super) fn new(wanted: u64, accepted: u64) -> Self {
        Self {
            wanted,
            accepted,
            under_way: HashSet::new(),
            is_asked: false,
        }
    }

    fn is_through(&self) -> bool {
        self.accepted >= self.wanted
    }

    /// Whether enough are accepted and none is under way.
    pub(super) fn has_done(&self) -> bool {
        self.is_through() && self.under_way.is_empty()
    }

    /// Why the canaries of an earlier run stop this run, if they do.
    pub(super) fn stops_at_start(&self, tally: &Tally) -> Option<String> {
        let ended = tally.iter().filter(|(outcome, _)| stops(*outcome));
        let ended: Vec<_> = ended
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        (!self.is_through() && !ended.is_empty())
            .then(|| self.why(&format!("machines ended before as {}", ended.join(", "))))
    }

    /// What has to change about the command of a run that these counts stop.
    pub(super) fn change(&self, tally: &Tally) -> Option<Change> {
        self.stops_at_start(tally)?;
        Some(match self.accepted {
            0 => Change::without("--canary"),
            accepted => Change::to("--canary", accepted),
        })
    }

    fn why(&self, what: &str) -> String {
        let Self {
            wanted, accepted, ..
        } = self;
        let fewer = match accepted {
            0 => String::new(),
            n => format!("with a --canary of {n} or less, "),
        };
        format!(
            "--canary {wanted}: {what}, while {accepted} of {wanted} were accepted; look at the messages in the \
             results; the same command goes on {fewer}without it, or with --retry for those that ended badly"
        )
    }

    /// How many more have to be tried.
    pub(super) fn missing(&self) -> u64 {
        let so_far = self.accepted + self.under_way.len() as u64;
        self.wanted.saturating_sub(so_far)
    }

    pub(super) fn admitted(&self) -> Admitted<'_> {
        let missing = self.wanted.saturating_sub(self.accepted);
        if self.has_done() {
            Admitted::Nobody
        } else if self.under_way.len() as u64 >= missing {
            Admitted::Only(&self.under_way)
        } else {
            Admitted::Anybody
        }
    }

    pub(super) fn begun(&mut self, n: u64) {
        self.under_way.insert(n);
    }

    pub(super) fn left(&mut self, n: u64) {
        self.under_way.remove(&n);
    }

    pub(super) fn ended(&mut self, end: End<'_>) -> Option<String> {
        self.left(end.n);
        if end.outcome == Outcome::Accepted {
            self.accepted += 1;
        }
        (stops(end.outcome) && !self.is_through()).then(|| {
            let End {
                line,
                machine,
                outcome,
                ..
            } = end;
            self.why(&format!("{machine} (line {line}) ended as {outcome}"))
        })
    }

    /// The canaries that passed. Returned only once, when none is under way any more.
    pub(super) fn wants_canary_decision(&mut self, others: u64) -> Option<Passed> {
        let now = self.has_done() && others > 0;
        (now && !std::mem::replace(&mut self.is_asked, true)).then_some(Passed {
            canaries: self.accepted,
            others,
        })
    }
}

/// Whether a canary with this outcome stops the campaign.
fn stops(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Accepted
        | Outcome::AlreadyPending
        | Outcome::Invalid
        | Outcome::Duplicate
        | Outcome::NotAttempted => false,
        Outcome::NotFound
        | Outcome::Unsupported
        | Outcome::Refused
        | Outcome::Failed
        | Outcome::Unsure => true,
    }
}

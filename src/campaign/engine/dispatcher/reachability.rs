//! What is known of whether the API can be reached.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use super::suspects::{Round, Suspects};
use crate::{
    client::{outage::Outage, reply::Obstacle},
    quota::Moment,
};

/// A connection that comes and goes is not spoken of more often.
pub(super) const SAID_APART: Duration = Duration::from_mins(1);

/// What is known of whether the API can be reached.
#[derive(Debug, Default)]
pub(super) struct Reachability {
    /// Whether the service has answered this run.
    pub(super) answered_before: bool,
    /// The machines that failed since a start was last answered, and whether each is still to be tried.
    pub(super) failed: BTreeMap<u64, bool>,
    pub(super) held: Option<Held>,
    /// So many calls may be on their way after an outage.
    pub(super) width: Option<usize>,
    /// Machines whose starts failed while another's was answered: they say nothing of an outage.
    pub(super) known_bad: HashSet<u64>,
    /// When the last outage ended: what was sent before is nobody's fault.
    pub(super) ended: Option<Moment>,
    /// When people last heard of one.
    pub(super) said: Option<Moment>,
    pub(super) give_up_after: Option<Duration>,
    /// Since when the sign-in does not answer.
    pub(super) waits_for_token: Option<Moment>,
}

/// An outage that goes on.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) outage: Outage,
    pub(super) probe: Probe,
    /// It is an outage for sure, and no machine is to blame.
    pub(super) is_sure: bool,
    pub(super) suspects: Suspects,
    /// Whether people have heard of it.
    pub(super) is_reported: bool,
    /// What is in the way, as they have heard.
    pub(super) reported: Option<Obstacle>,
}

/// How it is found out whether it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// By a list call, when it is time.
    ByList,
    /// A list call is on its way.
    Asked,
    /// The list answers, and starts do not: by a start at a time, of which so many have come to nothing.
    ByStarts(usize),
}

impl Reachability {
    /// Whether starts are held.
    pub(super) fn is_out(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the list is not to be read now, for nobody would answer.
    pub(super) fn list_is_out(&self) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| !matches!(held.probe, Probe::ByStarts(_)))
    }

    /// How many calls may be on their way.
    pub(super) fn width(&self) -> usize {
        match (&self.held, self.width) {
            (Some(_), _) => 1,
            (None, width) => width.unwrap_or(usize::MAX),
        }
    }

    /// Whether nobody is to blame for an attempt that was sent then and not answered.
    pub(super) fn is_blameless(&self, sent: Moment) -> bool {
        self.held.as_ref().is_some_and(|held| held.is_sure)
            || self.ended.is_some_and(|ended| sent <= ended)
    }

    /// Whether the sign-in lets a call wait for longer than it takes as a rule.
    pub(super) fn waits_for_token(&self, now: Moment) -> bool {
        self.waits_for_token
            .is_some_and(|since| now.since(since) >= SAID_APART)
    }

    /// When it is looked again, if it is.
    pub(super) fn next_probe(&self) -> Option<Moment> {
        let held = self.held.as_ref()?;
        (held.probe != Probe::Asked).then(|| held.outage.next_probe())
    }

    pub(super) fn open_failed(&self) -> HashSet<u64> {
        let open = self.failed.iter().filter(|(_, is_open)| **is_open);
        open.map(|(n, _)| *n).collect()
    }

    /// Whether this one is none of those that failed before.
    pub(super) fn is_another(&self, n: u64) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| !held.suspects.all.contains(&n))
    }

    /// Those of whom one is to be tried now; none if anybody may.
    pub(super) fn suspects(&self, whose: Round) -> Option<&HashSet<u64>> {
        let held = self.held.as_ref()?;
        let Probe::ByStarts(tried) = held.probe else {
            return None;
        };
        let Suspects { all, left } = &held.suspects;
        let is_anothers_turn = tried.is_multiple_of(all.len() + 1);
        let these = match whose {
            Round::Left => left,
            Round::All => all,
            Round::Anybody => return None,
        };
        (!is_anothers_turn).then_some(these)
    }
}

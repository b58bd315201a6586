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

/// How far apart the notes about an unstable connection are at least.
pub(super) const SAID_APART: Duration = Duration::from_mins(1);

/// What is known of whether the API can be reached.
#[derive(Debug, Default)]
pub(super) struct Reachability {
    /// Whether the service has answered this run at all.
    pub(super) answered_before: bool,
    /// The machines that failed since a start was last answered that was sent no earlier.
    pub(super) failed: BTreeMap<u64, Failed>,
    pub(super) held: Option<Held>,
    /// How many calls may be in flight shortly after an outage.
    pub(super) width: Option<usize>,
    /// Machines whose starts failed while another one's was answered: they do not indicate an outage.
    pub(super) known_bad: HashSet<u64>,
    /// When the last outage ended. Machines are not at fault for calls that were sent before.
    pub(super) ended: Option<Moment>,
    /// When an outage was last noted.
    pub(super) said: Option<Moment>,
    pub(super) give_up_after: Option<Duration>,
    /// Since when the sign-in has not answered.
    pub(super) waits_for_token: Option<Moment>,
}

/// A machine whose start failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed {
    /// Whether it has not ended.
    pub(super) is_open: bool,
    /// When the start was sent.
    pub(super) sent: Moment,
}

/// An outage that goes on.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) outage: Outage,
    pub(super) probe: Probe,
    /// Whether the outage is certain, so that no machine is at fault.
    pub(super) is_sure: bool,
    pub(super) suspects: Suspects,
    /// Whether the outage was noted.
    pub(super) is_reported: bool,
    /// The obstacle, as it was noted.
    pub(super) reported: Option<Obstacle>,
}

/// How the end of an outage is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// By a list call, when it is due.
    ByList,
    /// A list call is in flight.
    Asked,
    /// The list answers and starts do not: by one start at a time, of which this many have failed.
    ByStarts(usize),
}

impl Reachability {
    /// Whether starts are held.
    pub(super) fn is_out(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the list must not be read now, because it would not be answered.
    pub(super) fn list_is_out(&self) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| !matches!(held.probe, Probe::ByStarts(_)))
    }

    /// How many calls may be in flight.
    pub(super) fn width(&self) -> usize {
        match (&self.held, self.width) {
            (Some(_), _) => 1,
            (None, width) => width.unwrap_or(usize::MAX),
        }
    }

    /// Whether the machine is not at fault if an attempt that was sent at `sent` was not answered.
    pub(super) fn is_blameless(&self, sent: Moment) -> bool {
        self.held.as_ref().is_some_and(|held| held.is_sure)
            || self.ended.is_some_and(|ended| sent <= ended)
    }

    /// Whether a call has been waiting for the sign-in for longer than usual.
    pub(super) fn waits_for_token(&self, now: Moment) -> bool {
        self.waits_for_token
            .is_some_and(|since| now.since(since) >= SAID_APART)
    }

    /// When to probe again, if there is an outage.
    pub(super) fn next_probe(&self) -> Option<Moment> {
        let held = self.held.as_ref()?;
        (held.probe != Probe::Asked).then(|| held.outage.next_probe())
    }

    pub(super) fn open_failed(&self) -> HashSet<u64> {
        let open = self.failed.iter().filter(|(_, failed)| failed.is_open);
        open.map(|(n, _)| *n).collect()
    }

    /// Whether this machine is none of the suspects.
    pub(super) fn is_another(&self, n: u64) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| !held.suspects.all.contains(&n))
    }

    /// The machines of which one has to be tried now; `None` if any may be.
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

//! What an outage changes: nothing is started, no try is counted, and from time to time it is found out whether the API answers.
//!
//! It begins with a call that never connected, with an obstacle, with a 503 that says when to come again, or with three different machines in a row whose answers are not
//! the service's own. The list of scans is asked then. If it answers, and three machines' starts had failed, starts alone may be
//! down: one machine is tried at a time, first another, then those that have been looked up, in turn, and another again. Any start
//! that the service itself answers ends it, whatever the answer; one call goes alone then, and twice as many after each answer.
//!
//! It is an outage for sure, and no machine is to blame, where a call never connected, where the list is not answered either, and
//! where another machine's start fails like those of the first three.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use super::{
    Dispatcher,
    suspects::{Round, Suspects},
};
use crate::{
    campaign::{engine::lookup::ListingError, stop::StopReason},
    client::{
        outage::Outage,
        reply::{Class, Obstacle, Trouble},
    },
    monitor::span,
    quota::Moment,
};

/// So long starts may be down while the list answers; then the machines are to blame that are left.
const STARTS_DOWN: Duration = Duration::from_hours(24);

/// A connection that comes and goes is not spoken of more often.
const SAID_APART: Duration = Duration::from_mins(1);

/// So many different machines in a row.
const IN_A_ROW: usize = 3;

/// What is known of whether the API can be reached.
#[derive(Debug, Default)]
pub(super) struct Reachability {
    /// Whether the service has answered this run.
    pub(super) heard: bool,
    /// The machines that failed since a start was last answered, and whether each is still to be tried.
    failed: BTreeMap<u64, bool>,
    held: Option<Held>,
    /// So many calls may be on their way after an outage.
    width: Option<usize>,
    /// Machines whose starts failed while another's was answered: they say nothing of an outage.
    known_bad: HashSet<u64>,
    /// When the last outage ended: what was sent before is nobody's fault.
    ended: Option<Moment>,
    /// When people last heard of one.
    said: Option<Moment>,
    pub(super) give_up_after: Option<Duration>,
    /// Since when the sign-in does not answer.
    waits_for_token: Option<Moment>,
}

/// An outage that goes on.
#[derive(Debug)]
struct Held {
    outage: Outage,
    look: Look,
    /// It is an outage for sure, and no machine is to blame.
    is_sure: bool,
    suspects: Suspects,
    /// Whether people have heard of it.
    is_told: bool,
    /// What is in the way, as they have heard.
    told: Option<Obstacle>,
}

/// How it is found out whether it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
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
        held.is_some_and(|held| !matches!(held.look, Look::ByStarts(_)))
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
    pub(super) fn next_look(&self) -> Option<Moment> {
        let held = self.held.as_ref()?;
        (held.look != Look::Asked).then(|| held.outage.next_look())
    }

    fn open_failed(&self) -> HashSet<u64> {
        let open = self.failed.iter().filter(|(_, is_open)| **is_open);
        open.map(|(n, _)| *n).collect()
    }

    /// Whether this one is none of those that failed before.
    fn is_another(&self, n: u64) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| !held.suspects.all.contains(&n))
    }

    /// Those of whom one is to be tried now; none if anybody may.
    pub(super) fn suspects(&self, whose: Round) -> Option<&HashSet<u64>> {
        let held = self.held.as_ref()?;
        let Look::ByStarts(tried) = held.look else {
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

impl Dispatcher {
    /// The same, with an outage stopping the campaign after so long.
    #[must_use]
    pub fn giving_up_after(mut self, limit: Option<Duration>) -> Self {
        self.reach.give_up_after = limit;
        self
    }

    /// Whether nothing is started because the API cannot be reached.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.reach.is_out()
    }

    /// Since when a token is waited for, if it is. To be said before [`look`](Self::look).
    pub fn waits_for_token(&mut self, since: Option<Moment>) {
        self.reach.waits_for_token = since;
    }

    /// Whether a start may go out though the API may not be reached: as the look that finds out.
    pub(super) fn may_start(&self, now: Moment) -> bool {
        let Some(held) = &self.reach.held else {
            return true;
        };
        let by_start = match held.look {
            Look::ByStarts(_) => true,
            Look::ByList | Look::Asked => false,
        };
        by_start && held.outage.next_look() <= now
    }

    /// Whether the list is to be asked now whether the API can be reached. The call then counts as on its way until
    /// [`probed`](Self::probed).
    pub fn wants_probe(&mut self, now: Moment) -> bool {
        if self.is_stopping() {
            return false;
        }
        let Some(held) = &mut self.reach.held else {
            return false;
        };
        let is_time = held.look == Look::ByList && held.outage.next_look() <= now;
        if is_time {
            held.look = Look::Asked;
        }
        is_time
    }

    /// The list was asked whether the API can be reached.
    pub fn probed(&mut self, result: Result<(), ListingError>, now: Moment) {
        let Some(held) = &mut self.reach.held else {
            return;
        };
        held.look = Look::ByList;
        match result {
            Err(ListingError::Unanswered { trouble, .. }) => self.still_out(&trouble, now),
            Err(ListingError::Unauthorized(why) | ListingError::Blocked(why)) => {
                self.stop(StopReason::Tenant(why));
            }
            Err(ListingError::Ledger(why)) => self.stop(StopReason::Disk(why)),
            Err(ListingError::Forbidden(why)) => {
                self.list_answered(now);
                if self.listings.forbidden.is_none() {
                    self.cannot_list(why, now);
                }
            }
            Ok(()) | Err(ListingError::Failed(_)) => self.list_answered(now),
        }
    }

    /// The list has answered, whatever it said.
    fn list_answered(&mut self, now: Moment) {
        self.reach.heard = true;
        let starts_failed = self.reach.failed.len() >= IN_A_ROW;
        let more_failed = self.reach.open_failed().len() > IN_A_ROW;
        let enough = self.open_targets() >= IN_A_ROW as u64;
        match &mut self.reach.held {
            Some(held) if starts_failed && enough => {
                held.look = Look::ByStarts(0);
                // Those that were on their way are others too, and nobody else may be left to be tried.
                held.is_sure |= more_failed;
                self.blame_nobody();
            }
            _ => self.outage_over(now),
        }
    }

    /// What a reply to a start says of whether the API can be reached.
    pub(super) fn reached(&mut self, n: u64, tries: u32, class: &Class, now: Moment) {
        match class {
            Class::Own(_) => {
                self.reach.heard = true;
                self.reach.failed.clear();
                if let Some(held) = &mut self.reach.held {
                    // One of them that is answered tells that starts were down; another one, that they are bad.
                    let was_suspect = held.suspects.all.contains(&n);
                    held.suspects.remove(n);
                    if !was_suspect {
                        self.are_bad();
                    }
                    self.outage_over(now);
                } else if let Some(width) = self.reach.width {
                    let wider = width.saturating_mul(2);
                    self.reach.width = (wider < self.settings.capacity).then_some(wider);
                }
            }
            Class::NeverSent(trouble) => self.out(trouble, true, now),
            Class::Perhaps(trouble) => {
                let is_known = tries > 0 || self.reach.known_bad.contains(&n);
                if !is_known {
                    self.reach.failed.insert(n, true);
                }
                let is_turn = self.may_start(now);
                let is_row = self.reach.failed.len() >= IN_A_ROW;
                let is_told = trouble.obstacle.is_some() || trouble.retry_after.is_some();
                if is_row || is_told || self.reach.is_out() {
                    let is_another = !is_known && is_turn && self.reach.is_another(n);
                    self.out(trouble, is_another, now);
                }
                if let Some(held) = &mut self.reach.held {
                    held.suspects.add(n);
                    if is_turn {
                        held.suspects.tried(n);
                    }
                }
            }
            Class::Unsendable(_) => {}
        }
    }

    /// A call could not be made, or was not answered by the service.
    pub(super) fn out(&mut self, trouble: &Trouble, is_sure: bool, now: Moment) {
        if self.reach.held.is_some() {
            let by_start = self.may_start(now);
            let held = self.reach.held.as_mut();
            if let Some(held) = held {
                held.is_sure |= is_sure;
                if let Look::ByStarts(tried) = &mut held.look {
                    *tried += usize::from(by_start);
                }
            }
            // Only the answer to a look is news: others were on their way when it began.
            if by_start {
                self.still_out(trouble, now);
            }
            return;
        }
        let outage = Outage::begin(now, trouble, self.reach.heard);
        self.reach.held = Some(Held {
            outage,
            look: Look::ByList,
            is_sure,
            suspects: Suspects::new(self.reach.open_failed()),
            is_told: false,
            told: None,
        });
        self.tell_outage(now);
        self.blame_nobody();
    }

    /// Says it, unless it was said a moment ago, or has been said like that.
    fn tell_outage(&mut self, now: Moment) {
        let said_apart = |said: Moment| now.since(said) >= SAID_APART;
        let is_time = self.reach.said.is_none_or(said_apart);
        let Some(held) = &mut self.reach.held else {
            return;
        };
        let obstacle = held.outage.obstacle();
        let is_new = held.is_told && held.told != obstacle;
        if is_new || (is_time && !held.is_told) {
            held.is_told = true;
            held.told = obstacle;
            self.notes.push(held.outage.in_words(now));
            self.reach.said = Some(now);
        }
    }

    /// A look came to nothing.
    fn still_out(&mut self, trouble: &Trouble, now: Moment) {
        let Some(held) = &mut self.reach.held else {
            return;
        };
        // A start that fails while the list answers does not say so.
        held.is_sure |= !matches!(held.look, Look::ByStarts(_));
        if matches!(held.look, Look::ByStarts(_)) && now.since(held.outage.since()) >= STARTS_DOWN {
            self.are_bad();
            self.outage_over(now);
            return;
        }
        if let Some(why) = held.outage.failed(now, trouble) {
            self.stop(StopReason::Tenant(why));
        }
        self.tell_outage(now);
        self.blame_nobody();
    }

    /// Starts were tried while the list answered: whoever failed meanwhile is to blame from now on.
    fn are_bad(&mut self) {
        if let Some(held) = &self.reach.held
            && matches!(held.look, Look::ByStarts(_))
        {
            self.reach.known_bad.extend(&held.suspects.all);
        }
    }

    /// What is in doubt by an outage costs no try.
    fn blame_nobody(&mut self) {
        let Some(held) = self.reach.held.as_ref().filter(|held| held.is_sure) else {
            return;
        };
        for n in &held.suspects.all {
            if let Some(doubt) = self
                .unconfirmed
                .get_mut(n)
                .and_then(|due| due.doubt.as_mut())
            {
                doubt.is_blameless = true;
            }
        }
    }

    fn outage_over(&mut self, now: Moment) {
        let Some(held) = self.reach.held.take() else {
            return;
        };
        held.outage.over(now);
        if held.is_told {
            self.notes.push(held.outage.over_in_words(now));
        }
        self.reach.width = Some(1);
        if held.is_sure {
            self.reach.ended = Some(now);
        }
    }

    /// A target has ended: nobody tries it any more.
    pub(super) fn no_suspect(&mut self, n: u64) {
        self.reach.known_bad.remove(&n);
        if let Some(is_open) = self.reach.failed.get_mut(&n) {
            *is_open = false;
        }
        if let Some(held) = &mut self.reach.held {
            held.suspects.remove(n);
        }
    }

    /// Stops the campaign if an outage, or a list that cannot be read, has lasted for longer than the operator wants.
    pub(super) fn look_at_outage(&mut self, now: Moment) {
        let Some(limit) = self.reach.give_up_after else {
            return;
        };
        let starts = self.reach.held.as_ref().map(|held| held.outage.since());
        let list = self.listings.outage.as_ref().map(Outage::since);
        let token = self.reach.waits_for_token;
        let lasts = starts
            .into_iter()
            .chain(list)
            .chain(token)
            .map(|since| now.since(since))
            .max();
        if let Some(lasts) = lasts.filter(|lasts| *lasts >= limit) {
            self.stop(StopReason::Brake(format!(
                "--give-up-after: the API, or the sign-in, has not answered for {}; the same command goes on with the campaign",
                span::in_words(lasts)
            )));
        }
    }
}

//! What an outage changes: nothing is started, no try is counted, and from time to time it is found out whether the API answers.
//!
//! It begins with a call that never connected, with an obstacle, with a 503 that says when to come again, or with three different machines in a row whose answers are not
//! the service's own. The list of scans is asked then. If it answers, and three machines' starts had failed, starts alone may be
//! down: one machine is tried at a time, first another, then those that have been looked up, in turn, and another again. Any start
//! that the service itself answers ends it, whatever the answer; one call goes alone then, and twice as many after each answer.
//!
//! It is an outage for sure, and no machine is to blame, where a call never connected, where the list is not answered either, and
//! where another machine's start fails like those of the first three.

use std::time::Duration;

use super::{
    Dispatcher,
    reachability::{Held, Probe, SAID_APART},
    suspects::Suspects,
};
use crate::{
    campaign::{engine::lookup::ListingError, stop::StopReason},
    client::{
        outage::Outage,
        reply::{Class, Trouble},
    },
    monitor::span,
    quota::Moment,
};

/// So long starts may be down while the list answers; then the machines are to blame that are left.
const STARTS_DOWN: Duration = Duration::from_hours(24);

/// So many different machines in a row.
const IN_A_ROW: usize = 3;

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
    pub(crate) fn waits_for_token(&mut self, since: Option<Moment>) {
        self.reach.waits_for_token = since;
    }

    /// Whether a start may go out though the API may not be reached: as the look that finds out.
    pub(super) fn may_start(&self, now: Moment) -> bool {
        let Some(held) = &self.reach.held else {
            return true;
        };
        let by_start = match held.probe {
            Probe::ByStarts(_) => true,
            Probe::ByList | Probe::Asked => false,
        };
        by_start && held.outage.next_probe() <= now
    }

    /// Whether the list is to be asked now whether the API can be reached. The call then counts as on its way until
    /// [`probed`](Self::probed).
    pub(crate) fn wants_probe(&mut self, now: Moment) -> bool {
        if self.is_stopping() {
            return false;
        }
        let Some(held) = &mut self.reach.held else {
            return false;
        };
        let is_time = held.probe == Probe::ByList && held.outage.next_probe() <= now;
        if is_time {
            held.probe = Probe::Asked;
        }
        is_time
    }

    /// The list was asked whether the API can be reached.
    pub(crate) fn probed(&mut self, result: Result<(), ListingError>, now: Moment) {
        let Some(held) = &mut self.reach.held else {
            return;
        };
        held.probe = Probe::ByList;
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
        self.reach.answered_before = true;
        let starts_failed = self.reach.failed.len() >= IN_A_ROW;
        let more_failed = self.reach.open_failed().len() > IN_A_ROW;
        let enough = self.open_targets() >= IN_A_ROW as u64;
        match &mut self.reach.held {
            Some(held) if starts_failed && enough => {
                held.probe = Probe::ByStarts(0);
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
                self.reach.answered_before = true;
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
                let is_reported = trouble.obstacle.is_some() || trouble.retry_after.is_some();
                if is_row || is_reported || self.reach.is_out() {
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
                if let Probe::ByStarts(tried) = &mut held.probe {
                    *tried += usize::from(by_start);
                }
            }
            // Only the answer to a look is news: others were on their way when it began.
            if by_start {
                self.still_out(trouble, now);
            }
            return;
        }
        let outage = Outage::begin(now, trouble, self.reach.answered_before);
        self.reach.held = Some(Held {
            outage,
            probe: Probe::ByList,
            is_sure,
            suspects: Suspects::new(self.reach.open_failed()),
            is_reported: false,
            reported: None,
        });
        self.report_outage(now);
        self.blame_nobody();
    }

    /// Says it, unless it was said a moment ago, or has been said like that.
    fn report_outage(&mut self, now: Moment) {
        let said_apart = |said: Moment| now.since(said) >= SAID_APART;
        let is_time = self.reach.said.is_none_or(said_apart);
        let Some(held) = &mut self.reach.held else {
            return;
        };
        let obstacle = held.outage.obstacle();
        let is_new = held.is_reported && held.reported != obstacle;
        if is_new || (is_time && !held.is_reported) {
            held.is_reported = true;
            held.reported = obstacle;
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
        held.is_sure |= !matches!(held.probe, Probe::ByStarts(_));
        if matches!(held.probe, Probe::ByStarts(_)) && now.since(held.outage.since()) >= STARTS_DOWN
        {
            self.are_bad();
            self.outage_over(now);
            return;
        }
        if let Some(why) = held.outage.failed(now, trouble) {
            self.stop(StopReason::Tenant(why));
        }
        self.report_outage(now);
        self.blame_nobody();
    }

    /// Starts were tried while the list answered: whoever failed meanwhile is to blame from now on.
    fn are_bad(&mut self) {
        if let Some(held) = &self.reach.held
            && matches!(held.probe, Probe::ByStarts(_))
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
            if let Some(unconfirmed) = self
                .unconfirmed
                .get_mut(n)
                .and_then(|pending| pending.unconfirmed.as_mut())
            {
                unconfirmed.is_blameless = true;
            }
        }
    }

    fn outage_over(&mut self, now: Moment) {
        let Some(held) = self.reach.held.take() else {
            return;
        };
        held.outage.over(now);
        if held.is_reported {
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
    pub(super) fn check_outage_limit(&mut self, now: Moment) {
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

//! What changes during an outage: nothing is started, no try is counted, and the API is probed from time to
//! time.
//!
//! An outage begins with a call that never connected, with an obstacle, with a 503 that has a `Retry-After`,
//! or when three different machines in a row have answers that are not the service's own. Then the list of
//! scans is probed. If it answers although the starts of three machines had failed, scan starts alone may be
//! down. One machine is then tried at a time: another one first, then those that have been looked up, in
//! turn, then another one again. Any start that the service itself answers ends the outage, whatever the
//! answer says. After that one call goes alone, and twice as many after each answer.
//!
//! The outage is certain, and no machine is at fault, if a call never connected, if the list does not answer
//! either, or if the start of another machine fails like those of the first three.

use std::time::Duration;

use super::{
    Dispatcher,
    reachability::{Failed, Held, Probe, SAID_APART},
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

/// How long starts may be down while the list answers. After that, the remaining machines themselves are
/// taken to be at fault.
const STARTS_DOWN: Duration = Duration::from_hours(24);

/// How many different machines in a row have to fail.
const IN_A_ROW: usize = 3;

impl Dispatcher {
    /// Stops the campaign after an outage of this length (`--give-up-after`).
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

    /// Sets since when a token has been waited for. Call it before [`advance_clock`](Self::advance_clock).
    pub(crate) fn waits_for_token(&mut self, since: Option<Moment>) {
        self.reach.waits_for_token = since;
    }

    /// Whether a start may go out: always without an outage, and during one only as the probe.
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

    /// Whether to probe the list now. The probe counts as in flight until [`probed`](Self::probed).
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

    /// Takes in the result of a probe of the list.
    pub(crate) fn probed(&mut self, result: Result<(), ListingError>, now: Moment) {
        let Some(held) = &mut self.reach.held else {
            return;
        };
        held.probe = Probe::ByList;
        match result {
            Err(ListingError::Unanswered { trouble, .. }) => self.still_out(&trouble, now),
            Err(e @ (ListingError::Unauthorized(_) | ListingError::Blocked(_))) => {
                self.stop(StopReason::Tenant(e.to_string()));
            }
            Err(ListingError::Ledger(e)) => self.stop(StopReason::Disk(e.to_string())),
            Err(e @ ListingError::Forbidden(_)) => {
                self.list_answered(now);
                if self.listings.forbidden.is_none() {
                    self.cannot_list(&e, now);
                }
            }
            Ok(()) | Err(ListingError::Failed(_)) => self.list_answered(now),
        }
    }

    /// The list answered, whatever it said.
    fn list_answered(&mut self, now: Moment) {
        self.reach.answered_before = true;
        let starts_failed = self.reach.failed.len() >= IN_A_ROW;
        let more_failed = self.reach.open_failed().len() > IN_A_ROW;
        let enough = self.open_targets() >= IN_A_ROW as u64;
        match &mut self.reach.held {
            Some(held) if starts_failed && enough => {
                held.probe = Probe::ByStarts(0);
                // Calls that were in flight are other machines too, and there may be none left to try.
                held.is_sure |= more_failed;
                self.blame_nobody();
            }
            _ => self.outage_over(now),
        }
    }

    /// Takes in what a reply to a start says about the API. An answer to a call says nothing about calls that were sent
    /// later: an outage may have begun between the two.
    pub(super) fn reached(&mut self, n: u64, tries: u32, class: &Class, sent: Moment, now: Moment) {
        match class {
            Class::Own(_) => {
                self.reach.answered_before = true;
                self.reach.failed.retain(|_, failed| sent < failed.sent);
                if self.reach.is_out() && !self.reach.failed.is_empty() {
                    // Starts that were sent later have failed, so this one does not end the outage.
                    self.no_suspect(n);
                } else if let Some(held) = &mut self.reach.held {
                    // If a suspect is answered, starts were down. If another machine is answered, the
                    // suspects are bad.
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
                    let is_open = true;
                    self.reach.failed.insert(n, Failed { is_open, sent });
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

    /// A call could not be made, or the service did not answer it.
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
            // Only the result of a probe is news. Other calls were in flight when the outage began.
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

    /// Notes the outage, unless that was done a moment ago or in the same words.
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

    /// A probe failed.
    fn still_out(&mut self, trouble: &Trouble, now: Moment) {
        let Some(held) = &mut self.reach.held else {
            return;
        };
        // A start that fails while the list answers does not prove an outage.
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

    /// Starts were tried while the list answered: the machines that failed meanwhile are at fault from now
    /// on, and are no sign of another outage.
    fn are_bad(&mut self) {
        if let Some(held) = &self.reach.held
            && matches!(held.probe, Probe::ByStarts(_))
        {
            self.reach.known_bad.extend(&held.suspects.all);
            self.reach.failed.clear();
        }
    }

    /// Attempts that are unconfirmed because of a certain outage cost no try.
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

    /// A target has ended and is no longer a suspect.
    pub(super) fn no_suspect(&mut self, n: u64) {
        self.reach.known_bad.remove(&n);
        if let Some(failed) = self.reach.failed.get_mut(&n) {
            failed.is_open = false;
        }
        if let Some(held) = &mut self.reach.held {
            held.suspects.remove(n);
        }
    }

    /// Stops the campaign if an outage, or a list that cannot be read, has lasted for longer than the
    /// operator allows.
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
                "--give-up-after: the API, or the sign-in, has not answered for {}; the same command goes on \
                 with the campaign",
                span::in_words(lasts)
            )));
        }
    }
}

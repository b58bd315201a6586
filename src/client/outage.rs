//! An outage of the API: when to probe again, and when to give up.
//!
//! Pure: it is told of probes and of the time. The dispatcher keeps one for a campaign, a caller keeps one
//! for its call.

use std::time::Duration;

use jiff::Timestamp;

use super::reply::{Obstacle, Trouble};
use crate::{
    audit::audit,
    defender::{Call, Order},
    monitor::span,
    quota::{Kind, Moment},
};

/// The first and the longest pause between two probes.
const PROBE_PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));

/// Before the service has answered once, an obstacle stops the run when a second probe meets the same one
/// this much later.
const CONFIRM_AFTER: Duration = Duration::from_secs(10);

/// Once the service has answered, an obstacle stops the run after this time.
const PERSISTS_FOR: Duration = Duration::from_mins(15);

/// An outage that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// What cannot be done meanwhile, for the log: `starts`, or the name of another kind of call.
    what: &'static str,
    since: Moment,
    next: Moment,
    pause: Duration,
    why: String,
    /// What a person has to remove, and since when it has been there.
    obstacle: Option<(Obstacle, Moment)>,
    /// Whether the service has answered this process at all.
    answered_before: bool,
}

impl Outage {
    /// An outage that holds scan starts. `answered_before` says whether the service has answered this process
    /// before.
    #[must_use]
    pub fn begin(now: Moment, trouble: &Trouble, answered_before: bool) -> Self {
        Self::of("starts", now, trouble, answered_before)
    }

    /// An outage that holds calls of this `kind` only.
    #[must_use]
    pub(crate) fn of_calls(
        kind: Kind,
        now: Moment,
        trouble: &Trouble,
        answered_before: bool,
    ) -> Self {
        Self::of(kind.as_str(), now, trouble, answered_before)
    }

    fn of(what: &'static str, now: Moment, trouble: &Trouble, answered_before: bool) -> Self {
        let mut outage = Self {
            what,
            since: now,
            next: now,
            pause: PROBE_PAUSES.0,
            why: String::new(),
            obstacle: None,
            answered_before,
        };
        outage.observe(now, trouble);
        audit!("outage", phase = "begins", what, why = outage.why.as_str());
        outage
    }

    /// Another probe failed with this. Returns why to give up, if an obstacle has been there for long enough.
    pub fn failed(&mut self, now: Moment, trouble: &Trouble) -> Option<String> {
        self.pause = (self.pause * 2).min(PROBE_PAUSES.1);
        self.observe(now, trouble);
        let (_, since) = self.obstacle?;
        let persisted = now.since(since);
        if self.answered_before {
            (persisted >= PERSISTS_FOR).then(|| {
                format!(
                    "{}; this has lasted for {}",
                    self.why,
                    span::in_words(persisted)
                )
            })
        } else {
            (persisted >= CONFIRM_AFTER).then(|| self.why.clone())
        }
    }

    fn observe(&mut self, now: Moment, trouble: &Trouble) {
        self.why.clone_from(&trouble.why);
        self.obstacle = trouble.obstacle.map(|obstacle| match self.obstacle {
            Some((same, since)) if same == obstacle => (obstacle, since),
            _ => (obstacle, now),
        });
        let mut next = now + self.pause.max(trouble.retry_after.unwrap_or_default());
        if let Some((_, since)) = self.obstacle
            && !self.answered_before
        {
            next = next.max(since + CONFIRM_AFTER);
        }
        self.next = next;
    }

    /// When it began.
    #[must_use]
    pub fn since(&self) -> Moment {
        self.since
    }

    /// When to probe again.
    #[must_use]
    pub(crate) fn next_probe(&self) -> Moment {
        self.next
    }

    /// What a person has to remove, if anything.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.obstacle.map(|(obstacle, _)| obstacle)
    }

    /// What is wrong and when the next probe is, for the terminal.
    #[must_use]
    pub fn in_words(&self, now: Moment) -> String {
        let next = span::in_words(self.next.since(now));
        format!(
            "{}; nothing is sent until the API answers again, the next look is in {next}",
            self.why
        )
    }

    /// Logs the end of the outage.
    pub(crate) fn over(&self, now: Moment) {
        let lasted_s = now.since(self.since).as_secs_f64();
        audit!(
            "outage",
            phase = "ends",
            what = self.what,
            why = self.why.as_str(),
            lasted_s
        );
    }

    /// The end of the outage, for the terminal.
    #[must_use]
    pub(crate) fn over_in_words(&self, now: Moment) -> String {
        let lasted = span::in_words(now.since(self.since));
        format!("the API answers again after {lasted}")
    }
}

/// The call that finds out whether the API can be reached.
#[must_use]
pub fn probe(since: Timestamp) -> Call {
    Call::ListScans {
        since,
        skip: 0,
        top: 1,
        order: Order::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(seconds)
    }

    fn refused() -> Trouble {
        Trouble {
            why: "no connection".into(),
            ..Trouble::default()
        }
    }

    fn page() -> Trouble {
        Trouble {
            why: "a page".into(),
            obstacle: Some(Obstacle::Page),
            ..Trouble::default()
        }
    }

    #[test]
    fn looks_are_two_to_sixty_seconds_apart_and_a_503_paces_them() {
        let mut outage = Outage::begin(at(0), &refused(), true);
        let mut looks = Vec::new();
        for _ in 0..7 {
            let now = outage.next_probe();
            looks.push(now.since(Moment::ZERO).as_secs());
            assert_eq!(outage.failed(now, &refused()), None);
        }
        assert_eq!(looks, [2, 6, 14, 30, 62, 122, 182]);
        let paced = Trouble {
            retry_after: Some(Duration::from_mins(10)),
            ..refused()
        };
        let now = outage.next_probe();
        outage.failed(now, &paced);
        assert_eq!(outage.next_probe().since(now), Duration::from_mins(10));
    }

    #[test]
    fn an_obstacle_at_the_start_is_seen_twice_and_later_stands_for_a_quarter_of_an_hour() {
        let mut early = Outage::begin(at(0), &page(), false);
        assert_eq!(early.next_probe(), at(10));
        assert!(early.failed(at(10), &page()).is_some());

        let mut late = Outage::begin(at(0), &page(), true);
        let mut looks = 0;
        while late.failed(late.next_probe(), &page()).is_none() {
            looks += 1;
        }
        let stood = late.next_probe().since(at(60));
        assert!(
            stood >= PERSISTS_FOR && stood < PERSISTS_FOR + PROBE_PAUSES.1,
            "{stood:?}"
        );
        assert!(looks < 20, "at most one a look");
    }

    #[test]
    fn an_obstacle_that_changes_begins_anew_and_an_outage_stands_for_ever() {
        let mut outage = Outage::begin(at(0), &page(), false);
        let other = Trouble {
            obstacle: Some(Obstacle::Refusal(407)),
            ..page()
        };
        assert_eq!(outage.failed(at(10), &other), None);
        assert_eq!(outage.failed(at(15), &refused()), None);
        assert_eq!(outage.failed(at(20), &other), None);
        assert!(outage.failed(at(30), &other).is_some());
        let mut outage = Outage::begin(at(0), &refused(), false);
        for hour in 1..1000 {
            assert_eq!(outage.failed(at(hour * 3600), &refused()), None);
        }
    }
}

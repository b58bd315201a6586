//! Notices what somebody wants to be told of while a run goes on: a brake, and calls that are held for over an hour.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    Began, Held, Holder, Monitor, State,
    count::grouped,
    notice::{Notice, Occasion},
    span,
};
use crate::plain_text::one_line;

/// Calls that are held for longer than this are worth a notice.
const LONG: Duration = Duration::from_hours(1);

/// Sends a [`Notice`] for each brake and each long hold.
pub struct Occasions {
    notices: mpsc::Sender<Notice>,
    seen: Mutex<Seen>,
}

/// What is known of the run.
#[derive(Debug, Default)]
struct Seen {
    campaign: Option<String>,
    targets: u64,
    ended: u64,
    state: Option<State>,
    /// Since when calls have been held, on the run's clock, and whether that has been told.
    hold: Option<(Duration, bool)>,
}

impl Occasions {
    /// Sends what it notices there. What finds no room is lost: no campaign waits for its notices.
    #[must_use]
    pub fn new(notices: mpsc::Sender<Notice>) -> Self {
        Self {
            notices,
            seen: Mutex::default(),
        }
    }

    /// What is known of the run, as the beginning of the notice of its end.
    #[must_use]
    pub fn so_far(&self, time: Timestamp) -> Notice {
        self.seen().notice(Occasion::End, time, "over")
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// What is to be told of this state.
    fn next(&mut self, state: &State) -> Option<Notice> {
        self.targets = state.targets;
        self.ended = state.ended;
        self.state = Some(state.clone());
        let Some(held) = state.held else {
            self.hold = None;
            return None;
        };
        let (since, is_told) = self.hold.get_or_insert((state.elapsed, false));
        let passed = state.elapsed.saturating_sub(*since);
        // The service says for how long it means; when an outage ends, nobody knows.
        let is_long = match held.by {
            Holder::Service => passed + held.left > LONG,
            Holder::Outage => passed > LONG,
        };
        if !is_long || std::mem::replace(is_told, true) {
            return None;
        }
        Some(self.notice(Occasion::Hold, state.wall, &held_in_words(held, passed)))
    }

    fn notice(&self, event: Occasion, time: Timestamp, what: &str) -> Notice {
        let campaign = self.campaign.as_deref().unwrap_or_default();
        let (ended, targets) = (grouped(self.ended), grouped(self.targets));
        let text = format!("campaign {campaign}: {what}; {ended} of {targets} targets have ended");
        let tally = self.state.iter().flat_map(|state| &state.tally);
        Notice {
            campaign: self.campaign.clone(),
            targets: self.targets,
            ended: self.ended,
            outcomes: tally.map(|(name, n)| ((*name).to_owned(), *n)).collect(),
            ..Notice::new(event, time, one_line(&text).into_owned())
        }
    }
}

fn held_in_words(held: Held, passed: Duration) -> String {
    match held.by {
        Holder::Service => {
            let left = span::in_words(held.left);
            format!("the service has asked for no calls for {left} from now")
        }
        Holder::Outage => {
            let passed = span::in_words(passed);
            format!("the API has not been reached for {passed}")
        }
    }
}

impl Monitor for Occasions {
    fn began(&self, began: &Began<'_>) {
        let mut seen = self.seen();
        seen.campaign = Some(began.id().to_owned());
        seen.targets = began.targets;
        seen.ended = began.already_ended;
    }

    fn state(&self, state: &State) {
        if let Some(notice) = self.seen().next(state) {
            let _ = self.notices.try_send(notice);
        }
    }

    fn braked(&self, why: &str) {
        let seen = self.seen();
        // The engine reports its state before anything can stop it.
        let now = seen.state.as_ref().map_or(Timestamp::MIN, |last| last.wall);
        let notice = Notice {
            stopped: Some(why.to_owned()),
            ..seen.notice(Occasion::Brake, now, &format!("a brake stops it: {why}"))
        };
        let _ = self.notices.try_send(notice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn watched(report: impl FnOnce(&Occasions)) -> Vec<Notice> {
        let (sender, mut notices) = mpsc::channel(8);
        let monitor = Occasions::new(sender);
        monitor.began(&Began {
            campaign: "mockabc (a rehearsal)",
            targets: 1_000,
            already_ended: 2,
        });
        report(&monitor);
        drop(monitor);
        std::iter::from_fn(|| notices.try_recv().ok()).collect()
    }

    fn held(at: Duration, by: Holder, left: Duration) -> State {
        State {
            elapsed: at,
            held: Some(Held { by, left }),
            ..State::example()
        }
    }

    #[test]
    fn a_long_wait_that_the_service_asks_for_is_told_at_once_and_once() {
        let notices = watched(|monitor| {
            for minute in 0..90 {
                let left = MINUTE * (90 - minute);
                monitor.state(&held(MINUTE * minute, Holder::Service, left));
            }
        });
        let texts: Vec<_> = notices.iter().map(|notice| &notice.text).collect();
        assert_eq!(
            texts,
            [
                "campaign mockabc: the service has asked for no calls for 1 h 30 min from now; 317 of \
              1,000 targets have ended"
            ]
        );
        assert_eq!(notices[0].event, Occasion::Hold);
        assert_eq!(notices[0].campaign.as_deref(), Some("mockabc"));
        assert_eq!((notices[0].targets, notices[0].ended), (1_000, 317));
        assert_eq!(notices[0].outcomes["accepted"], 312);
    }

    #[test]
    fn an_outage_is_told_when_it_has_lasted_for_an_hour() {
        let notices = watched(|monitor| {
            for minute in 0..=60 {
                monitor.state(&held(MINUTE * minute, Holder::Outage, MINUTE * 5));
            }
        });
        assert_eq!(notices, []);
        let notices = watched(|monitor| {
            for minute in 0..=200 {
                monitor.state(&held(MINUTE * minute, Holder::Outage, MINUTE * 5));
            }
        });
        assert_eq!(notices.len(), 1);
        assert!(
            notices[0].text.contains("not been reached for 1 h 1 min"),
            "{notices:?}"
        );
    }

    #[test]
    fn holds_that_are_short_each_are_no_occasion_and_each_long_one_is() {
        let notices = watched(|monitor| {
            for minute in 0..200 {
                monitor.state(&held(MINUTE * minute, Holder::Service, MINUTE));
                if minute % 50 == 0 {
                    monitor.state(&State {
                        elapsed: MINUTE * minute,
                        ..State::example()
                    });
                }
            }
        });
        assert_eq!(notices, []);
        let notices = watched(|monitor| {
            monitor.state(&held(MINUTE, Holder::Service, MINUTE * 61));
            monitor.state(&State::example());
            monitor.state(&held(MINUTE, Holder::Service, MINUTE * 60));
            monitor.state(&held(MINUTE * 2, Holder::Service, MINUTE * 60));
        });
        assert_eq!(notices.len(), 2);
    }

    #[test]
    fn a_brake_is_told_with_its_words() {
        let notices = watched(|monitor| {
            monitor.state(&State::example());
            monitor.braked("5 failures in a row\nmore");
        });
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].event, Occasion::Brake);
        assert_eq!(notices[0].time_utc, State::example().wall);
        assert_eq!(
            notices[0].text,
            "campaign mockabc: a brake stops it: 5 failures in a row more; 317 of 1,000 targets have ended"
        );
        let words = Some("5 failures in a row\nmore");
        assert_eq!(notices[0].stopped.as_deref(), words);
    }

    #[test]
    fn nobody_waits_for_a_queue_that_is_full() {
        let (sender, notices) = mpsc::channel(1);
        let monitor = Occasions::new(sender);
        (0..3).for_each(|_| monitor.braked("why"));
        assert_eq!(notices.len(), 1);
    }
}

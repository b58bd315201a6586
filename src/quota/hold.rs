//! Holds: the service has asked for no calls of a kind before some moment.

use std::time::Duration;

use super::{clock::Moment, kind::Kind};

/// What the service said when it refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// For how long no calls of the kind may be made. More than 24 h counts as 1 h.
    pub retry_after: Duration,
    /// The length of the window that is full, if the service named one.
    pub window: Option<Duration>,
}

/// The longest hold that is believed: the longest window that a limit may have. No quota of the service can be
/// exhausted for longer, so a longer hold must be a mistake, perhaps of a proxy.
pub(super) const LONGEST_HOLD: Duration = Duration::from_hours(24);

/// What a longer hold counts as: the longer of the documented windows. After that one call goes alone, and its answer
/// decides how to go on.
const INSTEAD: Duration = Duration::from_hours(1);

/// How long calls are held when the service says `stated`.
pub(super) fn believed(stated: Duration) -> Duration {
    if stated > LONGEST_HOLD {
        INSTEAD
    } else {
        stated
    }
}

/// The holds of all kinds.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds {
    until: [Moment; Kind::ALL.len()],
    joined: bool,
}

impl Holds {
    /// When the kind's hold ends; a moment in the past if there is none.
    pub(super) fn until(&self, kind: Kind) -> Moment {
        self.until[self.place(kind)]
    }

    /// Holds calls of the kind until `until`. A hold is never shortened.
    pub(super) fn hold(&mut self, kind: Kind, until: Moment) {
        let held = &mut self.until[self.place(kind)];
        *held = until.max(*held);
    }

    /// Ends the kind's hold, and returns whether there was one at `now`.
    pub(super) fn lift(&mut self, kind: Kind, now: Moment) -> bool {
        std::mem::take(&mut self.until[self.place(kind)]) > now
    }

    /// From now on all kinds share one hold, which lasts until the latest of theirs.
    pub(super) fn join(&mut self) {
        if !self.joined {
            self.until[0] = self.until.into_iter().max().unwrap_or_default();
            self.joined = true;
        }
    }

    fn place(&self, kind: Kind) -> usize {
        if self.joined { 0 } else { kind.index() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_hold_is_believed_up_to_the_longest_window_and_counts_as_an_hour_beyond_it() {
        assert_eq!(believed(HOUR * 24), HOUR * 24);
        assert_eq!(believed(HOUR * 24 + Duration::from_nanos(1)), HOUR);
        assert_eq!(believed(Duration::MAX), HOUR);
    }

    #[test]
    fn a_lift_ends_one_kinds_hold_or_that_of_all_once_they_are_joined() {
        let at = |secs| Moment::ZERO + Duration::from_secs(secs);
        let mut holds = Holds::default();
        holds.hold(Kind::Start, at(50));
        holds.hold(Kind::List, at(70));
        assert!(!holds.lift(Kind::Get, at(10)));
        assert!(holds.lift(Kind::Start, at(10)));
        assert_eq!(holds.until(Kind::Start), Moment::ZERO);
        assert_eq!(holds.until(Kind::List), at(70));
        holds.join();
        assert_eq!(holds.until(Kind::Start), at(70));
        assert!(holds.lift(Kind::Cancel, at(10)));
        assert_eq!(holds.until(Kind::List), Moment::ZERO);
    }
}

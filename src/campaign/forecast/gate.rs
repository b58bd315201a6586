//! When calls may go out that the quota has room for: inside the daily window and before the deadline.

use std::time::Duration;

use jiff::Timestamp;

use super::{Bounds, StoppedBy, later};

/// Lets calls through while the window is open and the deadline has not passed. It consults the calendar once
/// per opening.
pub(super) struct Gate<'a> {
    bounds: &'a Bounds,
    now: Timestamp,
    /// Calls before this pass without consulting the calendar.
    open_until: Option<Timestamp>,
    pub(super) openings: u64,
    pub(super) closed: Option<StoppedBy>,
}

impl<'a> Gate<'a> {
    pub(super) fn new(bounds: &'a Bounds, now: Timestamp) -> Self {
        Self {
            bounds,
            now,
            open_until: None,
            openings: 0,
            closed: None,
        }
    }

    /// When a call goes out that could go `after` the moment of the forecast; `None` if it never may.
    pub(super) fn pass(&mut self, after: Duration) -> Option<Duration> {
        if self.bounds.hours.is_none() && self.bounds.not_after.is_none() {
            return Some(after);
        }
        let wanted = later(self.now, after);
        let mut at = wanted;
        if let Some(hours) = &self.bounds.hours
            && self.open_until.is_none_or(|until| wanted >= until)
        {
            at = hours.next_opening(wanted);
            if at == Timestamp::MAX {
                self.closed = Some(StoppedBy::Window);
                return None;
            }
            self.open_until = Some(hours.next_closing(at));
            self.openings += u64::from(at > wanted);
        }
        if self.bounds.not_after.is_some_and(|end| at >= end) {
            self.closed = Some(StoppedBy::NotAfter);
            return None;
        }
        if at == wanted {
            return Some(after);
        }
        Duration::try_from(at.duration_since(self.now)).ok()
    }
}

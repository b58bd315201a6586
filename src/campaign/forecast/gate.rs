//! When calls may go that the quota has room for: by the hours, and before the end.

use std::time::Duration;

use jiff::Timestamp;

use super::{Bounds, StoppedBy, later};

/// Lets calls through while the hours are open and the end has not come. It looks at the calendar once an opening.
pub(super) struct Gate<'a> {
    bounds: &'a Bounds,
    now: Timestamp,
    /// Calls before this pass without a look.
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

    /// When a call goes that could go so long after the moment of the forecast; `None` if it never may.
    pub(super) fn pass(&mut self, after: Duration) -> Option<Duration> {
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

//! Whether the API can be reached, as far as that has been said.

use std::time::Duration;

use crate::quota::Moment;

/// A connection that comes and goes is not spoken of more often.
const APART: Duration = Duration::from_mins(1);

/// What people have heard of it.
#[derive(Debug, Default)]
pub(super) struct Outage {
    is_on: bool,
    said: Option<Moment>,
}

impl Outage {
    /// A call could not be sent, or could: whether people should hear of that.
    pub(super) fn is_news(&mut self, not_sent: bool, now: Moment) -> bool {
        let begins = not_sent && !self.is_on;
        self.is_on = not_sent;
        let is_news = begins && self.said.is_none_or(|said| now.since(said) >= APART);
        if is_news {
            self.said = Some(now);
        }
        is_news
    }
}

//! A script of faults: which calls each rule is for, and what happens to them.

use std::{ops::Range, time::Duration};

use super::request::{Kind, Route};

/// One rule of a script: which calls it is for, and what happens to them. The first rule that matches a call wins.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) fault: Fault,
    pub(super) nth: Option<u64>,
    kind: Option<Kind>,
    machine: Option<String>,
    during: Option<Range<Duration>>,
}

impl Rule {
    /// A rule for every call. The methods below narrow it down.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self {
            kind: None,
            machine: None,
            nth: None,
            during: None,
            fault,
        }
    }

    /// Only calls of this kind.
    #[must_use]
    pub const fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only starts on this machine.
    #[must_use]
    pub fn machine(mut self, machine: &str) -> Self {
        self.machine = Some(machine.to_ascii_lowercase());
        self
    }

    /// Only the n-th, from 1, of the calls that the rest of the rule is for.
    #[must_use]
    pub const fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// Only calls that arrive in this span of time since the tenant's start.
    #[must_use]
    pub const fn during(mut self, span: Range<Duration>) -> Self {
        self.during = Some(span);
        self
    }

    /// Whether the rule is for a call to this route that arrived at this time.
    pub(super) fn is_for(&self, route: &Route, arrived: Duration) -> bool {
        self.kind.is_none_or(|kind| kind == route.kind())
            && self
                .during
                .as_ref()
                .is_none_or(|span| span.contains(&arrived))
            && self
                .machine
                .as_deref()
                .is_none_or(|machine| route.machine() == Some(machine))
    }
}

/// What a rule does to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The call is counted, not carried out, and answered with this status and body.
    Status(u16, String),
    /// The call is counted and carried out, and answered with this status and body.
    StatusAfter(u16, String),
    /// The call is answered with 503 before the service has seen it; it is counted and carried out this much later.
    Early(Duration),
    /// The call is counted, not carried out, and its connection is cut.
    CutBefore,
    /// The call is counted and carried out, and its connection is cut.
    CutAfter,
    /// The answer takes this much longer.
    Delay(Duration),
    /// The call is counted and carried out, and nobody can read its answer.
    Garbled(Garbling),
}

/// What has become of an answer's body on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbling {
    /// It is cut off in the middle.
    Truncated,
    /// It is text that is not JSON.
    NotJson,
    /// It is a page of HTML.
    Html,
}

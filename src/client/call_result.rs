//! What one call came to: the answer, or why there is none.

use super::reply::{Class, Said, Trouble};
use crate::{
    defender::{Answer, Call, sign_in::SignInError, wire},
    quota::LedgerError,
};

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no token, or a new one is refused too.
    #[error("{0}")]
    SignIn(String),
    /// The quota cannot be kept.
    #[error("{0}")]
    Ledger(LedgerError),
    /// The service says no, and will again.
    #[error("{}", refused(.0))]
    Refused(Said),
    /// Something is in the way that a person must remove.
    #[error("{0}")]
    Blocked(String),
    /// The service has not answered.
    #[error("{trouble}")]
    Unanswered {
        /// Why.
        trouble: Box<Trouble>,
        /// No byte of it was written.
        never_sent: bool,
    },
}

fn refused(said: &Said) -> String {
    let words = said.words();
    match said.status {
        403 => format!("the service forbids it: {words}"),
        status => format!("the service refuses it (HTTP {status}): {words}"),
    }
}

/// What the service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// 200
    Found(Answer),
    /// 404 in the API's own words.
    NotFound,
}

/// What came of one call that was answered, or not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// It was carried out, or there was nothing to carry it out on.
    Answered(Answered),
    /// It was surely not carried out and is to be made again: there was no quota for it, its permit was too old, or this
    /// token was refused (its serial; 0 if none was).
    NotMade(u64),
}

/// Whether a 2xx is a page of the list of scans.
#[must_use]
pub fn is_page_of_scans(answer: &Answer) -> bool {
    wire::json::<wire::Page<wire::MachineAction>>(&answer.body).is_some()
}

/// Whether a 2xx is what the call has asked for.
pub(super) fn is_requested(call: &Call, answer: &Answer) -> bool {
    match call {
        Call::ListScans { .. } => is_page_of_scans(answer),
        Call::Machines { .. } => wire::json::<wire::Page<wire::Machine>>(&answer.body).is_some(),
        Call::StartScan { .. } | Call::GetAction { .. } | Call::CancelAction { .. } => {
            wire::json::<wire::MachineAction>(&answer.body).is_some()
        }
    }
}

impl From<Class> for CallError {
    fn from(class: Class) -> Self {
        match class {
            Class::NeverSent(trouble) => Self::Unanswered {
                trouble: Box::new(trouble),
                never_sent: true,
            },
            Class::Perhaps(trouble) => Self::Unanswered {
                trouble: Box::new(trouble),
                never_sent: false,
            },
            Class::Unsendable(why) => Self::Refused(Said {
                message: why,
                ..Said::default()
            }),
            Class::Own(said) => Self::Refused(said),
        }
    }
}

impl From<SignInError> for CallError {
    fn from(e: SignInError) -> Self {
        Self::SignIn(e.to_string())
    }
}

//! What one call came to: the answer, or why there is none.

use jiff::Timestamp;

use super::reply::{Class, Said, Trouble};
use crate::{
    defender::{Answer, Call, sign_in::SignInError, wire},
    quota::LedgerError,
};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no token that the service accepts.
    #[error(transparent)]
    SignIn(#[from] TokenError),
    /// The ledger of the quota cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The service refused the call, and would refuse it again.
    #[error("{}", refused(.0))]
    Refused(Said),
    /// Something between this computer and the API has to be removed by a person.
    #[error("{0}")]
    Blocked(String),
    /// The service did not answer.
    #[error("{trouble}")]
    Unanswered {
        /// Why.
        trouble: Box<Trouble>,
        /// Whether no byte of the request was written.
        never_sent: bool,
    },
}

/// Why there is no token that the service accepts.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is none at all.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The service refuses a new one as well.
    #[error(
        "the service refuses the token, a new one too (HTTP 401: {}); if it names the account or a licence, a new \
         token does not cure it",
        .0.words()
    )]
    Refused(Said),
    /// The service refuses the one that there is, and there is no newer one.
    #[error("the service refuses the token (HTTP 401: {}); {renewal}", said.words())]
    NotRenewed {
        /// The refusal.
        said: Said,
        /// Why there is no newer one.
        #[source]
        renewal: SignInError,
    },
}

fn refused(said: &Said) -> String {
    let words = said.words();
    match said.status {
        403 => format!("the service forbids it: {words}"),
        status => format!("the service refuses it (HTTP {status}): {words}"),
    }
}

/// What the service answered, where it carried the call out or had nothing to carry it out on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered<T> {
    /// 200
    Found {
        /// What the call asked for.
        body: T,
        /// The server's clock, if the answer named it.
        date: Option<Timestamp>,
    },
    /// A 404 in the API's own error format.
    NotFound,
}

/// The result of making a call once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once<T> {
    /// The service answered.
    Answered(Answered<T>),
    /// The call was certainly not carried out and has to be made again: there was no quota for it, its permit
    /// was too old, or the service refused this token (its serial number; 0 if none was refused).
    NotMade(u64),
}

/// Whether the body of a 2xx is a page of the list of scans.
#[must_use]
pub fn is_page_of_scans(answer: &Answer) -> bool {
    wire::json::<wire::Page<wire::MachineAction>>(&answer.body).is_some()
}

/// Whether this status, in whatever body, says that the service does not know the call. Only of calls that not every
/// cloud has; of the others it would be a mistake in their address.
pub(super) fn is_missing(call: &Call, status: u16) -> bool {
    matches!(call, Call::DeviceAvInfo { .. } | Call::Alerts { .. })
        && matches!(status, 400 | 404 | 405 | 410)
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
        Self::SignIn(e.into())
    }
}

//! Classifies a reply: whether it is the service's own, and how far its call got. This is decided here for
//! every kind of call.
//!
//! | reply | class | permit | try | machine | campaign |
//! |---|---|---|---|---|---|
//! | the API's own answer, below 500 | [`Class::Own`] | counted from the answer | (1) | (1) | ends an outage |
//! | no connection: DNS, TCP, TLS, CONNECT | [`Class::NeverSent`] | withdrawn | none | waits | an outage begins |
//! | 5xx, a foreign body, a redirect, a reset, a timeout | [`Class::Perhaps`] | counted late | (2) | (3) | (4) |
//! | the same with an [`Obstacle`] | as above | as above | as above | as above | holds at once |
//! | an id or a token that no request can carry | [`Class::Unsendable`] | withdrawn | none | refused | goes on |
//!
//! (1) By status and code. (2) It is an attempt, and costs a try only while the API can be reached. (3) The
//! machine is looked up before anything else is sent to it. (4) An outage begins after three different
//! machines in a row.
//!
//! An obstacle is an untrusted certificate, a 407, a page in place of a 2xx, 3xx or 4xx, or a 403 that is not
//! the API's. A person has to remove it.
//!
//! [`verdict`](crate::campaign::engine::verdict) judges `Own` further for scan starts, and
//! [`caller`](crate::client::caller) for all other calls. An outage is handled by
//! [`dispatcher`](crate::campaign::engine::dispatcher), or by the caller where no campaign runs.

use std::{fmt, time::Duration};

use crate::{
    defender::{
        Answer, Lost, Reply,
        throttle::stated,
        wire::{self, Envelope},
    },
    plain_text::kept,
    quota::Permit,
};

/// A `Retry-After` of an answer that is not the service's own is believed up to this. It only paces the
/// probes of an outage.
const LONGEST_PACE: Duration = Duration::from_hours(1);

/// Who sent a reply, and how far its call got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// The service's own answer.
    Own(Said),
    /// No byte of the request was written.
    NeverSent(Trouble),
    /// The service may have received the call, and it is not known what it did.
    Perhaps(Trouble),
    /// This call can never be sent; the text says why.
    Unsendable(String),
}

/// What an answer said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The HTTP status.
    pub status: u16,
    /// The error code as the service spelled it; empty where there is none.
    pub code: String,
    /// The error message; empty where there is none.
    pub message: String,
    /// The id that support asks for; empty where there is none.
    pub correlation_id: String,
}

impl Said {
    /// Whether this is the error code, ignoring case.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.eq_ignore_ascii_case(code)
    }

    /// The message, or the code, or that the service gave neither.
    #[must_use]
    pub fn words(&self) -> &str {
        match (self.message.as_str(), self.code.as_str()) {
            ("", "") => "it gave no reason",
            ("", code) => code,
            (message, _) => message,
        }
    }
}

/// Why a call has no answer from the service itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trouble {
    /// The reason, for people.
    pub why: String,
    /// The status, code and message that came, if any did.
    pub said: Said,
    /// What a person has to remove, if anything.
    pub obstacle: Option<Obstacle>,
    /// How long the call was waited for, if it timed out.
    pub gave_up_after: Option<Duration>,
    /// How long to wait before the next probe, by the answer's `Retry-After`; at most an hour.
    pub retry_after: Option<Duration>,
}

/// Something between this computer and the API that does not go away by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A certificate that is not trusted, or a proxy that refuses the connection.
    Connection,
    /// A page in place of the API's answer: 2xx or 3xx.
    Page,
    /// A refusal that did not come from the API: 4xx.
    Refusal(u16),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Classifies a reply. `is_asked` says whether the body of a 2xx is what the call asked for.
#[must_use]
pub fn classify(reply: &Reply, is_asked: impl FnOnce(&Answer) -> bool) -> Class {
    let answer = match reply {
        Ok(answer) => answer,
        Err(lost) => return of_lost(lost),
    };
    let status = answer.status;
    if (200..300).contains(&status) && is_asked(answer) {
        return Class::Own(Said {
            status,
            ..Said::default()
        });
    }
    let said = said(answer);
    let is_own = match status {
        // The service's gateway counts calls and checks tokens before the API sees them, and answers in its
        // own format.
        401 | 429 => true,
        400..500 => !said.code.is_empty() || !said.message.is_empty(),
        _ => false,
    };
    if is_own {
        return Class::Own(said);
    }
    let obstacle = match status {
        200..300 if is_page(answer) => Some(Obstacle::Page),
        300..400 => Some(Obstacle::Page),
        403 | 407 | 511 => Some(Obstacle::Refusal(status)),
        400..500 if is_page(answer) => Some(Obstacle::Refusal(status)),
        _ => None,
    };
    Class::Perhaps(Trouble {
        why: foreign(status, &said, obstacle),
        // On any other status it does not say when the service will be back.
        retry_after: stated(answer)
            .filter(|_| status == 503)
            .map(|span| span.min(LONGEST_PACE)),
        said,
        obstacle,
        gave_up_after: None,
    })
}

fn of_lost(lost: &Lost) -> Class {
    let trouble = Trouble {
        why: kept(&lost.to_string()),
        ..Trouble::default()
    };
    match lost {
        Lost::Unsendable(why) => Class::Unsendable(kept(why)),
        Lost::NotSent(_) => Class::NeverSent(trouble),
        Lost::Blocked(_) => Class::NeverSent(Trouble {
            obstacle: Some(Obstacle::Connection),
            ..trouble
        }),
        Lost::TimedOut(waited) => Class::Perhaps(Trouble {
            gave_up_after: Some(*waited),
            ..trouble
        }),
        Lost::Unknown(_) => Class::Perhaps(trouble),
    }
}

/// The status, and the error from the API's envelope if the body is one.
#[must_use]
pub fn said(answer: &Answer) -> Said {
    let error = wire::json::<Envelope>(&answer.body).map(|envelope| envelope.error);
    let error = error.unwrap_or_default();
    Said {
        status: answer.status,
        code: error.code.unwrap_or_default(),
        message: error.message.unwrap_or_default(),
        correlation_id: error.target.unwrap_or_default(),
    }
}

/// Whether the body is not JSON, not even a truncated piece of it: what proxies and captive portals send.
fn is_page(answer: &Answer) -> bool {
    let first = wire::without_mark(&answer.body)
        .iter()
        .find(|byte| !byte.is_ascii_whitespace());
    first.is_some_and(|byte| !matches!(byte, b'{' | b'['))
}

fn foreign(status: u16, said: &Said, obstacle: Option<Obstacle>) -> String {
    match obstacle {
        Some(Obstacle::Page) => format!(
            "something between this computer and the API answered with a page of its own (HTTP {status}): sign \
             in to the network if it wants that, and look at the proxy and --api-url"
        ),
        Some(Obstacle::Refusal(407)) => {
            "the proxy wants a sign-in (HTTP 407): put name and password into HTTPS_PROXY. Only Basic works; \
             for NTLM or Kerberos let this host through without a sign-in, or run a relay such as px or cntlm"
                .to_owned()
        }
        Some(_) => format!(
            "something between this computer and the API refused this (HTTP {status} without the API's error \
             body): look at the proxy, the firewall and --api-url"
        ),
        None if said.message.is_empty() && said.code.is_empty() => {
            format!("HTTP {status} without the API's own words")
        }
        None => format!("HTTP {status}: {}", said.words()),
    }
}

impl Class {
    /// The word in the log.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Own(_) => "own",
            Self::NeverSent(_) => "never_sent",
            Self::Perhaps(_) => "perhaps",
            Self::Unsendable(_) => "unsendable",
        }
    }

    /// What the answer said, if there was one.
    pub(crate) fn said(&self) -> Option<&Said> {
        match self {
            Self::Own(said) => Some(said),
            Self::NeverSent(trouble) | Self::Perhaps(trouble) => Some(&trouble.said),
            Self::Unsendable(_) => None,
        }
    }

    /// Settles the call's permit. A 429 is not handled here: the caller passes its deadline on.
    pub fn settle(&self, permit: Permit) {
        match self {
            Self::Own(_) => permit.answered(),
            Self::NeverSent(_) | Self::Unsendable(_) => permit.give_back(),
            // A service that timed out is slow, not dead: it may count the call as late as it is slow. A
            // reset or a broken answer comes from something that has finished with the call.
            Self::Perhaps(trouble) => match trouble.gave_up_after {
                Some(waited) => permit.timed_out(waited),
                None => permit.unanswered(),
            },
        }
    }
}

#[cfg(test)]
mod tests;

//! What one reply to "start a scan" means: a pure function of status, code and body (MDE-API.md, section 2).

use std::time::Duration;

use jiff::Timestamp;

use crate::defender::{
    Answer, Reply,
    throttle::Throttle,
    wire::{self, MachineAction},
};
use crate::{
    campaign::tag::CampaignId,
    client::reply::{Class, Said, Trouble, classify},
};

/// An action whose comment does not tell whose it is counts as ours if it is older than the call by at most
/// this.
const AGE_SLACK: Duration = Duration::from_secs(10);

/// What was sent, as far as the verdict depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The campaign whose tag the comment carries.
    pub campaign: &'a CampaignId,
    /// The target's number in the tag.
    pub n: u64,
    /// The whole comment.
    pub comment: &'a str,
    /// The machine, in lower case.
    pub machine: &'a str,
    /// The time from the send to the answer.
    pub took: Duration,
}

/// What one reply means for its target and for the campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The scan is ours.
    Accepted(Scan),
    /// Somebody else's scan is under way; which one, if the reply names it.
    AlreadyPending(Option<Scan>),
    /// The service does not know the machine.
    NotFound,
    /// This machine can never be scanned this way.
    Unsupported,
    /// The service refuses to scan this machine.
    Refused,
    /// The quota is spent. The target is not at fault.
    Throttled(Throttle),
    /// The token was refused.
    Unauthorized,
    /// The service's own 403, for this machine or for all. The text says what to do if it is for all.
    Forbidden(String),
    /// Every further call would fail in the same way. The text says what to do.
    Stop(String),
    /// A scan may have been started.
    Unsure(Trouble),
    /// Nothing was sent.
    NotSent(Trouble),
}

impl Verdict {
    /// The word in the state and in the log.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::AlreadyPending(_) => "already_pending",
            Self::NotFound => "not_found",
            Self::Unsupported => "unsupported",
            Self::Refused => "refused",
            Self::Throttled(_) => "throttled",
            Self::Unauthorized => "unauthorized",
            Self::Stop(_) => "stopped",
            Self::Unsure(_) => "unsure",
            Self::NotSent(_) => "not_sent",
            Self::Forbidden(_) => "forbidden",
        }
    }
}

/// A scan, as the service describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// The action's id.
    pub id: String,
    /// Its status, as the service spells it.
    pub status: String,
    /// When it was created, as the service wrote it.
    pub created: String,
}

impl From<&MachineAction> for Scan {
    fn from(action: &MachineAction) -> Self {
        Self {
            id: action.id.clone(),
            status: action.status.clone().unwrap_or_default(),
            created: action.creation_date_time_utc.clone().unwrap_or_default(),
        }
    }
}

/// A verdict and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The HTTP status, if there was an answer.
    pub http_status: Option<u16>,
    /// The service's error code; empty if it gave none.
    pub error_code: String,
    /// The reason, for people; empty for an accepted scan.
    pub message: String,
    /// The id that support asks for; empty if the service gave none.
    pub correlation_id: String,
    /// Who sent the reply, and how far the call got.
    pub class: Class,
    /// Whether the action came back without the comment that was sent.
    pub comment_lost: bool,
}

/// Whose scan an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Its comment carries this target's tag.
    Ours,
    /// It has another comment.
    Foreign,
    /// Its comment is missing, or cut off before the end of the tag.
    Untold,
}

/// Whose scan has the comment `found`, where ours was sent with the comment `sent`.
#[must_use]
pub fn whose(found: Option<&str>, sent: &str, campaign: &CampaignId, n: u64) -> Whose {
    match found {
        Some(found) if campaign.target_of(found) == Some(n) => Whose::Ours,
        Some(found) if !sent.starts_with(found) => Whose::Foreign,
        _ => Whose::Untold,
    }
}

/// Judges one reply.
#[must_use]
pub fn judge(reply: &Reply, sent: &Sent<'_>) -> Judgement {
    let mut action = None;
    let class = classify(reply, |answer| {
        action = action_in(answer, sent);
        action.is_some()
    });
    let (said, verdict, message) = match &class {
        Class::Own(said) => {
            let (verdict, message) = match (&action, reply) {
                (Some(action), Ok(answer)) => judge_success(action, answer, sent),
                (_, reply) => judge_error(said, reply),
            };
            (said.clone(), verdict, message)
        }
        Class::NeverSent(trouble) => {
            let message = format!("not sent: {trouble}");
            (
                trouble.said.clone(),
                Verdict::NotSent(trouble.clone()),
                message,
            )
        }
        Class::Perhaps(trouble) => (
            trouble.said.clone(),
            Verdict::Unsure(trouble.clone()),
            trouble.why.clone(),
        ),
        Class::Unsendable(why) => (
            Said::default(),
            Verdict::Refused,
            format!("not sent: {why}"),
        ),
    };
    let comment = action
        .as_ref()
        .map(|action| action.requestor_comment.as_deref());
    let comment_lost = comment.is_some_and(|comment| {
        whose(comment, sent.comment, sent.campaign, sent.n) == Whose::Untold
    });
    Judgement {
        verdict,
        http_status: reply.as_ref().ok().map(|answer| answer.status),
        error_code: said.code,
        message,
        correlation_id: said.correlation_id,
        class,
        comment_lost,
    }
}

/// The action in the body, if it is for this machine.
fn action_in(answer: &Answer, sent: &Sent<'_>) -> Option<MachineAction> {
    wire::json::<MachineAction>(&answer.body).filter(|action| {
        let machine = action.machine_id.as_deref();
        !action.id.trim().is_empty()
            && machine.is_none_or(|id| id.eq_ignore_ascii_case(sent.machine))
    })
}

fn judge_success(action: &MachineAction, answer: &Answer, sent: &Sent<'_>) -> (Verdict, String) {
    let accepted = || (Verdict::Accepted(action.into()), String::new());
    let comment = action.requestor_comment.as_deref();
    match whose(comment, sent.comment, sent.campaign, sent.n) {
        Whose::Ours => accepted(),
        Whose::Foreign => already_pending(action),
        Whose::Untold => match age(action, answer) {
            Some(age) if age <= sent.took + AGE_SLACK => accepted(),
            Some(_) => already_pending(action),
            None => {
                let why = "the service named an action without its comment and its age, so nobody can tell whose it is";
                let trouble = Trouble {
                    why: why.to_owned(),
                    ..Trouble::default()
                };
                (Verdict::Unsure(trouble), why.to_owned())
            }
        },
    }
}

fn already_pending(action: &MachineAction) -> (Verdict, String) {
    let who = action.requestor.as_deref().unwrap_or("somebody else");
    let comment = action.requestor_comment.as_deref().unwrap_or("no comment");
    let message = format!("a scan asked for by {who} is under way ({comment})");
    (Verdict::AlreadyPending(Some(action.into())), message)
}

/// The action's age when it was answered, by the server's clock alone. An action from the future counts as
/// new.
fn age(action: &MachineAction, answer: &Answer) -> Option<Duration> {
    let created: Timestamp = action.creation_date_time_utc.as_deref()?.parse().ok()?;
    let age = answer.date?.duration_since(created);
    Some(Duration::try_from(age).unwrap_or(Duration::ZERO))
}

/// Judges the service's own refusal by status and code, and by its message only where the code says nothing.
fn judge_error(said: &Said, reply: &Reply) -> (Verdict, String) {
    let words = said.words();
    let is_one_of = |codes: &[&str]| codes.iter().any(|code| said.is(code));
    let verdict = match said.status {
        400 if said.is("ActiveRequestAlreadyExists") => Verdict::AlreadyPending(None),
        400 if is_one_of(&["BadRequest", ""]) && says_pending(&said.message) => {
            Verdict::AlreadyPending(None)
        }
        400 if is_one_of(&["OsPlatformNotSupported", "ClientVersionNotSupported"]) => {
            Verdict::Unsupported
        }
        400 if is_one_of(&["InvalidRequestBody", "MissingRequiredParameter"]) => {
            Verdict::Stop(format!(
                "the service calls the request malformed ({}: {words}), so every further call would fail alike; \
                 fleetsweep and the API no longer agree: look for a newer version",
                said.code
            ))
        }
        401 => Verdict::Unauthorized,
        403 if said.is("DisallowedOperation") => Verdict::Refused,
        403 if said.is("DisabledFeature") => Verdict::Stop(format!(
            "the tenant has this feature switched off ({words}); switch it on in the Defender portal's \
             settings, then run the same command again"
        )),
        403 => {
            let why = format!(
                "the service forbids it ({words}); grant the application the role Machine.Scan, and \
                 Machine.Read.All for look-ups, with an administrator's consent, then run the same command \
                 again with a new token"
            );
            if said
                .message
                .to_ascii_lowercase()
                .contains("missing application roles")
            {
                Verdict::Stop(why)
            } else {
                Verdict::Forbidden(why)
            }
        }
        404 => Verdict::NotFound,
        410 => Verdict::Stop(format!(
            "the service says that this call is gone for good ({words}); look for a newer version of \
             fleetsweep, and at Microsoft's notices about the API"
        )),
        429 => match reply {
            Ok(answer) => Verdict::Throttled(Throttle::of(answer)),
            Err(_) => Verdict::Refused,
        },
        _ => Verdict::Refused,
    };
    let message = match &verdict {
        Verdict::Stop(advice) => advice.clone(),
        _ if said.message.is_empty() => {
            format!("HTTP {} without the API's own words", said.status)
        }
        _ => said.message.clone(),
    };
    (verdict, message)
}

/// One client has seen a busy machine reported by this message alone (MDE-API.md, section 9).
fn says_pending(message: &str) -> bool {
    message
        .to_ascii_lowercase()
        .contains("action is already in progress")
}

#[cfg(test)]
mod tests;

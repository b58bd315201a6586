//! The judgement of one reply to "start a scan": a pure function of status, code and body (MDE-API.md, section 2).

use std::time::Duration;

use jiff::Timestamp;

use super::tag::CampaignId;
use crate::defender::{
    Answer, Lost, Reply,
    throttle::Throttle,
    wire::{Envelope, ErrorBody, MachineAction},
};

/// An action whose comment does not tell whose it is counts as ours if it is at most this much older than the call.
const AGE_SLACK: Duration = Duration::from_secs(10);

/// What was sent, as far as its reply is judged by it.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The campaign whose tag the comment bears.
    pub campaign: &'a CampaignId,
    /// The target's number in the tag.
    pub n: u64,
    /// The whole comment.
    pub comment: &'a str,
    /// The machine, in lower case.
    pub machine: &'a str,
    /// From the send to the answer.
    pub took: Duration,
}

/// What one reply means for its target and for the campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The scan is ours.
    Accepted(Scan),
    /// A scan of somebody else runs already; which one, if the reply told.
    AlreadyPending(Option<Scan>),
    /// The service does not know the machine.
    NotFound,
    /// Never on this machine.
    Unsupported,
    /// Not for this machine.
    Refused,
    /// No calls of this kind for a while; the target is not to blame.
    Throttled(Throttle),
    /// The token is not accepted.
    Unauthorized,
    /// Every further call would fare alike. The text says what to do.
    Stop(String),
    /// A scan may have been started.
    Unsure,
    /// Surely nothing was sent.
    NotSent,
}

/// A scan as the service tells of it.
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

/// A verdict with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The answer's status, if there was an answer.
    pub http_status: Option<u16>,
    /// The service's error code, empty if it gave none.
    pub error_code: String,
    /// Why, in words; empty for an accepted scan.
    pub message: String,
    /// The id to give to support, empty if the service gave none.
    pub correlation_id: String,
    /// Whether the service itself answered, so that it has counted the call.
    pub services_own: bool,
    /// Whether the action came back without the comment that it was asked for with.
    pub comment_lost: bool,
}

/// Whose an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// It bears this target's tag.
    Ours,
    /// It bears another comment.
    Foreign,
    /// Its comment is missing or cut off before the tag's end.
    Untold,
}

/// Whose scan carries `found`, where `sent` was the comment of ours.
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
    let answer = match reply {
        Ok(answer) => answer,
        Err(lost) => {
            let (verdict, message) = match lost {
                Lost::NotSent(why) => (Verdict::NotSent, format!("not sent: {why}")),
                Lost::TimedOut(_) => (Verdict::Unsure, lost.to_string()),
                Lost::Unknown(why) => (Verdict::Unsure, format!("no answer: {why}")),
            };
            return Judgement {
                verdict,
                http_status: None,
                error_code: String::new(),
                message,
                correlation_id: String::new(),
                services_own: false,
                comment_lost: false,
            };
        }
    };
    if (200..300).contains(&answer.status) {
        return judge_success(answer, sent);
    }
    let error = serde_json::from_slice::<Envelope>(&answer.body)
        .ok()
        .map(|envelope| envelope.error);
    let verdict = judge_error(answer, error.as_ref());
    let services_own = error.is_some() && answer.status < 500;
    let (error_code, said, correlation_id) = match error {
        Some(ErrorBody {
            code,
            message,
            target,
        }) => (
            code,
            message.unwrap_or_default(),
            target.unwrap_or_default(),
        ),
        None => <_>::default(),
    };
    let message = match &verdict {
        Verdict::Stop(advice) => advice.clone(),
        _ if said.is_empty() => format!("HTTP {} without the API's own words", answer.status),
        _ => said,
    };
    Judgement {
        verdict,
        http_status: Some(answer.status),
        error_code,
        message,
        correlation_id,
        services_own,
        comment_lost: false,
    }
}

fn judge_success(answer: &Answer, sent: &Sent<'_>) -> Judgement {
    let action = serde_json::from_slice::<MachineAction>(&answer.body)
        .ok()
        .filter(|action| {
            let machine = action.machine_id.as_deref();
            !action.id.trim().is_empty()
                && machine.is_none_or(|id| id.eq_ignore_ascii_case(sent.machine))
        });
    let told = action.as_ref().map(|action| {
        whose(
            action.requestor_comment.as_deref(),
            sent.comment,
            sent.campaign,
            sent.n,
        )
    });
    let (verdict, message) = match (&action, told) {
        (Some(action), Some(Whose::Ours)) => (Verdict::Accepted(action.into()), String::new()),
        (Some(action), Some(Whose::Foreign)) => already_pending(action),
        (Some(action), Some(Whose::Untold)) => match age(action, answer) {
            Some(age) if age <= sent.took + AGE_SLACK => {
                (Verdict::Accepted(action.into()), String::new())
            }
            Some(_) => already_pending(action),
            None => {
                let why = "the service named an action without its comment and its age, so nobody can tell whose it is";
                (Verdict::Unsure, why.to_owned())
            }
        },
        _ => (
            Verdict::Unsure,
            format!("HTTP {} without a readable action", answer.status),
        ),
    };
    Judgement {
        verdict,
        http_status: Some(answer.status),
        error_code: String::new(),
        message,
        correlation_id: String::new(),
        services_own: action.is_some(),
        comment_lost: told == Some(Whose::Untold),
    }
}

fn already_pending(action: &MachineAction) -> (Verdict, String) {
    let who = action.requestor.as_deref().unwrap_or("somebody else");
    let comment = action.requestor_comment.as_deref().unwrap_or("no comment");
    let message = format!("a scan asked for by {who} is under way ({comment})");
    (Verdict::AlreadyPending(Some(action.into())), message)
}

/// How old the action was when it was answered, by the server's clock alone. An action from the future is new.
fn age(action: &MachineAction, answer: &Answer) -> Option<Duration> {
    let created: Timestamp = action.creation_date_time_utc.as_deref()?.parse().ok()?;
    let age = answer.date?.duration_since(created);
    Some(Duration::try_from(age).unwrap_or(Duration::ZERO))
}

fn judge_error(answer: &Answer, error: Option<&ErrorBody>) -> Verdict {
    let code = error.map_or("", |e| e.code.as_str());
    let said = error
        .and_then(|e| e.message.as_deref())
        .unwrap_or("it gave no reason");
    match (answer.status, code) {
        (400, "ActiveRequestAlreadyExists") => Verdict::AlreadyPending(None),
        (400, "OsPlatformNotSupported" | "ClientVersionNotSupported") => Verdict::Unsupported,
        (400, "InvalidRequestBody" | "MissingRequiredParameter") => Verdict::Stop(format!(
            "the service calls the request malformed ({code}: {said}), so every further call would fail alike; \
             fleetsweep and the API no longer agree: look for a newer version"
        )),
        (401, _) => Verdict::Unauthorized,
        (403, "DisallowedOperation") => Verdict::Refused,
        (403, "DisabledFeature") => Verdict::Stop(format!(
            "the tenant has this feature switched off ({said}); switch it on in the Defender portal's settings, then run the \
             same command again"
        )),
        (403, _) if error.is_some() => Verdict::Stop(format!(
            "the service forbids it ({said}); grant the application the role Machine.Scan, and Machine.Read.All for \
             look-ups, with an administrator's consent, then run the same command again with a new token"
        )),
        (403 | 407, _) => Verdict::Stop(format!(
            "something between us and the API refused this (HTTP {} without the API's error body); look at the proxy, the \
             firewall and --api-url",
            answer.status
        )),
        (404, _) => Verdict::NotFound,
        (429, _) => Verdict::Throttled(Throttle::of(answer)),
        (400..500, _) => Verdict::Refused,
        _ => Verdict::Unsure,
    }
}

#[cfg(test)]
mod tests;

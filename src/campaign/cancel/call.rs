//! One call of a pass: what it is made for, and how it ended.

use super::CancelCandidate;
use crate::{
    campaign::shared_store::FollowError,
    client::{
        caller::{Answered, CallError, Caller, Once},
        reply::Trouble,
    },
    defender::{
        Call, Defender,
        wire::{self, MachineAction},
    },
    quota::{Kind, Permit},
};

/// A scan that waits for its call.
pub(super) struct Turn {
    /// Its place in the order.
    pub(super) at: usize,
    pub(super) scan: CancelCandidate,
    /// The token that was refused when it was called before; 0 if none was.
    pub(super) refused: u64,
}

/// A call that has come back.
pub(super) struct Report {
    pub(super) turn: Turn,
    /// The attempt's number.
    pub(super) number: u32,
    pub(super) end: End,
}

pub(super) enum End {
    /// With the scan as it stands now, where the body can be read.
    Answered(Option<MachineAction>),
    NotThere,
    /// With the scan as it stands now, where it can be asked for: it may have ended by itself.
    Refused(String, Result<Option<MachineAction>, FollowError>),
    /// Surely not carried out; the token that was refused, if one was.
    NotCarriedOut(u64),
    /// No byte of it was written.
    NeverSent(Box<Trouble>),
    /// Nobody knows whether it was carried out.
    Lost(Box<Trouble>),
    Failed(FollowError),
}

impl End {
    /// As it stands in the store; an attempt of which nothing is known stays without an end.
    pub(super) fn word(&self) -> Option<&'static str> {
        match self {
            Self::Answered(_) => Some("answered"),
            Self::NotThere => Some("not_found"),
            Self::Refused(..) => Some("refused"),
            Self::NotCarriedOut(_) | Self::NeverSent(_) | Self::Failed(_) => {
                Some("not_carried_out")
            }
            Self::Lost(_) => None,
        }
    }
}

impl Report {
    /// The scan as it stands now, if the call has told.
    pub(super) fn scan(&self) -> Option<CancelCandidate> {
        let action = match &self.end {
            End::Answered(action) | End::Refused(_, Ok(action)) => action.as_ref()?,
            _ => return None,
        };
        Some(CancelCandidate::new(self.turn.scan.n, action))
    }
}

/// Makes one call, and asks for the scan where the service refuses to cancel it.
pub(super) async fn call_once<D: Defender>(
    caller: &Caller<D>,
    permit: Permit,
    call: &Call,
    turn: &Turn,
) -> End {
    match caller.once(permit, call, turn.refused).await {
        Ok(Once::Answered(Answered::Found(answer))) => End::Answered(wire::json(&answer.body)),
        Ok(Once::Answered(Answered::NotFound)) => End::NotThere,
        Ok(Once::NotMade(refused)) => End::NotCarriedOut(refused),
        Err(e @ CallError::Refused(_)) => {
            End::Refused(e.to_string(), get(caller, &turn.scan).await)
        }
        Err(CallError::Unanswered {
            trouble,
            never_sent: true,
        }) => End::NeverSent(trouble),
        Err(CallError::Unanswered { trouble, .. }) => End::Lost(trouble),
        Err(e) => End::Failed(failure(e)),
    }
}

async fn get<D: Defender>(
    caller: &Caller<D>,
    scan: &CancelCandidate,
) -> Result<Option<MachineAction>, FollowError> {
    let call = Call::GetAction {
        id: scan.id.clone(),
    };
    match caller.ask(Kind::Get, &call).await {
        Ok(Answered::Found(answer)) => Ok(wire::json(&answer.body)),
        Ok(Answered::NotFound) | Err(CallError::Unanswered { .. } | CallError::Refused(_)) => {
            Ok(None)
        }
        Err(e) => Err(failure(e)),
    }
}

pub(super) fn failure(e: CallError) -> FollowError {
    match e {
        CallError::Ledger(e) => FollowError::Disk(e.to_string()),
        e => FollowError::Tenant(e.to_string()),
    }
}

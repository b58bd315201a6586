//! One call of a pass: its scan, and how the call ended.

use super::CancelCandidate;
use crate::{
    campaign::shared_store::FollowError,
    client::{
        caller::{Answered, CallError, Caller, Once},
        reply::Trouble,
    },
    defender::{Call, Defender, wire::MachineAction},
    quota::Permit,
};

/// A scan that waits for its call.
pub(super) struct Turn {
    /// Its place in the order.
    pub(super) at: usize,
    pub(super) scan: CancelCandidate,
    /// The serial number of the token that was refused in an earlier call; 0 if none was.
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
    /// With the scan as it is now.
    Answered(MachineAction),
    NotThere,
    /// With the scan as it is now, if it could be read: it may have ended by itself.
    Refused(CallError, Result<Option<MachineAction>, FollowError>),
    /// The call was certainly not carried out; the serial number of the token that was refused, if one was.
    NotCarriedOut(u64),
    /// No byte of the request was written.
    NeverSent(Box<Trouble>),
    /// It is not known whether the call was carried out.
    Lost(Box<Trouble>),
    Failed(FollowError),
}

impl End {
    /// The word in the store. If the result is not known, the attempt stays without an end.
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
    /// The scan as it is now, if the call has shown it.
    pub(super) fn scan(&self) -> Option<CancelCandidate> {
        let (End::Answered(action) | End::Refused(_, Ok(Some(action)))) = &self.end else {
            return None;
        };
        Some(CancelCandidate::new(self.turn.scan.n, action))
    }
}

/// Makes one call, and reads the scan if the service refuses to cancel it.
pub(super) async fn call_once<D: Defender>(
    caller: &Caller<D>,
    permit: Permit,
    call: &Call,
    turn: &Turn,
) -> End {
    match caller.once(permit, call, turn.refused).await {
        Ok(Once::Answered(Answered::Found { body, .. })) => End::Answered(body),
        Ok(Once::Answered(Answered::NotFound)) => End::NotThere,
        Ok(Once::NotMade(refused)) => End::NotCarriedOut(refused),
        Err(e @ CallError::Refused(_)) => End::Refused(e, get(caller, &turn.scan).await),
        Err(CallError::Unanswered {
            trouble,
            never_sent: true,
        }) => End::NeverSent(trouble),
        Err(CallError::Unanswered { trouble, .. }) => End::Lost(trouble),
        Err(e) => End::Failed(e.into()),
    }
}

async fn get<D: Defender>(
    caller: &Caller<D>,
    scan: &CancelCandidate,
) -> Result<Option<MachineAction>, FollowError> {
    let call = Call::GetAction {
        id: scan.id.clone(),
    };
    match caller.ask(&call).await {
        Ok(Answered::Found { body, .. }) => Ok(Some(body)),
        Ok(Answered::NotFound) | Err(CallError::Unanswered { .. } | CallError::Refused(_)) => {
            Ok(None)
        }
        Err(e) => Err(e.into()),
    }
}

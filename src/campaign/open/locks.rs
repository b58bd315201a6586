//! One process a campaign: by the place of its state, and by its id.

use std::path::Path;

use super::OpenError;
use crate::{
    campaign::tag::CampaignId,
    store::{Lock, LockError},
};

/// A campaign's locks.
#[derive(Debug)]
pub(crate) struct Locks {
    _state: Lock,
    /// None where this user has no folder for state, and of a rehearsal.
    _campaign: Option<Lock>,
}

impl Locks {
    /// Adds the lock of the campaign, so that a copy of its state, or a link to it, does not run at the same time.
    pub(super) fn with_campaign(
        state: Lock,
        campaign: &CampaignId,
        folder: Option<&Path>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            _state: state,
            _campaign: lock_campaign(campaign, folder)?,
        })
    }
}

/// Refuses a campaign that another process is working on through its state, or a copy of that. Blocks nobody for
/// longer than an instant.
///
/// # Errors
/// Another process is working on the campaign.
pub(super) fn check_free(campaign: &CampaignId, folder: Option<&Path>) -> Result<(), LockError> {
    match folder {
        Some(folder) if Lock::is_held(&folder.join(campaign.as_str())) => {
            Err(LockError::Held(campaign.as_str().into()))
        }
        _ => Ok(()),
    }
}

/// Takes the lock of a campaign by its id. There is none of a rehearsal, and none where this user has no folder for
/// state that can be written: the lock of the state's place holds all the same.
///
/// # Errors
/// Another process is at work on the campaign, through this state or a copy of it.
pub(crate) fn lock_campaign(
    campaign: &CampaignId,
    folder: Option<&Path>,
) -> Result<Option<Lock>, OpenError> {
    let Some(folder) = folder.filter(|_| !campaign.is_rehearsal()) else {
        return Ok(None);
    };
    match Lock::of_campaign(folder, campaign.as_str()) {
        Ok(lock) => Ok(Some(lock)),
        Err(e @ LockError::Held(_)) => Err(e.into()),
        Err(e) => {
            tracing::warn!("{e}; a copy of the campaign's state could run beside it unnoticed");
            Ok(None)
        }
    }
}

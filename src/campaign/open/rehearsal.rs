//! Keeps rehearsals and real campaigns apart: neither goes on with the other's state, a rehearsal leaves real files
//! alone, and its own files make room for a real campaign.

use std::path::Path;

use super::{OpenError, OpenRequest, Places, mode::id_of};
use crate::{
    campaign::tag::CampaignId,
    results::Owner,
    store::{Lock, MarkFile, Store},
};

impl OpenRequest {
    /// Whether this is a rehearsal.
    pub(super) fn is_rehearsal(&self) -> bool {
        CampaignId::known(self.meant.campaign.as_str()).is_rehearsal()
    }

    /// Refuses a real campaign's state to a rehearsal, and a state that a rehearsal is working on to a real campaign.
    ///
    /// # Errors
    /// The state that is there is the other kind's.
    pub(super) fn check_kind(&self) -> Result<(), OpenError> {
        let is_real = |id: &String| !CampaignId::known(id.as_str()).is_rehearsal();
        if self.is_rehearsal()
            && let Some(id) = self.abandon.as_ref().filter(|id| is_real(id))
        {
            return Err(OpenError::AbandonReal(id.clone()));
        }
        let mut there = campaign_at(&self.places.state);
        if there.is_none() && self.places.keep_state() && self.is_rehearsal() {
            // What tells of a campaign whose state is gone must not be overwritten either.
            let mark = MarkFile::read(&self.places.state)?;
            there = mark.map(|(id, _)| CampaignId::known(id));
        }
        let Some(campaign) = there else {
            return Ok(());
        };
        let state = self.places.state.clone();
        match (self.is_rehearsal(), campaign.is_rehearsal()) {
            (true, false) => Err(OpenError::RealState { state, campaign }),
            (false, true) if Lock::is_held(&state) => {
                Err(OpenError::RehearsalAtWork { state, campaign })
            }
            _ => Ok(()),
        }
    }

    /// The rehearsal whose state is where that of this real campaign goes.
    pub(super) fn rehearsal_there(&self) -> Option<CampaignId> {
        campaign_at(&self.places.state).filter(|there| there.is_rehearsal() && !self.is_rehearsal())
    }

    /// Refuses the results of a real campaign to a rehearsal, whatever else was asked for.
    ///
    /// # Errors
    /// They are there.
    pub(super) fn spare_real_results(&self, owner: &Owner) -> Result<(), OpenError> {
        let results = self.places.results.clone();
        let id = match owner {
            Owner::Campaign(id) => Some(CampaignId::known(id.as_str())),
            // They may be those of a campaign that has just begun.
            Owner::Empty => campaign_at(&Places::default_state(&results)),
            Owner::Nobody | Owner::Foreign => None,
        };
        match id.filter(|id| !id.is_rehearsal()) {
            None => Ok(()),
            Some(campaign) => Err(OpenError::RealResults { results, campaign }),
        }
    }
}

/// The campaign whose state is there. If the state cannot be read, whoever opens it says why.
fn campaign_at(state: &Path) -> Option<CampaignId> {
    if !state.exists() {
        return None;
    }
    let store = Store::open_unchecked_read_only(state).ok()?;
    Some(id_of(&store))
}

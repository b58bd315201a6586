//! Rehearsals and real campaigns keep out of each other's way: neither goes on with the other's state, a rehearsal
//! leaves real files alone, and its own make room for a real campaign.

use super::{OpenError, OpenRequest, Opened, Places, archive::archive};
use crate::{
    campaign::tag::CampaignId,
    quota::MarkRow,
    results::Owner,
    store::{Lock, MarkFile, Store},
};

impl OpenRequest {
    /// Whether this is a rehearsal.
    pub(super) fn is_rehearsal(&self) -> bool {
        CampaignId::known(self.meant.campaign.as_str()).is_rehearsal()
    }

    /// Refuses a real campaign's state to a rehearsal, and one that a rehearsal is at work on to a real campaign.
    /// Nothing is opened to be written.
    ///
    /// # Errors
    /// The state that is there is the other kind's.
    pub(super) fn check_kind(&self) -> Result<(), OpenError> {
        if let Some(id) = &self.abandon
            && self.is_rehearsal()
            && !CampaignId::known(id.as_str()).is_rehearsal()
        {
            return Err(OpenError::AbandonReal(id.clone()));
        }
        let mut there = campaign_at(&self.places);
        let names_state = !self.places.state.as_os_str().is_empty();
        if there.is_none() && names_state && self.is_rehearsal() {
            // What tells of a campaign whose state is gone is not to be overwritten either.
            let mark = MarkFile::read(&self.places.state)?;
            there = mark.map(|(id, _)| CampaignId::known(id));
        }
        let Some(there) = there else {
            return Ok(());
        };
        let state = self.places.state.clone();
        match (self.is_rehearsal(), there.is_rehearsal()) {
            (true, false) => Err(OpenError::RealState {
                state,
                campaign: there,
            }),
            (false, true) if Lock::is_held(&state) => Err(OpenError::RehearsalAtWork {
                state,
                campaign: there,
            }),
            _ => Ok(()),
        }
    }

    /// The rehearsal whose state lies where that of this real campaign goes.
    pub(super) fn rehearsal_there(&self) -> Option<CampaignId> {
        campaign_at(&self.places).filter(|there| there.is_rehearsal() && !self.is_rehearsal())
    }

    /// Opens a real campaign where a rehearsal's files lie: they are renamed, as if nothing had been there.
    pub(super) fn open_over_rehearsal(
        self,
        there: &CampaignId,
        lock: Lock,
        marks: &[MarkRow],
    ) -> Result<Opened, OpenError> {
        archive(&self.places, there)?;
        let note = format!(
            "the files of the rehearsal {there} have its id in their names now, beside {}",
            self.places.state.display()
        );
        let mut opened = self.open_without_state(lock, marks)?;
        opened.notes.push(note);
        Ok(opened)
    }

    /// Refuses results of a real campaign to a rehearsal, whatever else is said.
    ///
    /// # Errors
    /// They are there.
    pub(super) fn spare_real_results(&self, whose: &Owner) -> Result<(), OpenError> {
        let id = match whose {
            Owner::Campaign(id) => Some(CampaignId::known(id.as_str())),
            // Of a campaign that has just begun.
            Owner::Empty => campaign_at(&Places {
                results: self.places.results.clone(),
                state: Places::default_state(&self.places.results),
            }),
            Owner::Nobody | Owner::Foreign => None,
        };
        match id.filter(|id| !id.is_rehearsal()) {
            None => Ok(()),
            Some(campaign) => Err(OpenError::RealResults {
                results: self.places.results.clone(),
                campaign,
            }),
        }
    }
}

/// The campaign whose state lies there. What is wrong with a state is told by whoever opens it.
fn campaign_at(places: &Places) -> Option<CampaignId> {
    if !places.state.exists() {
        return None;
    }
    let store = Store::open_unchecked_read_only(&places.state).ok()?;
    Some(CampaignId::known(store.identity().campaign.as_str()))
}

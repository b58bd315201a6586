//! Rehearsals and real campaigns keep out of each other's way: neither goes on with the other's state, and a rehearsal
//! leaves real results alone.

use super::Opening;
use crate::{
    campaign::tag::CampaignId,
    cli::{Failure, paths::Places},
    results::Owner,
    store::{MarkFile, Store},
};

impl Opening {
    /// Whether this is a rehearsal.
    pub(super) fn is_rehearsal(&self) -> bool {
        CampaignId::known(self.meant.campaign.as_str()).is_rehearsal()
    }

    /// Refuses a real campaign's state to a rehearsal, and a rehearsal's to a real campaign. Nothing is opened to be
    /// written.
    ///
    /// # Errors
    /// The state that is there is the other kind's.
    pub(super) fn check_kind(&self) -> Result<(), Failure> {
        let state = self.places.state.display();
        if let Some(id) = &self.abandon
            && self.is_rehearsal()
            && !CampaignId::known(id.as_str()).is_rehearsal()
        {
            return Err(Failure::usage(format!(
                "--abandon {id}: a rehearsal (--mock) gives no real campaign up; nothing was changed"
            )));
        }
        let mut there = campaign_at(&self.places);
        let names_state = !self.places.state.as_os_str().is_empty();
        if there.is_none() && names_state && self.is_rehearsal() {
            // What tells of a campaign whose state is gone is not to be overwritten either.
            let mark = MarkFile::read(&self.places.state).map_err(Failure::storage)?;
            there = mark.map(|(id, _)| CampaignId::known(id));
        }
        let Some(there) = there else {
            return Ok(());
        };
        match (self.is_rehearsal(), there.is_rehearsal()) {
            (true, false) => Err(Failure::usage(format!(
                "{state} is the state of the real campaign {there}, and a rehearsal (--mock) neither goes on with it \
                 nor takes its place; nothing was changed. Rehearse without --state, or name another file with it"
            ))),
            (false, true) => Err(Failure::usage(format!(
                "{state} is the state of the rehearsal {there}, and a real campaign neither goes on with it nor takes \
                 its place; nothing was sent. Delete that file, or name another one with --state"
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses results of a real campaign to a rehearsal, whatever else is said.
    ///
    /// # Errors
    /// They are there.
    pub(super) fn spare_real_results(&self, whose: &Owner) -> Result<(), Failure> {
        let id = match whose {
            Owner::Campaign(id) => Some(CampaignId::known(id.as_str())),
            // Of a campaign that has just begun.
            Owner::Empty => Places::find(&self.targets, Some(self.places.results.clone()), None)
                .ok()
                .and_then(|places| campaign_at(&places)),
            Owner::Nobody | Owner::Foreign => None,
        };
        match id.filter(|id| !id.is_rehearsal()) {
            None => Ok(()),
            Some(id) => Err(Failure::usage(format!(
                "the results in {} are those of the real campaign {id}, and a rehearsal (--mock) never takes their \
                 place, with --force neither; nothing was changed. Name another file with -o",
                self.places.results.display()
            ))),
        }
    }
}

/// The campaign whose state lies there. What is wrong with a state is told by whoever opens it.
fn campaign_at(places: &Places) -> Option<CampaignId> {
    if !places.state.exists() {
        return None;
    }
    let store = Store::peek(&places.state).ok()?;
    Some(CampaignId::known(store.identity().campaign.as_str()))
}

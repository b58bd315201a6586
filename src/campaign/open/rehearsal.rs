//! Rehearsals and real campaigns keep out of each other's way: neither goes on with the other's state, a rehearsal
//! leaves real files alone, and its own make room for a real campaign.

use super::{OpenRequest, Opened, Places, archive::archive};
use crate::{
    campaign::tag::CampaignId,
    cli::Failure,
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
                 nor takes its place; nothing was changed. Rehearse without --state and with other results (-o), or \
                 name other files with both"
            ))),
            (false, true) if Lock::is_held(&self.places.state) => Err(Failure::usage(format!(
                "the rehearsal {there} is at work on {state}; nothing was sent. Wait for its end, or name another \
                 file with --state"
            ))),
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
    ) -> Result<Opened, Failure> {
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
    pub(super) fn spare_real_results(&self, whose: &Owner) -> Result<(), Failure> {
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
            Some(id) => Err(Failure::usage(format!(
                "the results in {} are those of the real campaign {id}, and a rehearsal (--mock) never takes their \
                 place, not even with --force; nothing was changed. Name another file with -o",
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
    let store = Store::open_unchecked_read_only(&places.state).ok()?;
    Some(CampaignId::known(store.identity().campaign.as_str()))
}

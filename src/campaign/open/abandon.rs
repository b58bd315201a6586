//! `--abandon`: an unfinished campaign is given up, and the ledger forgets it.

use super::{OpenError, OpenRequest, Opened, locks};
use crate::{
    campaign::{counts::Counts, tag::CampaignId},
    quota::{self, MarkRow},
    results::{self, Owner},
    store::{Lock, Store},
};

impl OpenRequest {
    /// Gives the campaign up that is there: its files are renamed with its id, and another one begins.
    pub(super) fn abandon_state(
        self,
        mut store: Store,
        lock: Lock,
        marks: &[MarkRow],
    ) -> Result<Opened, OpenError> {
        store.finish_check()?;
        let old = CampaignId::known(store.identity().campaign.as_str());
        if Counts::of(&store)?.open == 0 {
            return Err(OpenError::AbandonFinished(old));
        }
        store.close()?;
        self.forget(old.as_str())?;
        self.begin(lock, Some(&old), marks)
    }

    /// Notes in the ledger that a campaign has come to its end, where its last run did not live to do so.
    pub(super) fn end_mark(&self, campaign: &CampaignId) -> Result<(), OpenError> {
        if let Some(file) = &self.ledger {
            quota::finish(file, campaign.as_str(), &quota::SystemClock)?;
        }
        Ok(())
    }

    /// Notes in the ledger that a campaign is given up, on which nobody may be at work.
    pub(super) fn forget(&self, id: &str) -> Result<(), OpenError> {
        drop(locks::of_campaign(
            &CampaignId::known(id),
            self.locks.as_deref(),
        )?);
        if let Some(file) = &self.ledger {
            quota::abandon(file, id, &quota::SystemClock)?;
        }
        Ok(())
    }

    /// Refuses to give up a campaign that is not here, unless it is that of the results, or one that the ledger
    /// remembers.
    pub(super) fn refuse_abandon(&self, marks: &[MarkRow]) -> Result<(), OpenError> {
        let Some(id) = &self.abandon else {
            return Ok(());
        };
        let is_remembered = |mark: &MarkRow| mark.campaign == *id && mark.ended.is_none();
        if marks.iter().any(is_remembered) {
            return self.forget(id);
        }
        match results::owner(&self.places.results)? {
            Owner::Campaign(owner) if owner == *id => Ok(()),
            _ => Err(OpenError::NothingToAbandon {
                campaign: id.clone(),
                state: self.places.state.clone(),
                results: self.places.results.clone(),
            }),
        }
    }
}

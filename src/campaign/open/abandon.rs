//! `--abandon`: an unfinished campaign is given up, and the ledger forgets it.

use super::{OpenRequest, Opened, locks};
use crate::{
    campaign::{counts::Counts, tag::CampaignId},
    cli::Failure,
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
    ) -> Result<Opened, Failure> {
        store.finish_check().map_err(Failure::storage)?;
        let old = CampaignId::known(store.identity().campaign.as_str());
        if Counts::of(&store)?.open == 0 {
            return Err(Failure::usage(format!(
                "--abandon {old}: that campaign has finished; to begin another one in its place, --again"
            )));
        }
        store.close().map_err(Failure::storage)?;
        self.forget(old.as_str())?;
        self.begin(lock, Some(&old), marks)
    }

    /// Notes in the ledger that a campaign has come to its end, where its last run did not live to do so.
    pub(super) fn end_mark(&self, campaign: &CampaignId) -> Result<(), Failure> {
        match &self.ledger {
            Some(file) if file.exists() => {
                quota::finish(file, campaign.as_str(), &quota::SystemClock)
                    .map(drop)
                    .map_err(Failure::storage)
            }
            _ => Ok(()),
        }
    }

    /// Notes in the ledger that a campaign is given up, on which nobody may be at work.
    pub(super) fn forget(&self, id: &str) -> Result<(), Failure> {
        drop(locks::of_campaign(
            &CampaignId::known(id),
            self.locks.as_deref(),
        )?);
        match &self.ledger {
            Some(file) if file.exists() => quota::abandon(file, id, &quota::SystemClock)
                .map(drop)
                .map_err(Failure::storage),
            _ => Ok(()),
        }
    }

    /// Refuses to give up a campaign that is not here, unless it is that of the results, or one that the ledger
    /// remembers.
    pub(super) fn refuse_abandon(&self, marks: &[MarkRow]) -> Result<(), Failure> {
        let Some(id) = &self.abandon else {
            return Ok(());
        };
        let is_remembered = |mark: &MarkRow| mark.campaign == *id && mark.ended.is_none();
        if marks.iter().any(is_remembered) {
            return self.forget(id);
        }
        match results::owner(&self.places.results).map_err(Failure::storage)? {
            Owner::Campaign(owner) if owner == *id => Ok(()),
            _ => Err(Failure::usage(format!(
                "--abandon {id}: neither the state {} nor the results {} are of that campaign; nothing was changed",
                self.places.state.display(),
                self.places.results.display()
            ))),
        }
    }
}

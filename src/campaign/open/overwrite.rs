//! Whether the results file may be overwritten by the campaign that is opened.

use super::{OpenError, Opening};
use crate::{
    campaign::tag::CampaignId,
    results::{self, Owner},
};

impl Opening {
    /// Checks that the results are nobody else's, or may be overwritten. `ours` is the campaign that goes on, or the
    /// one that is replaced.
    ///
    /// # Errors
    /// They may not, or cannot be read.
    pub(super) fn check_results(&self, ours: Option<&CampaignId>) -> Result<(), OpenError> {
        let request = &self.request;
        let results = request.places.results.clone();
        let owner = results::owner(&results)?;
        if request.is_rehearsal() {
            request.spare_real_results(&owner)?;
        }
        let refused = match owner {
            Owner::Nobody | Owner::Empty => return Ok(()),
            Owner::Foreign
                if ours.is_some() && request.abandon.is_none() && request.places.state.exists() =>
            {
                OpenError::ChangedResults {
                    results,
                    state: request.places.state.clone(),
                }
            }
            Owner::Foreign => OpenError::ForeignResults(results),
            Owner::Campaign(campaign) => {
                let is_ours = ours.is_some_and(|ours| ours.as_str() == campaign);
                let is_abandoned = request.abandon.as_ref() == Some(&campaign);
                // Nobody misses the results of a rehearsal.
                if is_ours || is_abandoned || CampaignId::known(&*campaign).is_rehearsal() {
                    return Ok(());
                }
                if self.is_unfinished(&campaign, || Ok(None))? {
                    return Err(OpenError::UnfinishedResults { results, campaign });
                }
                OpenError::OtherResults { results, campaign }
            }
        };
        if request.force { Ok(()) } else { Err(refused) }
    }
}

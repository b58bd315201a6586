//! An unfinished campaign whose state is gone or damaged, and what tells of it: its results, the mark beside its state,
//! or the ledger.

use std::{path::PathBuf, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{OpenError, Opening, STDIN};
use crate::{
    campaign::{recover::witness, tag::CampaignId},
    results::{self, Owner, ResultsError},
    roster::{Excluded, RosterError},
    store::{MarkFile, Store},
};

/// If nothing tells when a lost campaign was created, its scans are looked for as long ago as this.
const LONG_AGO: SignedDuration = SignedDuration::from_hours(24 * 30);

/// An unfinished campaign without a usable state.
pub(super) struct Lost {
    pub(super) campaign: CampaignId,
    /// The file that tells of it.
    pub(super) witness: PathBuf,
}

impl Opening {
    /// The campaign whose state was here, if something tells of one that has not finished. A rehearsal looks for none.
    ///
    /// # Errors
    /// A file cannot be read, or the campaign's state is whole and somewhere else.
    pub(super) fn lost(&self) -> Result<Option<Lost>, OpenError> {
        let places = &self.request.places;
        if self.request.is_rehearsal() {
            return Ok(None);
        }
        let is_real = |id: &str| !CampaignId::known(id).is_rehearsal();
        if let Owner::Campaign(id) = results::owner(&places.results)?
            && is_real(&id)
            && self.is_unfinished(&id, || Ok(Some(self.rows()?)))?
        {
            return self.lost_here(&id, places.results.clone());
        }
        if let Some((id, _)) = MarkFile::read(&places.state)?
            && is_real(&id)
            && self.marks.has_ended(&id) != Some(true)
        {
            return self.lost_here(&id, MarkFile::place(&places.state));
        }
        let marked = self.marks.unfinished_at(&places.state);
        Ok(marked.map(|(campaign, ledger)| Lost {
            campaign,
            witness: ledger.to_owned(),
        }))
    }

    /// A lost campaign, unless its state is whole and somewhere else: a second one would leave that behind.
    fn lost_here(&self, id: &str, witness: PathBuf) -> Result<Option<Lost>, OpenError> {
        let elsewhere = self.marks.elsewhere(id, &self.request.places.state);
        let is_of_campaign = |store: Store| store.identity().campaign == id;
        match elsewhere {
            Some(state) if Store::open_unchecked_read_only(state).is_ok_and(is_of_campaign) => {
                Err(OpenError::Elsewhere {
                    campaign: id.to_owned(),
                    state: state.to_owned(),
                })
            }
            _ => Ok(Some(Lost {
                campaign: CampaignId::known(id),
                witness,
            })),
        }
    }

    /// Whether the campaign that wrote the results has not finished: by the ledger, or else by its rows and the number
    /// of `rows` that the input has, if the input is known to be the campaign's.
    pub(super) fn is_unfinished(
        &self,
        id: &str,
        rows: impl FnOnce() -> Result<Option<u64>, OpenError>,
    ) -> Result<bool, OpenError> {
        if let Some(has_ended) = self.marks.has_ended(id) {
            return Ok(!has_ended);
        }
        let results = &self.request.places.results;
        Ok(witness::are_unfinished(results, id, rows()?)?)
    }

    /// How many rows the input has; 0 for standard input, which can be read only once.
    fn rows(&self) -> Result<u64, OpenError> {
        if self.request.input.as_os_str() == STDIN {
            return Ok(0);
        }
        // Names are not looked up only to be counted.
        let names = self.request.resolve.is_some().then(Arc::default);
        let mut roster = self.request.roster(None, Excluded::default(), names)?;
        loop {
            match roster.next_row() {
                Ok(Some(_)) => {}
                Ok(None) | Err(RosterError::NothingLeft { .. }) => {
                    return Ok(roster.counts().rows());
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// When a lost campaign was created: no later than its first call.
    pub(super) fn created(&self, campaign: &CampaignId) -> Result<Timestamp, OpenError> {
        let mut created = self.marks.of(campaign.as_str()).map(|mark| mark.started);
        let results = &self.request.places.results;
        results::each_row::<ResultsError>(results, campaign.as_str(), |row| {
            created = created.into_iter().chain(row.times[0]).min();
            Ok(())
        })?;
        let long_ago = || self.request.meant.created.saturating_sub(LONG_AGO);
        Ok(created.unwrap_or_else(|| long_ago().unwrap_or_default()))
    }
}

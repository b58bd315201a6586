//! The campaigns that the quota's ledger remembers: how far their states are, and whether they have finished.

use std::path::{Path, PathBuf};

use crate::{
    campaign::{recover::witness, tag::CampaignId},
    quota::{self, LedgerError, MarkRow, SystemClock},
};

/// The campaigns that a ledger remembers, as they were when it was read.
#[derive(Debug)]
pub(crate) struct Marks {
    ledger: Option<PathBuf>,
    rows: Vec<MarkRow>,
}

impl Marks {
    /// Reads them. Without a ledger there are none. Blocks.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) fn read(ledger: Option<PathBuf>) -> Result<Self, LedgerError> {
        let rows = ledger.as_deref().map(quota::marks).transpose()?;
        Ok(Self {
            ledger,
            rows: rows.unwrap_or_default(),
        })
    }

    /// What the ledger knows about the campaign's state.
    pub(crate) fn witness(&self, campaign: &str) -> witness::Ledger {
        match self.of(campaign) {
            Some(mark) => witness::Ledger::Marked(mark.committed),
            None if self.ledger.is_some() => witness::Ledger::Unaware,
            None => witness::Ledger::None,
        }
    }

    /// The campaign's mark.
    pub(crate) fn of(&self, campaign: &str) -> Option<&MarkRow> {
        self.rows.iter().find(|mark| mark.campaign == campaign)
    }

    /// Whether the campaign has finished or was given up. `None` if the ledger does not know it.
    pub(crate) fn has_ended(&self, campaign: &str) -> Option<bool> {
        self.of(campaign).map(|mark| mark.ended.is_some())
    }

    /// The unfinished real campaign whose state was at this place, and the ledger.
    pub(crate) fn unfinished_at(&self, state: &Path) -> Option<(CampaignId, &Path)> {
        let place = absolute(state);
        let is_there = |mark: &&MarkRow| mark.ended.is_none() && mark.state == place;
        let ids = self.rows.iter().filter(is_there);
        let mut ids = ids.map(|mark| CampaignId::known(mark.campaign.as_str()));
        Some((ids.find(|id| !id.is_rehearsal())?, self.ledger.as_deref()?))
    }

    /// Where the campaign's state is, if that is not at this place.
    pub(super) fn elsewhere(&self, campaign: &str, state: &Path) -> Option<&Path> {
        let mark = self.of(campaign)?;
        (mark.state != absolute(state)).then_some(&mark.state)
    }

    /// Records that a campaign has finished whose last run did not live to do so.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(super) fn finish(&self, campaign: &CampaignId) -> Result<(), LedgerError> {
        match &self.ledger {
            Some(file) => quota::finish(file, campaign.as_str(), &SystemClock).map(drop),
            None => Ok(()),
        }
    }

    /// Records that a campaign is given up, on which nobody may be working.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(super) fn abandon(&self, campaign: &str) -> Result<(), LedgerError> {
        match &self.ledger {
            Some(file) => quota::abandon(file, campaign, &SystemClock).map(drop),
            None => Ok(()),
        }
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

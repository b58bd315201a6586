//! What opening a campaign comes to. This is decided here for `run` and `plan` alike, by what is at the campaign's
//! places, what the ledger remembers, and what was asked for. Nothing is changed.

use std::path::Path;

use super::{OpenError, Opening, locks::check_free};
use crate::{
    campaign::{
        counts::Counts,
        recover::witness::{self, Loss},
        tag::CampaignId,
    },
    results::{self, Owner},
    store::{Store, StoreError},
};

/// The id of the campaign whose state this is.
pub(super) fn id_of(store: &Store) -> CampaignId {
    CampaignId::known(store.identity().campaign.as_str())
}

/// What opening a campaign comes to.
pub(super) enum OpenMode {
    /// The campaign that is there goes on. Its file may not have been checked to its end.
    Resume(Store),
    /// It has finished, and a new one begins in its place.
    Succeed(Store),
    /// A new campaign begins where there is no state to go on with.
    Begin {
        /// The campaign that is given up, and makes room.
        abandoned: Option<CampaignId>,
        /// Its state, if that is there.
        store: Option<Store>,
    },
    /// The state of this campaign is gone or damaged, and is rebuilt from what tells of it.
    Rebuild {
        /// The campaign.
        campaign: CampaignId,
        /// Whether there is a damaged file, which makes room.
        is_damaged: bool,
    },
}

impl Opening {
    /// Decides what opening comes to. The state is opened by `open`.
    ///
    /// # Errors
    /// What is there cannot be opened as was asked for, or a file cannot be read.
    pub(super) fn mode(
        &self,
        open: fn(&Path) -> Result<Store, StoreError>,
    ) -> Result<OpenMode, OpenError> {
        let request = &self.request;
        let mode = if request.places.state.exists() && request.rehearsal_there().is_none() {
            self.with_state(open)?
        } else {
            self.without_state()?
        };
        match &mode {
            // Checked when it is known that the campaign is the one that is meant.
            OpenMode::Resume(_) => {}
            OpenMode::Succeed(store) => self.check_results(Some(&id_of(store)))?,
            OpenMode::Begin { abandoned, .. } => self.check_results(abandoned.as_ref())?,
            OpenMode::Rebuild { campaign, .. } => self.check_results(Some(campaign))?,
        }
        Ok(mode)
    }

    fn with_state(
        &self,
        open: fn(&Path) -> Result<Store, StoreError>,
    ) -> Result<OpenMode, OpenError> {
        let request = &self.request;
        let opened = open(&request.places.state).and_then(|mut store| {
            if request.again || request.recover || request.abandon.is_some() {
                store.finish_check()?;
            }
            Ok(store)
        });
        match opened {
            Err(StoreError::Damaged { .. }) if request.recover => self.with_damaged_state(),
            opened => self.with_readable_state(opened?),
        }
    }

    fn with_readable_state(&self, mut store: Store) -> Result<OpenMode, OpenError> {
        let campaign = id_of(&store);
        let has_finished = |store: &Store| Ok::<_, StoreError>(Counts::of(store)?.open == 0);
        let is_abandoned = self.is_abandoned(&campaign);
        if !is_abandoned {
            self.check_abandon()?;
        }
        // A copy of a campaign that is at work is behind it as well, but this is what there is to say about it.
        check_free(&campaign, self.request.locks.as_deref())?;
        if is_abandoned {
            if has_finished(&store)? {
                return Err(OpenError::AbandonFinished(campaign));
            }
            return Ok(OpenMode::Begin {
                abandoned: Some(campaign),
                store: Some(store),
            });
        }
        if !self.request.recover
            && let Err(e) = self.compare(&store)
        {
            // What a damaged file does not hold, it has not lost.
            store.finish_check()?;
            return Err(e);
        }
        if self.request.again && has_finished(&store)? {
            return Ok(OpenMode::Succeed(store));
        }
        Ok(OpenMode::Resume(store))
    }

    /// A new campaign, unless something tells of one that has not finished.
    fn without_state(&self) -> Result<OpenMode, OpenError> {
        let state = || self.request.places.state.clone();
        let Some(lost) = self.lost()? else {
            let abandoned = self.check_abandon()?;
            if self.request.recover {
                return Err(OpenError::NothingToRecover(state()));
            }
            if !self.request.retry.is_empty() {
                return Err(OpenError::NothingToRetry(state()));
            }
            return Ok(OpenMode::Begin {
                abandoned,
                store: None,
            });
        };
        check_free(&lost.campaign, self.request.locks.as_deref())?;
        if self.is_abandoned(&lost.campaign) {
            return Ok(OpenMode::Begin {
                abandoned: Some(lost.campaign),
                store: None,
            });
        }
        if self.request.recover {
            return Ok(OpenMode::Rebuild {
                campaign: lost.campaign,
                is_damaged: false,
            });
        }
        Err(OpenError::from(Loss::Gone {
            state: state(),
            campaign: lost.campaign.as_str().to_owned(),
            witness: lost.witness,
        }))
    }

    fn with_damaged_state(&self) -> Result<OpenMode, OpenError> {
        match self.lost()? {
            Some(lost) => {
                check_free(&lost.campaign, self.request.locks.as_deref())?;
                Ok(OpenMode::Rebuild {
                    campaign: lost.campaign,
                    is_damaged: true,
                })
            }
            None => Err(OpenError::Unknown(self.request.places.state.clone())),
        }
    }

    fn is_abandoned(&self, campaign: &CampaignId) -> bool {
        self.request.abandon.as_deref() == Some(campaign.as_str())
    }

    /// Refuses to give up a campaign whose state is not here, unless it is that of the results, or an unfinished one
    /// that the ledger remembers. Returns the campaign if the results are its, and have to make room.
    fn check_abandon(&self) -> Result<Option<CampaignId>, OpenError> {
        let Some(id) = &self.request.abandon else {
            return Ok(None);
        };
        check_free(
            &CampaignId::known(id.as_str()),
            self.request.locks.as_deref(),
        )?;
        let places = &self.request.places;
        if results::owner(&places.results)? == Owner::Campaign(id.clone()) {
            return Ok(Some(CampaignId::known(id.as_str())));
        }
        if self.marks.has_ended(id) == Some(false) {
            return Ok(None);
        }
        Err(OpenError::NothingToAbandon {
            campaign: id.clone(),
            state: places.state.clone(),
            results: places.results.clone(),
        })
    }

    /// Whether the state is as far as its witnesses say.
    pub(super) fn compare(&self, store: &Store) -> Result<(), OpenError> {
        let ledger = self.marks.witness(&store.identity().campaign);
        Ok(witness::compare(
            store,
            ledger,
            &self.request.places.results,
        )?)
    }
}

//! A campaign that is open: a new one, or the one that is there.

use std::path::Path;

use super::{
    OpenError, OpenRequest,
    archive::{Aside, archive, put_back},
    create::take_in,
    locks::{Locks, of_campaign},
    resume::Rejoined,
};
use crate::{
    campaign::{counts::Counts, outcome::Tally, tag::CampaignId},
    monitor::count,
    quota::MarkRow,
    roster::Note,
    store::{Lock, Reach, Store, StoreError},
};

/// A campaign that is open, and ours alone.
pub(crate) struct Opened {
    pub(crate) store: Store,
    /// If this command has begun it: the files of a finished one that made room for it.
    pub(crate) begun: Option<Aside>,
    /// Held until the process ends: by the state's place, and by the campaign's id.
    pub(crate) lock: Locks,
    /// The state has lost its end, and is to be recovered before anything is sent.
    pub(crate) recovers: bool,
    /// How far earlier runs have reached; told when it is known that the state is whole.
    pub(crate) reach: Reach,
    pub(crate) campaign: CampaignId,
    /// Rows in all.
    pub(crate) targets: u64,
    /// Those that have ended.
    pub(crate) tally: Tally,
    /// What the person should know.
    pub(crate) notes: Vec<String>,
}

impl OpenRequest {
    pub(super) fn open_locked(self, lock: Lock) -> Result<Opened, OpenError> {
        let marks = self.marks()?;
        if !self.places.state.exists() {
            return self.open_without_state(lock, &marks);
        }
        if let Some(there) = self.rehearsal_there() {
            return self.open_over_rehearsal(&there, lock, &marks);
        }
        let opened = Store::open_while_checking(&self.places.state);
        let mut store = match opened {
            Err(StoreError::Damaged { .. }) if self.recover => {
                return self.rebuild_damaged(lock, &marks);
            }
            opened => opened?,
        };
        let id = store.identity().campaign.clone();
        if self.abandon.as_ref() == Some(&id) {
            return self.abandon_state(store, lock, &marks);
        }
        self.refuse_abandon(&marks)?;
        if self.again || self.recover {
            match store.finish_check() {
                Err(StoreError::Damaged { .. }) if self.recover => {
                    drop(store);
                    return self.rebuild_damaged(lock, &marks);
                }
                vouched => vouched?,
            }
        }
        // Of a copy of a campaign that is at work, that is what there is to say; that it is behind follows from it.
        drop(of_campaign(&CampaignId::known(id), self.locks.as_deref())?);
        if let Err(e) = self.compare(&store, &marks)
            && !self.recover
        {
            // What a damaged file does not hold, it has not lost.
            store.finish_check()?;
            return Err(e);
        }
        if self.again && Counts::of(&store)?.open == 0 {
            return self.succeed(store, lock, &marks);
        }
        self.go_on(store, lock, &marks)
    }

    /// Begins a campaign, in the place of an `old` one if that has finished or is given up. The old one's files are
    /// there until the whole input has been read and found good.
    pub(super) fn begin(
        self,
        lock: Lock,
        old: Option<&CampaignId>,
        marks: &[MarkRow],
    ) -> Result<Opened, OpenError> {
        self.check_begin()?;
        let campaign = CampaignId::known(self.meant.campaign.as_str());
        self.check_results(old.unwrap_or(&campaign), marks)?;
        let lock = Locks::with_campaign(lock, &campaign, self.locks.as_deref())?;
        let (state, meant) = (&self.places.state, self.meant.clone());
        let mut aside = Aside::new();
        let intake = take_in(self.roster()?, state, meant, None, || {
            if let Some(old) = old {
                aside = archive(&self.places, old)?;
            }
            Ok::<_, OpenError>(())
        })?;
        let counts = Counts::of(&intake.store)?;
        let mut opened = self.opened(intake.store, counts, lock, campaign, &intake.notes);
        opened.begun = Some(aside);
        Ok(opened)
    }

    /// Whether it makes sense to begin a campaign.
    pub(super) fn check_begin(&self) -> Result<(), OpenError> {
        if self.retry.is_empty() {
            return Ok(());
        }
        Err(OpenError::NothingToRetry(self.places.state.clone()))
    }

    fn go_on(self, mut store: Store, lock: Lock, marks: &[MarkRow]) -> Result<Opened, OpenError> {
        let campaign = CampaignId::known(store.identity().campaign.as_str());
        let lock = Locks::with_campaign(lock, &campaign, self.locks.as_deref())?;
        let joined = store.all_or_nothing(|store| self.join(store, &campaign, marks));
        // What was read of a damaged file says nothing, not even what is wrong with the input.
        store.finish_check()?;
        let Rejoined {
            added,
            changed,
            notes,
            remarks,
        } = joined?;
        let counts = Counts::of(&store)?;
        let is_as_before = added == 0 && changed == 0;
        if counts.open == 0 && is_as_before && !self.recover && self.was_concluded(&store)? {
            store.close()?;
            self.end_mark(&campaign)?;
            return Err(OpenError::FinishedBefore {
                campaign,
                results: self.places.results,
            });
        }
        let mut opened = self.opened(store, counts, lock, campaign, &notes);
        opened.recovers = self.recover;
        opened.notes.extend(remarks);
        if added > 0 {
            opened.notes.push(format!(
                "{} {} added to the campaign",
                count::of(added, "row"),
                count::word(added, "was", "were")
            ));
        }
        Ok(opened)
    }

    pub(super) fn opened(
        &self,
        store: Store,
        Counts { tally, open }: Counts,
        lock: Locks,
        campaign: CampaignId,
        notes: &[Note],
    ) -> Opened {
        Opened {
            notes: notes
                .iter()
                .map(|note| format!("{}: {note}", self.file()))
                .collect(),
            targets: tally.total() + open,
            tally,
            store,
            begun: None,
            lock,
            campaign,
            recovers: false,
            reach: Reach::default(),
        }
    }

    /// Whether the last run came to its end, and left its results where they should be. One that was killed between its
    /// last outcome and its end has left them as they grew.
    pub(super) fn was_concluded(&self, store: &Store) -> Result<bool, OpenError> {
        let last = store.last_run()?;
        Ok(last.is_some_and(|run| run.ended.is_some()) && self.places.results.exists())
    }
}

/// Takes back a campaign that this command has begun and that is not to be, so that another command may mean another
/// one. One that was there before stays as it is: nothing was sent, and the same command goes on.
///
/// # Errors
/// The state cannot be closed or removed.
pub(crate) fn withdraw(store: Store, begun: Option<Aside>, state: &Path) -> Result<(), OpenError> {
    store.close()?;
    let Some(aside) = begun else {
        return Ok(());
    };
    std::fs::remove_file(state).map_err(|source| OpenError::Remove {
        state: state.to_owned(),
        source,
    })?;
    put_back(aside)
}

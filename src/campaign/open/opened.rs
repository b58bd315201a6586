//! A campaign that is open: the one that was there, or a new one.

use std::path::Path;

use tokio::runtime::Handle;

use super::{
    OpenError, OpenRequest, Opening,
    archive::{Renaming, archive, damaged_files, files_of, put_back},
    create::take_in,
    exclusions::Exclusions,
    locks::Locks,
    marks::Marks,
    mode::{OpenMode, id_of},
};
use crate::{
    campaign::{counts::Counts, journal, outcome::Tally, recover, tag::CampaignId},
    monitor::count,
    results::{self, Owner},
    store::{Identity, Lock, Reach, Store, StoreError},
};

/// A campaign that is open, and that no other process is working on.
pub(crate) struct Opened {
    pub(crate) store: Store,
    /// The files that made room for it. `None` if the campaign was there before.
    pub(crate) begun: Option<Vec<Renaming>>,
    /// Held until the process ends: by the state's place, and by the campaign's id.
    pub(crate) lock: Locks,
    /// Whether the state has to be recovered before anything is sent.
    pub(crate) recovers: bool,
    /// How many machines earlier runs have sent to. Filled in by the caller, once the state is recovered.
    pub(crate) reach: Reach,
    pub(crate) campaign: CampaignId,
    /// The number of rows.
    pub(crate) targets: u64,
    /// Those that have ended.
    pub(crate) tally: Tally,
    /// What the person should know.
    pub(crate) notes: Vec<String>,
}

impl Opened {
    fn new(
        store: Store,
        lock: Locks,
        campaign: CampaignId,
        notes: Vec<String>,
    ) -> Result<Self, StoreError> {
        let Counts { tally, open } = Counts::of(&store)?;
        Ok(Self {
            store,
            begun: None,
            lock,
            recovers: false,
            reach: Reach::default(),
            campaign,
            targets: tally.total() + open,
            tally,
            notes,
        })
    }

    /// Withdraws a campaign that this command has begun and that may not start, so that the next command can mean
    /// another one. A campaign that was there before stays: nothing was sent, and the same command resumes it.
    ///
    /// # Errors
    /// The state cannot be closed or removed, or an archived file cannot be put back.
    pub(crate) fn withdraw(self) -> Result<(), OpenError> {
        let state = self.store.path().to_owned();
        self.store.close()?;
        let Some(archived) = self.begun else {
            return Ok(());
        };
        std::fs::remove_file(&state).map_err(|source| OpenError::Remove { state, source })?;
        put_back(archived)
    }
}

impl Opening {
    /// Opens the campaign, for which the `lock` of its state is held. Blocks.
    ///
    /// # Errors
    /// The state or the results cannot be read or written, or the campaign cannot go on like this.
    pub(super) fn open(mut self, lock: Lock) -> Result<Opened, OpenError> {
        match self.mode(Store::open)? {
            OpenMode::Resume(store) => self.resume(store, lock),
            OpenMode::Succeed(store) => {
                let finished = id_of(&store);
                let exclusions = Exclusions::of_successor(&store, &self.request)?;
                if self.was_finalized(&store)? {
                    store.close()?;
                } else {
                    finalize(store)?;
                }
                self.marks.finish(&finished)?;
                self.begin(lock, Some(&finished), exclusions)
            }
            OpenMode::Begin { abandoned, store } => {
                let exclusions = match &store {
                    Some(store) => Exclusions::of_successor(store, &self.request)?,
                    None => self.of_abandoned(abandoned.as_ref())?,
                };
                if let Some(store) = store {
                    store.close()?;
                }
                self.begin(lock, abandoned.as_ref(), exclusions)
            }
            OpenMode::Rebuild {
                campaign,
                is_damaged,
            } => self.rebuild(lock, &campaign, is_damaged),
        }
    }

    /// The exclusions of a campaign that begins where no state is: those of one that is given up, if there is one.
    pub(super) fn of_abandoned(
        &self,
        abandoned: Option<&CampaignId>,
    ) -> Result<Exclusions, OpenError> {
        match abandoned {
            Some(campaign) => Exclusions::of_lost(campaign.as_str(), &self.request),
            None => Ok(Exclusions::of_new(&self.request)),
        }
    }

    fn resume(&mut self, mut store: Store, lock: Lock) -> Result<Opened, OpenError> {
        let request = &self.request;
        let campaign = id_of(&store);
        let lock = Locks::with_campaign(lock, &campaign, request.locks.as_deref())?;
        // Before the lock was held, a copy of the campaign may have gone on elsewhere.
        if !request.recover {
            self.marks = Marks::read(request.ledger.clone())?;
            if let Err(e) = self.compare(&store) {
                store.finish_check()?;
                return Err(e);
            }
        }
        let joined = store.all_or_nothing(|store| self.join(store));
        // What was read of a damaged file says nothing, not even what is wrong with the input.
        store.finish_check()?;
        let joined = joined?;
        let mut opened = Opened::new(store, lock, campaign, request.notes(&joined.notes))?;
        opened.notes.extend(joined.remarks);
        let is_as_before = joined.added == 0 && joined.changed == 0;
        let has_finished = opened.targets == opened.tally.total() && is_as_before;
        if has_finished && !request.recover && self.was_finalized(&opened.store)? {
            opened.store.close()?;
            self.marks.finish(&opened.campaign)?;
            // It was another one, which no run of this campaign gives up any more.
            if let Some(id) = &request.abandon {
                self.marks.abandon(id)?;
            }
            return Err(OpenError::FinishedBefore {
                campaign: opened.campaign,
                results: request.places.results.clone(),
            });
        }
        opened.recovers = request.recover;
        if joined.added > 0 {
            opened.notes.push(format!(
                "{} {} added to the campaign",
                count::of(joined.added, "row"),
                count::word(joined.added, "was", "were")
            ));
        }
        Ok(opened)
    }

    /// Begins a new campaign, for which an `old` one makes room.
    fn begin(
        &self,
        lock: Lock,
        old: Option<&CampaignId>,
        exclusions: Exclusions,
    ) -> Result<Opened, OpenError> {
        let request = &self.request;
        let files = old.map(|old| files_of(&request.places, old)).transpose()?;
        let meant = request.meant.clone();
        self.create(lock, meant, exclusions, files.unwrap_or_default())
    }

    /// Makes a new state for a campaign whose state is lost. It is recovered before anything is sent.
    fn rebuild(
        &self,
        lock: Lock,
        campaign: &CampaignId,
        is_damaged: bool,
    ) -> Result<Opened, OpenError> {
        let OpenRequest { meant, places, .. } = &self.request;
        let damaged = is_damaged.then(|| damaged_files(&places.state));
        let (files, kept) = damaged.unzip();
        let identity = Identity {
            campaign: campaign.as_str().to_owned(),
            created: self.created(campaign)?,
            ..meant.clone()
        };
        let mut exclusions = Exclusions::of_lost(campaign.as_str(), &self.request)?;
        exclusions.decisions.push(recover::begun(meant.created, 0));
        let mut opened = self.create(lock, identity, exclusions, files.unwrap_or_default())?;
        opened.recovers = true;
        opened.notes.extend(kept.map(|kept| {
            let kept = kept.display();
            format!("the damaged state of campaign {campaign} is kept as {kept}")
        }));
        Ok(opened)
    }

    /// Creates a state with all rows of the input. When the whole input has been read and is valid, these files make
    /// room for it, and those of a rehearsal too.
    fn create(
        &self,
        lock: Lock,
        identity: Identity,
        mut exclusions: Exclusions,
        mut files: Vec<Renaming>,
    ) -> Result<Opened, OpenError> {
        let request = &self.request;
        let state = &request.places.state;
        let campaign = CampaignId::known(identity.campaign.as_str());
        let lock = Locks::with_campaign(lock, &campaign, request.locks.as_deref())?;
        let rehearsal = request.rehearsal_there();
        if let Some(rehearsal) = &rehearsal {
            // First, so that its state is not taken for that of the other campaign.
            files.splice(0..0, files_of(&request.places, rehearsal)?);
        }
        let mut archived = Vec::new();
        let make_room = || archive(files, &mut archived);
        self.complete(&mut exclusions);
        let names = self.names_of_new(campaign.as_str())?;
        let roster = request.roster(None, exclusions.machines, names)?;
        let taken = take_in(roster, state, identity, &exclusions.decisions, make_room);
        let intake = match taken {
            Ok(intake) => intake,
            Err(e) => {
                put_back(archived)?;
                return Err(e);
            }
        };
        let mut notes = request.notes(&intake.notes);
        notes.extend(exclusions.remarks);
        let mut opened = Opened::new(intake.store, lock, campaign, notes)?;
        opened.begun = Some(archived);
        opened.notes.extend(rehearsal.map(|rehearsal| {
            format!(
                "the files of the rehearsal {rehearsal} have its id in their names now, beside {}",
                state.display()
            )
        }));
        Ok(opened)
    }

    /// Whether the last run came to its end, and left its results where they should be. One that was killed between its
    /// last outcome and its end has left them in the order in which the targets ended.
    fn was_finalized(&self, store: &Store) -> Result<bool, StoreError> {
        let last = store.last_run()?;
        Ok(last.is_some_and(|run| run.ended.is_some()) && self.request.places.results.exists())
    }
}

/// Puts the results of a finished campaign in order whose last run was killed before it could do so: nobody comes back
/// to it.
fn finalize(store: Store) -> Result<(), OpenError> {
    let Some((path, excel)) = store.last_results()? else {
        return Ok(store.close()?);
    };
    let path = Path::new(&path);
    if results::owner(path)? != Owner::Campaign(store.identity().campaign.clone()) {
        return Ok(store.close()?);
    }
    let layout = journal::layout(&store, excel)?;
    // This thread may block, while the runtime drives the timers.
    Handle::current().block_on(journal::rewrite(store, path, &layout))?;
    Ok(())
}

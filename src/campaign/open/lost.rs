//! Whether what is there is whole: the state by its witnesses; and, where there is no state, whether something tells of
//! one.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::{OpenError, OpenRequest, Opened, STDIN, archive, create::take_in, locks::Locks};
use crate::{
    campaign::{
        counts::Counts,
        recover::{
            self,
            witness::{self, Ledger, Loss},
        },
        tag::CampaignId,
    },
    quota::{self, MarkRow},
    results::{self, Owner, ResultsError},
    store::{Identity, Lock, MarkFile, Store},
};

/// Where nothing tells when a campaign that is gone was made, scans of so long ago are looked at.
const LONG_AGO: SignedDuration = SignedDuration::from_hours(24 * 30);

/// An unfinished campaign whose state is gone.
struct Gone {
    campaign: String,
    /// What tells of it.
    witness: PathBuf,
}

impl OpenRequest {
    /// The campaigns that the ledger remembers.
    pub(super) fn marks(&self) -> Result<Vec<MarkRow>, OpenError> {
        match &self.ledger {
            Some(file) => Ok(quota::marks(file)?),
            None => Ok(Vec::new()),
        }
    }

    /// Whether the state is as far as its witnesses say.
    pub(super) fn compare(&self, store: &Store, marks: &[MarkRow]) -> Result<(), OpenError> {
        let campaign = &store.identity().campaign;
        let mark = marks.iter().find(|mark| mark.campaign == *campaign);
        let ledger = match mark {
            Some(mark) => Ledger::Marked(mark.committed),
            None if self.ledger.is_some() => Ledger::Unaware,
            None => Ledger::None,
        };
        Ok(witness::compare(store, ledger, &self.places.results)?)
    }

    /// Opens what is meant where there is no state: a new campaign, unless something tells of one that has not
    /// finished.
    pub(super) fn open_without_state(
        self,
        lock: Lock,
        marks: &[MarkRow],
    ) -> Result<Opened, OpenError> {
        let Some(gone) = self.gone(marks)? else {
            self.refuse_abandon(marks)?;
            if self.recover {
                return Err(OpenError::NothingToRecover(self.places.state));
            }
            return self.begin(lock, None, marks);
        };
        if self.abandon.as_ref() == Some(&gone.campaign) {
            self.forget(&gone.campaign)?;
            let old = CampaignId::known(gone.campaign);
            return self.begin(lock, Some(&old), marks);
        }
        if self.recover {
            return self.rebuild(lock, &gone.campaign, marks);
        }
        Err(self.lost(gone))
    }

    /// Refuses where there is no state and something tells of an unfinished campaign, for who only looks.
    pub(super) fn check_gone(&self, marks: &[MarkRow]) -> Result<(), OpenError> {
        let gone = self.gone(marks)?;
        let gone = gone.filter(|gone| self.abandon.as_ref() != Some(&gone.campaign));
        match gone {
            Some(gone) if !self.recover => Err(self.lost(gone)),
            _ => Ok(()),
        }
    }

    fn lost(&self, gone: Gone) -> OpenError {
        OpenError::from(Loss::Gone {
            state: self.places.state.clone(),
            campaign: gone.campaign,
            witness: gone.witness,
        })
    }

    fn gone(&self, marks: &[MarkRow]) -> Result<Option<Gone>, OpenError> {
        if self.is_rehearsal() {
            return Ok(None);
        }
        let ended = |id: &str| {
            let mark = marks.iter().find(|mark| mark.campaign == id);
            mark.map(|mark| mark.ended.is_some())
        };
        let is_real = |id: &str| !CampaignId::known(id).is_rehearsal();
        let (state, results) = (&self.places.state, &self.places.results);
        if let Owner::Campaign(id) = results::owner(results)?
            && is_real(&id)
        {
            let is_unfinished = if let Some(ended) = ended(&id) {
                !ended
            } else {
                let rows = self.rows()?;
                witness::are_unfinished(results, &id, Some(rows))?
            };
            if is_unfinished {
                refuse_elsewhere(&id, state, marks)?;
                return Ok(Some(Gone {
                    campaign: id,
                    witness: results.clone(),
                }));
            }
        }
        if let Some((id, _)) = MarkFile::read(state)?
            && is_real(&id)
            && ended(&id) != Some(true)
        {
            refuse_elsewhere(&id, state, marks)?;
            return Ok(Some(Gone {
                campaign: id,
                witness: MarkFile::place(state),
            }));
        }
        let place = std::path::absolute(state).unwrap_or_else(|_| state.clone());
        let mark = marks
            .iter()
            .find(|mark| mark.ended.is_none() && mark.state == place && is_real(&mark.campaign));
        Ok(mark.zip(self.ledger.clone()).map(|(mark, ledger)| Gone {
            campaign: mark.campaign.clone(),
            witness: ledger,
        }))
    }

    /// How many rows the input has.
    fn rows(&self) -> Result<u64, OpenError> {
        if self.input.as_os_str() == STDIN {
            // It can be read once only; that the results are whole is told by their rows then.
            return Ok(0);
        }
        let mut roster = self.roster()?;
        while roster.next_row()?.is_some() {}
        Ok(roster.counts().rows())
    }

    /// Makes a state anew for a campaign whose state is gone, to be recovered before anything is sent.
    fn rebuild(self, lock: Lock, id: &str, marks: &[MarkRow]) -> Result<Opened, OpenError> {
        let campaign = CampaignId::known(id);
        self.check_results(&campaign, marks)?;
        let lock = Locks::with_campaign(lock, &campaign, self.locks.as_deref())?;
        let made = self.made(id, marks)?;
        let identity = Identity {
            campaign: id.to_owned(),
            created: made,
            ..self.meant.clone()
        };
        let begun = recover::begun(self.meant.created, 0);
        let state = &self.places.state;
        let intake = take_in(self.roster()?, state, identity, Some(&begun), || {
            Ok::<_, OpenError>(())
        })?;
        let counts = Counts::of(&intake.store)?;
        let mut opened = self.opened(intake.store, counts, lock, campaign, &intake.notes);
        // Where it cannot be recovered, everything is as it was before.
        opened.begun = Some(archive::Aside::new());
        opened.recovers = true;
        Ok(opened)
    }

    /// The same where there is a file that cannot be read: it makes room, and stays.
    pub(super) fn rebuild_damaged(
        self,
        lock: Lock,
        marks: &[MarkRow],
    ) -> Result<Opened, OpenError> {
        let state = self.places.state.clone();
        let Some(gone) = self.gone(marks)? else {
            return Err(OpenError::Unknown(state));
        };
        let damaged = free_name(&state);
        let renamed = |from: &Path, to: &Path| {
            std::fs::rename(from, to).map_err(|source| OpenError::Archive {
                from: from.to_owned(),
                to: to.to_owned(),
                source,
            })
        };
        // The log first: what is in it belongs to the file, wherever that lies.
        let (log, damaged_log) = (archive::journal_of(&state), archive::journal_of(&damaged));
        let mut files = vec![(state, damaged.clone())];
        if log.exists() {
            renamed(&log, &damaged_log)?;
            files.insert(0, (log, damaged_log));
        }
        renamed(&files[files.len() - 1].0, &damaged)?;
        let id = gone.campaign;
        match self.rebuild(lock, &id, marks) {
            Ok(mut opened) => {
                let note = format!(
                    "the damaged state of campaign {id} is kept as {}",
                    damaged.display()
                );
                opened.notes.push(note);
                opened.begun = Some(files);
                Ok(opened)
            }
            Err(e) => {
                archive::put_back(files)?;
                Err(e)
            }
        }
    }

    /// When a campaign was made whose state is gone: no later than its first call.
    fn made(&self, id: &str, marks: &[MarkRow]) -> Result<Timestamp, OpenError> {
        let mark = marks.iter().find(|mark| mark.campaign == id);
        let mut made = mark.map(|mark| mark.started);
        let results = &self.places.results;
        results::each_row::<ResultsError>(results, id, |row| {
            made = made.into_iter().chain(row.times[0]).min();
            Ok(())
        })?;
        let long_ago = || self.meant.created.saturating_sub(LONG_AGO);
        Ok(made.unwrap_or_else(|| long_ago().unwrap_or_default()))
    }

    /// Fails before the first call where the results file is somebody else's.
    pub(super) fn check_results(
        &self,
        campaign: &CampaignId,
        marks: &[MarkRow],
    ) -> Result<(), OpenError> {
        let path = &self.places.results;
        let owner = results::owner(path)?;
        if self.is_rehearsal() {
            self.spare_real_results(&owner)?;
        }
        let refused = match owner {
            Owner::Nobody | Owner::Empty => return Ok(()),
            Owner::Campaign(id) if id == campaign.as_str() => return Ok(()),
            Owner::Campaign(id) if self.abandon.as_ref() == Some(&id) => return Ok(()),
            // A rehearsal's results are nobody's loss.
            Owner::Campaign(id) if CampaignId::known(&*id).is_rehearsal() => return Ok(()),
            Owner::Campaign(id) => {
                let mark = marks.iter().find(|mark| mark.campaign == id);
                let is_unfinished = match mark {
                    Some(mark) => mark.ended.is_none(),
                    None => witness::are_unfinished(path, &id, None)?,
                };
                if is_unfinished {
                    return Err(OpenError::UnfinishedResults {
                        results: path.clone(),
                        campaign: id,
                    });
                }
                OpenError::OtherResults {
                    results: path.clone(),
                    campaign: id,
                }
            }
            Owner::Foreign => OpenError::ForeignResults(path.clone()),
        };
        if self.force { Ok(()) } else { Err(refused) }
    }
}

/// Refuses where the campaign's state is whole and lies somewhere else: a second one would leave that behind.
fn refuse_elsewhere(id: &str, state: &Path, marks: &[MarkRow]) -> Result<(), OpenError> {
    let place = std::path::absolute(state).unwrap_or_else(|_| state.to_owned());
    let mark = marks.iter().find(|mark| mark.campaign == id);
    let mark = mark.filter(|mark| mark.state != place);
    let there = mark.filter(|mark| {
        Store::open_unchecked_read_only(&mark.state)
            .is_ok_and(|store| store.identity().campaign == id)
    });
    match there {
        None => Ok(()),
        Some(mark) => Err(OpenError::Elsewhere {
            campaign: id.to_owned(),
            state: mark.state.clone(),
        }),
    }
}

/// A name for a damaged file that no other one has.
fn free_name(state: &Path) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = state.as_os_str().to_owned();
        name.push(match number {
            0 => ".damaged".to_owned(),
            number => format!(".damaged-{number}"),
        });
        PathBuf::from(name)
    };
    let free = (0..1000).map(numbered).find(|path| !path.exists());
    free.unwrap_or_else(|| numbered(0))
}

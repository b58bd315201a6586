//! Compares a campaign's state with its witnesses: the marks outside of it, and the results file. This
//! happens before anything is sent and before the results are rewritten, which would destroy that witness.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
};

use crate::campaign::outcome::{Outcome, is_left_out};
use crate::{
    results::{self, Owner, ReadRow, ResultsError},
    store::{MarkFile, Store, StoreError, Subject},
};

/// A state that has lost its end, or is gone altogether. Nothing was sent, and nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// More was committed than the file holds.
    #[error(
        "the campaign's state {} has lost its end: {marked} batches were written to it, and it holds \
         {committed}. {WAYS}",
        state.display()
    )]
    Behind {
        /// The state file.
        state: PathBuf,
        /// What it holds.
        committed: u64,
        /// What was written.
        marked: u64,
    },
    /// The results contain something that the file does not.
    #[error(
        "the campaign's state {} has lost its end: the results in {} tell what became of machine {machine}, and \
         the state does not know it. {WAYS}",
        state.display(),
        results.display()
    )]
    Results {
        /// The state file.
        state: PathBuf,
        /// The results file.
        results: PathBuf,
        /// The first machine that is missing.
        machine: String,
    },
    /// There is no state, but there is evidence of an unfinished campaign.
    #[error(
        "campaign {campaign} has not finished, and its state {} is gone; {} tells of it. Nothing was sent, and \
         nothing was changed. Put the state back if you have it, or give --recover: it rebuilds the state, asks \
         the list of scans what became of every machine, and goes on. --abandon {campaign} gives that campaign \
         up and begins another one, which may scan machines a second time",
        state.display(),
        witness.display()
    )]
    Gone {
        /// Where the state was.
        state: PathBuf,
        /// The campaign.
        campaign: String,
        /// The file that is the evidence.
        witness: PathBuf,
    },
    /// A recovery was begun and not completed.
    #[error(
        "the recovery of the campaign's state {} was interrupted. Nothing was sent. The same command with --recover \
         goes on with it",
        state.display()
    )]
    Unrecovered {
        /// The state file.
        state: PathBuf,
    },
}

/// What to do about a state that has lost its end.
const WAYS: &str = "Nothing was sent, and the results are as they were. If you have the whole file, with the \
    -wal file beside it, put it back; otherwise give --recover: it asks the list of scans what became of every \
    machine, and goes on";

/// Why the comparison failed.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The state and its witnesses do not agree.
    #[error(transparent)]
    Loss(#[from] Loss),
    /// The state or its mark cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The results cannot be read.
    #[error(transparent)]
    Results(#[from] ResultsError),
}

/// What the quota's ledger says about a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    /// The campaign has no ledger.
    None,
    /// The ledger does not know the campaign: it is another computer's, or another user's.
    Unaware,
    /// This many batches were committed.
    Marked(u64),
}

/// Compares a state with its mark, with the ledger, and with the results.
///
/// The mark beside the state is written before the results. If it exists and the ledger knows the campaign
/// too, the results cannot add anything and are not read: half a million rows take a second.
///
/// # Errors
/// The state has lost its end, or a witness cannot be read.
pub fn compare(store: &Store, ledger: Ledger, results: &Path) -> Result<(), WitnessError> {
    let state = store.path().to_owned();
    let committed = store.committed()?;
    let beside = beside(store)?;
    let marked = marked(store, ledger)?;
    if committed < marked {
        return Err(Loss::Behind {
            state,
            committed,
            marked,
        }
        .into());
    }
    if is_being_recovered(store)? {
        return Err(Loss::Unrecovered { state }.into());
    }
    if beside.is_some() && ledger != Ledger::Unaware {
        return Ok(());
    }
    match unknown_to(store, results)? {
        None => Ok(()),
        Some(machine) => Err(Loss::Results {
            state,
            results: results.to_owned(),
            machine,
        }
        .into()),
    }
}

/// How many batches were committed, by the marks outside of the state.
///
/// # Errors
/// The mark cannot be read.
pub fn marked(store: &Store, ledger: Ledger) -> Result<u64, StoreError> {
    let ledger = match ledger {
        Ledger::Marked(committed) => committed,
        Ledger::None | Ledger::Unaware => 0,
    };
    Ok(beside(store)?.unwrap_or(0).max(ledger))
}

/// How many batches were committed, by the mark beside the state.
fn beside(store: &Store) -> Result<Option<u64>, StoreError> {
    let campaign = &store.identity().campaign;
    let file = MarkFile::read(store.path())?.filter(|(whose, _)| whose == campaign);
    Ok(file.map(|(_, committed)| committed))
}

fn is_being_recovered(store: &Store) -> Result<bool, StoreError> {
    let decisions = store.decisions()?;
    let mut recoveries = decisions
        .iter()
        .filter(|decision| decision.subject == Subject::Recover);
    Ok(recoveries
        .next_back()
        .is_some_and(|last| last.answer == "begun"))
}

/// What the state knows about one machine.
#[derive(Default)]
struct Knows {
    attempts: u32,
    has_ended: bool,
}

/// The first machine for which the results show an end or a call that the state does not know.
fn unknown_to(store: &Store, results: &Path) -> Result<Option<String>, WitnessError> {
    let campaign = &store.identity().campaign;
    if !matches!(results::owner(results)?, Owner::Campaign(id) if id == *campaign) {
        return Ok(None);
    }
    // One digest per machine: a million of them take some 30 MB.
    let digest = RandomState::new();
    let digest = |machine: &str| {
        let bare = machine.trim();
        if bare.bytes().any(|b| b.is_ascii_uppercase()) {
            digest.hash_one(bare.to_ascii_lowercase().as_str())
        } else {
            digest.hash_one(bare)
        }
    };
    let mut machines: HashMap<u64, Knows> = HashMap::new();
    store.each_touched(|touched| {
        let knows = machines.entry(digest(touched.machine_id)).or_default();
        knows.attempts = knows.attempts.max(touched.attempts);
        knows.has_ended |= touched.has_ended;
    })?;
    let mut missing = None;
    results::each_row::<ResultsError>(results, campaign, |row| {
        if missing.is_none() && tells_of_calls(row) {
            let knows = machines.get(&digest(&row.machine_id));
            let is_known = knows.is_some_and(|knows| {
                knows.attempts >= row.attempts && (knows.has_ended || is_open(row))
            });
            missing = (!is_known).then(|| row.machine_id.clone());
        }
        Ok(())
    })?;
    Ok(missing)
}

/// Whether a row says more than that it was read.
fn tells_of_calls(row: &ReadRow) -> bool {
    row.attempts > 0
        || !matches!(
            row.outcome.parse(),
            Ok(Outcome::Invalid | Outcome::Duplicate | Outcome::NotAttempted)
        )
}

/// Whether a row's target had not ended when its run did, or may not have.
fn is_open(row: &ReadRow) -> bool {
    matches!(
        row.outcome.parse(),
        Ok(Outcome::NotAttempted | Outcome::Unsure)
    )
}

/// Whether results are those of an unfinished campaign, as far as they show: one of its rows had not ended,
/// or there are fewer rows than the `rows` of the input, if the input is known to be the campaign's.
///
/// # Errors
/// The results cannot be read.
pub fn are_unfinished(
    results: &Path,
    campaign: &str,
    rows: Option<u64>,
) -> Result<bool, ResultsError> {
    let (mut found, mut any_open) = (0, false);
    results::each_row::<ResultsError>(results, campaign, |row| {
        found += 1;
        any_open |= is_open(row) && !is_left_out(&row.message);
        Ok(())
    })?;
    Ok(any_open || rows.is_some_and(|rows| found < rows))
}

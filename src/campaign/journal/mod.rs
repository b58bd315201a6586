//! What a run has on disk: the store, and the results file that follows it.
//!
//! The order matters: an event is committed, then each target that ended gets its line in the results, then
//! it is reported.
//!
//! - this file: [`Journal`], which writes batches. `row`: a stored row as the results show it. `rebuild`: the
//!   results file at the beginning of a run. `finalize`: the results file at its end. `workbook`: the same rows
//!   as a workbook.

mod finalize;
mod rebuild;
mod row;
mod workbook;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use self::{
    finalize::{Waiting, on_a_thread},
    rebuild::Rebuild,
    row::{put, result},
};
use super::{
    outcome::{Outcome, Tally},
    running::Aside,
    summary::Trouble,
};
use crate::{
    quota,
    results::{Installed, Layout, ResultsError, Rewrite},
    roster::split_extra,
    store::{Cursor, MarkFile, Record, Reserve, Selection, Store, StoreError, Target, Unfinished},
};
pub use row::{layout, message, outcome};
pub use workbook::write_workbook;

/// How many fresh targets are read at once: a fifth of a second's work at 25,000 calls a second.
pub(crate) const PAGE: usize = 4096;

/// A retry's place in the queue: when it becomes due, and its number.
pub type Place = (quota::Moment, u64);

/// The store and the results of one run.
pub struct Journal {
    store: Store,
    results: Rebuild,
    path: PathBuf,
    layout: Layout,
    run: i64,
    mark: MarkFile,
    /// The ledger's mark of the campaign, if there is a ledger.
    ledger: Option<Arc<quota::Mark>>,
    /// Disk space that is released when the disk is full, to record the calls in flight.
    reserve: Reserve,
}

/// What to write, and what to read with it.
#[derive(Debug, Default)]
pub struct Batch {
    /// What happened.
    pub records: Vec<Record>,
    /// What to read from the store as well.
    pub reading: Reading,
}

/// What to read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Where the next page of fresh targets begins.
    pub fresh: Option<Cursor>,
    /// Retries that will soon be due.
    pub retries: Vec<Place>,
    /// Targets that an earlier run left unconfirmed, by number.
    pub unconfirmed: Vec<u64>,
    /// Targets that were set aside before anything happened to them.
    pub parked: Vec<Aside>,
}

impl Reading {
    /// Whether there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fresh.is_none()
            && self.retries.is_empty()
            && self.unconfirmed.is_empty()
            && self.parked.is_empty()
    }
}

/// What was written and read.
#[derive(Debug, Default)]
pub struct Written {
    /// The targets that ended. Their outcomes are committed, and their lines are in the results.
    pub ended: Vec<Ended>,
    /// The page that was asked for, and where the next one begins.
    pub fresh: Option<(Vec<Target>, Cursor)>,
    /// The retries that were asked for.
    pub retries: Vec<Unfinished>,
    /// The unconfirmed targets that were asked for.
    pub unconfirmed: Vec<Unfinished>,
    /// The targets that were asked for because they had been set aside.
    pub parked: Vec<Target>,
}

/// A target that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its line in the input.
    pub line: u64,
    /// The machine id as typed.
    pub machine_id: String,
    /// How.
    pub outcome: Outcome,
    /// Why.
    pub message: String,
}

/// Why something cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store cannot be written, and nothing of the batch is in it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store has the batch, but cannot be read.
    #[error(transparent)]
    Unread(StoreError),
    /// The results cannot be written.
    #[error(
        "{0}; free some disk space, or fix what keeps the file from being used, then give the same command again"
    )]
    Results(#[from] ResultsError),
    /// The results could not be begun, which was reported before, or nobody waits for them any more.
    #[error("the results file could not be written")]
    NoResults,
}

impl Journal {
    /// The journal of run number `run`. The results file is rewritten with the targets that have ended. This
    /// goes on beside the first calls, because half a million lines take a second. The file is in its place
    /// before the first line is added.
    ///
    /// # Errors
    /// The store cannot be read, or the results cannot be written at their place.
    pub fn begin(
        mut store: Store,
        run: i64,
        results: &Path,
        layout: &Layout,
    ) -> Result<Self, JournalError> {
        let place = std::path::absolute(results).unwrap_or_else(|_| results.to_owned());
        store.note_results(run, &place.to_string_lossy(), layout.excel())?;
        let campaign = store.identity().campaign.clone();
        let reserve = Reserve::keep(store.path())?;
        let mark = MarkFile::open(store.path(), &campaign, store.committed()?)?;
        let mut fresh = Rewrite::start(results, layout)?;
        let ended = store.snapshot()?;
        let write = move || {
            ended.each_row(Selection::Ended, |row| {
                put(&mut fresh, row, outcome(row), ended.identity())
            })?;
            Ok(fresh.install()?)
        };
        Ok(Self {
            results: Rebuild::begin(write),
            path: results.to_owned(),
            layout: layout.clone(),
            store,
            run,
            mark,
            ledger: None,
            reserve,
        })
    }

    /// Also raises the ledger's mark with every batch.
    #[must_use]
    pub fn with_ledger(mut self, mark: Arc<quota::Mark>) -> Self {
        self.ledger = Some(mark);
        self
    }

    /// Writes one batch. Once this has returned, the batch survives any crash.
    ///
    /// # Errors
    /// The store cannot be written, and nothing of the batch is in it; or the batch is in it, but the store
    /// cannot be read or the results cannot be written.
    pub fn write(&mut self, batch: &Batch) -> Result<Written, JournalError> {
        if let Err(e) = self.store.commit(self.run, &batch.records) {
            self.reserve.release();
            return Err(e.into());
        }
        self.committed(batch).map_err(|e| match e {
            JournalError::Store(e) => JournalError::Unread(e),
            e => e,
        })
    }

    /// Everything that follows once a batch is in the store.
    fn committed(&mut self, batch: &Batch) -> Result<Written, JournalError> {
        if !batch.records.is_empty() {
            // This comes before anything that was committed is acted on.
            let committed = self.store.committed()?;
            self.mark.write(committed)?;
            if let Some(ledger) = &self.ledger {
                ledger.raise(committed);
            }
        }
        let mut written = Written::default();
        let mut rows = self.store.rows()?;
        for record in &batch.records {
            let Record::Changed { n, progress, .. } = record else {
                continue;
            };
            let Some(outcome) = progress
                .outcome
                .and_then(|word| Outcome::from_str(word).ok())
            else {
                continue;
            };
            let row = rows.row(*n)?;
            let extra = split_extra(&row.extra);
            self.results
                .file()?
                .append(&result(&row, outcome, self.store.identity(), &extra))?;
            written.ended.push(Ended {
                line: row.line,
                machine_id: row.machine_id,
                outcome,
                message: row.message,
            });
        }
        drop(rows);
        let Reading {
            fresh,
            retries,
            unconfirmed,
            parked,
        } = &batch.reading;
        if let Some(cursor) = *fresh {
            written.fresh = Some(self.store.fresh(cursor, PAGE)?);
        }
        written.retries = self.store.recall(retries.iter().map(|&(_, n)| n))?;
        written.unconfirmed = self.store.recall(unconfirmed.iter().copied())?;
        written.parked = self.set_aside(parked)?;
        Ok(written)
    }

    /// Targets that were set aside, by their numbers. An attempt that did not go out leaves a trace of a target that is
    /// otherwise untouched.
    fn set_aside(&self, parked: &[Aside]) -> Result<Vec<Target>, StoreError> {
        let numbers = || parked.iter().map(|(_, (_, n))| *n);
        let mut targets = self.store.untouched(numbers())?;
        let untouched: HashSet<_> = targets.iter().map(|target| target.n).collect();
        let others = numbers().filter(|n| !untouched.contains(n));
        targets.extend(
            self.store
                .recall(others)?
                .into_iter()
                .map(|left| left.target),
        );
        Ok(targets)
    }
}

/// What is known at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How every row ended.
    pub tally: Tally,
    /// Where the results are.
    pub placed: Installed,
    /// The most frequent messages.
    pub troubles: Vec<Trouble>,
}

/// Rewrites the results of a campaign that no process is running, with every row in the input's order. If it
/// is dropped early, the results are as they were, or the new ones, complete.
///
/// # Errors
/// The store cannot be read or the results cannot be written.
pub async fn rewrite(
    store: Store,
    results: &Path,
    layout: &Layout,
) -> Result<Installed, JournalError> {
    let waiting = Waiting::default();
    let is_abandoned = waiting.is_over();
    let (results, layout) = (results.to_owned(), layout.clone());
    let write = move || {
        let mut fresh = Rewrite::start(&results, &layout)?;
        store.each_row(Selection::All, |row| {
            if is_abandoned() {
                return Err(JournalError::NoResults);
            }
            put(&mut fresh, row, outcome(row), store.identity())
        })?;
        Ok(fresh.seal()?)
    };
    let sealed = on_a_thread(write).await?;
    Ok(sealed.place(tokio::time::sleep).await?)
}

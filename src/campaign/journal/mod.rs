//! What is on disk of a run: the store, and the results file that follows it.
//!
//! The order is the promise: what happened is committed, then each end has its line in the results, then it is told.

mod finalize;
mod rebuild;
mod row;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use jiff::Timestamp;

use self::{
    finalize::{Finalizer, Waiting, on_a_thread},
    rebuild::Rebuild,
    row::{put, result},
};
use super::{
    outcome::{Outcome, Tally},
    summary::Trouble,
};
use crate::{
    quota,
    results::{Installed, Layout, ResultsError, Rewrite},
    roster::split_extra,
    store::{Cursor, MarkFile, Record, Reserve, Store, StoreError, Target, Unfinished},
};
pub use row::outcome;

/// So many fresh targets are fetched at once; a fifth of a second's work at 25,000 calls a second.
pub(crate) const PAGE: usize = 4096;

/// A retry's place, by which a recalled target finds it: when it becomes due, and its number.
pub type Place = (quota::Moment, u64);

/// The store and the results of one run.
pub struct Journal {
    store: Store,
    results: Rebuild,
    path: PathBuf,
    layout: Layout,
    run: i64,
    mark: MarkFile,
    /// What the ledger is told of it, where there is one.
    ledger: Option<Arc<quota::Mark>>,
    /// Given back when the disk is full, for the ends of what is on its way.
    reserve: Reserve,
}

/// What is to be written, and read with it.
#[derive(Debug, Default)]
pub struct Batch {
    /// What happened.
    pub records: Vec<Record>,
    /// What is wanted of the store besides.
    pub reading: Reading,
}

/// What is to be read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Where the next page of fresh targets begins.
    pub fresh: Option<Cursor>,
    /// Retries whose time is near.
    pub retries: Vec<Place>,
    /// Targets in doubt that an earlier run left, by number.
    pub unconfirmed: Vec<u64>,
}

impl Reading {
    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fresh.is_none() && self.retries.is_empty() && self.unconfirmed.is_empty()
    }
}

/// What has been written and read.
#[derive(Debug, Default)]
pub struct Written {
    /// The targets that ended, their outcome committed and their line in the results.
    pub ended: Vec<Ended>,
    /// The page that was asked for, and where the next one begins.
    pub fresh: Option<(Vec<Target>, Cursor)>,
    /// The retries that were asked for.
    pub retries: Vec<Unfinished>,
    /// The targets in doubt that were asked for.
    pub unconfirmed: Vec<Unfinished>,
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

/// Something cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store. Nothing of a batch is in it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store has the batch, and what was to be read after it cannot be read.
    #[error(transparent)]
    Unread(StoreError),
    /// The results.
    #[error(
        "{0}; make room on the disk, or mend what keeps the file from being used, then give the same command again"
    )]
    Results(#[from] ResultsError),
    /// They could not be begun, as was said before; or nobody waits for them any more.
    #[error("the results file could not be written")]
    NoResults,
}

impl Journal {
    /// The journal of run number `run`: writes the results file anew, with the targets that have ended. That goes on beside
    /// the first calls, for half a million lines take a second; the file is in its place before the first line is added.
    ///
    /// # Errors
    /// The store cannot be read, or nothing can be written where the results are to be.
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
            ended.each_row(true, |row| {
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

    /// The same, with the ledger told of what is committed.
    #[must_use]
    pub fn with_ledger(mut self, mark: Arc<quota::Mark>) -> Self {
        self.ledger = Some(mark);
        self
    }

    /// Writes one batch: once this has returned, it survives any crash.
    ///
    /// # Errors
    /// The store cannot be written, and nothing of the batch is; or the store has it, and cannot be read any more or the
    /// results cannot be written.
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

    /// What follows from a batch that is in the store.
    fn committed(&mut self, batch: &Batch) -> Result<Written, JournalError> {
        if !batch.records.is_empty() {
            // Before anything that was committed is acted on.
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
        } = &batch.reading;
        if let Some(cursor) = *fresh {
            written.fresh = Some(self.store.fresh(cursor, PAGE)?);
        }
        written.retries = self.store.recall(retries.iter().map(|&(_, n)| n))?;
        written.unconfirmed = self.store.recall(unconfirmed.iter().copied())?;
        Ok(written)
    }

    /// Ends the results file: every row, in the input's order; then notes the run's end and closes the store.
    ///
    /// That takes a second for a million rows, and ten where another program holds the file. Dropped before its time, this
    /// leaves the results as the last line left them, or the new ones, whole; the next run puts them in order.
    ///
    /// # Errors
    /// Either cannot be written. The results file is then as the last line left it.
    pub async fn finish(self, ended: Timestamp, reason: &str) -> Result<Finished, JournalError> {
        let Self {
            store,
            results,
            path,
            layout,
            run,
            mut reserve,
            ..
        } = self;
        reserve.release();
        let finalizer = Finalizer {
            store,
            results,
            path,
            layout,
            run,
        };
        finalizer.finalize(ended, reason).await
    }
}

/// What the end of a run leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How every row ended.
    pub tally: Tally,
    /// Where the results are.
    pub placed: Installed,
    /// The most frequent messages.
    pub troubles: Vec<Trouble>,
}

/// Writes the results of a campaign that no process is at work on anew, every row in the input's order. Dropped before its
/// time, this leaves them as they were, or the new ones, whole.
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
        store.each_row(false, |row| {
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

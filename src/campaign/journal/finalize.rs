//! The end of a run on disk: every row is written once more, in the input's order, by a thread that the run
//! need not wait for.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;

use super::{Finished, Journal, JournalError, outcome, row::put};
use crate::campaign::{
    counts::Counts,
    outcome::{Outcome, Tally},
    summary::{Trouble, Troubles},
    tag::CampaignId,
};
use crate::{
    results::{self, Installed, Owner, Rewrite},
    store::{MarkFile, Selection, Store},
};

/// How many different messages are shown at a run's end. The results have them all.
const TROUBLES_SHOWN: usize = 5;

/// The new results file, complete but not in its place yet.
struct Prepared {
    store: Store,
    file: results::Finished,
    tally: Tally,
    /// Whether every row has ended.
    is_finished: bool,
    troubles: Vec<Trouble>,
}

impl Journal {
    /// Completes the results file with every row in the input's order, records the run's end and closes the
    /// store, in this order: a campaign that has its end also has its results.
    ///
    /// This takes a second for a million rows, and ten where another program holds the file. If it is dropped
    /// early, the results are as the last line left them, or the new ones, complete; the next run puts them
    /// in order.
    ///
    /// # Errors
    /// One of them cannot be written. The results file is then as the last line left it.
    pub async fn finish(
        mut self,
        ended: Timestamp,
        reason: &str,
    ) -> Result<Finished, JournalError> {
        self.reserve.release();
        let run = self.run;
        let (place, why) = self.place()?;
        let waiting = Waiting::default();
        let is_abandoned = waiting.is_over();
        let Prepared {
            mut store,
            file,
            tally,
            is_finished,
            troubles,
        } = on_a_thread(move || self.prepare(&place, is_abandoned)).await?;
        let placed = match (file.place(tokio::time::sleep).await?, why) {
            (Installed::There(path), Some(why)) => Installed::Aside { path, why },
            (placed, _) => placed,
        };
        let reason = reason.to_owned();
        on_a_thread(move || {
            store.end_run(run, ended, &reason)?;
            if is_finished {
                // A campaign that has ended has nothing left to lose.
                MarkFile::remove(store.path());
            }
            Ok(store.close()?)
        })
        .await?;
        Ok(Finished {
            tally,
            placed,
            troubles,
        })
    }

    /// Where the results go, and why not to their usual place: a real campaign may have begun while a
    /// rehearsal went on, and have replaced its results.
    fn place(&self) -> Result<(PathBuf, Option<String>), JournalError> {
        let is_rehearsal = |id: &str| CampaignId::known(id).is_rehearsal();
        let ours = &self.store.identity().campaign;
        if !is_rehearsal(ours) {
            return Ok((self.path.clone(), None));
        }
        let others = match results::owner(&self.path)? {
            Owner::Campaign(id) if !is_rehearsal(&id) => id,
            Owner::Empty if self.has_ended_rows()? => "that has just begun".to_owned(),
            _ => return Ok((self.path.clone(), None)),
        };
        let why = format!("it holds the results of the real campaign {others}");
        Ok((results::beside(&self.path), Some(why)))
    }

    /// Whether there are rows that were in the results before.
    fn has_ended_rows(&self) -> Result<bool, JournalError> {
        Ok(Counts::of(&self.store)?.tally.total() > 0)
    }

    /// Writes every row once more, in the input's order.
    fn prepare(
        self,
        path: &Path,
        is_abandoned: impl Fn() -> bool,
    ) -> Result<Prepared, JournalError> {
        let Self {
            store,
            results,
            layout,
            ..
        } = self;
        // Close it first: Windows does not replace a file that is open.
        drop(results);
        let mut tally = Tally::default();
        let mut troubles = Troubles::default();
        let mut is_finished = true;
        // Somebody may have asked the devices meanwhile, beside this run.
        let layout = super::layout(&store, layout.excel())?;
        let mut fresh = Rewrite::start(path, &layout)?;
        store.each_row(Selection::All, |row| {
            if is_abandoned() {
                // Nobody sees this error. The unfinished file goes away with this thread.
                return Err(JournalError::NoResults);
            }
            let outcome = outcome(row);
            is_finished &= row.outcome.is_some();
            if row.left_out && row.outcome.is_some() {
                tally.leave_out(1);
            } else {
                tally.add(outcome);
            }
            if !matches!(outcome, Outcome::Accepted | Outcome::Duplicate)
                && row.outcome.is_some()
                && !row.left_out
            {
                troubles.add(outcome.as_str(), &row.message);
            }
            put(&mut fresh, row, outcome, store.identity())
        })?;
        Ok(Prepared {
            file: fresh.seal()?,
            store,
            tally,
            is_finished,
            troubles: troubles.most_frequent(TROUBLES_SHOWN),
        })
    }
}

/// Somebody who waits for a thread. Dropping this tells the thread that nobody does any more.
#[derive(Default)]
pub(crate) struct Waiting(Arc<AtomicBool>);

impl Waiting {
    /// Whether nobody waits any more, for the thread to ask.
    pub(crate) fn is_over(&self) -> impl Fn() -> bool + Send + 'static {
        let is_abandoned = Arc::clone(&self.0);
        move || is_abandoned.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs something that blocks. Virtual time stands still meanwhile.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, JournalError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and the process with it.
            Err(_) => Err(JournalError::NoResults),
        },
    }
}

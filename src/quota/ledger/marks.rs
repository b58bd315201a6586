//! What is remembered of campaigns outside of their state files: how many batches each has committed. A state that
//! knows of fewer has lost its end.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    super::clock::Clock,
    LedgerError,
    mark_rows::{self, MarkRow},
    schema,
};

/// The mark of the campaign that this process works on. Shared by the code that commits to the state file, which raises
/// it, and the code that writes the ledger.
#[derive(Debug)]
pub struct Mark {
    campaign: String,
    committed: AtomicU64,
}

impl Mark {
    /// The mark of a campaign whose state has committed this many batches.
    #[must_use]
    pub fn new(campaign: impl Into<String>, committed: u64) -> Arc<Self> {
        Arc::new(Self {
            campaign: campaign.into(),
            committed: AtomicU64::new(committed),
        })
    }

    /// Raises the mark to `committed` batches. Call this only once they are on disk. Never lowers the mark.
    pub fn raise(&self, committed: u64) {
        self.committed.fetch_max(committed, Ordering::AcqRel);
    }

    /// How many batches have been committed.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// The campaign's id.
    #[must_use]
    pub fn campaign(&self) -> &str {
        &self.campaign
    }
}

/// The marks in a ledger, the most recently written first. A file that does not exist has none, and neither has one of
/// version 1. Nothing is created or written. Blocks.
///
/// # Errors
/// The file cannot be read, is not a ledger, was made by a later release, or is damaged.
pub fn marks(file: &Path) -> Result<Vec<MarkRow>, LedgerError> {
    let Some((conn, version)) = schema::open_read_only(file)? else {
        return Ok(Vec::new());
    };
    if !schema::has_marks(version) {
        return Ok(Vec::new());
    }
    let mut marks = mark_rows::all(&conn, file)?;
    marks.sort_by_key(|mark| std::cmp::Reverse(mark.touched));
    Ok(marks)
}

/// Records that a campaign has been abandoned. Returns `false` if there is no open mark for it. Blocks.
///
/// # Errors
/// The ledger cannot be read or written.
pub fn abandon(file: &Path, campaign: &str, clock: &dyn Clock) -> Result<bool, LedgerError> {
    end(file, campaign, true, clock)
}

/// Records that a campaign has finished, if its last run died before it could do so. Returns `false` if there is no
/// open mark for it. Blocks.
///
/// # Errors
/// The ledger cannot be read or written.
pub fn finish(file: &Path, campaign: &str, clock: &dyn Clock) -> Result<bool, LedgerError> {
    end(file, campaign, false, clock)
}

fn end(
    file: &Path,
    campaign: &str,
    abandoned: bool,
    clock: &dyn Clock,
) -> Result<bool, LedgerError> {
    let is_open = |mark: &MarkRow| mark.campaign == campaign && mark.ended.is_none();
    // Checked first, so that nothing is created or written for a campaign that is not there.
    if !marks(file)?.iter().any(is_open) {
        return Ok(false);
    }
    let conn = schema::open_existing(file)?;
    schema::transaction(&conn, file, || {
        let Some(mark) = mark_rows::one(&conn, file, campaign)?.filter(is_open) else {
            return Ok(false);
        };
        mark_rows::put(&conn, file, &mark.into_ended(clock.wall(), abandoned))?;
        Ok(true)
    })
}

//! The state of a campaign that another process may be running.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::{
    client::{
        margins::{BLIND_MARGIN, before},
        scans::ListingError,
    },
    store::{OpenAction, Store, StoreError},
};

/// How many open scans are read from the store at once.
const PAGE: usize = 10_000;

/// The state file, for following and cancelling. It is open only while it is used: the process that runs the
/// campaign can fold the journal in only if nobody else has the file open. It was checked as a whole before,
/// and is not checked again each time.
#[derive(Debug, Clone)]
pub(super) struct SharedStore(PathBuf);

impl SharedStore {
    pub(super) fn new(state: &Path) -> Self {
        Self(state.to_owned())
    }

    /// Runs `work` on the state, on a thread that may block.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, FollowError> {
        let state = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            Store::open_unchecked(&state).and_then(|mut store| work(&mut store))
        });
        match done.await {
            Ok(done) => done.map_err(|e| FollowError::Disk(e.to_string())),
            Err(e) => Err(FollowError::Disk(format!("the state: {e}"))),
        }
    }
}

/// Every target whose scan is not known to be over.
pub(super) fn all_open(store: &Store) -> Result<Vec<OpenAction>, StoreError> {
    let mut all: Vec<OpenAction> = Vec::new();
    loop {
        let after = all.last().map_or(0, |open| open.n);
        let page = store.open_actions(after, PAGE)?;
        let full = page.len() == PAGE;
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

/// The time of the service's clock from which on the list has to be read to show this scan.
pub(super) fn listed_from(open: &OpenAction) -> Timestamp {
    open.created_at().unwrap_or_else(|| {
        let asked = open.asked.map_or(Timestamp::MIN, |asked| asked.at);
        before(asked, BLIND_MARGIN)
    })
}

/// Why following or cancelling cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The tenant rejects the requests.
    #[error("the scans cannot be reached: {0}")]
    Tenant(String),
    /// The state or the ledger cannot be used.
    #[error("{0}")]
    Disk(String),
}

impl From<ListingError> for FollowError {
    fn from(e: ListingError) -> Self {
        Self::Tenant(match e {
            ListingError::Ledger(why) => return Self::Disk(why),
            ListingError::Forbidden(why) => {
                format!("{why}; grant the application the role Machine.Read.All")
            }
            ListingError::Unanswered { trouble, .. } => trouble.why,
            ListingError::Failed(why)
            | ListingError::Unauthorized(why)
            | ListingError::Blocked(why) => why,
        })
    }
}

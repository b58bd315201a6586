//! The state of a campaign that another process may be running.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::task::JoinError;

use super::{disk::DiskWork, stop::StopReason};
use crate::{
    client::{
        caller::CallError,
        margins::{BLIND_MARGIN, before},
        scans::ListingError,
    },
    quota::LedgerError,
    store::{OpenAction, Store, StoreError},
};

/// The state file, for following and cancelling. It is open only while it is used: the process that runs the
/// campaign can fold the journal in only if nobody else has the file open. It was checked as a whole before,
/// and is not checked again each time.
#[derive(Debug, Clone)]
pub(super) struct SharedStore {
    path: PathBuf,
    disk: DiskWork,
}

impl SharedStore {
    pub(super) fn new(state: &Path, disk: DiskWork) -> Self {
        Self {
            path: state.to_owned(),
            disk,
        }
    }

    /// Runs `work` on the state.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, FollowError> {
        let state = self.path.clone();
        let done = self
            .disk
            .begin(move || Store::open_unchecked(&state).and_then(|mut store| work(&mut store)));
        match done.await {
            Ok(done) => Ok(done?),
            Err(e) => Err(e.into()),
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
    /// The scans cannot be listed.
    #[error("the scans cannot be reached: {why}{}", role_for(why))]
    List {
        /// Why.
        #[source]
        why: ListingError,
    },
    /// The tenant rejects a call.
    #[error("the scans cannot be reached: {0}")]
    Call(#[source] CallError),
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger of the quota cannot be used.
    #[error(transparent)]
    Ledger(LedgerError),
    /// A bug ended a part of the program.
    #[error("a part of the program broke off: {0}")]
    Task(#[from] JoinError),
}

impl FollowError {
    /// Whether somebody has to change something in the tenant, or between it and this computer.
    #[must_use]
    pub fn is_of_tenant(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Call(_))
    }
}

/// What lets the application list, where that is what is missing.
fn role_for(e: &ListingError) -> &'static str {
    match e {
        ListingError::Forbidden(_) => "; grant the application the role Machine.Read.All",
        _ => "",
    }
}

impl From<ListingError> for FollowError {
    fn from(e: ListingError) -> Self {
        match e {
            ListingError::Ledger(e) => Self::Ledger(e),
            why => Self::List { why },
        }
    }
}

impl From<CallError> for FollowError {
    fn from(e: CallError) -> Self {
        match e {
            CallError::Ledger(e) => Self::Ledger(e),
            e => Self::Call(e),
        }
    }
}

impl From<FollowError> for StopReason {
    fn from(e: FollowError) -> Self {
        if e.is_of_tenant() {
            Self::Tenant(e.to_string())
        } else {
            Self::Disk(e.to_string())
        }
    }
}

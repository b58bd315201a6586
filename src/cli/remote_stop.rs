//! Orders that other processes leave in the campaign's state for a run that is at work on it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::Failure;
use crate::{campaign::stop::Signal, store::Store};

/// How often a run looks for orders.
const EVERY: Duration = Duration::from_secs(1);

/// Looks for orders until it is dropped.
pub(super) struct StopRequests(JoinHandle<()>);

impl StopRequests {
    /// Passes on the orders that are given from now on. Those before were for an earlier run.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn start(state: &Path, signals: mpsc::Sender<Signal>) -> Result<Self, Failure> {
        let last = last(state).map_err(Failure::storage)?;
        Ok(Self(tokio::spawn(watch(state.to_owned(), last, signals))))
    }
}

impl Drop for StopRequests {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(state: PathBuf, last_before: i64, signals: mpsc::Sender<Signal>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let state = state.clone();
        let read = tokio::task::spawn_blocking(move || last(&state)).await;
        // A state that cannot be read for the moment is read a second later.
        if matches!(read, Ok(Ok(id)) if id > last_before) {
            let _ = signals.send(Signal::Ordered).await;
            return;
        }
    }
}

/// The state is open for an instant only: the run folds its journal in when nobody else has it open.
fn last(state: &Path) -> Result<i64, crate::store::StoreError> {
    Store::open_unchecked(state)?.last_stop_request()
}

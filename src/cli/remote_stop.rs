//! Stop requests, which `fleetsweep cancel` leaves in a campaign's state for the run that is at work on it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::Failure;
use crate::{
    campaign::stop::Signal,
    store::{Store, StoreError},
};

/// How often a run looks for a stop request.
const POLL: Duration = Duration::from_secs(1);

/// Looks for stop requests until it is dropped.
pub(super) struct StopRequests(JoinHandle<()>);

impl StopRequests {
    /// Sends a signal for the next stop request. Those that are in the state already were meant for an earlier run.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn start(state: &Path, signals: mpsc::Sender<Signal>) -> Result<Self, Failure> {
        let last = last(state)?;
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
        tokio::time::sleep(POLL).await;
        let state = state.clone();
        let read = tokio::task::spawn_blocking(move || last(&state)).await;
        // If the state cannot be read at the moment, the next round tries again.
        if matches!(read, Ok(Ok(id)) if id > last_before) {
            let _ = signals.send(Signal::Ordered).await;
            return;
        }
    }
}

/// The id of the last stop request. The state is open for a moment only, because the run can fold the journal into the
/// database only while nobody else has it open.
fn last(state: &Path) -> Result<i64, StoreError> {
    Store::open_unchecked(state)?.last_stop_request()
}

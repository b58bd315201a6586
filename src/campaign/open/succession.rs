//! A finished campaign is followed by another one in its place.

use std::path::Path;

use tokio::runtime::Handle;

use super::{OpenError, OpenRequest, Opened};
use crate::{
    campaign::{journal, tag::CampaignId},
    quota::MarkRow,
    results::{self, Layout, Owner},
    store::{Lock, Store},
};

impl OpenRequest {
    /// Begins a campaign in the place of the one that is there, which has finished.
    pub(super) fn succeed(
        self,
        store: Store,
        lock: Lock,
        marks: &[MarkRow],
    ) -> Result<Opened, OpenError> {
        let old = CampaignId::known(store.identity().campaign.as_str());
        if self.was_concluded(&store)? {
            store.close()?;
        } else {
            conclude(store)?;
        }
        self.end_mark(&old)?;
        self.begin(lock, Some(&old), marks)
    }
}

/// Puts the results of a campaign in order whose last run was killed when every row had ended: what was heard of its
/// scans until then is in the state alone, and nobody comes back to it.
fn conclude(store: Store) -> Result<(), OpenError> {
    let last = store.last_results()?;
    let Some((path, excel)) = last else {
        return Ok(store.close()?);
    };
    let path = Path::new(&path);
    let owner = results::owner(path)?;
    if owner != Owner::Campaign(store.identity().campaign.clone()) {
        return Ok(store.close()?);
    }
    let layout = Layout::new(&store.identity().columns, excel);
    // On a thread that may block, while the runtime drives the timers.
    let rewritten = Handle::current().block_on(journal::rewrite(store, path, &layout));
    rewritten?;
    Ok(())
}

//! Lists the inventory to find out which machines were seen lately, for `--when-offline defer`.

use std::{collections::HashSet, convert::Infallible, sync::Arc};

use jiff::Timestamp;

use crate::{
    client::{
        caller::{CallError, Caller, OnOutage},
        machines::{self, ListError, Wanted},
    },
    defender::{Defender, sign_in::TokenSource, wire::Machine},
    quota::{Clock, LedgerError, Pacer},
};

/// The machines that were seen lately.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen(HashSet<String>);

/// Why the inventory could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum SightingError {
    /// The application may not list it.
    #[error("{0}")]
    Forbidden(String),
    /// The ledger of the quota cannot be used.
    #[error(transparent)]
    Ledger(LedgerError),
    /// Any other reason. It may be possible later. The machines were seen until then.
    #[error("{0}")]
    Failed(String, Seen),
}

/// Lists the inventory.
pub(super) struct Sightings<D> {
    caller: Caller<D>,
    clock: Arc<dyn Clock>,
}

impl Seen {
    /// Whether this machine, whose id is in lower case, was seen lately.
    #[must_use]
    pub fn has(&self, machine: &str) -> bool {
        self.0.contains(machine)
    }
}

impl FromIterator<String> for Seen {
    fn from_iter<I: IntoIterator<Item = String>>(machines: I) -> Self {
        Self(machines.into_iter().collect())
    }
}

impl<D: Defender> Sightings<D> {
    pub(super) fn new(
        defender: Arc<D>,
        tokens: Arc<dyn TokenSource>,
        pacer: Pacer,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            // A listing that fails is tried again at the next look.
            caller: Caller::new(defender, tokens, pacer, Arc::clone(&clock), OnOutage::Fail),
            clock,
        }
    }

    /// The number of calls made so far.
    pub(super) fn calls(&self) -> u64 {
        self.caller.calls()
    }

    /// The machines that were seen at this time of the server's clock or later.
    ///
    /// # Errors
    /// The inventory could not be listed to its end.
    pub(super) async fn since(&self, since: Timestamp) -> Result<Seen, SightingError> {
        let wanted = Wanted {
            filter: Some(format!(
                "lastSeen ge {}",
                since.strftime("%Y-%m-%dT%H:%M:%SZ")
            )),
            ..Wanted::default()
        };
        // The filter knows no fractions of a second.
        let since = since.as_second();
        let mut seen = HashSet::new();
        let take = |machine: &Machine| {
            if last_seen(machine).is_some_and(|last| last.as_second() >= since) {
                seen.insert(machine.id.trim().to_lowercase());
            }
            Ok::<_, Infallible>(())
        };
        // Whoever is missing because rows moved is found by the next look.
        let listing = machines::list(&self.caller, &wanted, self.clock.wall(), take, |_| {});
        match listing.await {
            Ok(_) => Ok(Seen(seen)),
            Err(ListError::Take(never)) => match never {},
            Err(ListError::Call(CallError::Ledger(e))) => Err(SightingError::Ledger(e)),
            Err(ListError::Call(CallError::Refused(said))) if said.status == 403 => Err(
                SightingError::Forbidden(CallError::Refused(said).to_string()),
            ),
            Err(e) => Err(SightingError::Failed(e.to_string(), Seen(seen))),
        }
    }
}

/// When the service saw this machine last, if it says so.
pub(crate) fn last_seen(machine: &Machine) -> Option<Timestamp> {
    machine.last_seen.as_deref()?.trim().parse().ok()
}
